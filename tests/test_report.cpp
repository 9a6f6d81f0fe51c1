// report.json, report.html and previews of a hand-made study: schema, exact floats, escaping, nothing volatile.
#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "diagnosis/images/picture.h"
#include "diagnosis/pipeline.h"
#include "diagnosis/report/json_text.h"
#include "diagnosis/report/preview.h"
#include "diagnosis/report/report_html.h"
#include "diagnosis/report/report_json.h"
#include "diagnosis/report/text.h"
#include "diagnosis/report/wording.h"
#include "diagnosis/study.h"
#include "tests/ops/op_case.h"
#include "tests/support/sample_study.h"
#include "tests/support/schema_check.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

using nlohmann::json;

json schema_file() {
  std::ifstream file(std::string(SPINERT_SOURCE_DIR) + "/diagnosis/report/report.schema.json");
  return json::parse(file);
}

std::string page(const StudyResult& study) {
  std::vector<std::string> sections;
  for (size_t i = 0; i < study.slices.size(); ++i) sections.push_back(slice_section(study, study.slices[i], i).value());
  return report_html(study, sample::facts(), sections);
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// Everything from the line of the key on is not deterministic.
std::string deterministic_part(const std::string& report) {
  return report.substr(0, report.find("\n  \"volatile\"") + 1);
}

TEST(ReportJson, FitsItsSchema) {
  const StudyResult study = sample::study();
  const json document = json::parse(report_json(study, sample::facts()));
  for (const std::string& problem : schema::problems(schema_file(), document)) ADD_FAILURE() << problem;
  EXPECT_EQ(document["status"], "partial");
  EXPECT_EQ(document["slices"].size(), 4u);
  EXPECT_EQ(document["slices"][0]["vertebrae"][1]["probabilities"]["KD"], 0.61);
  EXPECT_EQ(document["model"]["notice"], kDemoNotice);
}

// Only int8 has a calibration; a report of it says which one.
TEST(ReportJson, NamesTheCalibration) {
  StudyResult study = sample::study();
  EXPECT_FALSE(json::parse(report_json(study, sample::facts()))["device"].contains("calibration"));
  study.calibration = {std::string(64, 'a'), "smallest and largest", 12};
  const json document = json::parse(report_json(study, sample::facts()));
  for (const std::string& problem : schema::problems(schema_file(), document)) ADD_FAILURE() << problem;
  EXPECT_EQ(document["device"]["calibration"]["slices"], 12);
}

TEST(ReportJson, SchemaCanFail) {
  const json schema = schema_file();
  const json good = json::parse(report_json(sample::study(), sample::facts()));
  const auto broken = [&](const char* pointer, const json& value) {
    json document = good;
    document[json::json_pointer(pointer)] = value;
    return !schema::problems(schema, document).empty();
  };
  EXPECT_TRUE(broken("/status", "fine"));
  EXPECT_TRUE(broken("/label", "for diagnosis"));
  EXPECT_TRUE(broken("/surplus", 1));
  EXPECT_TRUE(broken("/slices/0/vertebrae/0/score", 1.5));
  EXPECT_TRUE(broken("/slices/0/vertebrae/0/score", nullptr));
  EXPECT_TRUE(broken("/slices/0/vertebrae/0/box", json::array({1, 2, 3})));
  EXPECT_TRUE(broken("/slices/0/alert", "none"));
  EXPECT_TRUE(broken("/model/sha256", "xyz"));
  json document = good;
  document["slices"][0].erase("status");
  EXPECT_FALSE(schema::problems(schema, document).empty());
}

TEST(ReportJson, FailedRunHasNoSlices) {
  StudyResult study = sample::study();
  study.reasons.clear();
  fail_study(study, error(ErrorId::E_MODEL_HASH, "changed", "m.safetensors"));
  const json document = json::parse(report_json(study, sample::facts()));
  for (const std::string& problem : schema::problems(schema_file(), document)) ADD_FAILURE() << problem;
  EXPECT_EQ(document["status"], "failed");
  EXPECT_EQ(document["exit_code"], 7);
  EXPECT_FALSE(document.contains("slices"));
  EXPECT_EQ(document["reasons"][0]["code"], "E_MODEL_HASH");
}

TEST(ReportJson, NoSlicesIfEveryPictureFailed) {
  StudyResult study = sample::study();
  study.reasons.clear();
  study.slices = {failed_slice("a.png", error(ErrorId::E_PNG, "x")),
                  failed_slice("b.png", error(ErrorId::E_JPEG, "y"))};
  summarise(study);
  const json document = json::parse(report_json(study, sample::facts()));
  EXPECT_FALSE(document.contains("slices"));
  EXPECT_EQ(document["reasons"].size(), 2u);
}

TEST(ReportJson, HashCoversExactlyTheDeterministicPart) {
  const StudyResult study = sample::study();
  ReportFacts facts = sample::facts();
  const std::string one = report_json(study, facts);
  const std::string part = deterministic_part(one);
  EXPECT_EQ(json::parse(one)["volatile"]["deterministic_sha256"], to_hex(sha256(part.data(), part.size())));

  StudyResult other = study;
  other.threads = 7;
  other.batch = 32;
  other.open_ms = 1;
  other.total_ms = 2;
  other.reading_ms = 3;
  other.peak_memory_mb = 4;
  other.slices[0].milliseconds["detector"] = 99;
  facts.time_utc = "2025-01-01T00:00:00Z";
  facts.host = "another";
  facts.files.clear();
  EXPECT_EQ(deterministic_part(report_json(other, facts)), part);

  other.slices[0].vertebrae[0].score = std::nextafter(other.slices[0].vertebrae[0].score, 1.0f);
  EXPECT_NE(deterministic_part(report_json(other, facts)), part);
}

TEST(ReportJson, FloatsReadBackExactly) {
  for (uint64_t i = 0; i < 20000; ++i) {
    const auto bits = static_cast<uint32_t>(cases::random_bits(7, i));
    float value;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    const std::string text = exact_number(value);
    float back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    ASSERT_EQ(std::memcmp(&back, &value, sizeof value), 0) << text;
    // Readers that know only double must come to the same float as well.
    ASSERT_EQ(static_cast<float>(json::parse(text).get<double>()), value) << text;
  }
  EXPECT_EQ(exact_number(0.1f), "0.1");
  EXPECT_EQ(exact_number(std::numeric_limits<float>::quiet_NaN()), "null");
  EXPECT_EQ(exact_number(std::numeric_limits<float>::infinity()), "null");
}

TEST(Text, HostileNamesStayText) {
  for (const char* name :
       {"\"quote\\", "new\nline", "bell\x07", "\xff\xfe", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
        "right-to-left \xE2\x80\xAEgnp.exe", "umlaut \xC3\xA4", "\xE2", "</script>"}) {
    const json parsed = json::parse(quote_json(name));
    EXPECT_EQ(parsed.get<std::string>(), clean_utf8(name));
    EXPECT_EQ(clean_utf8(clean_utf8(name)), clean_utf8(name));
    for (const char c : clean_utf8(name)) EXPECT_FALSE(c >= 0 && c < 0x20);
  }
  EXPECT_EQ(clean_utf8("umlaut \xC3\xA4"), "umlaut \xC3\xA4");
  EXPECT_EQ(escape_html("<a href=\"x\" title='y'>&"), "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;");
  EXPECT_EQ(file_name_of("/a/b.png"), "b.png");
  EXPECT_EQ(file_name_of("a/b/"), "b");
  EXPECT_EQ(fixed_number(0.125, 2), "0.12");
  EXPECT_EQ(counted(1, "vertebra", "vertebrae"), "1 vertebra");
  EXPECT_EQ(counted(0, "slice"), "0 slices");
}

TEST(ReportHtml, SaysWhatItMust) {
  const StudyResult study = sample::study();
  const std::string html = page(study);
  EXPECT_NE(html.find(kResearchLabel), std::string::npos);
  EXPECT_NE(html.find("ynthetic demo model"), std::string::npos);
  EXPECT_NE(html.find("INDETERMINATE - not a negative result"), std::string::npos);
  EXPECT_NE(html.find("PARTIAL"), std::string::npos);
  EXPECT_NE(html.find("FAILED - no result"), std::string::npos);
  EXPECT_NE(html.find("PN-02 wrong CRC-32"), std::string::npos);
  for (const char* label : {"contradictory: OVCF, normal", "no label", "Osteoporotic vertebral compression fracture"}) {
    EXPECT_NE(html.find(label), std::string::npos) << label;
  }
  // Each picture once, however often it is shown: three slices have one.
  EXPECT_EQ(count_of(html, "data:image/png;base64,"), 3u);
  EXPECT_EQ(count_of(html, "class=\"box k"), 5u);  // vertebrae on the pictures
  EXPECT_EQ(count_of(html, "<tr role=\"row\" id="), 5u);
  EXPECT_EQ(count_of(html, " patch 1 of 4"), 5u);
}

TEST(ReportHtml, LoadsNothing) {
  const std::string html = page(sample::study());
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
  for (const char* part : {"http://", "https://", "<script", "<link", "@import", "url(", "src=", "<iframe"}) {
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  }
}

TEST(ReportHtml, IsDeterministicAndHoldsNothingVolatile) {
  StudyResult study = sample::study();
  const std::string one = page(study);
  study.threads = 7;
  study.open_ms = 1;
  study.total_ms = 4711;
  study.reading_ms = 4711;
  study.slices[0].milliseconds["slice"] = 4711;
  EXPECT_EQ(page(study), one);
  EXPECT_EQ(one.find("4711"), std::string::npos);
  EXPECT_EQ(one.find("a processor"), std::string::npos);
  EXPECT_EQ(one.find("2024-05-01"), std::string::npos);
}

TEST(ReportHtml, EscapesEverythingThatComesFromOutside) {
  const std::string evil = "\"><img onerror=x><script>alert(1)</script>&'";
  StudyResult study = sample::study();
  study.model_name = study.device_name = study.isa = study.precision = study.model_sha256 = evil;
  study.calibration = {evil, evil, 1};
  study.status = study.reasons[0].code = study.reasons[0].text = evil;
  study.class_names[0] = evil;
  for (SliceResult& slice : study.slices) {
    slice.source = slice.status = slice.alert = evil;
    slice.reasons.push_back({evil, evil});
    for (Vertebra& vertebra : slice.vertebrae) {
      for (std::string& label : vertebra.labels) label = evil;
    }
  }
  const std::string html = page(study);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("\"><img"), std::string::npos);
}

TEST(ReportHtml, SurvivesNumbersThatAreNone) {
  StudyResult study = sample::study();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  study.slices[0].vertebrae[0].box = {nan, -1e30f, 1e30f, nan};
  study.slices[0].vertebrae[0].probabilities.assign(6, nan);
  study.slices[0].vertebrae[1].probabilities.clear();
  const std::string html = page(study);
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_TRUE(preview_png(preview_image(study, study.slices[0])).ok());
}

TEST(ReportHtml, ManySlicesAreNotAllEmbedded) {
  const StudyResult study = sample::study();
  const std::string inside = slice_section(study, study.slices[0], kMaxEmbeddedSlices - 1).value();
  const std::string beyond = slice_section(study, study.slices[0], kMaxEmbeddedSlices).value();
  EXPECT_NE(inside.find("base64"), std::string::npos);
  EXPECT_EQ(beyond.find("base64"), std::string::npos);
  EXPECT_NE(beyond.find("<table"), std::string::npos);
  EXPECT_EQ(count_of(beyond, "<div"), count_of(beyond, "</div>"));
  EXPECT_EQ(count_of(inside, "<div"), count_of(inside, "</div>"));
}

TEST(Preview, IsAPictureOfTheSliceWithTheLabelInIt) {
  const StudyResult study = sample::study();
  for (const SliceResult& slice : study.slices) {
    const auto png = preview_png(preview_image(study, slice));
    ASSERT_TRUE(png.ok()) << png.status().to_string();
    const std::string bytes(png.value().begin(), png.value().end());
    EXPECT_NE(bytes.find(std::string("Description") + '\0' + kResearchLabel), std::string::npos);
    // Larger than the slice: header and footer. Colour, so our own reader refuses it as input.
    const auto read = decode_picture(png.value(), "preview.png");
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.status().id(), ErrorId::E_IMAGE_COLOUR);
    EXPECT_EQ(preview_png(preview_image(study, slice)).value(), png.value());
  }
  // A picture of a failed or indeterminate slice never looks like one of a completed slice.
  SliceResult completed = study.slices[2];
  completed.status = "completed";
  EXPECT_NE(preview_png(preview_image(study, completed)).value(),
            preview_png(preview_image(study, study.slices[2])).value());
}

TEST(Preview, UnderTheStatusOfTheStudy) {
  StudyResult study = sample::study();
  const RgbImage below = preview_image(study, study.slices[0]);
  study.status = "completed";
  study.alert = "negative";
  const RgbImage calm = under_study_status(study, below);
  study.status = "indeterminate";
  study.alert = "review";
  const RgbImage doubt = under_study_status(study, below);
  for (const RgbImage* image : {&calm, &doubt}) {
    EXPECT_EQ(image->width, below.width);
    ASSERT_GT(image->height, below.height);
    EXPECT_TRUE(std::equal(below.value.rbegin(), below.value.rend(), image->value.rbegin()));
  }
  EXPECT_NE(calm.value, doubt.value);
}

TEST(Wording, ColourAndLabelOfAVertebra) {
  const StudyResult study = sample::study();
  const std::vector<Vertebra>& v = study.slices[0].vertebrae;
  EXPECT_EQ(leading_label(v[0], study.class_names), "normal");
  EXPECT_EQ(leading_label(v[1], study.class_names), "OVCF");
  EXPECT_EQ(leading_label(v[2], study.class_names), "OVCF") << "a disease comes before normal, however sure normal is";
  EXPECT_EQ(vertebra_colour(v[3], study.class_names), kNoLabelColour);
  EXPECT_EQ(label_text(v[1], study.class_names, true), "OVCF 0.98, KD 0.61");
  EXPECT_EQ(label_text(v[3], study.class_names, false), "no label");
  EXPECT_NE(colour_index("unheard of"), colour_index("normal"));
  EXPECT_TRUE(status_banner("completed").empty());
  EXPECT_FALSE(status_banner("anything else").empty());
}

}  // namespace
}  // namespace spinert
