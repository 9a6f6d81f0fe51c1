// emulated_pipeline.h - the reduced model opened as a pipeline on the emulated card or the cpu, and the bytes of its
// results, for tests that compare them.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "diagnosis/pipeline.h"
#include "tests/support/reduced_model.h"

namespace spinert::emulated_pipeline {

inline const std::string& reduced_model_path(const std::string& detector = "fasterrcnn_reduced_fpn") {
  static std::map<std::string, std::string> paths;
  if (!paths.contains(detector)) {
    // Programs run side by side: each has a folder of its own.
    auto made = reduced::make(testing::TempDir() + "/spinert_" + program_invocation_short_name + "_" + detector,
                              detector.ends_with("_fpn") ? reduced::kSeed : reduced::kOneMapSeed,
                              reduced::config_text(detector));
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    paths[detector] = made.ok() ? made.value() : std::string();
  }
  return paths[detector];
}

inline std::unique_ptr<Pipeline> open(const std::string& device, const std::string& precision, int batch,
                                      std::optional<float> threshold = {}, int lanes = 1) {
  const std::string isa = device == "cpu" ? "scalar" : "";
  const EngineOptions engine{.device = device, .isa = isa, .precision = precision, .threads = 1, .lanes = lanes};
  auto pipeline =
      Pipeline::open({.model = reduced_model_path(), .engine = engine, .batch = batch, .threshold = threshold});
  EXPECT_TRUE(pipeline.ok()) << pipeline.status().to_string();
  return pipeline.ok() ? std::move(pipeline).value() : nullptr;
}

inline std::string bits(const SliceResult& slice) {
  std::string text = slice.status + slice.alert;
  const auto put = [&](float v) {
    char raw[sizeof v];
    std::memcpy(raw, &v, sizeof v);
    text.append(raw, sizeof v);
  };
  for (const Vertebra& v : slice.vertebrae) {
    for (const float x : v.box) put(x);
    for (const float x : v.probabilities) put(x);
    put(v.score);
  }
  for (const Candidate& c : slice.candidates) put(c.score);
  for (const Reason& r : slice.reasons) text += r.code + r.text;
  return text;
}

}  // namespace spinert::emulated_pipeline
