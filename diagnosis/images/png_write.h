// png_write.h - writes 8-bit grey, 16-bit grey and RGB pictures as PNG into memory. The same pixels and text give the
// same bytes: compression level and filter are fixed and no time is stored.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

// A tEXt chunk. Keyword: 1 to 79 printable ASCII characters; text: ASCII without NUL.
struct PngText {
  std::string keyword, text;
};

// pixels: [height][width] or [height][width][3]. No text chunk if text is null.
// Errors: E_INTERNAL (sizes do not match, or a text that PNG forbids), E_OOM_HOST.
Result<std::vector<uint8_t>> encode_png_grey(int width, int height, std::span<const uint8_t> pixels,
                                             const PngText* text = nullptr);
Result<std::vector<uint8_t>> encode_png_rgb(int width, int height, std::span<const uint8_t> pixels,
                                            const PngText* text = nullptr);
Result<std::vector<uint8_t>> encode_png_grey16(int width, int height, std::span<const uint16_t> pixels);

}  // namespace spinert
