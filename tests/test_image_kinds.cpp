// test_image_kinds.cpp - every picture that must be read, pixel for pixel, and random damage to them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <random>

#include "diagnosis/images/picture.h"
#include "tests/picture_files.h"

namespace spinert {
namespace {

using test::Bytes;
using test::extended;
using test::grey8;
using test::grey_palette;
using test::jpeg;
using test::JpegSpec;
using test::png;
using test::PngChunk;
using test::PngSpec;
using test::ramp;
using test::with_chunks;

struct GoodRow {
  const char* name;
  PngSpec spec;
  std::vector<PngChunk> between;
  std::function<uint32_t(uint32_t x, uint32_t y)> want;
};

std::vector<GoodRow> good_rows() {
  const auto any = [](int bits) {
    return [bits](uint32_t x, uint32_t y, int) { return (x * 7 + y * 13 + x * y) & ((1u << bits) - 1); };
  };
  const auto grey = [=](int bits, uint32_t scale) {
    return [=](uint32_t x, uint32_t y) { return any(bits)(x, y, 0) * scale; };
  };
  // Grey in every colour channel, opaque in the last.
  const auto with_alpha = [=](int bits, int colour) {
    return [=](uint32_t x, uint32_t y, int c) {
      return c == test::png_channels(colour) - 1 ? (1u << bits) - 1 : any(bits)(x, y, 0);
    };
  };
  const auto rgb = [=](int bits) { return [=](uint32_t x, uint32_t y, int) { return any(bits)(x, y, 0); }; };
  return {
      {"grey 1", png(1, 0, any(1)), {}, grey(1, 255)},
      {"grey 2", png(2, 0, any(2)), {}, grey(2, 85)},
      {"grey 4", png(4, 0, any(4)), {}, grey(4, 17)},
      {"grey 8", png(8, 0, any(8)), {}, grey(8, 1)},
      {"grey 16", png(16, 0, any(16)), {}, grey(16, 1)},
      {"palette 1", png(1, 3, any(1)), {grey_palette(2, 200)}, grey(1, 200)},
      {"palette 2", png(2, 3, any(2)), {grey_palette(4, 60)}, grey(2, 60)},
      {"palette 4", png(4, 3, any(4)), {grey_palette(16, 16)}, grey(4, 16)},
      {"palette 8", png(8, 3, any(8)), {grey_palette(256, 1)}, grey(8, 1)},
      {"palette 8, opaque tRNS", png(8, 3, any(8)), {grey_palette(256, 1), {"tRNS", {255, 255}}}, grey(8, 1)},
      {"RGB 8", png(8, 2, rgb(8)), {}, grey(8, 1)},
      {"RGB 16", png(16, 2, rgb(16)), {}, grey(16, 1)},
      {"grey and alpha 8", png(8, 4, with_alpha(8, 4)), {}, grey(8, 1)},
      {"grey and alpha 16", png(16, 4, with_alpha(16, 4)), {}, grey(16, 1)},
      {"RGBA 8", png(8, 6, with_alpha(8, 6)), {}, grey(8, 1)},
      {"RGBA 16", png(16, 6, with_alpha(16, 6)), {}, grey(16, 1)},
      {"tRNS level that no pixel has",
       png(4, 0, [](uint32_t x, uint32_t, int) { return x % 15; }),
       {{"tRNS", {0, 15}}},
       [](uint32_t x, uint32_t) { return x % 15 * 17; }},
      {"text beside the picture", png(8, 0, any(8)), {{"tEXt", {'a', 0, 'b'}}, {"gAMA", {0, 0, 177, 143}}}, grey(8, 1)},
  };
}

// BI-23c: 16 bits stay 16, interlaced reads like plain, whatever the filters and however odd the sides.
TEST(GoodPictures, EveryPngKindGivesItsExactPixels) {
  for (GoodRow row : good_rows()) {
    for (const int variant : {0, 1, 2, 3}) {
      row.spec.interlaced = variant % 2 == 1;
      row.spec.filter = variant / 2;
      row.spec.width = variant == 0 ? 64 : 67;
      row.spec.height = variant == 0 ? 64 : 71;
      SCOPED_TRACE(std::string(row.name) + ", variant " + std::to_string(variant));
      const auto result = decode_picture(with_chunks(row.spec, row.between), "slice.png");
      ASSERT_TRUE(result.ok()) << result.status().to_string();
      const Picture& picture = result.value();
      EXPECT_EQ(picture.width, static_cast<int>(row.spec.width));
      EXPECT_EQ(picture.height, static_cast<int>(row.spec.height));
      EXPECT_EQ(picture.bits, row.spec.depth == 16 ? 16 : 8);
      EXPECT_FALSE(picture.lossy);
      EXPECT_TRUE(picture.warnings.empty());
      size_t wrong = 0;
      for (uint32_t y = 0; y < row.spec.height; ++y) {
        for (uint32_t x = 0; x < row.spec.width; ++x) {
          wrong += picture.value[y * row.spec.width + x] != row.want(x, y);
        }
      }
      EXPECT_EQ(wrong, 0u);
    }
  }
}

TEST(GoodPictures, IdatMayBeSplitAnywhere) {
  const Bytes packed = test::deflated(test::png_lines(grey8()));
  std::vector<PngChunk> chunks = {test::png_header(grey8())};
  for (const uint8_t byte : packed) chunks.push_back({"IDAT", {byte}});
  chunks.push_back({"IDAT", {}});
  chunks.push_back({"IEND", {}});
  const auto picture = decode_picture(test::png_file(chunks), "split.png");
  ASSERT_TRUE(picture.ok()) << picture.status().to_string();
  EXPECT_EQ(picture.value().value[64 * 10 + 20], ramp(20, 10, 0));
}

TEST(GoodPictures, JpegIsReadAndCalledLossy) {
  struct Row {
    const char* name;
    std::function<void(JpegSpec&)> change;
  };
  const Row rows[] = {
      {"grey", [](JpegSpec&) {}},
      {"odd sides", [](JpegSpec& s) { s.width = 75, s.height = 69; }},
      {"restart markers", [](JpegSpec& s) { s.restart_interval = 3; }},
      {"restart interval of the whole scan", [](JpegSpec& s) { s.restart_interval = 64; }},
      {"three components", [](JpegSpec& s) { s.components = 3; }},
      {"three components, half chroma, odd sides",
       [](JpegSpec& s) { s.components = 3, s.luma_sampling = 2, s.width = 83, s.height = 70; }},
      {"one scan per component, half chroma, restarts",
       [](JpegSpec& s) {
         s.components = 3, s.luma_sampling = 2, s.separate_scans = true, s.restart_interval = 5, s.width = 83;
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    JpegSpec spec = jpeg();
    const auto luma = spec.sample;
    spec.sample = [&](uint32_t x, uint32_t y, int c) { return c == 0 ? luma(x, y, 0) : 128.0; };
    row.change(spec);
    const auto result = decode_picture(test::jpeg_file(spec), "slice.JPG");
    ASSERT_TRUE(result.ok()) << result.status().to_string();
    const Picture& picture = result.value();
    EXPECT_TRUE(picture.lossy);
    ASSERT_EQ(picture.warnings.size(), 1u);
    EXPECT_TRUE(picture.warnings[0].starts_with("W_LOSSY: lossy input"));
    EXPECT_EQ(picture.width, static_cast<int>(spec.width));
    double worst = 0;
    for (uint32_t y = 0; y < spec.height; ++y) {
      for (uint32_t x = 0; x < spec.width; ++x) {
        const double want = std::min(luma(x, y, 0), 255.0);
        worst = std::max(worst, std::abs(picture.value[y * spec.width + x] - want));
      }
    }
    // Quantiser step 1: coefficients and decoder arithmetic each round.
    EXPECT_LE(worst, 2.0);
  }
}

// The zero that DICOM appends to make a fragment even; more than that is refused (BI-24a data after EOI).
TEST(GoodPictures, JpegMayEndInOnePadByte) {
  EXPECT_TRUE(decode_picture(extended(test::jpeg_file(jpeg()), {0}), "a.jpg").ok());
  EXPECT_FALSE(decode_picture(extended(test::jpeg_file(jpeg()), {0, 0}), "a.jpg").ok());
}

TEST(GoodPictures, ALyingExtensionIsOnlyAWarning) {
  const auto warnings = [](const Bytes& file, const char* name) { return decode_picture(file, name).value().warnings; };
  const Bytes file = test::png_file(grey8());
  for (const char* name : {"a.png", "a.PNG", "dir.dcm/slice", "slice", ".hidden", "a.b.png"}) {
    EXPECT_TRUE(warnings(file, name).empty()) << name;
  }
  ASSERT_EQ(warnings(file, "x/a.dcm").size(), 1u);
  EXPECT_EQ(warnings(file, "x/a.dcm")[0], "W_EXTENSION: content is PNG, the name ends in .dcm");
  EXPECT_TRUE(warnings(file, "a.jpg")[0].starts_with("W_EXTENSION"));
  EXPECT_TRUE(warnings(test::jpeg_file(jpeg()), "a.png")[1].starts_with("W_EXTENSION"));
}

// ---- Mutations -----------------------------------------------------------------------------------------------------

// Random damage with right CRCs (PNG) or anywhere (JPEG): no crash under the sanitizers, and never an error id that
// would call a bad file a bug. SPINERT_MUTATIONS sets the count for longer runs.
TEST(Mutations, NeverCrash) {
  const char* wanted = std::getenv("SPINERT_MUTATIONS");
  const int count = wanted != nullptr ? std::atoi(wanted) : 2000;
  std::mt19937 random(20240607);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  std::vector<std::vector<PngChunk>> pngs;
  for (GoodRow row : good_rows()) {
    row.spec.interlaced = below(2) == 0;
    row.spec.filter = 1;
    std::vector<PngChunk> chunks = {test::png_header(row.spec)};
    chunks.insert(chunks.end(), row.between.begin(), row.between.end());
    chunks.push_back({"IDAT", test::deflated(test::png_lines(row.spec))});
    chunks.push_back({"IEND", {}});
    pngs.push_back(std::move(chunks));
  }
  JpegSpec colour = jpeg();
  colour.components = 3;
  colour.luma_sampling = 2;
  colour.restart_interval = 2;
  const std::vector<Bytes> jpegs = {test::jpeg_file(jpeg()), test::jpeg_file(colour)};
  int accepted = 0;
  for (int i = 0; i < count; ++i) {
    Bytes file;
    if (i % 2 == 0) {
      auto chunks = pngs[below(pngs.size())];
      PngChunk& chunk = chunks[below(chunks.size())];
      switch (below(4)) {
        case 0: chunk.data.resize(below(chunk.data.size() + 8)); break;
        case 1: chunks.insert(chunks.begin() + static_cast<int64_t>(below(chunks.size())), chunk); break;
        default:
          for (size_t n = below(3) + 1; n > 0 && !chunk.data.empty(); --n) {
            chunk.data[below(chunk.data.size())] ^= static_cast<uint8_t>(1 << below(8));
          }
      }
      file = test::png_file(chunks);
    } else {
      file = jpegs[below(jpegs.size())];
      // Half of the hits go to the headers, which are a small part of the file.
      const size_t range = below(2) == 0 ? 300 : file.size();
      for (size_t n = below(3) + 1; n > 0; --n)
        file[below(std::min(range, file.size()))] = static_cast<uint8_t>(random());
    }
    const auto picture = decode_picture(file, "mutation");
    accepted += picture.ok();
    if (!picture.ok()) {
      const int code = exit_code(picture.status().id());
      EXPECT_TRUE(code == 4 || code == 5) << "mutation " << i << ": " << picture.status().to_string();
    }
  }
  // Harmless hits exist (text chunks, scan bits), but most damage must be seen.
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, count / 2);
}

}  // namespace
}  // namespace spinert
