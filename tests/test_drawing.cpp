// test_drawing.cpp - what is written can be read back, and drawing stays inside its image.
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

#include "diagnosis/images/base64.h"
#include "diagnosis/images/drawing.h"
#include "diagnosis/images/font.h"
#include "diagnosis/images/picture.h"
#include "diagnosis/images/png_verify.h"
#include "diagnosis/images/png_write.h"

namespace spinert {
namespace {

std::vector<uint8_t> ramp(size_t size) {
  std::vector<uint8_t> pixels(size);
  for (size_t i = 0; i < size; ++i) pixels[i] = static_cast<uint8_t>(i * i / 7);
  return pixels;
}

TEST(PngWrite, GreyComesBackPixelForPixel) {
  const auto pixels = ramp(65 * 70);
  const auto file = encode_png_grey(65, 70, pixels);
  ASSERT_TRUE(file.ok());
  const auto picture = decode_picture(file.value(), "a.png");
  ASSERT_TRUE(picture.ok()) << picture.status().to_string();
  EXPECT_EQ(picture.value().width, 65);
  EXPECT_EQ(picture.value().value, std::vector<uint16_t>(pixels.begin(), pixels.end()));
}

TEST(PngWrite, RgbComesBackPixelForPixel) {
  std::vector<uint8_t> pixels;
  for (const uint8_t v : ramp(64 * 64)) pixels.insert(pixels.end(), 3, v);
  const auto picture = decode_picture(encode_png_rgb(64, 64, pixels).value(), "a.png");
  ASSERT_TRUE(picture.ok()) << picture.status().to_string();
  EXPECT_EQ(picture.value().value[64 * 40 + 30], pixels[(64 * 40 + 30) * 3]);
  pixels[100] ^= 1;  // one channel of one pixel: the reader must see colour
  EXPECT_EQ(decode_picture(encode_png_rgb(64, 64, pixels).value(), "a.png").status().id(), ErrorId::E_IMAGE_COLOUR);
}

TEST(PngWrite, SameBytesEveryTimeAndTheTextIsInside) {
  const PngText text{"Description", "Research use only. Not for diagnostic use."};
  const auto pixels = ramp(8 * 8);
  const auto file = encode_png_grey(8, 8, pixels, &text).value();
  EXPECT_EQ(file, encode_png_grey(8, 8, pixels, &text).value());
  EXPECT_TRUE(verify_png(file).ok());
  const std::string bytes(file.begin(), file.end());
  EXPECT_NE(bytes.find(std::string("tEXtDescription\0Research use only.", 34)), std::string::npos);
}

// The preview of a slice grows with its vertebrae, beyond what the reader takes for a picture.
TEST(PngWrite, TallerThanAnyInput) {
  constexpr int kRows = 20000;
  const auto file = encode_png_rgb(2, kRows, ramp(size_t{6} * kRows));
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  const std::vector<uint8_t> height(file.value().begin() + 20, file.value().begin() + 24);  // of IHDR
  EXPECT_EQ(height, (std::vector<uint8_t>{0, 0, kRows >> 8, kRows & 0xff}));
}

TEST(PngWrite, RefusesWhatItCannotWrite) {
  const auto pixels = ramp(64);
  EXPECT_EQ(encode_png_grey(8, 7, pixels).status().id(), ErrorId::E_INTERNAL);
  EXPECT_EQ(encode_png_rgb(8, 8, pixels).status().id(), ErrorId::E_INTERNAL);
  EXPECT_EQ(encode_png_grey(0, 8, {}).status().id(), ErrorId::E_INTERNAL);
  const PngText bad{"", "x"}, accent{"Title", "K\xc3\xbcmmell"};
  EXPECT_FALSE(encode_png_grey(8, 8, pixels, &bad).ok());
  EXPECT_FALSE(encode_png_grey(8, 8, pixels, &accent).ok());
}

TEST(Base64, VectorsOfRfc4648) {
  const auto of = [](std::string_view text) {
    return base64(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  };
  EXPECT_EQ(of(""), "");
  EXPECT_EQ(of("f"), "Zg==");
  EXPECT_EQ(of("fo"), "Zm8=");
  EXPECT_EQ(of("foo"), "Zm9v");
  EXPECT_EQ(of("foobar"), "Zm9vYmFy");
  EXPECT_EQ(of("\xff\xfe\xfd\xfb"), "//79+w==");
}

int painted(const RgbImage& image) {
  int count = 0;
  for (size_t i = 0; i < image.value.size(); i += 3) count += image.value[i] != 0;
  return count;
}
constexpr Rgb kWhite = {255, 255, 255};

TEST(Drawing, OutlineHasItsThickness) {
  RgbImage image(20, 20);
  draw_rect(image, {2, 3, 12, 11}, kWhite, 2);
  EXPECT_EQ(painted(image), 10 * 8 - 6 * 4);
  EXPECT_EQ(image.value[(3 * 20 + 2) * 3], 255);
  EXPECT_EQ(image.value[(5 * 20 + 4) * 3], 0);
  RgbImage thin(20, 20);
  draw_rect(thin, {2, 3, 5, 5}, kWhite, 9);
  EXPECT_EQ(painted(thin), 3 * 2);
}

TEST(Drawing, AlphaMixes) {
  RgbImage image(2, 1, {100, 100, 100});
  fill_rect(image, {0, 0, 1, 1}, {200, 0, 100}, 128);
  EXPECT_EQ(image.value, (std::vector<uint8_t>{150, 50, 100, 100, 100, 100}));
}

// Far outside, inverted, empty, extreme: no write beyond the buffer (the sanitizer build watches).
TEST(Drawing, EverythingIsClipped) {
  constexpr int kLow = std::numeric_limits<int>::min(), kHigh = std::numeric_limits<int>::max();
  RgbImage image(10, 10);
  for (const PixelRect& rect : {PixelRect{kLow, kLow, 0, 0}, PixelRect{10, 10, kHigh, kHigh}, PixelRect{8, 8, 2, 2}}) {
    fill_rect(image, rect, kWhite);
    draw_rect(image, rect, kWhite, kHigh);
  }
  draw_text(image, kHigh, kHigh, "A", kWhite, 3);
  draw_text(image, kLow, kLow, "A", kWhite, 3);
  EXPECT_EQ(painted(image), 0);
  fill_rect(image, {kLow, kLow, kHigh, kHigh}, kWhite);
  EXPECT_EQ(painted(image), 100);
  RgbImage none(0, 5);
  draw_rect(none, {0, 0, 5, 5}, kWhite, 1);
  EXPECT_TRUE(none.value.empty());
}

TEST(Drawing, TextFillsItsSizeAndScales) {
  const std::string_view line = "Research use only. Not for diagnostic use.";
  const TextSize size = text_size(line, 2);
  EXPECT_EQ(size.width, (static_cast<int>(line.size()) * 6 - 1) * 2);
  EXPECT_EQ(size.height, 14);
  RgbImage exact(size.width, size.height), wide(size.width + 40, size.height + 40), one(size.width, size.height);
  draw_text(exact, 0, 0, line, kWhite, 2);
  draw_text(wide, 20, 20, line, kWhite, 2);
  draw_text(one, 0, 0, line, kWhite, 1);
  EXPECT_EQ(painted(exact), painted(wide));
  EXPECT_EQ(painted(exact), 4 * painted(one));
  EXPECT_EQ(text_size("ab\nabc").width, 17);
  EXPECT_EQ(text_size("ab\nabc").height, 15);
}

TEST(Drawing, EveryCharacterHasItsOwnGlyphInsideFiveColumns) {
  std::set<Glyph> seen;
  for (char c = 32; c < 127; ++c) {
    const Glyph& glyph = font_glyph(c);
    EXPECT_TRUE(seen.insert(glyph).second) << c;
    for (const uint8_t row : glyph) EXPECT_LT(row, 32) << c;
  }
  EXPECT_EQ(font_glyph('\t'), font_glyph('\xc3'));
  EXPECT_FALSE(seen.contains(font_glyph('\t')));
}

TEST(Drawing, GreyIsRoundedAndClipped) {
  const std::vector<float> grey = {-3, 0.4f, 0.6f, 300, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(rgb_from_grey(5, 1, grey).value, (std::vector<uint8_t>{0, 0, 0, 0, 0, 0, 1, 1, 1, 255, 255, 255, 0, 0, 0}));
}

}  // namespace
}  // namespace spinert
