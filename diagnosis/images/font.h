// font.h - the bitmap font of drawing.h.
#pragma once

#include <array>
#include <cstdint>

namespace spinert {

inline constexpr int kGlyphWidth = 5, kGlyphHeight = 7;
// Rows from top to bottom; bit 4 is the leftmost pixel.
using Glyph = std::array<uint8_t, kGlyphHeight>;
// A hollow box for characters outside 32..126.
const Glyph& font_glyph(char c);

}  // namespace spinert
