// int8: what codes mean, which values of a graph become codes, the file of a calibration, and the reduced network in
// codes on every backend that has them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "diagnosis/calibrate.h"
#include "diagnosis/images/png_write.h"
#include "diagnosis/pipeline.h"
#include "diagnosis/verify.h"
#include "graph/fusion.h"
#include "graph/quantisation.h"
#include "kernels/base/quantise.h"
#include "tests/support/graph_runner.h"
#include "tests/support/reduced_model.h"
#include "tests/support/scratch.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

TEST(Codes, RangesBecomeScaleAndZero) {
  const Quantisation positive = codes_of({0, 510});
  EXPECT_EQ(positive.scale, 2.0f);
  EXPECT_EQ(positive.zero, 0);
  const Quantisation both = codes_of({-128, 127});
  EXPECT_EQ(both.scale, 1.0f);
  EXPECT_EQ(both.zero, 128);
  EXPECT_EQ(codes_of({-255, 0}).zero, 255);
  EXPECT_EQ(codes_of({0, 0}), Quantisation{});
  EXPECT_EQ(codes_of({0, 1e-38f}), Quantisation{});
  for (const ValueRange range : {ValueRange{-3.3f, 9.1f}, {0, 0.01f}, {-1e30f, 1e30f}}) {
    const Quantisation q = codes_of(range);
    EXPECT_EQ(quantised(0.0f, q), q.zero);
    EXPECT_EQ(dequantised(static_cast<uint8_t>(q.zero), q), 0.0f);
    EXPECT_NEAR(dequantised(quantised(range.high, q), q), range.high, 0.51 * q.scale);
    EXPECT_NEAR(dequantised(quantised(range.low, q), q), range.low, 0.51 * q.scale);
  }
}

TEST(Codes, RoundHalfToEvenAndClamp) {
  const Quantisation q{0.5f, 10};
  const float inf = std::numeric_limits<float>::infinity();
  const std::pair<float, int> rows[] = {{0.25f, 10}, {0.75f, 12},  {-0.25f, 10},
                                        {-5.0f, 0},  {-100.0f, 0}, {1e9f, 255},
                                        {inf, 255},  {-inf, 0},    {std::numeric_limits<float>::quiet_NaN(), 0}};
  for (const auto& [real, code] : rows) EXPECT_EQ(quantised(real, q), code) << real;
}

class Quantised : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    const auto made = reduced::make(folder_);
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    model_ = made.value();
  }

  Graph graph(const std::string& name) {
    const auto model = ModelFile::open(model_);
    EXPECT_TRUE(model.ok());
    auto stored = stored_graph(model.value(), name);
    EXPECT_TRUE(stored.ok());
    EXPECT_TRUE(fuse(stored.value(), {}).ok());
    return std::move(stored).value();
  }

  static ValueRanges all_values(const Graph& graph) {
    ValueRanges ranges;
    for (const Value& value : graph.values) ranges[value.name] = {-2, 6};
    return ranges;
  }

  // All that can be computed in codes is.
  static CalibrateOptions everything() { return {.graphs = {"detector", "classifier"}, .keep = {}}; }
  // Ranges of two pictures, beside the model.
  void calibrate_model(CalibrateOptions options) {
    options.model = model_;
    std::vector<std::string> pictures;
    for (const uint64_t seed : {uint64_t{3}, uint64_t{4}}) {
      pictures.push_back(make("calibrate" + std::to_string(seed) + ".png", png(reduced::picture(128, 128, seed))));
    }
    auto made = calibrate(options, pictures);
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    EXPECT_EQ(made.value().slices, 2);
    text_ = print_calibration(made.value());
    make(std::filesystem::path(calibration_beside(model_)).filename().string(), text_);
  }

  static std::string png(const Picture& picture) {
    std::vector<uint8_t> grey(picture.value.size());
    std::ranges::transform(picture.value, grey.begin(), [](auto v) { return static_cast<uint8_t>(v); });
    const auto bytes = encode_png_grey(picture.width, picture.height, grey);
    EXPECT_TRUE(bytes.ok());
    return {bytes.value().begin(), bytes.value().end()};
  }

  Result<std::unique_ptr<Pipeline>> open(const std::string& device, const std::string& precision, int threads,
                                         int batch) {
    PipelineOptions options;
    options.model = model_;
    options.engine.device = device;
    options.engine.precision = precision;
    options.engine.threads = threads;
    options.engine.rewrites.emplace();
    options.batch = batch;
    return Pipeline::open(options);
  }

  std::string model_, text_;
};

TEST_F(Quantised, ValuesOfBothGraphs) {
  for (const auto& [name, words] :
       {std::pair<std::string, std::vector<std::string>>{"detector", {"body.", "fpn.", "rpn.hidden", "roi", "head.fc"}},
        {"classifier", {"stem", "maxpool", "layer"}}}) {
    Graph g = graph(name);
    ASSERT_TRUE(set_quantised_activations(g, all_values(g)).ok());
    int found = 0;
    for (const Node& node : g.nodes) {
      for (const int number : node.out) {
        const Value& value = g.value(number);
        const bool want = std::ranges::any_of(words, [&](const auto& word) { return value.name.starts_with(word); });
        EXPECT_EQ(value.type.dtype == DType::u8, want) << value.name;
        found += want;
      }
    }
    EXPECT_GT(found, 5);
    for (const int output : g.outputs) EXPECT_NE(g.value(output).type.dtype, DType::u8);
  }
}

// A kept value stays f32, and so does what only it could have fed with codes; the layers behind it read its codes,
// which one node makes for all of them.
TEST_F(Quantised, AValueThatIsKept) {
  Graph g = graph("classifier");
  const size_t before = g.nodes.size();
  ASSERT_TRUE(set_quantised_activations(g, all_values(g), {"maxpool"}).ok());
  ASSERT_EQ(g.nodes.size(), before + 1);
  const int codes = g.find("maxpool.codes");
  ASSERT_NE(codes, kAbsent);
  EXPECT_EQ(g.value(codes).type.dtype, DType::u8);
  EXPECT_EQ(g.value(codes).type.quantisation, codes_of({-2, 6}));
  for (const char* name : {"stem", "maxpool"}) EXPECT_EQ(g.value(g.find(name)).type.dtype, DType::f32) << name;
  EXPECT_EQ(g.consumers(g.find("maxpool")).size(), 1u);
  EXPECT_EQ(g.consumers(codes).size(), 2u);  // the first convolution and the shortcut of the first block
  for (const Node& node : g.nodes) {
    if (node.op->id != OpId::conv2d) continue;
    EXPECT_EQ(g.value(node.in[0]).type.dtype, DType::u8) << node.name;
    EXPECT_EQ(g.value(node.out[0]).type.dtype, DType::u8) << node.name;
  }
}

TEST_F(Quantised, AnUnknownKeptValueIsRefused) {
  Graph g = graph("classifier");
  EXPECT_EQ(set_quantised_activations(g, all_values(g), {"no.such"}).id(), ErrorId::E_CONFIG);
}

// What `spinert convert --calibrate` makes: the detector is the fp32 one to the bit, the classifier changes over to
// codes in its middle.
TEST_F(Quantised, TheCalibrationOfTheProgram) {
  calibrate_model({});
  if (cpu_features().best < Level::avx512_vnni) GTEST_SKIP() << "this machine has no avx512_vnni";
  const auto plain = open("cpu", "fp32", 2, 2), codes = open("cpu", "int8", 2, 2);
  ASSERT_TRUE(plain.ok());
  ASSERT_TRUE(codes.ok()) << codes.status().to_string();
  int quantises = 0, wide = 0, narrow = 0;
  for (const NodeInfo& node : codes.value()->engine().plan("classifier")->nodes()) {
    quantises += node.op == "quantise";
    if (node.op != "conv2d") continue;
    (node.kernel.find("vnni") != std::string::npos || node.kernel.find("int8") != std::string::npos ? narrow : wide)++;
  }
  EXPECT_EQ(quantises, 1);
  EXPECT_GT(wide, 0);
  EXPECT_GT(narrow, 0);
  const Picture picture = reduced::picture(128, 128, 5);
  const SliceResult want = plain.value()->diagnose(picture, "a"), got = codes.value()->diagnose(picture, "a");
  ASSERT_FALSE(want.vertebrae.empty());
  ASSERT_EQ(got.vertebrae.size(), want.vertebrae.size());
  bool differs = false;
  for (size_t v = 0; v < want.vertebrae.size(); ++v) {
    EXPECT_EQ(got.vertebrae[v].box, want.vertebrae[v].box);
    EXPECT_EQ(got.vertebrae[v].score, want.vertebrae[v].score);
    differs = differs || got.vertebrae[v].probabilities != want.vertebrae[v].probabilities;
  }
  EXPECT_TRUE(differs);
}

// Every node on the codes of the reference within its bound, and whole diagnoses against fp32.
TEST_F(Quantised, VerifyHoldsItAgainstTheReference) {
  calibrate_model({});
  if (cpu_features().best < Level::avx512_vnni) GTEST_SKIP() << "this machine has no avx512_vnni";
  VerifyOptions options;
  options.model = model_;
  options.precision = "int8";
  options.levels = {"avx512_vnni"};
  options.threads = 2;
  options.limits = verify_limits("int8");
  options.limits.probability = 0.05;  // random weights leave probabilities in the middle, where a code moves them most
  const NamedPicture input{"a", reduced::picture(128, 128, 5)};
  const auto report = verify(options, {&input, 1});
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  const LevelReport& level = report.value().levels.at(0);
  EXPECT_TRUE(level.breach.ok()) << level.breach.to_string();
  EXPECT_GT(level.global.vertebrae, 0);
  EXPECT_GT(level.global.max_probability, 0) << "nothing was computed in integers";
  const auto on_codes = [](const NodeCheck& node) { return node.kernel.find("vnni") != std::string::npos; };
  EXPECT_GT(std::ranges::count_if(level.nodes, on_codes), 0);
  for (const NodeCheck& node : level.nodes) EXPECT_EQ(node.wrong, 0) << node.node;
  // What no rounding can meet is told.
  options.limits.probability = 0;
  const auto strict = verify(options, {&input, 1});
  ASSERT_TRUE(strict.ok()) << strict.status().to_string();
  EXPECT_EQ(strict.value().levels.at(0).breach.id(), ErrorId::E_VERIFY);
}

TEST_F(Quantised, AMissingValueIsNamed) {
  Graph g = graph("classifier");
  ValueRanges ranges = all_values(g);
  ranges.erase("stem");
  const Status status = set_quantised_activations(g, ranges);
  EXPECT_EQ(status.id(), ErrorId::E_CONFIG);
  EXPECT_NE(status.to_string().find("value stem"), std::string::npos) << status.to_string();
}

TEST_F(Quantised, FilesThatAreRefused) {
  calibrate_model(everything());
  const auto model = ModelFile::open(model_);
  ASSERT_TRUE(model.ok());
  const std::string& hash = model.value().data_sha256();
  const auto good = read_calibration(make("good.json", text_), hash);
  ASSERT_TRUE(good.ok()) << good.status().to_string();
  EXPECT_EQ(print_calibration(good.value()), text_);

  const size_t at = text_.find("\"stem\": [");
  ASSERT_NE(at, std::string::npos);
  const size_t end = text_.find(']', at);
  const auto with_range = [&](const std::string& range) {
    return text_.substr(0, at) + "\"stem\": " + range + text_.substr(end + 1);
  };
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = text_;
    EXPECT_NE(text.find(from), std::string::npos) << from;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::string bad[] = {
      "",
      "[]",
      text_.substr(0, text_.size() / 2),
      with_range("[0.5, 1]"),
      with_range("[-2, -1]"),
      with_range("[0, 1e31]"),
      with_range("[0, 1e400]"),
      with_range("[0]"),
      with_range("[0, 1, 2]"),
      with_range("[0, \"1\"]"),
      with_range("5"),
      replaced("spinert.calibration/1", "spinert.calibration/2"),
      replaced("\"slices\": 2", "\"slices\": 0"),
      replaced("\"slices\": 2", "\"slices\": 2.5"),
      replaced("\"slices\": 2", "\"slice\": 2"),
      replaced("\"keep\": {}", "\"keep\": []"),
      replaced("\"keep\": {}", "\"keep\": {\"classifier\": [1]}"),
      replaced("\"slices\": 2", "\"more\": 1, \"slices\": 2"),
      replaced(hash, std::string(64, '0')),
  };
  for (const std::string& text : bad) {
    const auto result = read_calibration(make("bad.json", text), hash);
    ASSERT_FALSE(result.ok()) << text.substr(0, 200);
    EXPECT_EQ(result.status().id(), ErrorId::E_CONFIG) << result.status().to_string();
  }
  EXPECT_EQ(read_calibration(path("absent.json"), hash).status().id(), ErrorId::E_CONFIG);
}

// Sums of codes are whole numbers, so that batch and threads cannot show; the reference differs by single codes.
TEST_F(Quantised, Engines) {
  EXPECT_EQ(open("reference", "int8", 1, 1).status().id(), ErrorId::E_CONFIG);  // no calibration yet
  calibrate_model(everything());
  if (cpu_features().best < Level::avx512_vnni) {
    EXPECT_EQ(open("cpu", "int8", 1, 1).status().id(), ErrorId::E_DEVICE);
    GTEST_SKIP() << "this machine has no avx512_vnni";
  }
  const Picture picture = reduced::picture(128, 128, 5);
  const auto first = open("cpu", "int8", 1, 1);
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_EQ(first.value()->engine().device().precision, "int8");
  EXPECT_EQ(first.value()->engine().device().calibration.sha256, to_hex(sha256(text_.data(), text_.size())));
  const SliceResult want = first.value()->diagnose(picture, "a");
  ASSERT_FALSE(want.candidates.empty());
  for (const auto& [threads, batch] : {std::pair{1, 3}, {2, 1}, {3, 4}}) {
    const auto other = open("cpu", "int8", threads, batch);
    ASSERT_TRUE(other.ok());
    const SliceResult got = other.value()->diagnose(picture, "a");
    ASSERT_EQ(got.vertebrae.size(), want.vertebrae.size());
    for (size_t v = 0; v < got.vertebrae.size(); ++v) {
      EXPECT_EQ(got.vertebrae[v].box, want.vertebrae[v].box);
      EXPECT_EQ(got.vertebrae[v].probabilities, want.vertebrae[v].probabilities);
    }
  }
  // Every node that runs in codes, on the reference's inputs: a code may differ by one.
  const auto reference = open("reference", "int8", 1, 1);
  ASSERT_TRUE(reference.ok()) << reference.status().to_string();
  (void)reference.value()->diagnose(picture, "a");
  int64_t compared = 0;
  for (const char* name : {"detector", "classifier"}) {
    Plan &truth = *reference.value()->engine().plan(name), &fast = *first.value()->engine().plan(name);
    ASSERT_EQ(truth.nodes().size(), fast.nodes().size());
    for (size_t n = 0; n < truth.nodes().size(); ++n) {
      if (truth.nodes()[n].constant) continue;
      for (const std::string& input : truth.nodes()[n].inputs) {
        if (input.empty()) continue;
        const Tensor from = truth.value(input), to = fast.value(input);
        if (from.data && to.data && from.bytes() == to.bytes()) {
          std::memcpy(to.data, from.data, static_cast<size_t>(from.bytes()));
        }
      }
      ASSERT_TRUE(truth.run_node(n).ok());
      ASSERT_TRUE(fast.run_node(n).ok());
      const Tensor w = truth.value(truth.nodes()[n].outputs[0]), g = fast.value(fast.nodes()[n].outputs[0]);
      if (w.dtype != DType::u8 || !w.data) continue;
      for (int64_t i = 0; i < w.elements() / std::max<int64_t>(1, w.shape[0]) * w.rows(); ++i) {
        ASSERT_LE(std::abs(int{w.as<uint8_t>()[i]} - int{g.as<uint8_t>()[i]}), 1) << fast.nodes()[n].name << " " << i;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 10000);
}

}  // namespace
}  // namespace spinert
