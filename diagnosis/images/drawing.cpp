// drawing.cpp - clipping first, then plain loops.
#include "diagnosis/images/drawing.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/images/font.h"

namespace spinert {
namespace {

// Coordinates may lie far outside the image (a box reaches beyond its slice), so sums are made in 64 bits.
int clip(int64_t value, int limit) {
  return static_cast<int>(std::clamp<int64_t>(value, 0, limit));
}

// Rounded to nearest; exact at both ends, so that alpha 255 really paints over.
uint8_t mix(uint8_t under, uint8_t over, int alpha) {
  return static_cast<uint8_t>((under * (255 - alpha) + over * alpha + 127) / 255);
}

void fill_clipped(RgbImage& image, int64_t x0, int64_t y0, int64_t x1, int64_t y1, Rgb colour, uint8_t alpha) {
  // After clipping an empty or inverted rectangle has no pixels, so no case needs a test of its own.
  const int left = clip(x0, image.width), right = clip(x1, image.width);
  const int top = clip(y0, image.height), bottom = clip(y1, image.height);
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      uint8_t* pixel =
          &image.value[(static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x)) * 3];
      pixel[0] = mix(pixel[0], colour.red, alpha);
      pixel[1] = mix(pixel[1], colour.green, alpha);
      pixel[2] = mix(pixel[2], colour.blue, alpha);
    }
  }
}

}  // namespace

RgbImage::RgbImage(int image_width, int image_height, Rgb fill)
    : width(std::max(image_width, 0)), height(std::max(image_height, 0)) {
  value.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  for (size_t i = 0; i < value.size(); i += 3) {
    value[i] = fill.red;
    value[i + 1] = fill.green;
    value[i + 2] = fill.blue;
  }
}

RgbImage rgb_from_grey(int width, int height, std::span<const float> grey) {
  RgbImage image(width, height);
  const size_t pixels = std::min(grey.size(), image.value.size() / 3);
  for (size_t i = 0; i < pixels; ++i) {
    // Written so that NaN becomes 0 as well.
    const float g = grey[i] > 0 ? std::min(grey[i], 255.0f) : 0.0f;
    std::fill_n(image.value.begin() + static_cast<int64_t>(3 * i), 3, static_cast<uint8_t>(std::lround(g)));
  }
  return image;
}

void fill_rect(RgbImage& image, const PixelRect& rect, Rgb colour, uint8_t alpha) {
  fill_clipped(image, rect.x0, rect.y0, rect.x1, rect.y1, colour, alpha);
}

void draw_rect(RgbImage& image, const PixelRect& rect, Rgb colour, int thickness) {
  const int64_t x0 = rect.x0, y0 = rect.y0, x1 = rect.x1, y1 = rect.y1;
  if (x1 <= x0 || y1 <= y0 || thickness < 1) return;
  // Bars never leave the rectangle, not even where it is thinner than two of them.
  const int64_t t = thickness;
  fill_clipped(image, x0, y0, x1, std::min(y0 + t, y1), colour, 255);
  fill_clipped(image, x0, std::max(y1 - t, y0), x1, y1, colour, 255);
  fill_clipped(image, x0, y0, std::min(x0 + t, x1), y1, colour, 255);
  fill_clipped(image, std::max(x1 - t, x0), y0, x1, y1, colour, 255);
}

void draw_text(RgbImage& image, int x, int y, std::string_view text, Rgb colour, int scale) {
  if (scale < 1) return;
  const int64_t s = scale;
  // Pen position: the upper left corner of the next cell.
  int64_t left = x, top = y;
  for (const char c : text) {
    if (c == '\n') {
      left = x;
      top += kFontCellHeight * s;
      continue;
    }
    const Glyph& glyph = font_glyph(c);
    for (int row = 0; row < kGlyphHeight; ++row) {
      for (int column = 0; column < kGlyphWidth; ++column) {
        // Bit 4 is the leftmost column.
        if ((glyph[static_cast<size_t>(row)] >> (kGlyphWidth - 1 - column) & 1) == 0) continue;
        fill_clipped(image, left + column * s, top + row * s, left + (column + 1) * s, top + (row + 1) * s, colour,
                     255);
      }
    }
    left += kFontCellWidth * s;
  }
}

TextSize text_size(std::string_view text, int scale) {
  if (text.empty() || scale < 1) return {};
  int longest = 0, current = 0, lines = 1;
  for (const char c : text) {
    if (c == '\n') {
      ++lines;
      current = 0;
    } else {
      longest = std::max(longest, ++current);
    }
  }
  const int width = longest == 0 ? 0 : longest * kFontCellWidth - (kFontCellWidth - kGlyphWidth);
  return {width * scale, (lines * kFontCellHeight - (kFontCellHeight - kGlyphHeight)) * scale};
}

}  // namespace spinert
