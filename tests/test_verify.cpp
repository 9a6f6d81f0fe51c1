// verify: honest kernels pass on every level, planted errors are found and the node is named, whole diagnoses are
// compared by the rules of the acceptance.
#include <algorithm>
#include <cstring>

#include "diagnosis/synthetic_slice.h"
#include "diagnosis/verify.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/registry.h"
#include "tests/support/reduced_model.h"
#include "tests/support/scratch.h"

namespace spinert {

extern const Kernel conv2d_ref;

namespace {

std::vector<std::string> machine_levels() {
  std::vector<std::string> names{"scalar"};
  if (cpu_features().best >= Level::avx2) names.push_back("avx2");
  if (cpu_features().best >= Level::avx512) names.push_back("avx512");
  return names;
}

class Verify : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    auto made = reduced::make(folder_);
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    options_.model = made.value();
    options_.levels = machine_levels();
    options_.threads = 2;
    // Random weights make slivers a hundredth of a pixel wide, whose IoU a last-bit difference moves.
    options_.limits.iou = 0.9;
    inputs_.push_back({"block column", reduced::picture(120, 100, 3)});
  }
  void TearDown() override {
    clear_planted_kernels_for_tests();
    Scratch::TearDown();
  }
  VerifyReport run() {
    auto report = verify(options_, inputs_);
    EXPECT_TRUE(report.ok()) << report.status().to_string();
    return report.ok() ? std::move(report).value() : VerifyReport{};
  }

  VerifyOptions options_;
  std::vector<NamedPicture> inputs_;
};

TEST_F(Verify, HonestKernelsPass) {
  const VerifyReport report = run();
  ASSERT_EQ(report.levels.size(), machine_levels().size());
  for (const LevelReport& level : report.levels) {
    EXPECT_TRUE(level.breach.ok()) << level.level << ": " << level.breach.to_string();
    EXPECT_GT(level.global.vertebrae, 0) << "nothing was compared";
    EXPECT_GT(level.nodes.size(), 20u);
    const auto in = [&](const char* graph) { return std::ranges::count(level.nodes, graph, &NodeCheck::graph); };
    EXPECT_GT(in("detector"), 0);
    EXPECT_GT(in("classifier"), 0);
  }
  EXPECT_TRUE(report.ok());
}

TEST_F(Verify, DumpsEveryStage) {
  options_.levels = {"scalar"};
  options_.dump_folder = path("stages");
  run();
  EXPECT_EQ(names(path("stages")), (std::set<std::string>{"reference", "scalar"}));
  const std::set<std::string> reference = names(path("stages/reference"));
  EXPECT_EQ(reference, names(path("stages/scalar")));
  ASSERT_GT(reference.size(), 20u);
  for (const std::string& name : reference) {
    const std::string bytes = read(path("stages/reference/" + name));
    EXPECT_EQ(bytes.substr(0, 6), "\x93NUMPY") << name;
  }
}

TEST_F(Verify, CanBeStopped) {
  const std::atomic<int> cancel{2};
  const auto report = verify(options_, inputs_, {.cancel = &cancel});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.status().id(), ErrorId::E_CANCELLED);
}

// Errors that a kernel writer makes, in a kernel that is otherwise the reference.
void without_bias(const OpCall& call, const RunContext& context) {
  std::vector<Tensor> in(call.in.begin(), call.in.end());
  if (in.size() > 2) in[2] = Tensor{};
  conv2d_ref.run({call.params, in, call.out}, context);
}

void without_a_tap(const OpCall& call, const RunContext& context) {
  std::vector<Tensor> in(call.in.begin(), call.in.end());
  const Tensor& weight = call.in[1];
  std::vector<float> copy(weight.f32(), weight.f32() + weight.elements());
  // One tap of one input channel.
  std::fill(copy.begin(), copy.begin() + weight.shape[3], 0.0f);
  in[1].data = copy.data();
  conv2d_ref.run({call.params, in, call.out}, context);
}

void swapped_channels(const OpCall& call, const RunContext& context) {
  conv2d_ref.run(call, context);
  const Tensor& out = call.out[0];
  for (int64_t i = 0; i + 1 < out.elements(); i += out.shape[3]) std::swap(out.f32()[i], out.f32()[i + 1]);
}

void shifted_pixel(const OpCall& call, const RunContext& context) {
  conv2d_ref.run(call, context);
  const Tensor& out = call.out[0];
  const auto pixel = static_cast<size_t>(out.shape[3]);
  if (out.shape[2] > 1) std::memmove(out.f32(), out.f32() + pixel, pixel * sizeof(float));
}

struct Planted {
  const char* name;
  void (*run)(const OpCall&, const RunContext&);
};

class PlantedError : public Verify, public testing::WithParamInterface<Planted> {};

TEST_P(PlantedError, IsFoundAndNamed) {
  const Kernel kernel{.run = GetParam().run};
  const KernelInfo row{OpId::conv2d, Backend::cpu, Level::scalar, GetParam().name, &kernel};
  plant_kernel_for_tests(&row);
  options_.levels = {"scalar"};
  options_.global = false;
  const VerifyReport report = run();
  ASSERT_EQ(report.levels.size(), 1u);
  const Status& breach = report.levels[0].breach;
  ASSERT_EQ(breach.id(), ErrorId::E_VERIFY);
  const auto first = std::ranges::find_if(report.levels[0].nodes, [](const NodeCheck& c) { return c.wrong > 0; });
  ASSERT_NE(first, report.levels[0].nodes.end());
  EXPECT_EQ(first->op, "conv2d");
  EXPECT_NE(breach.message().find(first->node), std::string::npos) << breach.message();
  EXPECT_NE(breach.message().find(GetParam().name), std::string::npos) << breach.message();
  EXPECT_NE(breach.message().find("expected"), std::string::npos) << breach.message();
  // Each node runs on the reference's inputs: no other operator is blamed.
  for (const NodeCheck& check : report.levels[0].nodes) {
    if (check.op != "conv2d") {
      EXPECT_EQ(check.wrong, 0) << check.node;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, PlantedError,
                         testing::Values(Planted{"conv2d_without_bias", without_bias},
                                         Planted{"conv2d_without_a_tap", without_a_tap},
                                         Planted{"conv2d_swapped_channels", swapped_channels},
                                         Planted{"conv2d_shifted_pixel", shifted_pixel}),
                         [](const auto& planted) { return std::string(planted.param.name); });

// The rules for whole diagnoses.
struct Comparing {
  SliceResult want, got;
  GlobalCheck check;
  Status breach;

  Comparing() {
    want.source = "s";
    for (int i = 0; i < 3; ++i) {
      Vertebra v;
      v.id = i + 1;
      const float top = 100.0f * static_cast<float>(i);
      v.box = {100, top, 200, top + 80};
      v.score = 0.9f;
      v.probabilities = {0.2f, 0.8f};
      want.vertebrae.push_back(v);
    }
    got = want;
  }
  bool passes() {
    check = {};
    breach = {};
    compare_slices(want, got, {0.5f, 0.5f}, 0.75f, {}, check, breach);
    return breach.ok();
  }
};

TEST(CompareSlices, EqualResultsPass) {
  Comparing c;
  EXPECT_TRUE(c.passes());
  EXPECT_EQ(c.check.vertebrae, 3);
  EXPECT_EQ(c.check.min_iou, 1);
}

TEST(CompareSlices, OrderDoesNotMatterNumbersDo) {
  Comparing c;
  std::swap(c.got.vertebrae[0], c.got.vertebrae[2]);
  EXPECT_TRUE(c.passes());
  c.got.vertebrae[1].score += 2e-4f;
  EXPECT_FALSE(c.passes());
}

TEST(CompareSlices, BoxScoreAndProbabilityHaveLimits) {
  Comparing c;
  c.got.vertebrae[0].box[0] += 0.05f;  // IoU 0.9995
  EXPECT_TRUE(c.passes()) << c.breach.to_string();
  c.got.vertebrae[0].box[0] += 1;
  EXPECT_FALSE(c.passes());
  c = Comparing();
  c.got.vertebrae[2].probabilities[1] += 5e-5f;
  EXPECT_TRUE(c.passes());
  c.got.vertebrae[2].probabilities[1] += 1e-3f;
  EXPECT_FALSE(c.passes());
  c = Comparing();
  c.got.vertebrae[2].probabilities[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(c.passes()) << "NaN is within no tolerance";
}

TEST(CompareSlices, MissingBoxIsExcusedOnlyAtTheThreshold) {
  Comparing c;
  c.got.vertebrae.pop_back();
  EXPECT_FALSE(c.passes());
  c.want.vertebrae[2].score = 0.75005f;
  EXPECT_TRUE(c.passes()) << c.breach.to_string();
  EXPECT_EQ(c.check.excused, 1);
  std::swap(c.want, c.got);
  EXPECT_TRUE(c.passes());
  c.got.vertebrae[2].score = 0.8f;
  EXPECT_FALSE(c.passes()) << "a box too many";
}

TEST(CompareSlices, FlipIsAllowedOnlyAtTheThreshold) {
  Comparing c;
  c.want.vertebrae[0].probabilities[0] = 0.50002f;
  c.got.vertebrae[0].probabilities[0] = 0.49998f;
  EXPECT_TRUE(c.passes());
  EXPECT_EQ(c.check.flips, 1);
}

TEST(CompareSlices, StatusMustAgree) {
  Comparing c;
  c.got.status = "indeterminate";
  EXPECT_FALSE(c.passes());
}

TEST(BoxIou, IsThatOfThePlane) {
  EXPECT_EQ(box_iou({0, 0, 2, 2}, {0, 0, 2, 2}), 1);
  EXPECT_DOUBLE_EQ(box_iou({0, 0, 2, 2}, {1, 0, 3, 2}), 1.0 / 3);
  EXPECT_EQ(box_iou({0, 0, 1, 1}, {2, 2, 3, 3}), 0);
  EXPECT_EQ(box_iou({1, 1, 0, 0}, {1, 1, 0, 0}), 0);
}

TEST(SyntheticSlice, IsAlwaysTheSame) {
  const Picture one = synthetic_slice(), two = synthetic_slice();
  EXPECT_EQ(one.value, two.value);
  EXPECT_EQ(one.width, kSyntheticWidth);
  EXPECT_EQ(one.height, kSyntheticHeight);
  EXPECT_EQ(one.sha256.size(), 64u);
}

}  // namespace
}  // namespace spinert
