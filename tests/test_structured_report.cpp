// test_structured_report.cpp - what the DICOM report says, before it is a file: no doubt becomes negative, nothing is
// said that is no number; the way of a description to spinert-dicom; UIDs and texts. No DCMTK needed.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "diagnosis/report/structured_report.h"
#include "diagnosis/result.h"
#include "diagnosis/studies/dicom_object.h"

namespace spinert {
namespace {

TEST(DicomObjects, SurviveTheirEncodingAndNothingElse) {
  DicomObject object;
  object.series_uid = "2.25.5";
  object.columns = 2;
  object.rows = 1;
  object.sources = {{"1.2", "3.4"}};
  const std::string encoded = encode_dicom_object(object).value();
  const std::string source = "file";
  const uint8_t pixels[6] = {1, 2, 3, 4, 5, 6};
  const std::string job =
      encode_dicom_job(encoded, {reinterpret_cast<const uint8_t*>(source.data()), source.size()}, pixels).value();
  const auto decode = [](const std::string& bytes) {
    return decode_dicom_job({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  };
  const auto back = decode(job);
  ASSERT_TRUE(back.ok()) << back.status().to_string();
  EXPECT_EQ(back.value().object.sources[0].sop_instance, "3.4");
  EXPECT_EQ(back.value().pixels[5], 6);
  for (size_t length = 0; length < job.size(); ++length) EXPECT_FALSE(decode(job.substr(0, length)).ok()) << length;
  EXPECT_FALSE(decode(job + "x").ok());
  std::string lie = job;
  lie[0] = '\xff';
  EXPECT_FALSE(decode(lie).ok());
  object.sources.resize(kMaxDicomSources + 1u);
  EXPECT_EQ(encode_dicom_object(object).status().id(), ErrorId::E_INTERNAL);
}

StudyResult one_vertebra() {
  StudyResult study;
  study.status = "completed";
  study.alert = "negative";
  study.class_names = {"OVCF", "normal"};
  study.model_sha256 = std::string(64, 'a');
  study.examination.frame_of_reference_uid = "2.25.4";
  SliceResult slice;
  slice.source = "sagittal-001";
  slice.place = SlicePlace{{10, 10, {0, 0, 0}, {0, 1, 0}, {0, 0, -1}}, 0, false};
  Vertebra vertebra;
  vertebra.id = 1;
  vertebra.box = {1, 2, 5, 7};
  slice.vertebrae = {vertebra};
  study.slices = {slice};
  TrackResult track;
  track.track.id = 1;
  track.track.members = {{0, 0}};
  track.track.probabilities = {0.25f, 0.75f};
  track.track.positive_slices = {0, 1};
  track.track.labels = {"normal"};
  track.track.consistency = "ok";
  track.measures = BodyMeasures{20, 21, 22, 150};
  study.tracks = {track};
  return study;
}

std::vector<std::string> codes_of(const std::vector<SrItem>& items, const std::string& name) {
  std::vector<std::string> found;
  for (const SrItem& item : items) {
    if (item.name.value == name) found.push_back(item.code.value);
  }
  return found;
}

TEST(StructuredReport, NoDoubtBecomesNegative) {
  using Codes = std::vector<std::string>;
  StudyResult study = one_vertebra();
  const SrMaker maker{"0", "m", "2.25.1", "key"};
  auto items = structured_report(study, {}, maker);
  ASSERT_TRUE(items.ok()) << items.status().to_string();
  EXPECT_EQ(codes_of(items.value(), "ALERT"), Codes{"NEGATIVE"});
  EXPECT_EQ(codes_of(items.value(), "STATUS"), (Codes{"COMPLETED", "COMPLETED"}));
  for (const char* status : {"indeterminate", "partial", "failed", "something new"}) {
    study.status = status;
    items = structured_report(study, {}, maker);
    ASSERT_TRUE(items.ok());
    EXPECT_EQ(codes_of(items.value(), "ALERT"), Codes{"REVIEW"}) << status;
    for (const std::string& code : codes_of(items.value(), "STATUS")) EXPECT_NE(code, "COMPLETED") << status;
    EXPECT_EQ(codes_of(items.value(), "VERTEBRA-ALERT"), Codes{"NO-DISEASE-LABEL"});
  }
  study.tracks[0].track.labels = {"OVCF", "normal"};
  study.tracks[0].track.consistency = "contradictory";
  EXPECT_EQ(codes_of(structured_report(study, {}, maker).value(), "VERTEBRA-ALERT"), Codes{"DISEASE-LABEL"});
  study.tracks[0].track.labels.clear();
  study.tracks[0].track.consistency = "none";
  EXPECT_EQ(codes_of(structured_report(study, {}, maker).value(), "VERTEBRA-ALERT"), Codes{"REVIEW"});
}

TEST(StructuredReport, RefusesWhatItCannotSay) {
  const SrMaker maker{"0", "m", "2.25.1", "key"};
  const auto refusal = [&maker](const std::function<void(StudyResult&)>& change) {
    StudyResult study = one_vertebra();
    change(study);
    return structured_report(study, {}, maker).status().id();
  };
  EXPECT_EQ(refusal([](StudyResult& s) { s.tracks[0].track.probabilities[0] = NAN; }), ErrorId::E_INTERNAL);
  EXPECT_EQ(refusal([](StudyResult& s) { s.tracks[0].measures->mean_hu = INFINITY; }), ErrorId::E_INTERNAL);
  EXPECT_EQ(refusal([](StudyResult& s) { s.slices[0].vertebrae[0].box[2] = INFINITY; }), ErrorId::E_INTERNAL);
  EXPECT_EQ(refusal([](StudyResult& s) { s.slices[0].place.reset(); }), ErrorId::E_INTERNAL);
  EXPECT_EQ(refusal([](StudyResult& s) { s.class_names[0] = "a name of 16 char"; }), ErrorId::E_CONFIG);
  EXPECT_EQ(refusal([](StudyResult& s) { s.class_names[0] = "K\u00fc"; }), ErrorId::E_CONFIG);
}

TEST(DicomObjects, UidsAndTexts) {
  // 128 bits that are all set or clear, but for the marks of the version; computed with Python's integers.
  EXPECT_EQ(uid_of_hex(std::string(32, 'f')), "2.25.340282366920937934553716840013076889599");
  EXPECT_EQ(uid_of_hex(std::string(64, '0')), "2.25.604472133179351442128896");
  EXPECT_TRUE(uid_of_hex("abc").empty());
  EXPECT_TRUE(uid_of_hex(std::string(32, 'g')).empty());
  EXPECT_NE(uid_of_text("a"), uid_of_text("b"));
  EXPECT_LE(uid_of_text("a").size(), 64u);
  EXPECT_EQ(ascii_text("K\u00fcmmell's \\ disease\n\u2028", 64), "Kuemmell's / disease??");
  EXPECT_EQ(ascii_text("0123456789", 8), "01234...");
}

}  // namespace
}  // namespace spinert
