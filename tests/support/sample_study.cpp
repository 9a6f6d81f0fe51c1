#include "tests/support/sample_study.h"

#include "diagnosis/pipeline.h"
#include "diagnosis/study.h"

namespace spinert::sample {
namespace {

constexpr int kWidth = 96, kHeight = 128;

Vertebra vertebra(int id, std::vector<float> probabilities, std::vector<std::string> labels, std::string consistency) {
  Vertebra v;
  v.id = id;
  const float top = 10.0f + 30.0f * static_cast<float>(id - 1);
  v.box = {30.1f, top + 0.2f, 62.7f, top + 24.9f};
  v.score = 0.9f + 0.01f * static_cast<float>(id);
  v.probabilities = std::move(probabilities);
  v.labels = std::move(labels);
  v.consistency = std::move(consistency);
  v.patches = {
      {46.4, top + 12.5, 40.75}, {46.4, top + 12.5, 35.86}, {48.7, top + 12.5, 45.64}, {44.4, top + 14.5, 40.75}};
  return v;
}

SliceResult slice(const std::string& source) {
  SliceResult s;
  s.source = source;
  s.sha256 = std::string(64, 'c');
  s.width = kWidth;
  s.height = kHeight;
  for (int i = 0; i < kWidth * kHeight; ++i) s.preview.push_back(static_cast<unsigned char>(i * 7 % 251));
  s.milliseconds = {{"detector", 12.5}, {"slice", 20.25}};
  return s;
}

}  // namespace

StudyResult study() {
  StudyResult study;
  study.model_name = "sample-demo";
  study.model_sha256 = std::string(64, 'a');
  study.config_sha256 = std::string(64, 'b');
  study.card_version = "1";
  study.demo_model = true;
  study.class_names = {"OVCF", "OF", "SN", "KD", "PS", "normal"};
  for (const std::string& name : study.class_names) study.thresholds[name] = 0.5;
  study.thresholds["score"] = 0.75;
  study.device_name = "cpu";
  study.isa = "scalar avx2";
  study.precision = "fp32";
  study.open_ms = 100.5;
  study.total_ms = 300;
  study.reading_ms = 20;

  SliceResult first = slice("first.png");
  first.vertebrae = {vertebra(1, {0.1f, 0.2f, 0.3f, 0.4f, 0.05f, 0.9f}, {"normal"}, "ok"),
                     vertebra(2, {0.98f, 0, 0, 0.61f, 1e-7f, 0.02f}, {"OVCF", "KD"}, "ok"),
                     vertebra(3, {0.7f, 0, 0, 0, 0, 0.8f}, {"OVCF", "normal"}, "contradictory"),
                     vertebra(4, {0.3f, 0.3f, 0.3f, 0.3f, 0.3f, 0.3f}, {}, "none")};
  first.alert = "positive";
  first.reasons = {{"contradictory", "vertebra 3 has the label normal and a disease label"}};
  for (const Vertebra& v : first.vertebrae) first.candidates.push_back({v.box, v.score});

  SliceResult second = slice("second.png");
  second.vertebrae = {vertebra(1, {0, 0, 0, 0, 0, 0.99f}, {"normal"}, "ok")};
  second.alert = "negative";

  SliceResult third = slice("third.png");
  third.status = "indeterminate";
  third.error = ErrorId::E_NO_VERTEBRA;
  third.reasons = {{"E_NO_VERTEBRA", "0 boxes reach the score"}};

  study.slices = {first, second, third,
                  failed_slice("broken.png", error(ErrorId::E_PNG, "PN-02 wrong CRC-32", "broken.png"))};
  summarise(study);
  return study;
}

ReportFacts facts() {
  ReportFacts facts;
  facts.tool = {{"version", "0.1.0"}, {"commit", "c0ffee"}, {"compiler", "GNU"}, {"flags", "Release"}};
  facts.time_utc = "2024-05-01T12:00:00Z";
  facts.host = "a processor";
  facts.command_line = "diagnose --threads 2";
  facts.files = {{"preview-first.png", std::string(64, 'd'), "first.png"}};
  return facts;
}

}  // namespace spinert::sample
