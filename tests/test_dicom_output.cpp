// test_dicom_output.cpp - `spinert diagnose --dicom-output`: Secondary Captures and the structured report of forged
// series on the reduced model, read back by a reader of our own, and by dciodvfy where it is installed. Skipped in a
// build without DCMTK.
#include <gtest/gtest.h>

#include <charconv>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "diagnosis/images/png_write.h"
#include "diagnosis/result.h"
#include "diagnosis/studies/dicom_object.h"
#include "diagnosis/studies/dicom_worker.h"
#include "tests/support/dicom_reader.h"
#include "tests/support/dicom_writer.h"
#include "tests/support/reduced_suite.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::DicomForge;
using test::DicomItem;

constexpr uint32_t kCharacterSet = 0x00080005, kSopInstance = 0x00080018, kStudyDate = 0x00080020,
                   kContentDate = 0x00080023, kContentTime = 0x00080033, kModality = 0x00080060,
                   kManufacturer = 0x00080070, kSeriesDescription = 0x0008103e, kSourceImages = 0x00082112,
                   kRefInstance = 0x00081155, kPatientName = 0x00100010, kPatientId = 0x00100020,
                   kBirthDate = 0x00100030, kSex = 0x00100040, kDeviceUid = 0x00181002, kEquipment = 0x0018a001,
                   kStudy = 0x0020000d, kSeries = 0x0020000e, kFrameOfReference = 0x00200052, kOrientation = 0x00200020,
                   kComments = 0x00204000, kBurnedIn = 0x00280301, kConcept = 0x0040a043, kCodeValue = 0x00080100,
                   kScheme = 0x00080102, kMeaning = 0x00080104, kType = 0x0040a040, kContent = 0x0040a730,
                   kCode = 0x0040a168, kText = 0x0040a160, kMeasured = 0x0040a300, kNumber = 0x0040a30a,
                   kUnits = 0x004008ea, kCompletion = 0x0040a491, kVerification = 0x0040a493, kPreliminary = 0x0040a496,
                   kEvidence = 0x0040a375, kGraphic = 0x00700022, kReferencedFrame = 0x30060024, kUid = 0x0040a124,
                   kSopClass = 0x00080016;
constexpr int kColumns = 100, kRows = 120;

std::string stored(const std::vector<uint16_t>& grey) {
  std::string pixels;
  for (const uint16_t g : grey) pixels += test::u16(static_cast<uint16_t>(1024 - 500 + g * 1800 / 255));
  return pixels;
}

class DicomOutput : public ReducedSuite {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    if (find_dicom_program().empty()) GTEST_SKIP() << "built without DCMTK";
  }

  static DicomForge sagittal(int place) {
    DicomForge file;
    file.text(kSopInstance, "UI", "2.25.77.9." + std::to_string(place)).text(kStudy, "UI", "2.25.77");
    file.text(kSeries, "UI", "2.25.77.1").text(0x00080008, "CS", "DERIVED\\SECONDARY\\MPR");
    file.text(kStudyDate, "DA", "20240131").text(0x00080030, "TM", "101112.13");
    // "Mueller" and "Kuenstler" with two dots in ISO 8859-1, and nothing of it may be seen outside the results.
    file.text(kCharacterSet, "CS", "ISO_IR 100").text(kPatientName, "PN", "M\xfcller^K\xfcnstler");
    file.text(kPatientId, "LO", "SECRET-4711").text(kBirthDate, "DA", "19500102").text(kSex, "CS", "F");
    file.text(DicomForge::kPosition, "DS", std::to_string(3 * place) + "\\-50\\60");
    file.text(DicomForge::kOrientation, "DS", "0\\1\\0\\0\\0\\-1").text(DicomForge::kSpacing, "DS", "1\\1");
    file.number(DicomForge::kColumns, kColumns).number(DicomForge::kRows, kRows);
    file.set(DicomForge::kPixels, "OW",
             stored(reduced::picture(kRows, kColumns, static_cast<uint64_t>(3 + place)).value));
    return file;
  }
  void series(const std::string& folder, int slices, const std::function<void(DicomForge&)>& change = {}) {
    for (int place = 0; place < slices; ++place) {
      DicomForge file = sagittal(place);
      if (change) change(file);
      make(folder + "/im" + std::to_string((place * 7 + 3) % 100) + ".dcm", file.file());
    }
  }
  int diagnose(const std::string& arguments, const std::string& before = {}) {
    return shell("diagnose --device cpu --model " + model_ + " " + arguments, before + SPINERT_BINARY);
  }
  // Random weights find no plausible spine, or by chance one.
  void expect_looked_at(int code) { EXPECT_TRUE(code == 0 || code == 13) << code << ": " << error(); }
  json report(const std::string& folder) const { return json::parse(read(path(folder + "/report.json"))); }
  DicomItem dicom(const std::string& name) const {
    DicomItem item;
    EXPECT_TRUE(test::DicomReader::read(read(path(name)), item)) << name;
    return item;
  }
  std::set<std::string> dicom_names(const std::string& folder) const {
    std::set<std::string> found;
    for (const std::string& name : names(path(folder))) {
      if (name.ends_with(".dcm")) found.insert(name);
    }
    return found;
  }
};

// Width at byte 16 of a PNG file, height at byte 20.
uint32_t png_side(const std::string& png, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4 && at + i < png.size(); ++i) value = value << 8 | static_cast<unsigned char>(png[at + i]);
  return value;
}

std::string concept_of(const DicomItem& item) {
  return item.only(kConcept).text(kCodeValue);
}

// The children with a concept.
std::vector<const DicomItem*> children(const DicomItem& item, const std::string& code) {
  std::vector<const DicomItem*> found;
  for (const DicomItem& child : item.items(kContent)) {
    if (concept_of(child) == code) found.push_back(&child);
  }
  return found;
}
const DicomItem& child(const DicomItem& item, const std::string& code) {
  static const DicomItem none;
  const auto found = children(item, code);
  EXPECT_EQ(found.size(), 1u) << code;
  return found.size() == 1 ? *found.front() : none;
}

double number_of(const DicomItem& item) {
  const std::string text = item.only(kMeasured).text(kNumber);
  double value = -1e9;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<float> graphic_of(const DicomItem& item) {
  const auto it = item.elements.find(kGraphic);
  if (it == item.elements.end()) return {};
  std::vector<float> values(it->second.bytes.size() / sizeof(float));
  std::memcpy(values.data(), it->second.bytes.data(), values.size() * sizeof(float));
  return values;
}

TEST_F(DicomOutput, PicturesOfANativeSeries) {
  series("s", 3);
  expect_looked_at(diagnose(path("s") + " -o " + path("a") + " --dicom-output"));
  EXPECT_EQ(dicom_names("a"), (std::set<std::string>{"dicom-picture-sagittal-001.dcm", "dicom-picture-sagittal-002.dcm",
                                                     "dicom-picture-sagittal-003.dcm", "dicom-report.dcm"}));
  const json a = report("a");
  std::set<std::string> instances, listed;
  for (const json& file : a["volatile"]["files"]) listed.insert(file["name"].get<std::string>());
  for (int i = 0; i < 3; ++i) {
    const std::string number = "00" + std::to_string(i + 1), name = "dicom-picture-sagittal-" + number + ".dcm";
    EXPECT_TRUE(listed.contains(name));
    const DicomItem file = dicom("a/" + name);
    EXPECT_EQ(file.text(kSopClass), "1.2.840.10008.5.1.4.1.1.7");
    EXPECT_EQ(file.text(kStudy), "2.25.77");
    EXPECT_EQ(file.text(kPatientName), "M\xfcller^K\xfcnstler");
    EXPECT_EQ(file.text(kCharacterSet), "ISO_IR 100");
    EXPECT_EQ(file.text(kPatientId), "SECRET-4711");
    EXPECT_EQ(file.text(kBirthDate), "19500102");
    EXPECT_EQ(file.text(kSex), "F");
    EXPECT_EQ(file.text(kContentDate), "20240131");
    EXPECT_EQ(file.text(kContentTime), "101112");
    EXPECT_EQ(file.text(kModality), "OT");
    EXPECT_EQ(file.text(kBurnedIn), "YES");
    EXPECT_EQ(file.text(kOrientation), "P\\F");
    EXPECT_NE(file.text(kComments).find(kResearchLabel), std::string::npos);
    EXPECT_NE(file.text(kComments).find("Study: " + a["status"].get<std::string>()), std::string::npos);
    EXPECT_NE(file.text(kSeriesDescription).find("research use only"), std::string::npos);
    EXPECT_EQ(file.only(kSourceImages).text(kRefInstance), "2.25.77.9." + std::to_string(i));
    EXPECT_NE(file.text(kSeries), "2.25.77.1");
    EXPECT_EQ(file.text(kManufacturer), "SpineRT");
    EXPECT_EQ(file.only(kEquipment).text(kDeviceUid), uid_of_hex(a["model"]["sha256"].get<std::string>()));
    instances.insert(file.text(kSopInstance));
    // The preview, below lines about the study.
    const auto png = read(path("a/preview-sagittal-" + number + ".png"));
    EXPECT_EQ(file.number(DicomForge::kColumns), png_side(png, 16));
    EXPECT_GT(file.number(DicomForge::kRows), png_side(png, 20));
    EXPECT_EQ(file.text(DicomForge::kPhotometric), "RGB");
    const size_t pixels = size_t{3} * png_side(png, 16) * file.number(DicomForge::kRows);
    EXPECT_EQ(file.elements.at(DicomForge::kPixels).bytes.size(), pixels + pixels % 2);
  }
  EXPECT_EQ(instances.size(), 3u);
  EXPECT_EQ(error().find("SECRET"), std::string::npos) << error();
  for (const char* where : {"stderr", "stdout", "a/report.json", "a/report.html"}) {
    const std::string text = read(path(where));
    for (const char* secret : {"SECRET", "ller", "nstler", "19500102"}) {
      EXPECT_EQ(text.find(secret), std::string::npos) << secret << " in " << where;
    }
  }
}

TEST_F(DicomOutput, TheReportSaysWhatReportJsonSays) {
  series("s", 5);
  const int code = diagnose(path("s") + " -o " + path("a") + " --dicom-output --threads 2");
  expect_looked_at(code);
  const json a = report("a");
  ASSERT_FALSE(a["tracks"].empty());
  const DicomItem sr = dicom("a/dicom-report.dcm");
  EXPECT_EQ(sr.text(kSopClass), "1.2.840.10008.5.1.4.1.1.88.34");
  EXPECT_EQ(sr.text(kModality), "SR");
  EXPECT_EQ(sr.text(kVerification), "UNVERIFIED");
  EXPECT_EQ(sr.text(kCompletion), code == 0 ? "COMPLETE" : "PARTIAL");
  EXPECT_EQ(sr.text(kPreliminary), code == 0 ? "" : "PRELIMINARY");
  EXPECT_EQ(sr.text(kPatientName), "M\xfcller^K\xfcnstler");
  EXPECT_EQ(concept_of(sr), "126000");
  // All images of the series, and no other.
  const DicomItem& evidence = sr.only(kEvidence);
  EXPECT_EQ(evidence.text(kStudy), "2.25.77");
  EXPECT_EQ(evidence.only(0x00081115).text(kSeries), "2.25.77.1");
  EXPECT_EQ(evidence.only(0x00081115).items(0x00081199).size(), 5u);

  const DicomItem& evaluation = child(sr, "C0034375");
  EXPECT_EQ(child(evaluation, "STATUS").only(kCode).text(kCodeValue), code == 0 ? "COMPLETED" : "INDETERMINATE");
  EXPECT_EQ(children(evaluation, "LABEL").front()->text(kText), kResearchLabel);
  EXPECT_EQ(children(evaluation, "REASON").size(), a["reasons"].size());
  const std::string alert = child(evaluation, "ALERT").only(kCode).text(kCodeValue);
  const std::string told = a["alert"].get<std::string>();
  EXPECT_EQ(alert, told == "positive" ? "POSITIVE" : told == "negative" ? "NEGATIVE" : "REVIEW");

  const auto groups = children(child(sr, "126010"), "125007");
  ASSERT_EQ(groups.size(), a["tracks"].size());
  std::set<std::string> tracking;
  for (size_t t = 0; t < groups.size(); ++t) {
    const DicomItem& group = *groups[t];
    const json& track = a["tracks"][t];
    tracking.insert(child(group, "112040").text(kUid));
    EXPECT_EQ(child(group, "121071").only(kCode).text(kCodeValue), "51282000");
    EXPECT_EQ(child(group, "STATUS").only(kCode).text(kCodeValue), code == 0 ? "COMPLETED" : "INDETERMINATE");
    EXPECT_NE(child(group, "111003").text(kText).find(a["model"]["sha256"].get<std::string>()), std::string::npos);
    for (const auto& [name, probability] : track["probabilities"].items()) {
      const DicomItem& item = child(group, "P-" + name);
      EXPECT_EQ(static_cast<float>(number_of(item)), probability.get<float>()) << name;
      EXPECT_EQ(item.only(kConcept).text(kScheme), "99SPINERT");
      EXPECT_EQ(item.only(kMeasured).only(kUnits).text(kCodeValue), "1");
      EXPECT_EQ(number_of(child(group, "N-" + name)), track["positive_slices"][name].get<double>());
      const auto& labels = track["labels"];
      const bool assigned = std::ranges::find(labels, json(name)) != labels.end();
      EXPECT_EQ(child(group, "L-" + name).only(kCode).text(kCodeValue), assigned ? "ASSIGNED" : "NOT-ASSIGNED");
    }
    EXPECT_EQ(number_of(child(group, "SLICES")), static_cast<double>(track["slices"].size()));
    if (track.contains("measures")) {
      EXPECT_NEAR(number_of(child(group, "HEIGHT-ANTERIOR")), track["measures"]["anterior_mm"].get<double>(), 1e-6);
      EXPECT_NEAR(number_of(child(group, "HEIGHT-MIDDLE")), track["measures"]["middle_mm"].get<double>(), 1e-6);
      EXPECT_NEAR(number_of(child(group, "HEIGHT-POSTERIOR")), track["measures"]["posterior_mm"].get<double>(), 1e-6);
      EXPECT_NEAR(number_of(child(group, "112031")), track["measures"]["mean_hu"].get<double>(), 1e-5);
    } else {
      EXPECT_TRUE(children(group, "HEIGHT-MIDDLE").empty());
    }
    // Pixel (x, y) of the slice at place k has its centre at (3 k, -50 + x, 60 - y) mm, by the attributes of the file.
    const json& member = track["slices"][track["slices"].size() / 2];
    const int place = member["source"].get<std::string>().back() - '1';
    const json& box = a["slices"][static_cast<size_t>(place)]["vertebrae"][member["vertebra"].get<size_t>() - 1]["box"];
    const float x1 = box[0], y1 = box[1], x2 = box[2], y2 = box[3];
    const float at = static_cast<float>(3 * place);
    const std::vector<float> expected = {at,          -50.5f + x1, 60.5f - y1,  at,          -50.5f + x2,
                                         60.5f - y1,  at,          -50.5f + x2, 60.5f - y2,  at,
                                         -50.5f + x1, 60.5f - y2,  at,          -50.5f + x1, 60.5f - y1};
    const DicomItem& region = child(group, "111030");
    EXPECT_EQ(region.text(kType), "SCOORD3D");
    EXPECT_EQ(region.text(kReferencedFrame), "2.25.4");
    const std::vector<float> points = graphic_of(region);
    ASSERT_EQ(points.size(), expected.size());
    for (size_t i = 0; i < points.size(); ++i) EXPECT_NEAR(points[i], expected[i], 1e-4) << i;
  }
  EXPECT_EQ(tracking.size(), groups.size());
}

TEST_F(DicomOutput, TheSameBytesTwiceAndOtherUidsForAnotherRun) {
  series("s", 2);
  diagnose(path("s") + " -o " + path("a") + " --dicom-output --threads 2");
  diagnose(path("s") + " -o " + path("b") + " --dicom-output --threads 1");
  diagnose(path("s") + " -o " + path("c") + " --dicom-output --threshold 0.4");
  diagnose(path("s") + " -o " + path("d") + " --dicom-output --dicom-time 20300405060708");
  ASSERT_EQ(dicom_names("a").size(), 3u) << error();
  for (const std::string& name : dicom_names("a")) {
    EXPECT_EQ(read(path("a/" + name)), read(path("b/" + name))) << name;
    const DicomItem a = dicom("a/" + name), c = dicom("c/" + name), d = dicom("d/" + name);
    EXPECT_NE(a.text(kSeries), c.text(kSeries));
    EXPECT_NE(a.text(kSopInstance), c.text(kSopInstance));
    EXPECT_NE(a.text(kSopInstance), d.text(kSopInstance));
    EXPECT_EQ(d.text(kContentDate) + d.text(kContentTime), "20300405060708");
  }
}

TEST_F(DicomOutput, AnAxialSeriesRefersToAllItsImages) {
  // 9 mm of a body 100 mm wide and 60 mm deep, as slices of 1 mm.
  for (int z = 0; z < 40; ++z) {
    DicomForge file = sagittal(z);
    file.text(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL");
    file.text(DicomForge::kPosition, "DS", "-50\\-60\\" + std::to_string(z));
    file.text(DicomForge::kOrientation, "DS", "1\\0\\0\\0\\1\\0");
    make("s/" + std::to_string(z) + ".dcm", file.file());
  }
  const int code = diagnose(path("s") + " -o " + path("a") + " --dicom-output");
  expect_looked_at(code);
  const json a = report("a");
  ASSERT_TRUE(a["input"].contains("reformat")) << error();
  const DicomItem picture = dicom("a/dicom-picture-sagittal-001.dcm");
  EXPECT_EQ(picture.items(kSourceImages).size(), 40u);
  EXPECT_EQ(picture.only(0x00089215).text(kCodeValue), "113072");
  const DicomItem sr = dicom("a/dicom-report.dcm");
  EXPECT_EQ(sr.only(kEvidence).only(0x00081115).items(0x00081199).size(), 40u);
  EXPECT_EQ(dicom_names("a").size(), a["slices"].size() + 1);
}

TEST_F(DicomOutput, OtherThanDicomIsRefused) {
  const Picture picture = reduced::picture(kRows, kColumns, 3);
  const std::vector<uint8_t> grey(picture.value.begin(), picture.value.end());
  const auto png = encode_png_grey(kColumns, kRows, grey).value();
  make("p.png", {png.begin(), png.end()});
  EXPECT_EQ(diagnose(path("p.png") + " -o " + path("a") + " --dicom-output"), 2);
  EXPECT_NE(error().find("E_USAGE"), std::string::npos) << error();
  EXPECT_TRUE(dicom_names("a").empty());
  EXPECT_EQ(report("a")["status"], "failed");
  // An option without its sense, and a time that is none.
  EXPECT_EQ(diagnose(path("p.png") + " -o " + path("b") + " --dicom-time 20240101000000"), 2);
  EXPECT_EQ(diagnose(path("p.png") + " -o " + path("b") + " --dicom-output --dicom-time today"), 2);
}

TEST_F(DicomOutput, WhatCannotBeWrittenIsRefusedBeforeTheNetworksRun) {
  struct Row {
    const char* name;
    std::function<void(DicomForge&)> change;
    int code;
    const char* error;
  };
  const Row rows[] = {
      {"no frame of reference", [](DicomForge& f) { f.remove(kFrameOfReference); }, 4, "E_GEOM_MISSING"},
      {"frame of reference", [](DicomForge& f) { f.text(kFrameOfReference, "UI", "not a uid"); }, 4, "E_DICOM_VALUE"},
      {"no date", [](DicomForge& f) { f.remove(kStudyDate); }, 4, "E_DICOM_VALUE"},
      {"name of another kind", [](DicomForge& f) { f.set(kPatientName, "UN", "Nobody"); }, 4, "E_DICOM_VALUE"},
      {"long name", [](DicomForge& f) { f.text(kPatientName, "PN", std::string(9000, 'N')); }, 4, "E_DICOM_VALUE"},
      {"instance uid", [](DicomForge& f) { f.text(kSopInstance, "UI", "1.2/3"); }, 4, "E_DICOM_VALUE"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    fs::remove_all(path("s"));
    fs::remove_all(path("a"));
    series("s", 1, row.change);
    EXPECT_EQ(diagnose(path("s") + " -o " + path("a") + " --dicom-output"), row.code);
    EXPECT_NE(error().find(row.error), std::string::npos) << error();
    EXPECT_TRUE(dicom_names("a").empty());
    EXPECT_EQ(report("a")["status"], "failed");
    EXPECT_EQ(report("a")["input"]["slices"], 0);
    EXPECT_EQ(error().find("NNNN"), std::string::npos);
  }
  // With a date given the second last one works.
  fs::remove_all(path("a"));
  series("s", 1, [](DicomForge& f) { f.remove(kStudyDate).remove(kPatientName).remove(kPatientId); });
  expect_looked_at(diagnose(path("s") + " -o " + path("a") + " --dicom-output --dicom-time 20240101000000"));
  EXPECT_TRUE(dicom("a/dicom-report.dcm").has(kPatientName)) << "of type 2: there, without a value";
}

TEST_F(DicomOutput, AStudyWithoutAResultLeavesNone) {
  series("s", 2);
  make("s/far.dcm", sagittal(7).file());
  EXPECT_EQ(diagnose(path("s") + " -o " + path("a") + " --dicom-output"), 4);
  EXPECT_TRUE(dicom_names("a").empty());
  // An allowed gap: partial, and said so.
  const int code = diagnose(path("s") + " -o " + path("b") + " --dicom-output --allow-gaps 9");
  EXPECT_TRUE(code == 11 || code == 13) << error();
  const DicomItem sr = dicom("b/dicom-report.dcm");
  EXPECT_EQ(sr.text(kCompletion), "PARTIAL");
  EXPECT_EQ(sr.text(kPreliminary), "PRELIMINARY");
  EXPECT_NE(child(child(sr, "C0034375"), "ALERT").only(kCode).text(kCodeValue), "NEGATIVE");
}

TEST_F(DicomOutput, FilesOfAnEarlierRunGoWithIt) {
  series("s", 3);
  diagnose(path("s") + " -o " + path("a") + " --dicom-output");
  ASSERT_EQ(dicom_names("a").size(), 4u) << error();
  make("a/dicom-mine.dcm", "not named by the report");
  fs::remove(path("s/im17.dcm"));
  diagnose(path("s") + " -o " + path("a") + " --dicom-output --overwrite replace");
  EXPECT_EQ(dicom_names("a"), (std::set<std::string>{"dicom-mine.dcm", "dicom-picture-sagittal-001.dcm",
                                                     "dicom-picture-sagittal-002.dcm", "dicom-report.dcm"}))
      << error();
  diagnose(path("s") + " -o " + path("a") + " --overwrite replace");
  EXPECT_EQ(dicom_names("a"), (std::set<std::string>{"dicom-mine.dcm"})) << error();
}

// FS-01: files may have so many blocks of 512 bytes, as on a full disk.
TEST_F(DicomOutput, AFullDiskLeavesNothing) {
  series("s", 1);
  diagnose(path("s") + " -o " + path("a") + " --dicom-output");
  ASSERT_EQ(dicom_names("a").size(), 2u) << error();
  // The last limit is too small by less than a block for the picture, and large enough for what is written before it.
  const auto picture = fs::file_size(path("a/dicom-picture-sagittal-001.dcm"));
  for (const size_t blocks : {size_t{4}, size_t{64}, static_cast<size_t>(picture - 1) / 512}) {
    SCOPED_TRACE(blocks);
    EXPECT_EQ(diagnose(path("s") + " -o " + path("full") + " --dicom-output",
                       "ulimit -f " + std::to_string(blocks) + "; exec "),
              10)
        << error();
    EXPECT_NE(error().find("E_OUTPUT"), std::string::npos) << error();
    EXPECT_TRUE(names(path("full")).empty());
  }
}

// The gate of docs/dicom-output.md: no error of the validator of dicom3tools.
TEST_F(DicomOutput, DciodvfyFindsNoError) {
  if (std::system("command -v dciodvfy >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "dciodvfy is not installed (Debian package dicom3tools)";
  }
  series("s", 2);
  diagnose(path("s") + " -o " + path("a") + " --dicom-output");
  ASSERT_EQ(dicom_names("a").size(), 3u) << error();
  for (const std::string& name : dicom_names("a")) {
    const std::string command = "dciodvfy -new " + path("a/" + name) + " >" + path("said") + " 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << name;
    const std::string said = read(path("said"));
    EXPECT_EQ(said.find("Error"), std::string::npos) << name << "\n" << said;
    EXPECT_FALSE(said.empty());
  }
}

}  // namespace
}  // namespace spinert
