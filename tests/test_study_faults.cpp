// Faults while the program diagnoses examinations: a full disk and a sudden death at every call that writes, inputs
// that change between two readings, two runs with one output (FS-01, FS-02, FS-10, FS-13). Drives the built binary on
// the reduced model with a library preloaded that counts its writing calls.
#include <gtest/gtest.h>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diagnosis/report/study_output.h"
#include "diagnosis/studies/study_inputs.h"
#include "tests/support/dicom_writer.h"
#include "tests/support/reduced_suite.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::DicomForge;

constexpr int kSide = 96, kDied = 128 + SIGKILL;

class StudyFaults : public ReducedSuite {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    if (find_dicom_program().empty()) GTEST_SKIP() << "built without DCMTK";
  }

  static DicomForge slice(int place, const std::string& study) {
    DicomForge file;
    file.text(0x00080018, "UI", study + ".9." + std::to_string(place)).text(0x0020000d, "UI", study);
    file.text(0x0020000e, "UI", study + ".1");
    file.text(DicomForge::kPosition, "DS", std::to_string(3 * place) + "\\-50\\60");
    file.text(DicomForge::kOrientation, "DS", "0\\1\\0\\0\\0\\-1").text(DicomForge::kSpacing, "DS", "1\\1");
    file.number(DicomForge::kColumns, kSide).number(DicomForge::kRows, kSide);
    std::string pixels;
    for (const uint16_t g : reduced::picture(kSide, kSide, static_cast<uint64_t>(3 + place)).value) {
      pixels += test::u16(static_cast<uint16_t>(524 + g * 7));
    }
    return file.set(DicomForge::kPixels, "OW", pixels);
  }
  void series(const std::string& folder, int slices, const std::string& study) {
    for (int i = 0; i < slices; ++i) make(folder + "/im" + std::to_string(i) + ".dcm", slice(i, study).file());
  }

  std::string arguments(const std::string& input, const std::string& output) const {
    return "diagnose --slice-output --device cpu --threads 1 --model " + model_ + " " + path(input) + " -o " +
           path(output);
  }
  int diagnose(const std::string& input, const std::string& output, const std::string& more = {}) const {
    return shell(arguments(input, output) + " " + more);
  }
  // The same, with a fault at the k-th call that writes into the output folder.
  int diagnose_with(const char* kind, int at, const std::string& input, const std::string& output,
                    const std::string& more = {}) const {
    const std::string environment =
        "env ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=" SPINERT_WRITE_FAULTS " SPINERT_FAULT_KIND=" +
        std::string(kind) + " SPINERT_FAULT_AT=" + std::to_string(at) + " SPINERT_FAULT_FOLDER=" + path(output) + " ";
    return shell(arguments(input, output) + " " + more, environment + SPINERT_BINARY);
  }

  json report(const std::string& folder) const {
    return json::parse(read(path(folder + "/report.json")), nullptr, false);
  }
  std::string fixed_part(const std::string& folder) const {
    const std::string text = read(path(folder + "/report.json"));
    return text.substr(0, text.find("\n  \"volatile\""));
  }
};

// FS-01: nothing has its final name afterwards, and nothing is left behind.
TEST_F(StudyFaults, AFullDiskAtEveryCall) {
  series("s", 1, "2.25.1");
  const int sound = diagnose("s", "sound");
  int at = 1;
  for (; at < 200; ++at) {
    const int code = diagnose_with("full", at, "s", "out");
    if (code == sound) break;
    EXPECT_EQ(code, 10) << "call " << at << ": " << error();
    EXPECT_NE(error().find("E_OUTPUT"), std::string::npos) << "call " << at << ": " << error();
    EXPECT_FALSE(fs::exists(path("out"))) << "call " << at << " left " << names(path("out")).size() << " files";
    fs::remove_all(path("out"));
  }
  std::printf("a full disk at each of %d calls\n", at - 1);
  EXPECT_GT(at, 15) << "the library counts nothing";
  EXPECT_LT(at, 200);
  EXPECT_EQ(fixed_part("out"), fixed_part("sound"));
}

// FS-02: either there is no report.json, or it and all that it names is whole; and the next run is not hindered.
TEST_F(StudyFaults, DeathAtEveryCall) {
  series("s", 1, "2.25.1");
  const int sound = diagnose("s", "sound");
  int at = 1;
  for (; at < 200; ++at) {
    const int code = diagnose_with("kill", at, "s", "out", "--overwrite replace");
    if (code == sound) break;
    ASSERT_EQ(code, kDied) << "call " << at << ": " << error();
    if (fs::exists(path("out/report.json"))) {
      EXPECT_EQ(fixed_part("out"), fixed_part("sound")) << "call " << at;
      EXPECT_EQ(read(path("out/report.html")), read(path("sound/report.html"))) << "call " << at;
      EXPECT_EQ(read(path("out/preview-sagittal-001.png")), read(path("sound/preview-sagittal-001.png")));
    }
  }
  std::printf("death at each of %d calls\n", at - 1);
  EXPECT_GT(at, 15) << "the library counts nothing";
  // The run that was not disturbed came after all those that were, in the same folder, which holds no trace of them.
  EXPECT_EQ(fixed_part("out"), fixed_part("sound"));
  EXPECT_EQ(names(path("out")), names(path("sound")));
}

// Of a batch: what was finished stays, and --resume does the rest.
TEST_F(StudyFaults, ABatchGoesOnAfterDeath) {
  series("all/one", 1, "2.25.1");
  series("all/two", 1, "2.25.2");
  diagnose("all", "sound");
  ASSERT_TRUE(fs::exists(path("sound/summary.csv"))) << error();
  int died = 0;
  for (int at = 3;; at += 9, ++died) {
    if (diagnose_with("kill", at, "all", "out") != kDied) break;
    if (fs::exists(path("out/summary.csv"))) {
      EXPECT_EQ(read(path("out/summary.csv")), read(path("sound/summary.csv")));
    }
    const bool first = fs::exists(path("out/2.25.1/report.json"));
    diagnose("all", "out", "--resume");
    EXPECT_EQ(error().find("2.25.1: kept") != std::string::npos, first) << "call " << at << ": " << error();
    for (const char* file : {"/2.25.1", "/2.25.2"}) {
      EXPECT_EQ(fixed_part("out" + std::string(file)), fixed_part("sound" + std::string(file))) << "call " << at;
    }
    EXPECT_EQ(read(path("out/summary.csv")), read(path("sound/summary.csv")));
    EXPECT_EQ(names(path("out")), names(path("sound")));
    fs::remove_all(path("out"));
  }
  EXPECT_GT(died, 3);
}

// A file is read for its facts, and again for its pixels unless they were kept. A result is made of what was there for
// the facts, or not at all.
TEST_F(StudyFaults, AFileThatChangesBetweenItsReadings) {
  const size_t kKept = 1 << 20;
  for (const auto& [axial, kept] : {std::pair(false, size_t{0}), {true, size_t{0}}, {false, kKept}, {true, kKept}}) {
    for (int i = 0; i < 3; ++i) {
      DicomForge file = slice(i, "2.25.1");
      if (axial) {
        file.text(DicomForge::kOrientation, "DS", "1\\0\\0\\0\\1\\0");
        file.text(DicomForge::kPosition, "DS", "-48\\-48\\" + std::to_string(i));
      }
      make("s/im" + std::to_string(i) + ".dcm", file.file());
    }
    DicomReaders readers(2, {}, kept);
    const std::vector<std::string> paths{path("s")};
    auto list = expand_inputs(paths);
    ASSERT_TRUE(list.ok());
    const auto studies = group_studies(std::move(list.value().inputs), readers, {});
    ASSERT_EQ(studies.size(), 1u);
    // Another picture in the same place, as large as the first.
    std::string other = read(path("s/im1.dcm"));
    other[other.size() - 100] = static_cast<char>(other[other.size() - 100] ^ 1);
    make("s/im1.dcm", other);
    auto config = parse_pipeline_config(reduced::config_text());
    ASSERT_TRUE(config.ok());
    auto source = open_study(studies.front(), {}, config.value(), readers, {});
    Status status = source.status();
    if (source.ok()) status = source.value()->read(1).status();
    EXPECT_EQ(source.ok(), !axial || kept > 0);
    if (kept > 0) {
      EXPECT_TRUE(status.ok()) << status.to_string();
      continue;
    }
    EXPECT_EQ(status.id(), ErrorId::E_INPUT_CHANGED) << status.to_string();
    EXPECT_NE(status.to_string().find("im1.dcm"), std::string::npos) << status.to_string();
  }
}

// FS-13: a folder belongs to one run, that of a batch as a whole.
TEST_F(StudyFaults, TwoRunsWithOneOutput) {
  series("all/one", 1, "2.25.1");
  series("all/two", 1, "2.25.2");
  for (const char* held : {"out", "out/2.25.2"}) {
    auto other = StudyOutput::open(path(held), Overwrite::replace, {}, "summary.csv");
    ASSERT_TRUE(other.ok());
    const bool whole = std::string(held) == "out";
    EXPECT_EQ(diagnose("all", "out"), whole ? 10 : 11) << error();
    EXPECT_NE(error().find("another run is writing"), std::string::npos) << error();
    EXPECT_EQ(fs::exists(path("out/2.25.1/report.json")), !whole) << "the other study is not hindered";
    EXPECT_FALSE(fs::exists(path("out/2.25.2/report.json")));
  }
  // Two at once: one of them has the result.
  const std::string log = " >/dev/null 2>";
  const std::string both = std::string(SPINERT_BINARY) + " " + arguments("all/one", "race") + log + path("e1") + " & " +
                           SPINERT_BINARY + " " + arguments("all/one", "race") + log + path("e2") + "; wait";
  ASSERT_EQ(std::system(both.c_str()), 0);
  const std::string e1 = read(path("e1")), e2 = read(path("e2"));
  const auto refused = [](const std::string& text) { return text.find("E_OUTPUT") != std::string::npos; };
  EXPECT_NE(refused(e1), refused(e2)) << e1 << e2;
  EXPECT_EQ(report("race")["slices"].size(), 1u);
}

}  // namespace
}  // namespace spinert
