// converter_case.h - random checkpoints of the reduced networks as .pth files, converted in a folder of their own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "config/json.h"
#include "config/pipeline_config.h"
#include "converter/architectures/architectures.h"
#include "converter/convert.h"
#include "tests/support/files.h"
#include "tests/support/pth_writer.h"
#include "weights/model_file.h"

namespace spinert::converter_case {

using nlohmann::json;

inline constexpr double kEps = 1e-3;  // large, so that a forgotten eps shows

inline json reduced_config() {
  json config = json::parse(read_file(SPINERT_SOURCE_DIR "/converter/configs/fasterrcnn_resnet18_fpn.json"));
  config["detector"]["architecture"] = "fasterrcnn_reduced_fpn";
  config["detector"]["input"]["size"] = 128;
  config["detector"]["batch_norm_eps"] = kEps;
  config["detector"]["box"]["detections_per_image"] = 10;
  config["classifier"]["architecture"] = "resnet_reduced_multilabel";
  config["classifier"]["batch_norm_eps"] = kEps;
  config["patches"]["size"] = 32;
  return config;
}

// Values that differ everywhere, small enough to be distinct after rounding; variances are positive.
inline std::vector<PthTensor> random_checkpoint(const char* architecture, const json& config_json) {
  const auto config = parse_pipeline_config(config_json.dump());
  EXPECT_TRUE(config.ok()) << config.status().to_string();
  const auto expected = expected_tensors(*find_architecture(architecture), config.value());
  EXPECT_TRUE(expected.ok()) << expected.status().to_string();
  std::vector<PthTensor> tensors;
  uint64_t state = 42;
  for (const ExpectedTensor& e : expected.value()) {
    size_t count = 1;
    for (const int64_t dim : e.shape) count *= static_cast<size_t>(dim);
    PthTensor tensor{e.name, e.shape, std::vector<float>(count)};
    for (float& v : tensor.values) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      v = static_cast<float>(static_cast<int64_t>(state >> 40)) / 0x1p23f - 1.0f;
      if (e.name.ends_with("running_var")) v = v + 1.5f;
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

using Tensors = std::vector<PthTensor>;
inline Tensors::iterator by_name(Tensors& tensors, const std::string& name) {
  const auto it = std::ranges::find(tensors, name, &PthTensor::name);
  EXPECT_NE(it, tensors.end()) << name;
  return it;
}

class Converter : public testing::Test {
 protected:
  Converter()
      : config_(reduced_config()),
        detector_(random_checkpoint("fasterrcnn_reduced_fpn", config_)),
        classifier_(random_checkpoint("resnet_reduced_multilabel", config_)) {}

  ConvertOptions options(WeightStorage storage = WeightStorage::f32) const {
    ConvertOptions o;
    o.detector = dir_.file("det.pth");
    o.classifier = dir_.file("cls.pth");
    o.config = dir_.file("pipeline.json");
    o.output = dir_.file("model.safetensors");
    o.storage = storage;
    o.existing = AtomicFile::Existing::replace;
    return o;
  }
  Result<ConvertSummary> run(WeightStorage storage = WeightStorage::f32) {
    write_file(dir_.file("det.pth"), pth_bytes(detector_));
    write_file(dir_.file("cls.pth"), pth_bytes(classifier_));
    write_file(dir_.file("pipeline.json"), config_.dump());
    return convert(options(storage));
  }
  std::map<std::string, std::vector<float>> weights() {
    std::map<std::string, std::vector<float>> values;
    const auto model = ModelFile::open(dir_.file("model.safetensors"));
    EXPECT_TRUE(model.ok()) << model.status().to_string();
    if (!model.ok()) return values;
    ThreadPool pool(1);
    WeightStream stream(model.value(), pool);
    for (const Weight& w : model.value().weights()) {
      std::vector<float> out(w.elements);
      EXPECT_TRUE(stream.read_f32(w, out).ok());
      values[w.name] = std::move(out);
    }
    EXPECT_TRUE(stream.finish().ok());
    return values;
  }
  void refused(ErrorId id, std::initializer_list<std::string> texts) {
    const auto result = run();
    ASSERT_FALSE(result.ok()) << "accepted";
    EXPECT_EQ(result.status().id(), id) << result.status().to_string();
    for (const std::string& text : texts) {
      EXPECT_NE(result.status().message().find(text), std::string::npos) << text << " in\n"
                                                                         << result.status().to_string();
    }
    EXPECT_FALSE(std::filesystem::exists(dir_.file("model.safetensors")));
  }

  TempDir dir_;
  json config_;
  Tensors detector_, classifier_;
};

}  // namespace spinert::converter_case
