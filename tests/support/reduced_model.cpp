#include "tests/support/reduced_model.h"

#include <cmath>
#include <filesystem>

#include "config/pipeline_config.h"
#include "tests/ops/op_case.h"
#include "tests/support/generated_checkpoint.h"

namespace spinert::reduced {
namespace {

// One value of a checkpoint tensor: He scaling for weights, batch norms near the identity, small biases.
float value(const std::string& name, const std::vector<uint64_t>& shape, uint64_t stream, uint64_t index) {
  const float unit = cases::random_uniform(stream, index) * std::sqrt(3.0f);  // variance 1
  if (shape.size() > 1) {
    double fan_in = 1;
    for (size_t d = 1; d < shape.size(); ++d) fan_in *= double(shape[d]);
    return unit * static_cast<float>(std::sqrt(2 / fan_in));
  }
  if (name.ends_with("running_var")) return 1.0f + 0.2f * std::abs(unit);
  const bool is_norm_weight = name.ends_with("weight");
  return is_norm_weight ? 1.0f + 0.1f * unit : 0.1f * unit;
}

generated::FillTensor fill(uint64_t seed) {
  return [seed](const ExpectedTensor& tensor, size_t number, std::vector<float>& values) {
    const std::vector<uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    for (uint64_t i = 0; i < values.size(); ++i) values[i] = value(tensor.name, shape, seed * 1000 + number, i);
  };
}

}  // namespace

std::string config_text() {
  return R"({"schema":"spinert.pipeline/1","detector":{"architecture":"fasterrcnn_reduced_fpn",
"input":{"size":128,"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"window":{"level":400,"width":1800}},
"batch_norm_eps":1e-5,"anchors":{"sizes":[[16],[24],[32],[48],[64]],"ratios":[0.5,1,2]},
"rpn":{"pre_nms_top_n":60,"post_nms_top_n":50,"nms_threshold":0.7,"score_threshold":0,"min_size":1e-3},
"roi":{"output_size":7,"sampling_ratio":2,"canonical_scale":56,"canonical_level":3},
"box":{"score_threshold":0.05,"nms_threshold":0.5,"detections_per_image":20,"min_size":8,"bbox_weights":[10,10,5,5]},
"class_names":["background","vertebra"]},
"patches":{"size":32,"table":[[1.25,0,0],[1.1,0,0],[1.4,0.05,0],[1.25,-0.05,0.05]]},
"classifier":{"architecture":"resnet_reduced_multilabel","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],
"batch_norm_eps":1e-5,"class_names":["OVCF","OF","SN","KD","PS","normal"],
"thresholds":{"OVCF":0.5,"OF":0.5,"SN":0.5,"KD":0.5,"PS":0.5,"normal":0.5}},
"diagnosis":{"score_threshold":0.3,"min_vertebrae":3}})";
}

std::string config_text(int canvas, const std::string& place) {
  std::string text = config_text();
  const std::string size = "\"size\":" + std::to_string(kCanvas) + ",\"mean\"";
  text.replace(text.find(size), size.size(), "\"size\":" + std::to_string(canvas) + ",\"mean\"");
  if (!place.empty()) text.insert(text.rfind('}'), ",\"place\":" + place);
  return text;
}

std::string config_text(const std::string& detector) {
  std::string text = config_text();
  const auto replace = [&](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  replace("fasterrcnn_reduced_fpn", detector);
  if (!detector.ends_with("_fpn")) {
    replace("[[16],[24],[32],[48],[64]]", "[[16,24,32,48,64]]");
    replace("\"score_threshold\":0.3", "\"score_threshold\":0.1");  // random weights score lower on one map
  }
  return text;
}

Result<std::string> make(const std::string& folder, uint64_t seed, const std::string& text) {
  SPINERT_ASSIGN(const PipelineConfig config, parse_pipeline_config(text));
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& architecture, uint64_t number) {
    return generated::write_checkpoint(folder + "/" + name, architecture, config, fill(number));
  };
  SPINERT_TRY(write("detector.safetensors", config.detector.architecture, seed));
  SPINERT_TRY(write("classifier.safetensors", config.classifier.architecture, seed + 1));
  return generated::convert_folder(folder, text);
}

Picture picture(int height, int width, uint64_t seed) {
  Picture picture;
  picture.height = height;
  picture.width = width;
  picture.sha256 = std::string(64, '0');
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool block = std::abs(x - width / 2) < width / 8 && y % 24 < 16;
      const auto noise = cases::random_bits(seed, static_cast<uint64_t>(y * width + x)) % 40;
      picture.value.push_back(static_cast<uint16_t>(noise + (block ? 160 : 20)));
    }
  }
  return picture;
}

}  // namespace spinert::reduced
