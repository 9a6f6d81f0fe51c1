// test_converter.cpp - from checkpoints to a model file: strict tensor match (BI-28), both naming generations,
// batch-norm folding and layouts against direct formulas in double, storage types, the graphs as they read back. A
// network of a few thousand weights stands for the real ones; the real checkpoints are converted where they are there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "config/json.h"
#include "config/pipeline_config.h"
#include "converter/architectures/architectures.h"
#include "converter/convert.h"
#include "graph/graph.h"
#include "tests/support/converter_case.h"
#include "weights/model_file.h"
#include "weights/storage.h"

namespace spinert {
namespace {

using namespace converter_case;

TEST_F(Converter, FoldingAndLayoutFollowTheFormulas) {
  const auto summary = run();
  ASSERT_TRUE(summary.ok()) << summary.status().to_string();
  const auto w = weights();
  const auto source = [&](const std::string& name) { return by_name(detector_, name)->values; };

  // conv1 and bn1: y = (conv(x) - mean) / sqrt(var + eps) * gamma + beta, OIHW -> [kh][kw][in][out].
  const auto conv = source("backbone.body.conv1.weight");
  const auto gamma = source("backbone.body.bn1.weight"), beta = source("backbone.body.bn1.bias");
  const auto mean = source("backbone.body.bn1.running_mean"), var = source("backbone.body.bn1.running_var");
  const auto& folded = w.at("detector.body.conv1.weight");
  const auto& bias = w.at("detector.body.conv1.bias");
  for (size_t o = 0; o < 4; ++o) {
    const double factor = double{gamma[o]} / std::sqrt(double{var[o]} + kEps);
    EXPECT_EQ(bias[o], static_cast<float>(double{beta[o]} - double{mean[o]} * factor));
    for (size_t i = 0; i < 3; ++i) {
      for (size_t y = 0; y < 7; ++y) {
        for (size_t x = 0; x < 7; ++x) {
          const double want = double{conv[((o * 3 + i) * 7 + y) * 7 + x]} * factor;
          ASSERT_EQ(folded[((y * 7 + x) * 3 + i) * 4 + o], static_cast<float>(want));
        }
      }
    }
  }
  // A convolution with its own bias is only turned around.
  const auto lateral = source("backbone.fpn.inner_blocks.2.0.weight");
  for (size_t o = 0; o < 8; ++o) {
    for (size_t i = 0; i < 8; ++i) ASSERT_EQ(w.at("detector.fpn.lateral.2.weight")[i * 8 + o], lateral[o * 8 + i]);
  }
  EXPECT_EQ(w.at("detector.fpn.lateral.2.bias"), source("backbone.fpn.inner_blocks.2.0.bias"));
  // fc6: (channel, row, column) -> (row, column, channel).
  const auto fc6 = source("roi_heads.box_head.fc6.weight");
  for (size_t o = 0; o < 16; ++o) {
    for (size_t c = 0; c < 8; ++c) {
      for (size_t p = 0; p < 49; ++p)
        ASSERT_EQ(w.at("detector.head.fc6.weight")[(p * 8 + c) * 16 + o], fc6[(o * 8 + c) * 49 + p]);
    }
  }
  const auto fc = by_name(classifier_, "fc.weight")->values;
  for (size_t o = 0; o < 6; ++o) {
    for (size_t i = 0; i < 16; ++i) ASSERT_EQ(w.at("classifier.logits.weight")[i * 6 + o], fc[o * 16 + i]);
  }
}

TEST_F(Converter, GraphsReadBack) {
  ASSERT_TRUE(run().ok());
  const auto model = ModelFile::open(dir_.file("model.safetensors"));
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  const auto graphs = parse_json(model.value().graph(), ErrorId::E_MODEL_FORMAT, "graph");
  ASSERT_TRUE(graphs.ok()) << graphs.status().to_string();
  size_t used = 0;
  for (const char* name : {"detector", "classifier"}) {
    const auto graph =
        graph_from_json(name, graphs.value().at(name), [&](const std::string& constant) -> std::optional<Shape> {
          const Weight* weight = model.value().find(std::string(name) + "." + constant);
          if (!weight) return std::nullopt;
          ++used;
          Shape shape;
          for (const uint64_t dim : weight->shape) shape[shape.rank++] = static_cast<int64_t>(dim);
          return shape;
        });
    ASSERT_TRUE(graph.ok()) << graph.status().to_string();
    const Graph& g = graph.value();
    const auto shape = [&](const char* value) { return to_string(g.value(g.find(value)).type.shape); };
    if (std::string(name) == "detector") {
      for (const char* value :
           {"image", "body.conv1", "body.stem", "body.maxpool", "body.layer1.0", "body.layer4.1.add",
            "body.layer2.0.downsample", "fpn.lateral.3", "fpn.inner.0", "fpn.3", "fpn.pool", "rpn.conv.4",
            "rpn.hidden.0", "anchors", "roi", "head.fc6.relu", "head.fc7.relu", "head.scores"}) {
        EXPECT_NE(g.find(value), kAbsent) << value;
      }
      EXPECT_EQ(shape("rpn.logits.1"), "1x16x16x3");
      EXPECT_EQ(shape("rpn.deltas.4"), "1x2x2x12");
      EXPECT_EQ(shape("proposals"), "1000x4");
      EXPECT_EQ(shape("roi"), "1000x7x7x8");
      EXPECT_EQ(shape("head.deltas"), "1000x8");
      EXPECT_EQ(shape("boxes"), "10x4");
      EXPECT_EQ(g.value(g.outputs[3]).name, "count");
      EXPECT_EQ(g.value(g.outputs[4]).name, "rpn.topk.invalid");
    } else {
      EXPECT_EQ(shape("patches"), "40x32x32x1");
      EXPECT_EQ(shape("avgpool"), "40x16");
      EXPECT_EQ(shape("probabilities"), "40x6");
      EXPECT_NE(g.find("layer3.0.relu2"), kAbsent);
    }
  }
  EXPECT_EQ(used, model.value().weights().size());  // no tensor of the file is left over
  const auto config = parse_pipeline_config(model.value().config());
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config.value().detector.input.size, 128);
}

TEST_F(Converter, SameInputSameBytes) {
  ASSERT_TRUE(run(WeightStorage::int8).ok());
  const std::string first = read_file(dir_.file("model.safetensors"));
  ASSERT_TRUE(run(WeightStorage::int8).ok());
  EXPECT_EQ(read_file(dir_.file("model.safetensors")), first);
  ConvertOptions o = options();
  o.existing = AtomicFile::Existing::refuse;
  EXPECT_EQ(convert(o).status().id(), ErrorId::E_OUTPUT);
  EXPECT_EQ(read_file(dir_.file("model.safetensors")), first);
}

TEST_F(Converter, StorageTypes) {
  ASSERT_TRUE(run(WeightStorage::f32).ok());
  const auto exact = weights();
  ASSERT_TRUE(run(WeightStorage::int8).ok());
  const auto model = ModelFile::open(dir_.file("model.safetensors"));
  ASSERT_TRUE(model.ok());
  size_t quantised = 0;
  const auto restored = weights();
  for (const Weight& w : model.value().weights()) {
    const auto& want = exact.at(w.name);
    const bool is_weight = w.name.ends_with(".weight");
    EXPECT_EQ(w.storage == StorageType::I8, is_weight && want.size() >= 4096) << w.name;
    if (w.storage != StorageType::I8) {
      EXPECT_EQ(restored.at(w.name), want) << w.name;
      continue;
    }
    ++quantised;
    const QuantisedTensor q = quantise_i8(want, static_cast<int64_t>(w.shape.back()));
    for (size_t i = 0; i < want.size(); ++i) {
      ASSERT_EQ(restored.at(w.name)[i], static_cast<float>(q.values[i]) * q.scale[i % q.scale.size()]);
    }
  }
  EXPECT_GE(quantised, 1u);  // fc6
  ASSERT_TRUE(run(WeightStorage::f16).ok());
  for (const auto& [name, values] : weights()) {
    for (size_t i = 0; i < values.size(); ++i) {
      const float want = exact.at(name)[i];
      ASSERT_EQ(values[i], name.ends_with(".weight") ? f16_to_f32(f32_to_f16(want)) : want) << name;
    }
  }
  detector_[0].values[0] = 1e6f;  // too large for F16 after folding
  by_name(detector_, "backbone.body.bn1.weight")->values.assign(4, 1.0f);
  EXPECT_EQ(run(WeightStorage::f16).status().id(), ErrorId::E_MODEL_VALUE);
}

TEST_F(Converter, BothNamingGenerationsAndFrozenNorms) {
  ASSERT_TRUE(run().ok());
  const auto newer = weights();
  size_t renamed = 0;
  for (PthTensor& tensor : detector_) {
    for (const char* part : {"inner_blocks.", "layer_blocks."}) {
      const size_t at = tensor.name.find(part);
      if (at == std::string::npos) continue;
      tensor.name.erase(at + 14, 2);  // "inner_blocks.0.0.weight" -> "inner_blocks.0.weight"
      ++renamed;
    }
    if (tensor.name.starts_with("rpn.head.conv.0.0.")) {
      tensor.name.erase(13, 4);
      ++renamed;
    }
  }
  EXPECT_EQ(renamed, 18u);
  ASSERT_TRUE(run().ok()) << run().status().to_string();
  EXPECT_EQ(weights(), newer);
  // DataParallel in addition.
  for (PthTensor& tensor : detector_) tensor.name = "module." + tensor.name;
  const auto summary = run();
  ASSERT_TRUE(summary.ok()) << summary.status().to_string();
  EXPECT_EQ(weights(), newer);
  EXPECT_EQ(summary.value().notes.size(), 1u);
}

TEST_F(Converter, CountersOfTrainingStepsAreIgnored) {
  PickleWriter p;
  std::vector<std::string> records;
  p.ordered_dict().op('(');
  for (const PthTensor& t : classifier_) {
    p.text(t.name).tensor("FloatStorage", std::to_string(records.size()), static_cast<int64_t>(t.values.size()),
                          t.shape);
    records.push_back(bytes_of(t.values));
  }
  p.text("bn1.num_batches_tracked").tensor("LongStorage", std::to_string(records.size()), 1, {});
  records.push_back(bytes_of(std::vector<int64_t>{7}));
  p.op('u');
  ASSERT_TRUE(run().ok());
  write_file(dir_.file("cls.pth"), pth_archive(p.stop(), records).bytes());
  const auto result = convert(options());
  EXPECT_TRUE(result.ok()) << result.status().to_string();
}

TEST_F(Converter, WrongTensorsAreListed) {  // BI-28
  const Tensors detector = detector_, classifier = classifier_;
  struct Row {
    const char* name;
    std::function<void()> change;
    std::vector<std::string> texts;
  };
  const auto drop = [](Tensors& tensors, const std::string& part) {
    std::erase_if(tensors, [&](const PthTensor& t) { return t.name.find(part) != std::string::npos; });
  };
  const Row rows[] = {
      {"missing tensor",
       [&] { drop(detector_, "layer3.1.conv2.weight"); },
       {"1 missing, 0 unexpected, 0 of another shape", "missing backbone.body.layer3.1.conv2.weight (8, 8, 3, 3)"}},
      {"extra tensor",
       [&] {
         detector_.push_back({"mask_head.weight", {2}, {1, 2}});
       },
       {"unexpected mask_head.weight (2)"}},
      {"no pyramid", [&] { drop(detector_, "backbone.fpn"); }, {"16 missing"}},
      {"ResNet-34",
       [&] {
         detector_.push_back({"backbone.body.layer1.2.conv1.weight", {1}, {1}});
       },
       {"unexpected backbone.body.layer1.2"}},
      {"five classes",
       [&] {
         *by_name(classifier_, "fc.weight") = {"fc.weight", {5, 16}, std::vector<float>(80)};
         *by_name(classifier_, "fc.bias") = {"fc.bias", {5}, std::vector<float>(5)};
       },
       {"fc.weight: expected (6, 16), got (5, 16)", "0 missing, 0 unexpected, 2 of another shape"}},
      {"transposed fc",
       [&] {
         by_name(classifier_, "fc.weight")->shape = {16, 6};
       },
       {"got (16, 6)"}},
      {"flat fc", [&] { by_name(classifier_, "fc.weight")->shape = {96}; }, {"got (96)"}},
      {"networks swapped", [&] { std::swap(detector_, classifier_); }, {"missing backbone.body.conv1.weight", "more"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    detector_ = detector;
    classifier_ = classifier;
    row.change();
    const auto result = run();
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.status().id(), ErrorId::E_MODEL_ARCH) << result.status().to_string();
    const std::string message = result.status().message();
    for (const std::string& text : row.texts)
      EXPECT_NE(message.find(text), std::string::npos) << text << " in\n" << message;
    EXPECT_LE(std::ranges::count(message, '\n'), 20);
    EXPECT_EQ(dir_.entries(), 3u);  // no output, no temporary file
  }
}

TEST_F(Converter, ValuesThatAreNoWeights) {  // BI-29
  const Tensors good = detector_;
  by_name(detector_, "backbone.body.layer2.0.conv1.weight")->values[5] = std::nanf("");
  refused(ErrorId::E_MODEL_VALUE, {"backbone.body.layer2.0.conv1.weight[5]"});
  detector_ = good;
  by_name(detector_, "roi_heads.box_head.fc7.bias")->values[2] = -std::numeric_limits<float>::infinity();
  refused(ErrorId::E_MODEL_VALUE, {"roi_heads.box_head.fc7.bias[2]"});
  detector_ = good;
  by_name(detector_, "backbone.body.bn1.running_var")->values[3] = -0.5f;
  refused(ErrorId::E_MODEL_VALUE, {"backbone.body.bn1.running_var[3]", "negative"});
  detector_ = good;
  config_["detector"]["batch_norm_eps"] = 0;
  by_name(detector_, "backbone.body.bn1.running_var")->values[1] = 0;
  refused(ErrorId::E_MODEL_VALUE, {"body.conv1.weight["});
}

TEST_F(Converter, ConfigThatDoesNotFit) {  // BI-32, AR-7
  const json good = config_;
  config_["detector"]["architecture"] = "yolo";
  refused(ErrorId::E_CONFIG, {"detector.architecture is not known", "fasterrcnn_resnet18_fpn", "got yolo"});
  config_ = good;
  config_["detector"]["architecture"] = "resnet50_multilabel";
  refused(ErrorId::E_CONFIG, {"detector.architecture is not known"});
  config_ = good;
  config_["detector"]["anchors"]["ratios"] = {0.5, 2};
  refused(ErrorId::E_CONFIG, {"AR-7", "expected 3 anchors per cell"});
  config_ = good;
  config_["detector"]["anchors"]["sizes"] = {{32}, {64}, {128}, {256}};
  refused(ErrorId::E_CONFIG, {"detector.anchors.sizes"});
  config_ = good;
  config_.erase("classifier");
  refused(ErrorId::E_CONFIG, {"classifier is missing"});
}

TEST_F(Converter, ModelCard) {
  ASSERT_TRUE(run().ok());
  ConvertOptions o = options();
  o.card = dir_.file("card.json");
  write_file(o.card, R"({"name":"n","training_data":"t","intended_use":"u"})");
  EXPECT_EQ(convert(o).status().id(), ErrorId::E_CONFIG);
  write_file(o.card, R"({"name":"n","training_data":"t","intended_use":"u","limits":"l","extra":[1]})");
  ASSERT_TRUE(convert(o).ok());
  EXPECT_NE(ModelFile::open(o.output).value().card().find("\"name\":\"n\""), std::string::npos);
}

TEST(RealCheckpoints, ConvertToInt8) {
  const std::string models = SPINERT_SOURCE_DIR "/../shared/models/";
  if (!std::filesystem::exists(models + "detector.pth")) GTEST_SKIP() << "no checkpoints beside the source tree";
  const TempDir dir;
  ConvertOptions o;
  o.detector = models + "detector.pth";
  o.classifier = models + "classifier.pth";
  o.config = SPINERT_SOURCE_DIR "/converter/configs/fasterrcnn_resnet18_fpn.json";
  o.output = dir.file("demo.safetensors");
  o.storage = WeightStorage::int8;
  const auto summary = convert(o);
  ASSERT_TRUE(summary.ok()) << summary.status().to_string();
  EXPECT_EQ(summary.value().notes.size(), 2u);
  const auto model = ModelFile::open(o.output);
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  EXPECT_LT(model.value().file().size(), uint64_t{50} << 20);
  ThreadPool pool(2);
  WeightStream stream(model.value(), pool);
  std::vector<float> buffer;
  for (const Weight& w : model.value().weights()) {
    buffer.resize(w.elements);
    ASSERT_TRUE(stream.read_f32(w, buffer).ok());
  }
  EXPECT_TRUE(stream.finish().ok());
}

}  // namespace
}  // namespace spinert
