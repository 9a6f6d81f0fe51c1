// test_dicom.cpp - forged DICOM files through spinert-dicom: what is read, and a row for every way to be wrong
// (BI-02 to BI-05, BI-13 to BI-16, BI-19). Skipped in a build without DCMTK.
#include <gtest/gtest.h>
#include <zlib.h>

#include <functional>
#include <random>

#include "diagnosis/studies/dicom_check.h"
#include "diagnosis/studies/dicom_worker.h"
#include "tests/picture_files.h"
#include "tests/support/dicom_writer.h"
#include "tests/support/files.h"

namespace spinert {
namespace {

using test::DicomForge;
using test::u16;
using test::u32;

class Dicom : public testing::Test {
 protected:
  void SetUp() override {
    if (find_dicom_program().empty()) GTEST_SKIP() << "built without DCMTK: no spinert-dicom";
    auto worker = DicomWorker::start();
    ASSERT_TRUE(worker.ok()) << worker.status().to_string();
    worker_ = std::move(worker).value();
  }
  Result<DicomFile> read(const std::string& bytes) {
    write_file(path_, bytes);
    return worker_->read(path_);
  }
  Status facts_error(const std::string& bytes) {
    write_file(path_, bytes);
    return worker_->read_facts(path_).status();
  }
  // The same error with and without pixels.
  Status refusal(const std::string& bytes) {
    const Status facts = facts_error(bytes), pixels = worker_->read(path_).status();
    EXPECT_EQ(facts.to_string(), pixels.to_string());
    return pixels;
  }

  TempDir folder_;
  std::string path_ = folder_.file("slice.dcm");
  std::unique_ptr<DicomWorker> worker_;
};

std::vector<int32_t> ramp() {
  std::vector<int32_t> values;
  for (int i = 0; i < 15; ++i) values.push_back(100 * i - 700);
  return values;
}

TEST_F(Dicom, FactsAndPixels) {
  DicomForge forge;
  forge.text(DicomForge::kDescription, "LO", " Bone\x1b[31m 1.0 ").text(DicomForge::kWindow, "DS", "40\\400");
  forge.text(0x00100010, "PN", "Nobody^Known").text(0x00280301, "CS", "YES");
  const auto file = read(forge.file());
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  const DicomFacts& facts = file.value().facts;
  EXPECT_EQ(file.value().stored, ramp());
  EXPECT_EQ(facts.path, path_);
  EXPECT_EQ(facts.sha256.size(), 64u);
  EXPECT_EQ(facts.transfer_syntax, "1.2.840.10008.1.2.1");
  EXPECT_EQ(facts.sop_class, "1.2.840.10008.5.1.4.1.1.2");
  EXPECT_EQ(facts.sop_instance, "2.25.1");
  EXPECT_EQ(facts.study, "2.25.2");
  EXPECT_EQ(facts.series, "2.25.3");
  EXPECT_EQ(facts.frame_of_reference, "2.25.4");
  EXPECT_EQ(facts.modality, "CT");
  EXPECT_EQ(facts.image_type, (std::vector<std::string>{"ORIGINAL", "PRIMARY", "AXIAL"}));
  EXPECT_EQ(facts.photometric, "MONOCHROME2");
  EXPECT_EQ(facts.patient_position, "HFS");
  EXPECT_EQ(facts.series_description, "Bone\xEF\xBF\xBD[31m 1.0");
  EXPECT_EQ(facts.columns, 5);
  EXPECT_EQ(facts.rows, 3);
  EXPECT_TRUE(facts.is_signed);
  EXPECT_FALSE(facts.lossy);
  EXPECT_TRUE(facts.burned_in_text);
  EXPECT_EQ(facts.rescale_slope, 1.0);
  EXPECT_EQ(facts.rescale_intercept, -1024.0);
  EXPECT_FALSE(facts.padding_value.has_value());
  EXPECT_EQ(facts.position, (Vec3{-10.5, 20, 10}));
  EXPECT_EQ(facts.row_direction, (Vec3{1, 0, 0}));
  EXPECT_EQ(facts.column_direction, (Vec3{0, 1, 0}));
  EXPECT_EQ(facts.row_spacing, 0.75);
  EXPECT_EQ(facts.column_spacing, 0.5);
  EXPECT_TRUE(check_usable(facts).ok());
  EXPECT_FALSE(worker_->libraries().empty());
}

// BI-19: what is handled. A padding value takes the sign of the pixels, whichever VR its writer chose.
TEST_F(Dicom, PaddingAndKindsOfPixels) {
  EXPECT_EQ(read(DicomForge().set(DicomForge::kPadding, "US", u16(63536)).file()).value().facts.padding_value, -2000);
  EXPECT_EQ(read(DicomForge().set(DicomForge::kPadding, "SS", u16(63536)).file()).value().facts.padding_value, -2000);
  EXPECT_EQ(read(DicomForge()
                     .number(DicomForge::kRepresentation, 0)
                     .set(DicomForge::kPixels, "OW", std::string(30, '\1'))
                     .set(DicomForge::kPadding, "SS", u16(63536))
                     .file())
                .value()
                .facts.padding_value,
            63536);
  const auto inverse = read(DicomForge().text(DicomForge::kPhotometric, "CS", "MONOCHROME1").file());
  ASSERT_TRUE(inverse.ok());
  EXPECT_EQ(inverse.value().stored, ramp());
  // Eight bits, an odd number of bytes and the pad byte that belongs to it.
  DicomForge bytes;
  bytes.number(DicomForge::kAllocated, 8).number(DicomForge::kStored, 8).number(DicomForge::kHighBit, 7);
  bytes.number(DicomForge::kRepresentation, 0).set(DicomForge::kPixels, "OB", std::string(15, '\xff') + '\0');
  const auto small = read(bytes.file());
  ASSERT_TRUE(small.ok()) << small.status().to_string();
  EXPECT_EQ(small.value().stored, std::vector<int32_t>(15, 255));
  // A missing slope is a fact, not an error of the file: BI-16b is judged with the series.
  const auto bare = read(DicomForge().remove(DicomForge::kSlope).remove(DicomForge::kPosition).file());
  ASSERT_TRUE(bare.ok());
  EXPECT_FALSE(bare.value().facts.rescale_slope.has_value());
  EXPECT_FALSE(bare.value().facts.position.has_value());
}

TEST_F(Dicom, WithoutMetaHeader) {
  const auto file = read(DicomForge().dataset());
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  EXPECT_EQ(file.value().facts.transfer_syntax, "1.2.840.10008.1.2.1");
  EXPECT_EQ(file.value().stored, ramp());
}

std::string deflated(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (out.size() % 2 != 0) out += '\0';
  return out;
}

TEST_F(Dicom, Compressed) {
  DicomForge rle;
  const std::string stream = test::rle_16(rle.value(DicomForge::kPixels));
  const auto file = read(rle.fragments({"", stream}).file(test::kRleLossless));
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  EXPECT_EQ(file.value().stored, ramp());
  EXPECT_FALSE(file.value().facts.lossy);
  EXPECT_EQ(read(DicomForge().fragments({u32(0), stream}).file(test::kRleLossless)).value().stored, ramp());

  constexpr char kDeflated[] = "1.2.840.10008.1.2.1.99";
  const auto inflated = read(DicomForge::meta(kDeflated) + deflated(DicomForge().dataset()));
  ASSERT_TRUE(inflated.ok()) << inflated.status().to_string();
  EXPECT_EQ(inflated.value().stored, ramp());
}

DicomForge jpeg_slice(uint32_t side = 64) {
  const test::Bytes picture = test::jpeg_file(test::jpeg(side, 64));
  DicomForge forge;
  forge.number(DicomForge::kAllocated, 8).number(DicomForge::kStored, 8).number(DicomForge::kHighBit, 7);
  forge.number(DicomForge::kRepresentation, 0).number(DicomForge::kRows, 64).number(DicomForge::kColumns, 64);
  forge.fragments({"", std::string(picture.begin(), picture.end())});
  return forge;
}

TEST_F(Dicom, JpegPictures) {
  const auto file = read(jpeg_slice().file(test::kJpegBaseline));
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  EXPECT_TRUE(file.value().facts.lossy);
  EXPECT_EQ(file.value().stored.size(), 64u * 64);
  // A picture of another size than the data set says, which DCMTK does not look at.
  const Status size = read(jpeg_slice(72).file(test::kJpegBaseline)).status();
  EXPECT_EQ(size.id(), ErrorId::E_DICOM_DIM) << size.to_string();
  // BI-15: every prefix of the compressed picture is refused, none filled up with grey.
  const test::Bytes whole = test::jpeg_file(test::jpeg(64, 64));
  for (size_t length = 0; length + 2 < whole.size(); length += 7) {
    DicomForge cut = jpeg_slice();
    cut.fragments({"", std::string(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))});
    const Status status = read(cut.file(test::kJpegBaseline)).status();
    EXPECT_TRUE(status.id() == ErrorId::E_SLICE_DECODE || status.id() == ErrorId::E_DICOM_TRUNCATED)
        << length << " of " << whole.size() << ": " << status.to_string();
  }
}

struct Row {
  const char* what;
  std::function<std::string()> file;
  ErrorId id;
  const char* text;  // part of the message
};

TEST_F(Dicom, DamagedFilesByName) {
  const auto forge = [](auto change) {
    return [change] {
      DicomForge file;
      change(file);
      return file.file();
    };
  };
  const auto in_syntax = [](const char* uid, auto change) {
    return [uid, change] {
      DicomForge file;
      change(file);
      return file.file(uid);
    };
  };
  const std::string rle = test::rle_16(DicomForge().value(DicomForge::kPixels));
  using D = DicomForge;
  const Row rows[] = {
      {"BI-02 empty", [] { return std::string(); }, ErrorId::E_DICOM, "an empty file"},
      {"BI-25 page", [] { return std::string("<!doctype html>"); }, ErrorId::E_DICOM, "HTML"},
      {"BI-03 cut in PixelData", [] { return D().file().substr(0, D().file().size() - 11); },
       ErrorId::E_DICOM_TRUNCATED, "expected 30 bytes of PixelData, got 19"},
      {"BI-03 PixelData declared short", forge([](D& f) { f.set(D::kPixels, "OW", std::string(28, 'a')); }),
       ErrorId::E_DICOM_TRUNCATED, "got 28"},
      {"BI-03 odd and one short", forge([](D& f) { f.set(D::kPixels, "OW", std::string(29, 'a')); }),
       ErrorId::E_DICOM_TRUNCATED, "got 29"},
      {"no PixelData", forge([](D& f) { f.remove(D::kPixels); }), ErrorId::E_DICOM_TRUNCATED, "no PixelData"},
      {"BI-04 long", forge([](D& f) { f.set(D::kPixels, "OW", std::string(32, 'a')); }), ErrorId::E_DICOM_LENGTH,
       "got 32"},
      {"length of a gigabyte", forge([](D& f) { f.declare(D::kPixels, 0x40000000); }), ErrorId::E_DICOM_TRUNCATED, ""},
      {"length of four gigabytes", forge([](D& f) { f.declare(D::kPixels, 0xfffffffe); }), ErrorId::E_DICOM_TRUNCATED,
       ""},
      {"BI-05 rows 0", forge([](D& f) { f.number(D::kRows, 0); }), ErrorId::E_DICOM_DIM, "0 x 5"},
      {"BI-05 65535 squared", forge([](D& f) { f.number(D::kRows, 65535).number(D::kColumns, 65535); }),
       ErrorId::E_DICOM_DIM, "65535 x 65535"},
      {"BI-05 VR UL", forge([](D& f) { f.set(D::kRows, "UL", u32(65536 + 3)); }), ErrorId::E_DICOM_DIM, "VR UL"},
      {"BI-05 VR IS", forge([](D& f) { f.set(D::kColumns, "IS", "5 "); }), ErrorId::E_DICOM_DIM, "VR IS"},
      {"BI-05 missing", forge([](D& f) { f.remove(D::kColumns); }), ErrorId::E_DICOM_DIM, "Columns is missing"},
      {"BI-05 two values", forge([](D& f) { f.set(D::kRows, "US", u16(3) + u16(3)); }), ErrorId::E_DICOM_DIM,
       "2 values"},
      {"BI-16a stored above allocated", forge([](D& f) { f.number(D::kStored, 17).number(D::kHighBit, 16); }),
       ErrorId::E_DICOM_VALUE, "BitsStored"},
      {"BI-16a representation 2", forge([](D& f) { f.number(D::kRepresentation, 2); }), ErrorId::E_DICOM_VALUE,
       "PixelRepresentation"},
      {"representation missing", forge([](D& f) { f.remove(D::kRepresentation); }), ErrorId::E_DICOM_VALUE,
       "PixelRepresentation is missing"},
      {"high bit", forge([](D& f) { f.number(D::kHighBit, 11); }), ErrorId::E_DICOM_VALUE, "HighBit"},
      {"12 bits allocated", forge([](D& f) { f.number(D::kAllocated, 12); }), ErrorId::E_DICOM_VALUE, "BitsAllocated"},
      {"samples missing", forge([](D& f) { f.remove(D::kSamples); }), ErrorId::E_DICOM_VALUE, "SamplesPerPixel"},
      {"frames 0", forge([](D& f) { f.text(D::kFrames, "IS", "0"); }), ErrorId::E_DICOM_VALUE, "NumberOfFrames"},
      {"frames that overflow", forge([](D& f) { f.text(D::kFrames, "IS", "99999999999"); }), ErrorId::E_DICOM_VALUE,
       "NumberOfFrames"},
      {"frames promised", forge([](D& f) { f.text(D::kFrames, "IS", "1000000"); }), ErrorId::E_DICOM_TRUNCATED, ""},
      {"slope NaN", forge([](D& f) { f.text(D::kSlope, "DS", "nan"); }), ErrorId::E_DICOM_VALUE, "'nan'"},
      {"slope text", forge([](D& f) { f.text(D::kSlope, "DS", "1,0"); }), ErrorId::E_DICOM_VALUE, "RescaleSlope"},
      {"position of two", forge([](D& f) { f.text(D::kPosition, "DS", "1\\2"); }), ErrorId::E_DICOM_VALUE,
       "ImagePositionPatient"},
      {"position with rest", forge([](D& f) { f.text(D::kPosition, "DS", "1\\2\\3mm"); }), ErrorId::E_DICOM_VALUE, ""},
      {"orientation infinite", forge([](D& f) { f.text(D::kOrientation, "DS", "1\\0\\0\\0\\inf\\0"); }),
       ErrorId::E_DICOM_VALUE, ""},
      {"report without picture",
       forge([](D& f) { f.text(D::kModality, "CS", "SR").remove(D::kRows).remove(D::kColumns).remove(D::kPixels); }),
       ErrorId::E_MODALITY, "got SR"},
      {"BI-14 high-throughput JPEG 2000",
       in_syntax("1.2.840.10008.1.2.4.201",
                 [](D& f) {
                   f.fragments({"", "x"});
                 }),
       ErrorId::E_DICOM_TSYNTAX, "1.2.840.10008.1.2.4.201"},
      {"BI-14 unknown syntax", in_syntax("1.2.3.4", [](D&) {}), ErrorId::E_DICOM_TSYNTAX, "1.2.3.4"},
      {"no fragment", in_syntax(test::kRleLossless, [](D& f) { f.fragments({""}); }), ErrorId::E_DICOM_TRUNCATED,
       "without a fragment"},
      {"BI-15 offset table",
       in_syntax(test::kRleLossless,
                 [&](D& f) {
                   f.fragments({u32(0) + u32(90), rle});
                 }),
       ErrorId::E_SLICE_DECODE, "offset table"},
      {"BI-15 offset",
       in_syntax(test::kRleLossless,
                 [&](D& f) {
                   f.fragments({u32(1000), rle});
                 }),
       ErrorId::E_SLICE_DECODE, "offset table"},
      {"not compressed in a compressed syntax", in_syntax(test::kRleLossless, [](D&) {}), ErrorId::E_DICOM, ""},
      {"compressed in a plain syntax", forge([&](D& f) {
         f.fragments({"", rle});
       }),
       ErrorId::E_DICOM, ""},
      {"sequence never ended",
       [&] {
         const std::string file = D().fragments({"", rle}).file(test::kRleLossless);
         return file.substr(0, file.size() - 8);
       },
       ErrorId::E_DICOM_TRUNCATED, ""},
      {"fragment longer than the file",
       [&] {
         const std::string file = D().fragments({"", rle}).file(test::kRleLossless);
         return file.substr(0, file.size() - 20);
       },
       ErrorId::E_DICOM_TRUNCATED, ""},
  };
  for (const Row& row : rows) {
    const Status status = refusal(row.file());
    EXPECT_EQ(status.id(), row.id) << row.what << ": " << status.to_string();
    EXPECT_NE(status.message().find(row.text), std::string::npos) << row.what << ": " << status.to_string();
    EXPECT_NE(status.message().find(path_), std::string::npos) << row.what << ": " << status.to_string();
  }
}

// Found only when the pixels are decoded, or no matter for the facts.
TEST_F(Dicom, RefusedWithThePixels) {
  const std::string rle = test::rle_16(DicomForge().value(DicomForge::kPixels));
  const auto rle_file = [](const std::string& stream) {
    return DicomForge().fragments({"", stream}).file(test::kRleLossless);
  };
  std::string one_segment = rle;
  one_segment[0] = 1;
  std::string offset = rle;
  offset[8] = '\x7f';
  std::string colour(45, '\0');
  const Row rows[] = {
      {"BI-15 RLE cut", [&] { return rle_file(rle.substr(0, rle.size() - 6)); }, ErrorId::E_SLICE_DECODE, ""},
      {"BI-15 RLE of one segment", [&] { return rle_file(one_segment); }, ErrorId::E_SLICE_DECODE, "RLE header"},
      {"BI-15 RLE offset", [&] { return rle_file(offset); }, ErrorId::E_SLICE_DECODE, "RLE header"},
      {"BI-15 noise as JPEG",
       [] {
         return DicomForge().fragments({"", std::string(5000, '\x5a')}).file(test::kJpegBaseline);
       },
       ErrorId::E_SLICE_DECODE, "no JPEG"},
      {"noise as JPEG 2000",
       [] {
         return DicomForge().fragments({"", std::string(5000, '\x5a')}).file("1.2.840.10008.1.2.4.90");
       },
       ErrorId::E_SLICE_DECODE, "JPEG 2000"},
      {"noise as JPEG-LS",
       [] {
         return DicomForge().fragments({"", std::string(5000, '\x5a')}).file("1.2.840.10008.1.2.4.80");
       },
       ErrorId::E_SLICE_DECODE, ""},
      {"values above BitsStored",
       [] { return DicomForge().number(DicomForge::kStored, 9).number(DicomForge::kHighBit, 8).file(); },
       ErrorId::E_DICOM_VALUE, "BitsStored at row 0, column 0"},
      {"BI-19 colour",
       [&] {
         DicomForge forge;
         forge.number(DicomForge::kSamples, 3).text(DicomForge::kPhotometric, "CS", "RGB");
         forge.number(DicomForge::kAllocated, 8).number(DicomForge::kStored, 8).number(DicomForge::kHighBit, 7);
         return forge.number(DicomForge::kRepresentation, 0).set(DicomForge::kPixels, "OB", colour + '\0').file();
       },
       ErrorId::E_IMAGE_COLOUR, "RGB"},
      {"two frames",
       [] {
         return DicomForge()
             .text(DicomForge::kFrames, "IS", "2")
             .set(DicomForge::kPixels, "OW", std::string(60, '\0'))
             .file();
       },
       ErrorId::E_MODALITY, "frames"},
  };
  for (const Row& row : rows) {
    EXPECT_TRUE(facts_error(row.file()).ok()) << row.what << ": " << facts_error(row.file()).to_string();
    const Status status = read(row.file()).status();
    EXPECT_EQ(status.id(), row.id) << row.what << ": " << status.to_string();
    EXPECT_NE(status.message().find(row.text), std::string::npos) << row.what << ": " << status.to_string();
  }
}

// A file that inflates to a gigabyte is stopped by the limits of its process.
TEST_F(Dicom, DeflateBomb) {
  DicomForge forge;
  std::string dataset = forge.declare(DicomForge::kPixels, 0x7ffffff0).dataset();
  const std::string zeros(1 << 26, '\0');
  const auto bomb = DicomForge::meta("1.2.840.10008.1.2.1.99") + deflated(dataset + zeros);
  EXPECT_LT(bomb.size(), size_t{1} << 20);
  const Status status = read(bomb).status();
  EXPECT_EQ(exit_code(status.id()), 4) << status.to_string();
  EXPECT_TRUE(read(DicomForge().file()).ok());
}

// Cut after every byte: refused as damaged, and never with the pixels of a whole file.
TEST_F(Dicom, TruncatedAtEveryByte) {
  const std::string whole = DicomForge().file();
  for (size_t length = 0; length < whole.size(); ++length) {
    const Status status = read(whole.substr(0, length)).status();
    EXPECT_EQ(exit_code(status.id()), 4) << length << ": " << status.to_string();
    if (length > whole.size() - 30) {
      EXPECT_EQ(status.id(), ErrorId::E_DICOM_TRUNCATED) << length;
    }
  }
}

// Random damage: an answer for every file, a typed one, and the worker lives.
TEST_F(Dicom, RandomDamage) {
  std::mt19937 random(20261129);
  const std::string rle = test::rle_16(DicomForge().value(DicomForge::kPixels));
  const std::string seeds[] = {DicomForge().file(), DicomForge().fragments({"", rle}).file(test::kRleLossless),
                               jpeg_slice().file(test::kJpegBaseline)};
#if defined(__SANITIZE_ADDRESS__)
  constexpr int kFiles = 300;  // forking a process with their shadow memory takes long
#else
  constexpr int kFiles = 1500;
#endif
  int read_well = 0, refused = 0;
  for (int i = 0; i < kFiles; ++i) {
    std::string bytes = seeds[i % 3];
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int k = 0; k < changes; ++k) bytes[132 + random() % (bytes.size() - 132)] = static_cast<char>(random());
    const auto file = read(bytes);
    const ErrorId id = file.status().id();
    EXPECT_TRUE(id == ErrorId::OK || exit_code(id) == 4 || exit_code(id) == 5) << file.status().to_string();
    EXPECT_EQ(file.status().message().find("ended while"), std::string::npos) << file.status().to_string();
    if (file.ok()) {
      ++read_well;
      EXPECT_TRUE(check_pixel_facts(file.value().facts).ok());
    } else {
      ++refused;
    }
  }
  EXPECT_GT(read_well, kFiles / 15);
  EXPECT_GT(refused, kFiles / 15);
}

// The same bytes give the same answer from every worker.
TEST_F(Dicom, TwoWorkersAgree) {
  auto other = DicomWorker::start();
  ASSERT_TRUE(other.ok());
  const auto first = read(DicomForge().file());
  const auto second = other.value()->read(path_);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first.value().stored, second.value().stored);
  EXPECT_EQ(first.value().facts.sha256, second.value().facts.sha256);
}

}  // namespace
}  // namespace spinert
