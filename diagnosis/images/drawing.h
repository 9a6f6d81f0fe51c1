// drawing.h - rectangles and text on an RGB image. It knows pixels and nothing of what they show. Everything is clipped
// to the image; no call can fail.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace spinert {

struct Rgb {
  uint8_t red = 0, green = 0, blue = 0;
};

struct RgbImage {
  RgbImage(int width, int height, Rgb fill = {});
  int width, height;
  std::vector<uint8_t> value;  // [height][width][3]
};

// Grey 0..255 replicated to three channels, rounded to nearest and clipped. grey: [height][width].
RgbImage rgb_from_grey(int width, int height, std::span<const float> grey);

// Pixels x0 <= x < x1, y0 <= y < y1.
struct PixelRect {
  int x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

// alpha 0 leaves the image as it is, 255 paints over it.
void fill_rect(RgbImage& image, const PixelRect& rect, Rgb colour, uint8_t alpha = 255);
// The outline lies inside the rectangle and is `thickness` pixels wide.
void draw_rect(RgbImage& image, const PixelRect& rect, Rgb colour, int thickness = 1);

// The font is 5 x 7 pixels per character in a cell of 6 x 8, times an integer scale. Characters outside ASCII 32..126
// are drawn as a hollow box; "\n" begins a new line.
inline constexpr int kFontCellWidth = 6, kFontCellHeight = 8;
// (x, y) is the upper left corner of the first character.
void draw_text(RgbImage& image, int x, int y, std::string_view text, Rgb colour, int scale = 1);
// Width in pixels of the longest line, and height of all lines, gaps after the last character and line left out.
struct TextSize {
  int width = 0, height = 0;
};
TextSize text_size(std::string_view text, int scale = 1);

}  // namespace spinert
