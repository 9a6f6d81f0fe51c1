// test_dicom_check.cpp - what is judged about DICOM without a DICOM library: facts, bits of stored values, headers of
// compressed pictures, transfer syntaxes, the protocol's texts.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "apps/dicom/jpeg_header.h"
#include "apps/dicom/stored_values.h"
#include "apps/dicom/transfer_syntax.h"
#include "diagnosis/images/picture.h"
#include "diagnosis/studies/dicom_check.h"
#include "diagnosis/studies/dicom_protocol.h"
#include "diagnosis/studies/dicom_worker.h"
#include "tests/support/dicom_writer.h"

namespace spinert {
namespace {

DicomFacts ct_slice() {
  DicomFacts facts;
  facts.sop_class = "1.2.840.10008.5.1.4.1.1.2";
  facts.modality = "CT";
  facts.photometric = "MONOCHROME2";
  facts.rows = facts.columns = 512;
  facts.bits_allocated = facts.bits_stored = 16;
  facts.high_bit = 15;
  facts.is_signed = true;
  return facts;
}

TEST(DicomUsable, OneFactAtATime) {
  EXPECT_TRUE(check_usable(ct_slice()).ok());
  struct Row {
    const char* what;
    void (*change)(DicomFacts&);
    ErrorId id;
  };
  const Row rows[] = {
      {"MR", [](DicomFacts& f) { f.modality = "MR"; }, ErrorId::E_MODALITY},
      {"CR", [](DicomFacts& f) { f.modality = "CR"; }, ErrorId::E_MODALITY},
      {"PET", [](DicomFacts& f) { f.modality = "PT"; }, ErrorId::E_MODALITY},
      {"segmentation", [](DicomFacts& f) { f.modality = "SEG"; }, ErrorId::E_MODALITY},
      {"no modality", [](DicomFacts& f) { f.modality = ""; }, ErrorId::E_MODALITY},
      {"secondary capture that says CT", [](DicomFacts& f) { f.sop_class = "1.2.840.10008.5.1.4.1.1.7"; },
       ErrorId::E_MODALITY},
      {"no class", [](DicomFacts& f) { f.sop_class = ""; }, ErrorId::E_MODALITY},
      {"frames", [](DicomFacts& f) { f.frames = 2; }, ErrorId::E_MODALITY},
      {"enhanced CT",
       [](DicomFacts& f) {
         f.sop_class = "1.2.840.10008.5.1.4.1.1.2.1";
         f.frames = 90;
       },
       ErrorId::E_MODALITY},
      {"colour", [](DicomFacts& f) { f.samples = 3; }, ErrorId::E_IMAGE_COLOUR},
      {"palette", [](DicomFacts& f) { f.photometric = "PALETTE COLOR"; }, ErrorId::E_IMAGE_COLOUR},
      {"RGB of one sample", [](DicomFacts& f) { f.photometric = "RGB"; }, ErrorId::E_IMAGE_COLOUR},
      {"no photometric", [](DicomFacts& f) { f.photometric = ""; }, ErrorId::E_IMAGE_COLOUR},
      {"no rows", [](DicomFacts& f) { f.rows = 0; }, ErrorId::E_DICOM_DIM},
  };
  for (const Row& row : rows) {
    DicomFacts facts = ct_slice();
    row.change(facts);
    EXPECT_EQ(check_usable(facts).id(), row.id) << row.what << ": " << check_usable(facts).to_string();
  }
  DicomFacts inverse = ct_slice();
  inverse.photometric = "MONOCHROME1";
  EXPECT_TRUE(check_usable(inverse).ok());
}

TEST(DicomUsable, NumbersOfThePixels) {
  struct Row {
    const char* what;
    void (*change)(DicomFacts&);
    ErrorId id;
  };
  const Row rows[] = {
      {"rows 0", [](DicomFacts& f) { f.rows = 0; }, ErrorId::E_DICOM_DIM},
      {"columns negative", [](DicomFacts& f) { f.columns = -1; }, ErrorId::E_DICOM_DIM},
      {"65535 squared", [](DicomFacts& f) { f.rows = f.columns = 65535; }, ErrorId::E_DICOM_DIM},
      {"rows beyond the limit", [](DicomFacts& f) { f.rows = 8193; }, ErrorId::E_DICOM_DIM},
      {"too many pixels", [](DicomFacts& f) { f.rows = f.columns = 8192; }, ErrorId::E_DICOM_DIM},
      {"samples", [](DicomFacts& f) { f.samples = 2; }, ErrorId::E_DICOM_VALUE},
      {"frames", [](DicomFacts& f) { f.frames = 0; }, ErrorId::E_DICOM_VALUE},
      {"12 bits packed", [](DicomFacts& f) { f.bits_allocated = 12; }, ErrorId::E_DICOM_VALUE},
      {"64 bits", [](DicomFacts& f) { f.bits_allocated = 64; }, ErrorId::E_DICOM_VALUE},
      {"stored 0", [](DicomFacts& f) { f.bits_stored = 0; }, ErrorId::E_DICOM_VALUE},
      {"stored above allocated", [](DicomFacts& f) { f.bits_stored = 17; }, ErrorId::E_DICOM_VALUE},
      {"high bit elsewhere", [](DicomFacts& f) { f.high_bit = 14; }, ErrorId::E_DICOM_VALUE},
  };
  EXPECT_TRUE(check_pixel_facts(ct_slice()).ok());
  for (const Row& row : rows) {
    DicomFacts facts = ct_slice();
    row.change(facts);
    EXPECT_EQ(check_pixel_facts(facts).id(), row.id) << row.what;
    EXPECT_EQ(exit_code(row.id), 4);
  }
  EXPECT_EQ(frame_bytes(ct_slice()), 512u * 512 * 2);
  DicomFacts bits = ct_slice();
  bits.rows = bits.columns = 3;
  bits.bits_allocated = 1;
  EXPECT_EQ(frame_bytes(bits), 2u);
}

TEST(Uids, NumbersAndDots) {
  for (const char* uid : {"1", "0", "1.2.840.10008.1.2", "2.25.0.10"}) EXPECT_TRUE(is_uid(uid)) << uid;
  EXPECT_TRUE(is_uid(std::string(64, '1')));
  EXPECT_FALSE(is_uid(std::string(65, '1')));
  for (const char* text : {"", ".", "1.", ".1", "1..2", "1.02", "00", "1.2a", "1 2", "not a uid"}) {
    EXPECT_FALSE(is_uid(text)) << text;
  }
}

// ---- stored values -------------------------------------------------------------------------------------------------

Result<std::vector<int32_t>> stored(int bits, bool is_signed, const std::vector<uint32_t>& words,
                                    std::optional<int32_t> padding = {}, int allocated = 16) {
  DicomFacts facts = ct_slice();
  facts.bits_stored = bits;
  facts.high_bit = bits - 1;
  facts.is_signed = is_signed;
  facts.padding_value = padding;
  facts.columns = 1;
  return stored_values(std::span<const uint32_t>(words), allocated, facts);
}

TEST(StoredValues, SignAndMask) {
  using Values = std::vector<int32_t>;
  EXPECT_EQ(stored(16, true, {0, 1, 0x7fff, 0x8000, 0xffff}).value(), (Values{0, 1, 32767, -32768, -1}));
  EXPECT_EQ(stored(16, false, {0, 0x8000, 0xffff}).value(), (Values{0, 32768, 65535}));
  // Bits above: copies of the sign, or zero where a writer left them out.
  EXPECT_EQ(stored(12, true, {0x07ff, 0x0800, 0xf800, 0xffff, 0x0fff}).value(), (Values{2047, -2048, -2048, -1, -1}));
  EXPECT_EQ(stored(12, false, {0x0fff}).value(), (Values{4095}));
  EXPECT_EQ(stored(8, true, {0x80, 0x7f}, {}, 8).value(), (Values{-128, 127}));
  EXPECT_EQ(stored(1, false, {0, 1}, {}, 1).value(), (Values{0, 1}));
  EXPECT_EQ(stored(32, true, {0x80000000u, 0xffffffffu}, {}, 32).value(),
            (Values{std::numeric_limits<int32_t>::min(), -1}));
  EXPECT_EQ(stored(32, false, {0x7fffffffu}, {}, 32).value(), (Values{std::numeric_limits<int32_t>::max()}));
}

// A scanner's padding of -2000 in 12 bits: masked it would be 2096, which is bone.
TEST(StoredValues, BitsAboveAreNotMaskedAway) {
  EXPECT_EQ(stored(12, false, {0xf830}).status().id(), ErrorId::E_DICOM_VALUE);
  EXPECT_EQ(stored(12, true, {0xf030}).status().id(), ErrorId::E_DICOM_VALUE);
  EXPECT_EQ(stored(12, true, {0x1000}).status().id(), ErrorId::E_DICOM_VALUE);
  EXPECT_EQ(stored(32, false, {0x80000000u}, {}, 32).status().id(), ErrorId::E_DICOM_VALUE);
  EXPECT_EQ(stored(12, false, {0xf830, 5}, 0xf830).value(), (std::vector<int32_t>{0xf830, 5}));
  EXPECT_EQ(stored(12, true, {0x8000, 5}, -32768).value(), (std::vector<int32_t>{-32768, 5}));
  const Status status = stored(12, false, {1, 2, 0xf830}).status();
  EXPECT_NE(status.message().find("row 2"), std::string::npos) << status.to_string();
}

// ---- headers -------------------------------------------------------------------------------------------------------

TEST(JpegHeaders, FoundOrNothing) {
  const std::vector<uint8_t> stream = {0xff, 0xd8, 0xff, 0xfe, 0, 4, 'h', 'i', 0xff, 0xff, 0xf7, 0,
                                       11,   12,   0x02, 0x00, 1, 0, 1,   1,   0x11, 0,    0xff, 0xda};
  const auto header = read_jpeg_header(stream);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->precision, 12);
  EXPECT_EQ(header->rows, 512);
  EXPECT_EQ(header->columns, 256);
  EXPECT_EQ(header->components, 1);
  for (size_t length = 0; length < 22; ++length) {
    const std::vector<uint8_t> cut(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(read_jpeg_header(cut).has_value()) << length;
  }
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> damaged = stream;
    for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
    (void)read_jpeg_header(damaged);
  }
}

TEST(TransferSyntaxes, ReadOrRefusedWithACommand) {
  EXPECT_EQ(find_transfer_syntax("1.2.840.10008.1.2.4.90").value().kind, SyntaxKind::jpeg_2000);
  EXPECT_TRUE(find_transfer_syntax("1.2.840.10008.1.2.4.91").value().lossy);
  EXPECT_FALSE(find_transfer_syntax("1.2.840.10008.1.2.4.70").value().lossy);
  for (const char* uid : {"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.94",
                          "1.2.840.10008.1.2.4.110", "1.2.840.113619.5.2", "nonsense"}) {
    const Status status = find_transfer_syntax(uid).status();
    EXPECT_EQ(status.id(), ErrorId::E_DICOM_TSYNTAX);
    EXPECT_EQ(exit_code(status.id()), 5);
    EXPECT_NE(status.message().find(uid), std::string::npos);
    EXPECT_NE(status.message().back(), ')') << "no hint: " << status.message();
  }
}

TEST(DicomFirstBytes, Recognised) {
  const auto looks = [](const std::string& bytes) {
    return looks_like_dicom(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  };
  const std::string file = test::DicomForge().file();
  EXPECT_TRUE(looks(file));
  EXPECT_TRUE(looks(file.substr(132)));                          // no preamble: group 2, explicit
  EXPECT_TRUE(looks(test::DicomForge().dataset()));              // no meta header: group 8, explicit
  EXPECT_TRUE(looks(std::string("\x08\0\x16\0\x1a\0\0\0", 8)));  // implicit
  EXPECT_TRUE(looks(std::string("\0\x08\0\x16UI\0\x1a", 8)));    // big endian
  EXPECT_FALSE(looks(file.substr(0, 131)));
  EXPECT_FALSE(looks(""));
  EXPECT_FALSE(looks(std::string(4000, '\0')));
  EXPECT_FALSE(looks("<!doctype html><html></html>"));
  EXPECT_FALSE(looks("\x89PNG\r\n\x1a\n"));
  EXPECT_FALSE(looks(std::string("\x08\0\x16\0\0\0\0\x40", 8)));  // implicit, a length of a gigabyte
}

// A DICOM file is no picture: the reader of pictures goes on refusing it.
TEST(DicomFirstBytes, ThePictureReaderRefusesThem) {
  const std::string file = test::DicomForge().file();
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  EXPECT_EQ(decode_picture(bytes, "a.dcm").status().id(), ErrorId::E_IMAGE_FORMAT);
}

// ---- protocol ------------------------------------------------------------------------------------------------------

DicomFacts full_facts() {
  DicomFacts facts = ct_slice();
  facts.transfer_syntax = "1.2.840.10008.1.2.1";
  facts.sop_instance = "1.2.3";
  facts.study = "1.2.4";
  facts.series = "1.2.5";
  facts.frame_of_reference = "1.2.6";
  facts.image_type = {"ORIGINAL", "PRIMARY", "AXIAL"};
  facts.patient_position = "HFS";
  facts.series_description = "K\xc3\xb6rper";
  facts.lossy = true;
  facts.burned_in_text = true;
  facts.rescale_slope = 1.5;
  facts.rescale_intercept = -1024;
  facts.padding_value = -2000;
  facts.padding_limit = -1999;
  facts.position = Vec3{1, -2, 3.25};
  facts.row_direction = Vec3{1, 0, 0};
  facts.column_direction = Vec3{0, 0.6, -0.8};
  facts.row_spacing = 0.5;
  facts.column_spacing = 0.25;
  return facts;
}

TEST(DicomProtocol, FactsSurvive) {
  for (const DicomFacts& facts : {full_facts(), ct_slice(), DicomFacts()}) {
    const std::string bytes = encode_facts(facts);
    const auto back = decode_facts(bytes);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(encode_facts(back.value()), bytes);
    EXPECT_EQ(back.value().series_description, facts.series_description);
    EXPECT_EQ(back.value().image_type, facts.image_type);
    EXPECT_EQ(back.value().padding_value, facts.padding_value);
    EXPECT_EQ(back.value().position, facts.position);
    EXPECT_EQ(back.value().column_direction, facts.column_direction);
    EXPECT_EQ(back.value().burned_in_text, facts.burned_in_text);
    EXPECT_EQ(back.value().is_signed, facts.is_signed);
    EXPECT_EQ(back.value().high_bit, facts.high_bit);
  }
}

TEST(DicomProtocol, DamagedFactsAreRefusedOrClean) {
  const std::string bytes = encode_facts(full_facts());
  EXPECT_LT(bytes.size(), kMaxDicomTextBytes);
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(decode_facts(bytes.substr(0, length)).status().id(), ErrorId::E_SLICE_DECODE) << length;
  }
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = bytes;
    for (int k = 0; k < 2; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto facts = decode_facts(damaged);
    if (!facts.ok()) continue;
    EXPECT_EQ(facts.value().series_description.find('\x1b'), std::string::npos);
    if (facts.value().rescale_slope) {
      EXPECT_TRUE(std::isfinite(*facts.value().rescale_slope));
    }
  }
  DicomFacts long_texts = full_facts();
  long_texts.series_description = std::string(100000, 'a');
  long_texts.image_type.assign(1000, std::string(5000, 'b'));
  const std::string cut = encode_facts(long_texts);
  EXPECT_LT(cut.size(), kMaxDicomTextBytes);
  ASSERT_TRUE(decode_facts(cut).ok());
  EXPECT_EQ(decode_facts(cut).value().series_description.size(), kMaxDicomStringBytes);
  EXPECT_EQ(decode_facts(cut).value().image_type.size(), kMaxDicomImageTypeParts);
}

TEST(DicomProtocol, ErrorsSurvive) {
  const Status status = error(ErrorId::E_DICOM_DIM, "what").expected("1", "2").hint("Do this.");
  const auto id = static_cast<uint32_t>(ErrorId::E_DICOM_DIM);
  EXPECT_EQ(decode_error(id, encode_error(status)).to_string(), status.to_string());
  for (const uint32_t wrong : {0u, count_of_error_ids(), 255u, 0xffffffffu}) {
    EXPECT_EQ(decode_error(wrong, encode_error(status)).id(), ErrorId::E_SLICE_DECODE) << wrong;
  }
  EXPECT_EQ(decode_error(id, "x").id(), ErrorId::E_SLICE_DECODE);
}

TEST(DicomProtocol, LimitsGrowWithTheFile) {
  const DicomLimits small = dicom_limits(1000), large = dicom_limits(kMaxDicomFileBytes);
  EXPECT_LT(small.cpu_seconds, large.cpu_seconds);
  EXPECT_GT(small.wall_seconds, small.cpu_seconds);
  EXPECT_EQ(dicom_limits(std::numeric_limits<uint64_t>::max()).memory_bytes, large.memory_bytes);
}

}  // namespace
}  // namespace spinert
