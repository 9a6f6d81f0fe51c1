// Examinations as the program's users meet them: DICOM series, NIfTI volumes, several studies, --resume, gaps. Drives
// the built binary on the reduced model, whose findings mean nothing; what is checked is what was read and what is
// said.
#include <gtest/gtest.h>
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "diagnosis/images/picture.h"
#include "diagnosis/images/png_write.h"
#include "diagnosis/result.h"
#include "diagnosis/studies/dicom_worker.h"
#include "tests/support/dicom_writer.h"
#include "tests/support/nifti_writer.h"
#include "tests/support/reduced_suite.h"
#include "tests/support/schema_check.h"
#include "tests/support/zip_writer.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::DicomForge;

constexpr uint32_t kInstance = 0x00080018, kStudy = 0x0020000d, kSeries = 0x0020000e;
constexpr int kColumns = 100, kRows = 120;

// A grey of the model's window as a stored value with an intercept of -1024.
std::string stored(const std::vector<uint16_t>& grey) {
  std::string pixels;
  for (const uint16_t g : grey) pixels += test::u16(static_cast<uint16_t>(1024 - 500 + g * 1800 / 255));
  return pixels;
}

// A volume of 9 x 100 x 120 voxels of 3 x 1 x 1 mm whose sagittal planes are all one picture: RAS, so the picture's
// rows run against z and its columns against y.
std::string nifti() {
  test::NiftiSpec spec;
  constexpr int kPlanes = 9;
  spec.dim = {3, kPlanes, kColumns, kRows, 1, 1, 1, 1};
  spec.pixdim = {1, 3, 1, 1, 1, 1, 1, 1};
  spec.srow = {{{3, 0, 0, -12}, {0, 1, 0, -60}, {0, 0, 1, 5}}};
  const Picture picture = reduced::picture(kRows, kColumns, 3);
  for (int z = 0; z < kRows; ++z) {
    for (int y = 0; y < kColumns; ++y) {
      const size_t pixel = static_cast<size_t>(kRows - 1 - z) * kColumns + static_cast<size_t>(kColumns - 1 - y);
      spec.values.insert(spec.values.end(), kPlanes, -500 + picture.value[pixel] * 1800 / 255);
    }
  }
  return test::NiftiWriter(spec).write();
}

class StudiesCli : public ReducedSuite {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    if (find_dicom_program().empty()) GTEST_SKIP() << "built without DCMTK";
  }

  // A sagittal slice of `study`, at `place` from the patient's right to the left, 3 mm apart.
  static DicomForge sagittal(int place, const std::string& study) {
    DicomForge file;
    file.text(kInstance, "UI", study + ".9." + std::to_string(place)).text(kStudy, "UI", study);
    file.text(kSeries, "UI", study + ".1").text(0x00080008, "CS", "DERIVED\\SECONDARY\\MPR");
    file.text(DicomForge::kPosition, "DS", std::to_string(3 * place) + "\\-50\\60");
    file.text(DicomForge::kOrientation, "DS", "0\\1\\0\\0\\0\\-1").text(DicomForge::kSpacing, "DS", "1\\1");
    file.number(DicomForge::kColumns, kColumns).number(DicomForge::kRows, kRows);
    file.set(DicomForge::kPixels, "OW",
             stored(reduced::picture(kRows, kColumns, static_cast<uint64_t>(3 + place)).value));
    return file;
  }
  void series(const std::string& folder, const std::vector<int>& places, const std::string& study = "2.25.77") {
    // Names that say nothing of the order.
    for (const int place : places) {
      make(folder + "/im" + std::to_string((place * 7 + 3) % 100) + ".dcm", sagittal(place, study).file());
    }
  }

  int diagnose(const std::string& arguments, const std::string& program = SPINERT_BINARY) {
    return shell("diagnose --device cpu --model " + model_ + " " + arguments, program);
  }
  json report(const std::string& folder) const {
    const json document = json::parse(read(path(folder + "/report.json")), nullptr, false);
    std::ifstream schema(std::string(SPINERT_SOURCE_DIR) + "/diagnosis/report/report.schema.json");
    for (const std::string& problem : schema::problems(json::parse(schema), document)) ADD_FAILURE() << problem;
    return document;
  }
  // What must be the same bytes in two runs.
  std::string fixed_part(const std::string& folder) const {
    const std::string text = read(path(folder + "/report.json"));
    return text.substr(0, text.find("\n  \"volatile\""));
  }
};

// Random weights find no plausible spine, or by chance one.
void expect_looked_at(int code, const std::string& error) {
  EXPECT_TRUE(code == 0 || code == 13) << code << ": " << error;
}

TEST_F(StudiesCli, ANativeSagittalSeries) {
  series("s", {4, 0, 2, 1, 3});
  expect_looked_at(diagnose(path("s") + " -o " + path("a") + " --threads 2"), error());
  const json a = report("a");
  EXPECT_EQ(a["input"]["kind"], "dicom");
  EXPECT_EQ(a["input"]["slices"], 5);
  EXPECT_EQ(a["input"]["study_uid"], "2.25.77");
  EXPECT_EQ(a["input"]["stack"]["orientation"], "sagittal");
  EXPECT_EQ(a["input"]["stack"]["spacing_mm"], json({1.0, 1.0, 3.0}));
  EXPECT_FALSE(a["input"].contains("reformat"));
  ASSERT_EQ(a["slices"].size(), 5u);
  for (int i = 0; i < 5; ++i) {
    const json& slice = a["slices"][static_cast<size_t>(i)];
    EXPECT_EQ(slice["source"], "sagittal-00" + std::to_string(i + 1));
    EXPECT_EQ(slice["place"]["position_mm"], 3.0 * i);
    EXPECT_EQ(slice["place"]["origin_mm"], json({3.0 * i, -50.0, 60.0}));
    EXPECT_EQ(slice["width"], kColumns);
  }
  // Every box is in exactly one track, and corners in the patient are those of the box.
  size_t boxes = 0, members = 0;
  for (const json& slice : a["slices"]) boxes += slice["vertebrae"].size();
  for (const json& track : a["tracks"]) members += track["slices"].size();
  ASSERT_GT(boxes, 0u);
  EXPECT_EQ(boxes, members);
  const json& vertebra = a["slices"][0]["vertebrae"][0];
  EXPECT_NEAR(vertebra["patient"]["from_mm"][1].get<double>(), -50 + vertebra["box"][0].get<double>() - 0.5, 1e-4);
  EXPECT_NEAR(vertebra["patient"]["to_mm"][2].get<double>(), 60 - (vertebra["box"][3].get<double>() - 0.5), 1e-4);
  // The same bytes with one thread, one file after the other, in another folder.
  series("t", {0, 1, 2, 3, 4});
  diagnose(path("t") + " -o " + path("b") + " --threads 1");
  EXPECT_EQ(fixed_part("a"), fixed_part("b"));
  EXPECT_EQ(read(path("a/report.html")), read(path("b/report.html")));
}

TEST_F(StudiesCli, SlicesAsFiles) {
  series("s", {0, 1});
  // A picture keeps its bits, and what was written gives the same result as what was read.
  const Picture picture = reduced::picture(kRows, kColumns, 3);
  const std::vector<uint8_t> grey(picture.value.begin(), picture.value.end());
  const auto png = encode_png_grey(kColumns, kRows, grey).value();
  make("p.png", {png.begin(), png.end()});
  make("broken.png", "no picture");
  diagnose(path("p.png") + " " + path("broken.png") + " --slice-output -o " + path("p"));
  EXPECT_EQ(read_picture(path("p/slice-p.png")).value().value, picture.value);
  EXPECT_FALSE(fs::exists(path("p/slice-broken.png")));
  EXPECT_FALSE(report("p")["slices"][0].contains("hu_offset"));
  EXPECT_EQ(diagnose(path("p.png") + " --mask-output -o " + path("m")), 2) << "pictures lie nowhere";
  // Slices of an examination hold Hounsfield units and an offset, which the report tells.
  expect_looked_at(diagnose(path("s") + " --slice-output -o " + path("s1")), error());
  const json s = report("s1");
  size_t named = 0;
  for (const json& file : s["volatile"]["files"]) {
    named += file["name"] == "slice-" + file["source"].get<std::string>() + ".png" ? 1 : 0;
  }
  EXPECT_EQ(named, 2u);
  const Picture slice = read_picture(path("s1/slice-sagittal-001.png")).value();
  ASSERT_EQ(slice.bits, 16);
  const double offset = s["slices"][0]["hu_offset"];
  for (size_t i = 0; i < grey.size(); ++i) ASSERT_EQ(slice.value[i] - offset, -500 + grey[i] * 1800 / 255) << i;
  diagnose(path("s1/slice-sagittal-001.png") + " --hu-offset " + std::to_string(offset) + " -o " + path("again"));
  EXPECT_EQ(report("again")["slices"][0]["candidates"], s["slices"][0]["candidates"]);
  // Nothing else changes, and a run without them takes those of an earlier run away.
  expect_looked_at(diagnose(path("s") + " --overwrite replace -o " + path("s1")), error());
  EXPECT_EQ(report("s1")["slices"], s["slices"]);
  EXPECT_FALSE(fs::exists(path("s1/slice-sagittal-001.png")));
}

TEST_F(StudiesCli, ANativeSliceShowsThePicture) {
  series("s", {0});
  const Picture picture = reduced::picture(kRows, kColumns, 3);
  expect_looked_at(diagnose(path("s") + " -o " + path("a")), error());
  const std::vector<uint8_t> grey(picture.value.begin(), picture.value.end());
  const auto png = encode_png_grey(kColumns, kRows, grey).value();
  make("p.png", {png.begin(), png.end()});
  expect_looked_at(diagnose(path("p.png") + " -o " + path("b")), error());
  const json a = report("a")["slices"][0], b = report("b")["slices"][0];
  // Stored values are whole Hounsfield units, so the grey is that of the picture up to a rounding of the window.
  ASSERT_EQ(a["vertebrae"].size(), b["vertebrae"].size());
  for (size_t i = 0; i < a["vertebrae"].size(); ++i) {
    for (size_t k = 0; k < 4; ++k) {
      EXPECT_NEAR(a["vertebrae"][i]["box"][k].get<double>(), b["vertebrae"][i]["box"][k].get<double>(), 0.1);
    }
  }
}

TEST_F(StudiesCli, AMissingSliceIsRefusedUnlessAllowed) {
  series("s", {0, 1, 2, 4, 5});
  EXPECT_EQ(diagnose(path("s") + " -o " + path("a")), 4);
  EXPECT_NE(error().find("E_GEOM_GAP"), std::string::npos) << error();
  EXPECT_EQ(report("a")["status"], "failed");
  EXPECT_EQ(read(path("a/report.json")).find(folder_), std::string::npos);
  const int code = diagnose(path("s") + " --allow-gaps 1 -o " + path("b"));
  EXPECT_TRUE(code == 11 || code == 13) << error();
  const json b = report("b");
  EXPECT_NE(b["status"], "completed");
  EXPECT_EQ(b["input"]["stack"]["gaps_mm"], json({9.0}));
  EXPECT_NE(b["alert"], "negative");
}

TEST_F(StudiesCli, ADamagedFileIsNeverLeftOut) {
  series("s", {0, 1, 2, 3});
  make("s/cut.dcm", sagittal(4, "2.25.77").file().substr(0, 3000));
  EXPECT_EQ(diagnose(path("s") + " -o " + path("a")), 4);
  EXPECT_NE(error().find("E_DICOM_TRUNCATED"), std::string::npos) << error();
  make("s/cut.dcm", "");
  EXPECT_EQ(diagnose(path("s") + " -o " + path("b")), 4) << error();
  const int code = diagnose(path("s") + " --allow-gaps 1 -o " + path("c"));
  EXPECT_TRUE(code == 11 || code == 13) << error();
}

TEST_F(StudiesCli, SeveralStudiesAndResume) {
  series("all/one", {0, 1, 2}, "2.25.1");
  series("all/two", {0, 1, 3}, "2.25.2");
  make("all/three.nii", nifti());
  const int code = diagnose(path("all") + " -o " + path("out"));
  EXPECT_EQ(code, 11) << error();
  EXPECT_EQ(names(path("out")), (std::set<std::string>{"2.25.1", "2.25.2", "summary.csv", "three.nii"}));
  const json one = report("out/2.25.1");
  EXPECT_EQ(report("out/2.25.2")["status"], "failed");
  const std::string summary = read(path("out/summary.csv"));
  EXPECT_NE(summary.find("2.25.2,"), std::string::npos) << summary;
  EXPECT_NE(summary.find("E_GEOM_GAP"), std::string::npos) << summary;
  EXPECT_NE(summary.find(kResearchLabel), std::string::npos);
  // Nothing is replaced without being told to.
  EXPECT_EQ(diagnose(path("all") + " -o " + path("out")), 10) << error();
  // The slice arrives; only that study is done again.
  make("all/two/late.dcm", sagittal(2, "2.25.2").file());
  const auto before = fs::last_write_time(path("out/2.25.1/report.json"));
  EXPECT_NE(diagnose(path("all") + " --resume -o " + path("out")), 10) << error();
  EXPECT_EQ(fs::last_write_time(path("out/2.25.1/report.json")), before);
  EXPECT_NE(error().find("2.25.1: kept"), std::string::npos) << error();
  EXPECT_NE(report("out/2.25.2")["status"], "failed");
  // With other options nothing is kept.
  diagnose(path("all") + " --resume --threshold 0.4 -o " + path("out"));
  EXPECT_EQ(error().find("kept"), std::string::npos) << error();
}

// Pictures have no hash of their study: other ones in their place must be looked at.
TEST_F(StudiesCli, ResumeDoesPicturesAgain) {
  series("all/series", {0, 1, 2});
  const Picture picture = reduced::picture(kRows, kColumns, 3);
  const std::vector<uint8_t> grey(picture.value.begin(), picture.value.end());
  const auto png = encode_png_grey(kColumns, kRows, grey).value();
  make("all/p.png", {png.begin(), png.end()});
  diagnose(path("all") + " -o " + path("out"));
  ASSERT_EQ(names(path("out")), (std::set<std::string>{"2.25.77", "pictures", "summary.csv"})) << error();
  diagnose(path("all") + " --resume -o " + path("out"));
  EXPECT_NE(error().find("2.25.77: kept"), std::string::npos) << error();
  EXPECT_EQ(error().find("pictures: kept"), std::string::npos) << error();
}

TEST_F(StudiesCli, ANiftiVolumeIsReformatted) {
  make("v.nii", nifti());
  expect_looked_at(diagnose(path("v.nii") + " -o " + path("a") + " --threads 2 --mask-output"), error());
  const json a = report("a");
  EXPECT_EQ(a["input"]["kind"], "nifti");
  EXPECT_TRUE(fs::exists(path("a/mask.nii.gz")));
  EXPECT_EQ(a["input"]["transform"], "sform");
  const json& reformat = a["input"]["reformat"];
  EXPECT_EQ(reformat["mm_per_pixel"], 0.5);
  EXPECT_EQ(reformat["step_mm"], 3.0);
  ASSERT_EQ(a["slices"].size(), 9u);
  const json& first = a["slices"][0];
  // From the patient's right, head up and face to the left: 99 and 119 mm between the outermost centres.
  EXPECT_EQ(first["place"]["origin_mm"], json({-12.0, -39.0, 124.0}));
  EXPECT_EQ(first["place"]["column_step_mm"], json({0.0, 0.5, 0.0}));
  EXPECT_EQ(first["place"]["row_step_mm"], json({0.0, 0.0, -0.5}));
  EXPECT_EQ(first["width"], 199);
  EXPECT_EQ(first["height"], 239);
  EXPECT_EQ(reformat["position_mm"].size(), 9u);
  // All planes are one picture, so all slices say the same, in tiles as they are.
  ASSERT_FALSE(first["candidates"].empty());
  for (const json& slice : a["slices"]) EXPECT_EQ(slice["candidates"], first["candidates"]) << slice["source"];
  diagnose(path("v.nii") + " -o " + path("b") + " --threads 1");
  EXPECT_EQ(fixed_part("a"), fixed_part("b"));
}

// The same bytes in an archive and in a folder give the same result.
TEST_F(StudiesCli, AZipArchive) {
  ZipWriter zip;
  for (const int place : {2, 0, 1}) {
    zip.add(
        {.name = "DOE^JANE/IM" + std::to_string(place), .content = sagittal(place, "2.25.77").file(), .deflate = true});
  }
  zip.add("DOE^JANE/readme.txt", "text");
  make("study.zip", zip.bytes());
  series("s", {0, 1, 2});
  expect_looked_at(diagnose(path("study.zip") + " -o " + path("a")), error());
  diagnose(path("s") + " -o " + path("b"));
  EXPECT_EQ(fixed_part("a"), fixed_part("b"));
  EXPECT_EQ(report("a")["slices"].size(), 3u);
  EXPECT_EQ(shell("inspect " + path("study.zip")), 0) << error();
  EXPECT_NE(read(path("stdout")).find("sagittal"), std::string::npos);
  // A damaged file in it is never left out; what is said of it names no folder.
  zip.add("DOE^JANE/IM3", sagittal(3, "2.25.77").file().substr(0, 3000));
  make("study.zip", zip.bytes());
  EXPECT_EQ(diagnose(path("study.zip") + " -o " + path("c")), 4);
  EXPECT_NE(error().find("study.zip: entry 5 'IM3'"), std::string::npos) << error();
  const std::string refused = read(path("c/report.json"));
  EXPECT_NE(refused.find("study.zip: entry 5 'IM3'"), std::string::npos) << refused;
  EXPECT_EQ(refused.find("DOE"), std::string::npos);
  EXPECT_EQ(refused.find(folder_), std::string::npos);
  // Beside other studies a damaged archive is a failed study of its own.
  make("all/one.zip", zip.bytes().substr(0, 4000));
  series("all/two", {0, 1, 2});
  EXPECT_EQ(diagnose(path("all") + " -o " + path("d")), 11) << error();
  EXPECT_EQ(names(path("d")), (std::set<std::string>{"2.25.77", "one.zip", "summary.csv"}));
  EXPECT_EQ(report("d/one.zip")["status"], "failed");
}

// Every second plane, and it is said wherever the result is.
TEST_F(StudiesCli, FastLeavesPlanesOutAndSaysSo) {
  make("v.nii", nifti());
  diagnose(path("v.nii") + " -o " + path("all"));
  expect_looked_at(diagnose(path("v.nii") + " --fast -o " + path("fast")), error());
  const json all = report("all"), fast = report("fast");
  EXPECT_FALSE(all["input"]["reformat"]["fast"].get<bool>());
  EXPECT_TRUE(fast["input"]["reformat"]["fast"].get<bool>());
  EXPECT_EQ(fast["input"]["reformat"]["step_mm"], 6.0);
  // The planes are some of those that would have been looked at, the one in the middle among them.
  const json &of_all = all["input"]["reformat"]["position_mm"], &of_fast = fast["input"]["reformat"]["position_mm"];
  ASSERT_EQ(of_all.size(), 9u);
  EXPECT_EQ(of_fast, json({of_all[0], of_all[2], of_all[4], of_all[6], of_all[8]}));
  const auto says = [](const json& reasons) {
    return std::ranges::any_of(reasons, [](const json& reason) { return reason["code"] == "W_FAST"; });
  };
  EXPECT_TRUE(says(fast["reasons"]));
  EXPECT_FALSE(says(all["reasons"]));
  EXPECT_NE(read(path("fast/report.html")).find("every second plane"), std::string::npos);
  EXPECT_NE(read(path("stdout")).find("W_FAST"), std::string::npos);
  EXPECT_NE(read(path("fast/preview-sagittal-001.png")), read(path("all/preview-sagittal-001.png")));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST_F(StudiesCli, ProgressForPrograms) {
  series("all/one", {0, 1}, "2.25.1");
  series("all/two", {0, 1}, "2.25.2");
  diagnose(path("all") + " --progress json -o " + path("json"));
  const std::string results = read(path("stdout"));
  EXPECT_NE(results.find("summary: "), std::string::npos);
  EXPECT_EQ(results.find("progress"), std::string::npos);
  std::vector<double> fractions;
  for (const std::string& line : lines_of(error())) {
    const json event = json::parse(line, nullptr, false);
    if (event.is_discarded()) {
      EXPECT_TRUE(line.starts_with("spinert: error")) << line;
      continue;
    }
    EXPECT_EQ(event["event"], "progress");
    EXPECT_EQ(event["studies"], 2);
    EXPECT_EQ(event["name"], event["study"] == 1 ? "2.25.1" : "2.25.2");
    EXPECT_TRUE(event["slice"] <= event["slices"]);
    EXPECT_TRUE(event["seconds_left"].is_number() || (event["seconds_left"].is_null() && fractions.size() < 1));
    fractions.push_back(event["fraction"]);
  }
  EXPECT_EQ(fractions, (std::vector<double>{0, 0.25, 0.5, 0.5, 0.75, 1}));
  // 3D Slicer reads stdout, so results go elsewhere.
  diagnose(path("all/one") + " --progress slicer -o " + path("slicer"));
  const auto said = lines_of(read(path("stdout")));
  ASSERT_EQ(said.size(), 4u) << read(path("stdout"));
  EXPECT_TRUE(said[0].starts_with("<filter-start><filter-name>SpineRT</filter-name>")) << said[0];
  EXPECT_EQ(said[1], "<filter-progress>0.5000</filter-progress>");
  EXPECT_EQ(said[2], "<filter-progress>1.0000</filter-progress>");
  EXPECT_TRUE(said[3].starts_with("<filter-end>")) << said[3];
  EXPECT_NE(error().find("report: "), std::string::npos) << error();
  // Quiet, a bar where there is no terminal, and a form that is none.
  diagnose(path("all/one") + " --progress none -o " + path("none"));
  for (const std::string& line : lines_of(error())) EXPECT_TRUE(line.starts_with("spinert: error")) << line;
  diagnose(path("all/one") + " --progress tty -o " + path("tty"));
  EXPECT_NE(error().find("[###############...............] 1/2"), std::string::npos) << error();
  EXPECT_EQ(diagnose(path("all/one") + " --progress xml -o " + path("x")), 2);
  // No form changes the result, nor whether --resume keeps it.
  EXPECT_EQ(fixed_part("json/2.25.1"), fixed_part("none"));
  diagnose(path("all") + " --resume --progress slicer -o " + path("json"));
  const auto kept = lines_of(read(path("stdout")));
  ASSERT_EQ(kept.size(), 6u) << read(path("stdout"));
  EXPECT_EQ(kept[1], "<filter-progress>0.0000</filter-progress>");
  EXPECT_EQ(kept[4], "<filter-progress>1.0000</filter-progress>");
}

// BI-16b, BI-20: what the files say of themselves is said again.
TEST_F(StudiesCli, NotesOfTheFiles) {
  for (int place = 0; place < 3; ++place) {
    DicomForge file = sagittal(place, "2.25.77");
    file.text(0x00280301, "CS", place == 1 ? "YES" : "NO").remove(0x00185100).remove(DicomForge::kSlope);
    file.remove(DicomForge::kIntercept);
    make("s/" + std::to_string(place) + ".dcm", file.file());
  }
  series("t", {0, 1, 2});
  const auto notes = [&](const std::string& folder) {
    std::set<std::string> codes;
    const json document = report(folder);
    for (const json& reason : document["reasons"]) {
      if (reason["code"].get<std::string>().starts_with("W_")) codes.insert(reason["code"]);
    }
    return codes;
  };
  // Stored values of a scanner with an intercept of -1024: all above water, no Hounsfield units.
  EXPECT_EQ(diagnose(path("s") + " -o " + path("a")), 4);
  EXPECT_NE(error().find("E_RANGE"), std::string::npos) << error();
  for (int place = 0; place < 3; ++place) {
    DicomForge file = sagittal(place, "2.25.77");
    file.text(0x00280301, "CS", place == 1 ? "YES" : "NO").remove(0x00185100).remove(DicomForge::kSlope);
    make("s/" + std::to_string(place) + ".dcm", file.file());
  }
  expect_looked_at(diagnose(path("s") + " -o " + path("b")), error());
  EXPECT_EQ(notes("b"), (std::set<std::string>{"W_RESCALE", "W_BURNED_IN", "W_PATIENT_POSITION"}));
  EXPECT_NE(read(path("b/report.html")).find("BurnedInAnnotation"), std::string::npos);
  expect_looked_at(diagnose(path("t") + " -o " + path("c")), error());
  EXPECT_EQ(notes("c"), std::set<std::string>());
  // The values are the same; notes are no reason to doubt them.
  EXPECT_EQ(report("b")["slices"], report("c")["slices"]);
  EXPECT_EQ(report("b")["status"], report("c")["status"]);
}

TEST_F(StudiesCli, WithoutTheWorker) {
  fs::create_directory(path("elsewhere"));
  fs::copy_file(SPINERT_BINARY, path("elsewhere/spinert"));
  series("s", {0});
  EXPECT_EQ(diagnose(path("s") + " -o " + path("a"), path("elsewhere/spinert")), 5);
  EXPECT_NE(error().find("E_NO_DICOM"), std::string::npos) << error();
  // However many files there are, they are one refused study, and no folder is called like a file.
  series("s", {1, 2, 3});
  EXPECT_EQ(diagnose(path("s") + " -o " + path("b"), path("elsewhere/spinert")), 5);
  EXPECT_EQ(names(path("b")), (std::set<std::string>{"report.html", "report.json"}));
}

TEST_F(StudiesCli, InspectSaysWhatWouldBeRead) {
  series("s", {0, 1, 2});
  EXPECT_EQ(shell("inspect --json " + path("s")), 0) << error();
  const json said = json::parse(read(path("stdout")));
  EXPECT_EQ(said["studies"][0]["series"][0]["orientation"], "sagittal");
  EXPECT_EQ(said["studies"][0]["series"][0]["files"], 3);
  // What is said to be readable was looked at.
  make("v/good.nii", nifti());
  EXPECT_EQ(shell("inspect " + path("v")), 0) << error();
  make("v/cut.nii", nifti().substr(0, 5000));
  EXPECT_EQ(shell("inspect " + path("v")), 4);
  EXPECT_NE(error().find("NI-07"), std::string::npos) << error();
  series("s", {5});
  EXPECT_EQ(shell("inspect " + path("s")), 4);
  EXPECT_NE(error().find("E_GEOM_GAP"), std::string::npos) << error();
}

}  // namespace
}  // namespace spinert
