// test_images.cpp - the bad-input rows of pictures (docs/safety.md, section 7), one generator per row. The good
// pictures beside them, which whoever refuses everything would fail, are in test_image_kinds.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include "diagnosis/images/picture.h"
#include "tests/picture_files.h"

namespace spinert {
namespace {

using test::Bytes;
using test::changed;
using test::cut;
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

// A file with one byte of the first segment of this kind replaced.
Bytes patched(Bytes file, int marker, size_t offset, uint8_t value) {
  file.at(test::jpeg_find(file, marker) + offset) = value;
  return file;
}

Bytes progressive() {
  return patched(test::jpeg_file(jpeg()), 0xc0, 1, 0xc2);
}

Bytes cmyk() {
  // Only headers matter: the walk reaches EOI, then the frame says four components.
  Bytes file = {0xff, 0xd8};
  test::jpeg_segment(file, 0xc0, {8, 0, 64, 0, 64, 4, 1, 17, 0, 2, 17, 0, 3, 17, 0, 4, 17, 0});
  test::append(file, {0xff, 0xd9});
  return file;
}

// Scan bytes removed or added just before EOI.
Bytes short_scan() {
  const Bytes file = test::jpeg_file(jpeg());
  return extended(cut(file, file.size() - 40), {0xff, 0xd9});
}
Bytes long_scan() {
  const Bytes file = test::jpeg_file(jpeg());
  return extended(cut(file, file.size() - 2), {0x12, 0x34, 0x56, 0xff, 0xd9});
}

Bytes huge_jpeg(uint8_t high) {
  const Bytes file = patched(test::jpeg_file(jpeg()), 0xc0, 5, high);  // first byte of the height
  return patched(file, 0xc0, 7, high);
}

// 300 codes: more than the 256 that a decoder's table holds.
Bytes many_codes() {
  Bytes file = {0xff, 0xd8};
  Bytes table(17);
  table[15] = 150;
  table[16] = 150;
  test::append(table, Bytes(300, 1));
  test::jpeg_segment(file, 0xc4, table);
  test::append(file, {0xff, 0xd9});
  return file;
}

Bytes dicom() {
  Bytes file(128);
  test::append(file, test::bytes_of("DICM"));
  file.resize(400);
  return file;
}

Bytes nifti() {
  Bytes file(348);
  file[344] = 'n';
  file[345] = '+';
  file[346] = '1';
  return file;
}

// Cut at the end, or whole with one line fewer or more inside IDAT.
Bytes lines_changed(int bytes) {
  Bytes lines = test::png_lines(grey8());
  lines.resize(lines.size() + static_cast<size_t>(bytes));
  return test::png_file(grey8(), {}, test::deflated(lines));
}

Bytes bad_adler() {
  return test::png_file(grey8(), {}, changed(test::deflated(test::png_lines(grey8())), 1, 0xff));
}
Bytes bit_flip() {
  Bytes packed = test::deflated(test::png_lines(grey8()));
  packed[packed.size() / 2] ^= 0x10;
  return test::png_file(grey8(), {}, packed);
}

Bytes bomb() {
  PngSpec spec = grey8(16000, 16000);
  return test::png_file(spec, {}, test::deflated(Bytes(16'000'000)));
}

// A legal header for one small picture, and far more data than it asks for.
Bytes hidden_bomb() {
  return test::png_file(grey8(), {}, test::deflated(Bytes(50'000'000)));
}

struct BadRow {
  const char* name;
  std::function<Bytes()> make;
  ErrorId id;
  int exit;
  const char* says;  // a part of the message
};

const BadRow kBad[] = {
    // Damaged PNG.
    {"BI-23a crc", [] { return changed(test::png_file(grey8()), 14, 1); }, ErrorId::E_PNG, 4, "PN-02: chunk CRC"},
    {"BI-23a adler", bad_adler, ErrorId::E_PNG, 4, "PN-03: picture data does not inflate"},
    {"BI-23a bit flip", bit_flip, ErrorId::E_PNG, 4, "PN-03"},
    {"BI-23a no IEND",
     [] {
       const Bytes file = test::png_file(grey8());
       return cut(file, file.size() - 12);
     },
     ErrorId::E_PNG, 4, "PN-05: file ends without IEND"},
    {"BI-23a short IDAT", [] { return lines_changed(-65 * 10); }, ErrorId::E_PNG, 4, "PN-03: picture data is shorter"},
    {"BI-23a long IDAT", [] { return lines_changed(1); }, ErrorId::E_PNG, 4, "PN-03: picture data is longer"},
    {"BI-23a bytes after the stream",
     [] { return test::png_file(grey8(), {}, extended(test::deflated(test::png_lines(grey8())), {0})); },
     ErrorId::E_PNG, 4, "PN-03: data after the end"},
    {"BI-23a unfinished stream",
     [] {
       const Bytes packed = test::deflated(test::png_lines(grey8()));
       return test::png_file(grey8(), {}, cut(packed, packed.size() - 4));
     },
     ErrorId::E_PNG, 4, "PN-03: compressed stream has no end"},
    {"BI-23a palette index",
     [] {
       return with_chunks(png(8, 3, [](uint32_t x, uint32_t y, int) { return x == 63 && y == 63 ? 4u : 3u; }),
                          {grey_palette(4, 1)});
     },
     ErrorId::E_PNG, 4, "PN-04: palette index out of range"},
    {"BI-23a palette index behind filters, 4 bits, interlaced",
     [] {
       PngSpec spec = png(4, 3, [](uint32_t x, uint32_t y, int) { return x == 63 && y == 63 ? 9u : (x + y) % 9; });
       spec.filter = 1;
       spec.interlaced = true;
       return with_chunks(spec, {grey_palette(9, 20)});
     },
     ErrorId::E_PNG, 4, "PN-04: palette index out of range"},
    {"BI-23a no palette", [] { return with_chunks(png(8, 3, ramp), {}); }, ErrorId::E_PNG, 4, "PN-04: palette picture"},
    {"BI-23a palette too long",
     [] { return with_chunks(png(1, 3, [](uint32_t, uint32_t, int) { return 0u; }), {grey_palette(3, 1)}); },
     ErrorId::E_PNG, 4, "PN-04: PLTE has a wrong length"},
    {"PNG second PLTE",
     [] {
       return with_chunks(png(8, 3, ramp), {grey_palette(256, 1), grey_palette(256, 1)});
     },
     ErrorId::E_PNG, 4, "PN-02: PLTE out of order"},
    {"PNG filter type",
     [] {
       Bytes lines = test::png_lines(grey8());
       lines[65] = 5;
       return test::png_file(grey8(), {}, test::deflated(lines));
     },
     ErrorId::E_PNG, 4, "PN-03: unknown filter type"},
    {"PNG unknown critical chunk",
     [] {
       return with_chunks(grey8(), {{"SPIN", {1}}});
     },
     ErrorId::E_PNG, 4, "PN-02: unknown critical"},
    {"PNG chunk type not letters",
     [] {
       return with_chunks(grey8(), {{"a1bc", {}}});
     },
     ErrorId::E_PNG, 4, "PN-02: chunk type"},
    {"PNG chunk length 2^32-1",
     [] {
       Bytes file = test::png_file(grey8());
       std::fill_n(file.begin() + 33, 4, uint8_t{0xff});
       return file;
     },
     ErrorId::E_PNG, 4, "PN-02: chunk reaches beyond"},
    {"PNG IDAT in two groups",
     [] {
       const Bytes packed = test::deflated(test::png_lines(grey8()));
       return test::png_file(std::vector<PngChunk>{test::png_header(grey8()),
                                                   {"IDAT", cut(packed, 20)},
                                                   {"tEXt", {'a', 0}},
                                                   {"IDAT", Bytes(packed.begin() + 20, packed.end())},
                                                   {"IEND", {}}});
     },
     ErrorId::E_PNG, 4, "PN-02: IDAT chunks are not consecutive"},
    {"PNG first IDAT empty",
     [] {
       return with_chunks(grey8(), {{"IDAT", {}}});
     },
     ErrorId::E_PNG, 4, "PN-03: first IDAT"},
    {"PNG no IDAT",
     [] {
       return test::png_file(std::vector<PngChunk>{test::png_header(grey8()), {"IEND", {}}});
     },
     ErrorId::E_PNG, 4, "PN-03: no IDAT"},
    {"PNG IHDR not first",
     [] {
       auto chunks = test::png_chunks(grey8());
       std::swap(chunks[0], chunks[1]);
       return test::png_file(chunks);
     },
     ErrorId::E_PNG, 4, "PN-01: first chunk"},
    {"PNG second IHDR", [] { return with_chunks(grey8(), {test::png_header(grey8())}); }, ErrorId::E_PNG, 4,
     "PN-02: second IHDR"},
    {"PNG depth 3", [] { return test::png_file(png(3, 0, [](uint32_t, uint32_t, int) { return 0u; })); },
     ErrorId::E_PNG, 4, "PN-01: no such"},
    {"PNG palette of 16 bits", [] { return test::png_file(png(16, 3, ramp)); }, ErrorId::E_PNG, 4, "PN-01: no such"},
    {"PNG text-mode transfer",
     [] {
       Bytes file = test::png_file(grey8());
       file.erase(file.begin() + 4);
       return file;
     },
     ErrorId::E_PNG, 4, "PN-01: signature"},
    {"PNG tRNS level above the depth",
     [] {
       return with_chunks(png(4, 0, [](uint32_t, uint32_t, int) { return 1u; }), {{"tRNS", {0, 16}}});
     },
     ErrorId::E_PNG, 4, "PN-04: tRNS"},
    {"BI-23b bomb", bomb, ErrorId::E_PNG, 4, "PN-01: picture size outside the limits"},
    {"BI-23b bomb behind a small header", hidden_bomb, ErrorId::E_PNG, 4, "PN-03: picture data is longer"},
    {"BI-23b more than 64 Mpx", [] { return test::png_file(grey8(8192, 8192), {}, Bytes(10)); }, ErrorId::E_PNG, 4,
     "PN-01: picture size"},
    {"BI-23b zero width", [] { return test::png_file(grey8(0, 64), {}, test::deflated({})); }, ErrorId::E_PNG, 4,
     "PN-01: picture size"},
    {"BI-23b zero height", [] { return test::png_file(grey8(64, 0), {}, test::deflated({})); }, ErrorId::E_PNG, 4,
     "PN-01: picture size"},
    {"BI-23b trailing data", [] { return extended(test::png_file(grey8()), {0}); }, ErrorId::E_PNG, 4,
     "PN-05: data after IEND"},
    {"BI-23c APNG",
     [] {
       return with_chunks(grey8(), {{"acTL", {0, 0, 0, 2, 0, 0, 0, 0}}});
     },
     ErrorId::E_IMAGE_FORMAT, 5, "APNG"},
    // Damaged JPEG.
    {"BI-24a half file",
     [] {
       const Bytes file = test::jpeg_file(jpeg());
       return cut(file, file.size() / 2);
     },
     ErrorId::E_JPEG, 4, "JP-01: file ends inside a scan"},
    {"BI-24a no EOI",
     [] {
       const Bytes file = test::jpeg_file(jpeg());
       return cut(file, file.size() - 2);
     },
     ErrorId::E_JPEG, 4, "JP-01: file ends inside a scan"},
    {"BI-24a half scan, then EOI", short_scan, ErrorId::E_JPEG, 4, "JP-01: scan ends before its last block"},
    {"BI-24a scan too long", long_scan, ErrorId::E_JPEG, 4, "JP-01: scan has more data than blocks"},
    {"BI-24a progressive truncated",
     [] {
       const Bytes file = progressive();
       return cut(file, file.size() / 2);
     },
     ErrorId::E_JPEG, 4, "JP-01"},
    {"BI-24a huge", [] { return huge_jpeg(0xff); }, ErrorId::E_JPEG, 4, "JP-01: picture size outside the limits"},
    {"BI-24a zero height", [] { return patched(test::jpeg_file(jpeg()), 0xc0, 6, 0); }, ErrorId::E_JPEG, 4,
     "JP-01: picture size"},
    {"BI-24a larger than its scan", [] { return patched(test::jpeg_file(jpeg()), 0xc0, 6, 72); }, ErrorId::E_JPEG, 4,
     "JP-01: scan ends"},
    {"BI-24a segment length 1", [] { return patched(test::jpeg_file(jpeg()), 0xdb, 3, 1); }, ErrorId::E_JPEG, 4,
     "JP-01: segment length"},
    {"BI-24a data after EOI", [] { return extended(test::jpeg_file(jpeg()), {1}); }, ErrorId::E_JPEG, 4,
     "JP-01: data after EOI"},
    {"BI-24a only SOI and EOI",
     [] {
       return Bytes{0xff, 0xd8, 0xff, 0xd9};
     },
     ErrorId::E_JPEG, 4, "JP-01: no frame header"},
    {"BI-24a 300 Huffman codes", many_codes, ErrorId::E_JPEG, 4, "JP-01: Huffman table has too many symbols"},
    {"BI-24a overfull Huffman table", [] { return patched(test::jpeg_file(jpeg()), 0xc4, 5, 3); }, ErrorId::E_JPEG, 4,
     "JP-01: Huffman table has more codes"},
    {"BI-24a DC symbol", [] { return patched(test::jpeg_file(jpeg()), 0xc4, 4 + 17 + 11, 16); }, ErrorId::E_JPEG, 4,
     "JP-01: Huffman table has an impossible DC symbol"},
    {"BI-24a no quantisation table", [] { return patched(test::jpeg_file(jpeg()), 0xdb, 1, 0xe5); }, ErrorId::E_JPEG, 4,
     "JP-01: scan uses a table"},
    {"BI-24a restart marker out of order",
     [] {
       JpegSpec spec = jpeg();
       spec.restart_interval = 4;
       Bytes file = test::jpeg_file(spec);
       for (size_t i = file.size() - 3;; --i) {
         if (file[i] == 0xff && file[i + 1] >= 0xd0 && file[i + 1] <= 0xd7) {
           file[i + 1] ^= 1;
           return file;
         }
       }
     },
     ErrorId::E_JPEG, 4, "JP-01: restart marker out of order"},
    // Whole JPEG of another process.
    {"BI-24b 12-bit", [] { return patched(patched(test::jpeg_file(jpeg()), 0xc0, 4, 12), 0xc0, 1, 0xc1); },
     ErrorId::E_IMAGE_FORMAT, 5, "JP-02: 12-bit"},
    {"BI-24b arithmetic", [] { return patched(test::jpeg_file(jpeg()), 0xc0, 1, 0xc9); }, ErrorId::E_IMAGE_FORMAT, 5,
     "JP-02: arithmetic"},
    {"BI-24b lossless", [] { return patched(test::jpeg_file(jpeg()), 0xc0, 1, 0xc3); }, ErrorId::E_IMAGE_FORMAT, 5,
     "JP-02: lossless"},
    {"BI-24b CMYK", cmyk, ErrorId::E_IMAGE_FORMAT, 5, "JP-02: CMYK"},
    {"BI-24b progressive", progressive, ErrorId::E_IMAGE_FORMAT, 5, "JP-02: progressive"},
    // What it is instead, whatever its name.
    {"BI-25 HTML", [] { return test::bytes_of("\n <!DOCTYPE HTML><html>404</html>"); }, ErrorId::E_IMAGE_UNKNOWN, 4,
     "HTML page"},
    {"BI-02 empty file", [] { return Bytes(); }, ErrorId::E_IMAGE_UNKNOWN, 4, "empty file"},
    {"text", [] { return test::bytes_of("hello"); }, ErrorId::E_IMAGE_UNKNOWN, 4, "plain text"},
    {"garbage",
     [] {
       return Bytes{1, 2, 3, 200, 201};
     },
     ErrorId::E_IMAGE_UNKNOWN, 4, "unknown data"},
    {"gzip",
     [] {
       return Bytes{0x1f, 0x8b, 8, 0};
     },
     ErrorId::E_IMAGE_UNKNOWN, 4, "gzip"},
    {"checkpoint", [] { return Bytes{'P', 'K', 3, 4, 0, 0}; }, ErrorId::E_IMAGE_UNKNOWN, 4, "PyTorch checkpoint"},
    {"PDF", [] { return test::bytes_of("%PDF-1.7"); }, ErrorId::E_IMAGE_UNKNOWN, 4, "PDF"},
    {"DICOM", dicom, ErrorId::E_IMAGE_FORMAT, 5, "DICOM"},
    {"NIfTI", nifti, ErrorId::E_IMAGE_FORMAT, 5, "NIfTI"},
    {"GIF", [] { return test::bytes_of("GIF89a...."); }, ErrorId::E_IMAGE_FORMAT, 5, "GIF"},
    {"BMP", [] { return Bytes{'B', 'M', 70, 0, 0, 0, 0, 0, 0, 0, 54, 0}; }, ErrorId::E_IMAGE_FORMAT, 5, "BMP"},
    {"TIFF", [] { return Bytes{'I', 'I', '*', 0, 8, 0}; }, ErrorId::E_IMAGE_FORMAT, 5, "TIFF"},
    {"WebP", [] { return test::bytes_of("RIFF1234WEBPVP8 "); }, ErrorId::E_IMAGE_FORMAT, 5, "WebP"},
    {"JPEG 2000",
     [] {
       return Bytes{0xff, 0x4f, 0xff, 0x51, 0};
     },
     ErrorId::E_IMAGE_FORMAT, 5, "JPEG 2000"},
    // Whole, but not a grey slice.
    {"BI-34b 3 x 3 PNG", [] { return test::png_file(grey8(3, 3)); }, ErrorId::E_IMAGE_SIZE, 4, "got 3 x 3"},
    {"BI-34b one side of 63", [] { return test::png_file(grey8(200, 63)); }, ErrorId::E_IMAGE_SIZE, 4, "got 200 x 63"},
    {"BI-34b 3 x 3 JPEG", [] { return test::jpeg_file(jpeg(3, 3)); }, ErrorId::E_IMAGE_SIZE, 4, "got 3 x 3"},
    {"colour RGB",
     [] {
       return test::png_file(
           png(8, 2, [](uint32_t x, uint32_t y, int c) { return x == 7 && y == 9 && c == 1 ? 1u : 0u; }));
     },
     ErrorId::E_IMAGE_COLOUR, 5, "pixel x 7, y 9"},
    {"colour in the low byte of 16 bits",
     [] {
       return test::png_file(png(16, 2, [](uint32_t x, uint32_t, int c) { return x == 5 && c == 2 ? 257u : 256u; }));
     },
     ErrorId::E_IMAGE_COLOUR, 5, "colours"},
    {"colour in the palette",
     [] {
       return with_chunks(png(8, 3, [](uint32_t x, uint32_t, int) { return x % 2; }), {{"PLTE", {9, 9, 9, 9, 9, 8}}});
     },
     ErrorId::E_IMAGE_COLOUR, 5, "colours"},
    {"transparent pixel",
     [] { return test::png_file(png(8, 4, [](uint32_t x, uint32_t, int c) { return c == 1 && x != 0 ? 255u : 0u; })); },
     ErrorId::E_IMAGE_COLOUR, 5, "transparent"},
    {"transparent grey level",
     [] {
       return with_chunks(grey8(), {{"tRNS", {0, 5}}});
     },
     ErrorId::E_IMAGE_COLOUR, 5, "transparent"},
    {"transparent palette entry",
     [] {
       return with_chunks(png(8, 3, [](uint32_t x, uint32_t, int) { return x % 2; }),
                          {grey_palette(2, 1), {"tRNS", {254}}});
     },
     ErrorId::E_IMAGE_COLOUR, 5, "transparent"},
    {"colour JPEG",
     [] {
       JpegSpec spec = jpeg();
       spec.components = 3;
       spec.sample = [](uint32_t x, uint32_t, int c) { return c == 0 ? 2.0 * x : 90.0; };
       return test::jpeg_file(spec);
     },
     ErrorId::E_IMAGE_COLOUR, 5, "colours"},
};

TEST(BadPictures, EveryRowIsRefusedWithItsErrorInUnderASecond) {
  for (const BadRow& row : kBad) {
    SCOPED_TRACE(row.name);
    const Bytes file = row.make();
    const auto start = std::chrono::steady_clock::now();
    const auto picture = decode_picture(file, "slice");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    ASSERT_FALSE(picture.ok());
    EXPECT_EQ(error_name(picture.status().id()), error_name(row.id)) << picture.status().to_string();
    EXPECT_EQ(exit_code(picture.status().id()), row.exit);
    EXPECT_NE(picture.status().message().find(row.says), std::string::npos) << picture.status().to_string();
    EXPECT_NE(picture.status().message().find("slice"), std::string::npos) << "the file is not named";
    EXPECT_LT(took.count(), 1.0);
  }
}

// Every prefix of a small file of each kind; the whole file passes the same call, so the loop is able to fail.
TEST(BadPictures, TruncatedAtEveryByte) {
  PngSpec spec = grey8();
  spec.interlaced = true;
  for (const Bytes& file : {test::png_file(grey8()), test::png_file(spec), test::jpeg_file(jpeg())}) {
    ASSERT_TRUE(decode_picture(file, "whole").ok());
    for (size_t length = 0; length < file.size(); ++length) {
      const auto picture = decode_picture(cut(file, length), "cut");
      ASSERT_FALSE(picture.ok()) << length << " of " << file.size();
      EXPECT_EQ(exit_code(picture.status().id()), 4) << length;
    }
  }
}

// CRC-32 finds every single flipped bit, wherever it is; the signature and the lengths are the rest.
TEST(BadPictures, EveryBitOfAPngMatters) {
  const Bytes file = test::png_file(png(1, 0, [](uint32_t x, uint32_t y, int) { return (x ^ y) & 1; }));
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    Bytes damaged = file;
    damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(decode_picture(damaged, "flip").ok()) << "bit " << bit;
  }
}

}  // namespace
}  // namespace spinert
