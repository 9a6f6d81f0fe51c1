// Architectures of the converter: the tensors they ask for, both naming generations, the rename table, the detectors on
// one map.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>

#include "tests/support/converter_case.h"

namespace spinert {
namespace {

using namespace converter_case;

// Heads and wrappers that checkpoints of the same networks come with (AR-5): each is one table in the config.
TEST_F(Converter, RenameTableOfEveryHead) {
  ASSERT_TRUE(run().ok());
  const auto plain = weights();
  const Tensors detector = detector_, classifier = classifier_;
  struct Row {
    const char* network;
    const char* from;  // beginning of the names that change, empty: all
    const char* to;
    json table;
  };
  const Row rows[] = {
      {"classifier", "fc.", "fc.0.", {{"fc.0", "fc"}}},
      {"classifier", "fc.", "fc.1.", {{"fc.1", "fc"}}},
      {"classifier", "", "backbone.", {{"backbone", ""}}},
      {"classifier", "", "model.", {{"model", ""}}},
      {"classifier", "fc.", "head.classify.", {{"head.classify", "fc"}}},
      {"classifier", "", "module.", json::object()},
      {"detector", "", "model.", {{"model", ""}}},
      {"detector", "", "module.", json::object()},
      {"detector", "backbone.body.", "backbone.", {{"backbone", "backbone.body"}, {"backbone.fpn", "backbone.fpn"}}},
      {"detector", "roi_heads.box_predictor.", "predictor.", {{"predictor", "roi_heads.box_predictor"}}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.network) + " " + row.from + " -> " + row.to);
    detector_ = detector;
    classifier_ = classifier;
    Tensors& tensors = std::string(row.network) == "detector" ? detector_ : classifier_;
    for (PthTensor& tensor : tensors) {
      if (tensor.name.starts_with(row.from)) tensor.name = row.to + tensor.name.substr(std::strlen(row.from));
    }
    config_.erase("rename");
    if (!row.table.empty()) {
      EXPECT_EQ(run().status().id(), ErrorId::E_MODEL_ARCH) << "read without the table";
      config_["rename"][row.network] = row.table;
    }
    const auto result = run();
    ASSERT_TRUE(result.ok()) << result.status().to_string();
    EXPECT_EQ(weights(), plain);
  }
}

// The detectors on one map: an old name of the region head, every wrapper, anchors that do not fit.
TEST_F(Converter, DetectorsOnOneMap) {
  for (const char* name : {"fasterrcnn_reduced_c5", "fasterrcnn_reduced_mobilenet"}) {
    SCOPED_TRACE(name);
    config_ = reduced_config();
    config_["detector"]["architecture"] = name;
    std::filesystem::remove(dir_.file("model.safetensors"));
    refused(ErrorId::E_CONFIG, {"detector.anchors.sizes", name, "expected 1 row, one per feature level, got 5"});
    config_["detector"]["anchors"]["sizes"] = {{16, 24, 32, 48, 64}};
    detector_ = random_checkpoint(name, config_);
    const Tensors good = detector_;
    ASSERT_TRUE(run().ok()) << run().status().to_string();
    const auto plain = weights();
    EXPECT_EQ(plain.at("detector.rpn.head.logits.bias").size(), 15u);

    for (PthTensor& tensor : detector_) {
      if (tensor.name.starts_with("rpn.head.conv.0.0.")) tensor.name.erase(13, 4);
    }
    ASSERT_TRUE(run().ok()) << run().status().to_string();
    EXPECT_EQ(weights(), plain);

    // A wrapper that keeps the modules one level deeper.
    detector_ = good;
    for (PthTensor& tensor : detector_) {
      if (tensor.name.starts_with("backbone.")) tensor.name.insert(9, "features.");
    }
    std::filesystem::remove(dir_.file("model.safetensors"));
    refused(ErrorId::E_MODEL_ARCH, {"missing backbone.0", "unexpected backbone.features.0"});
    config_["rename"]["detector"] = {{"backbone.features", "backbone"}};
    ASSERT_TRUE(run().ok()) << run().status().to_string();
    EXPECT_EQ(weights(), plain);

    config_.erase("rename");
    detector_ = good;
    std::filesystem::remove(dir_.file("model.safetensors"));
    config_["detector"]["anchors"]["ratios"] = {0.5, 2};
    refused(ErrorId::E_CONFIG, {"AR-7", "expected 15 anchors per cell (rpn.head.cls_logits), got 10"});
  }
}

// [C][1][3][3] -> [3][3][1][C], and the factor of a channel's own norm.
TEST_F(Converter, FoldsDepthwiseWeights) {
  config_["detector"]["architecture"] = "fasterrcnn_reduced_mobilenet";
  config_["detector"]["anchors"]["sizes"] = {{16, 24, 32, 48, 64}};
  detector_ = random_checkpoint("fasterrcnn_reduced_mobilenet", config_);
  ASSERT_TRUE(run().ok()) << run().status().to_string();
  const auto source = [&](const std::string& name) { return by_name(detector_, "backbone.2.conv.1." + name)->values; };
  const auto conv = source("0.weight"), gamma = source("1.weight"), var = source("1.running_var");
  const auto folded = weights().at("detector.body.2.depthwise.conv.weight");
  const size_t channels = 24;
  ASSERT_EQ(folded.size(), channels * 9);
  for (size_t c = 0; c < channels; ++c) {
    const double factor = double{gamma[c]} / std::sqrt(double{var[c]} + kEps);
    for (size_t tap = 0; tap < 9; ++tap) {
      EXPECT_EQ(folded[tap * channels + c], static_cast<float>(double{conv[c * 9 + tap]} * factor));
    }
  }
}

TEST_F(Converter, RenameTable) {
  by_name(classifier_, "fc.weight")->name = "fc.1.weight";
  by_name(classifier_, "fc.bias")->name = "fc.1.bias";
  for (PthTensor& tensor : classifier_) tensor.name = "model." + tensor.name;
  refused(ErrorId::E_MODEL_ARCH, {"missing conv1.weight", "unexpected model.bn1.bias", "more"});
  config_["rename"]["classifier"] = {{"model", ""}, {"model.fc.1", "fc"}};
  const auto result = run();
  EXPECT_TRUE(result.ok()) << result.status().to_string();
}

TEST(Architectures, ExpectedTensorsAreThoseOfTheFramework) {
  json config = reduced_config();
  config["detector"]["architecture"] = "fasterrcnn_resnet18_fpn";
  const auto parsed = parse_pipeline_config(config.dump());
  ASSERT_TRUE(parsed.ok());
  config["detector"]["anchors"]["sizes"] = {{32, 64, 128, 256, 512}};
  const auto one_map = parse_pipeline_config(config.dump());
  ASSERT_TRUE(one_map.ok());
  // Counted from lists of names and shapes that the framework printed: without the counters num_batches_tracked.
  struct Row {
    const char *name, *list;
    size_t tensors;
    int64_t elements;
  };
  const Row rows[] = {{"fasterrcnn_resnet18_fpn", "frcnn_r18_fpn", 130, 28'293'081},
                      {"fasterrcnn_resnet18_c5", "frcnn_r18_c5_sequential", 134 - 20, 40'335'401 - 20},
                      {"fasterrcnn_mobilenet_v2", "frcnn_mobilenetv2_tutorial", 326 - 52, 82'387'145 - 52},
                      {"resnet50_multilabel", "resnet50_6", 267, 23'573'499 - 53}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const bool pyramid = std::string(row.name).ends_with("_fpn");
    const auto expected = expected_tensors(*find_architecture(row.name), pyramid ? parsed.value() : one_map.value());
    ASSERT_TRUE(expected.ok()) << expected.status().to_string();
    std::set<std::string> lines;  // as in the list
    int64_t sum = 0;
    for (const ExpectedTensor& e : expected.value()) {
      int64_t count = 1;
      std::string shape;
      for (const int64_t dim : e.shape) {
        count *= dim;
        shape += (shape.empty() ? "" : ", ") + std::to_string(dim);
      }
      sum += count;
      lines.insert(e.name + "\t(" + shape + (e.shape.size() == 1 ? ",)" : ")") + "\tfloat32");
    }
    EXPECT_EQ(expected.value().size(), row.tensors);
    EXPECT_EQ(sum, row.elements);

    std::ifstream list(SPINERT_SOURCE_DIR "/../shared/formats/names_" + std::string(row.list) + ".tsv");
    if (!list) continue;  // the counts above hold without it
    size_t found = 0;
    for (std::string line; std::getline(list, line);) {
      if (line.starts_with("#") || line.ends_with("\tint64")) continue;
      EXPECT_TRUE(lines.contains(line)) << "not asked for: " << line;
      ++found;
    }
    EXPECT_EQ(found, lines.size());
  }
}

// The ready configs are read and fit their architectures.
TEST(Architectures, HaveReadyConfigs) {
  for (const char* name : {"fasterrcnn_resnet18_fpn", "fasterrcnn_resnet18_c5", "fasterrcnn_mobilenet_v2"}) {
    SCOPED_TRACE(name);
    const auto config =
        parse_pipeline_config(read_file(SPINERT_SOURCE_DIR "/converter/configs/" + std::string(name) + ".json"));
    ASSERT_TRUE(config.ok()) << config.status().to_string();
    EXPECT_EQ(config.value().detector.architecture, name);
    const auto expected = expected_tensors(*find_architecture(name), config.value());
    ASSERT_TRUE(expected.ok()) << expected.status().to_string();
    const auto logits = std::ranges::find(expected.value(), "rpn.head.cls_logits.weight", &ExpectedTensor::name);
    ASSERT_NE(logits, expected.value().end());
    EXPECT_EQ(logits->shape[0], std::string(name).ends_with("_fpn") ? 3 : 15);
  }
}

}  // namespace
}  // namespace spinert
