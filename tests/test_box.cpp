// Box arithmetic and the exponential against doubles, and what the box operators promise for planted inputs: these
// tests state the expected answer, where tests/ops only compares kernels with the reference.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/base/box.h"
#include "kernels/roi_align/roi_align.h"
#include "kernels/topk/topk.h"
#include "tests/ops/op_case.h"

namespace spinert {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

float iou(const Box& a, const Box& b) {
  return box_iou(a, box_area(a), b, box_area(b));
}

TEST(PortableExp, MeetsTheErrorOfItsHeader) {
  double worst = 0, worst_ulp = 0;
  float last = 0;
  for (double step = -87.0; step <= 88.0; step += 1.0 / 16384) {
    const auto x = static_cast<float>(step);
    const float got = portable_exp(x);
    const double want = std::exp(double(x));
    const auto nearest = static_cast<float>(want);
    const double ulp = double(std::nextafter(nearest, kInf)) - double(nearest);
    worst = std::max(worst, std::abs(double(got) - want) / want);
    worst_ulp = std::max(worst_ulp, std::abs(double(got) - want) / ulp);
    EXPECT_GE(got, last * (1 - 0x1p-22f)) << "not monotonic to an ulp at " << x;
    last = got;
  }
  RecordProperty("worst_ulp", std::to_string(worst_ulp));
  EXPECT_LE(worst_ulp, 1.22);
  EXPECT_LE(worst, 1.03e-7);
  EXPECT_GT(worst_ulp, 0.5) << "the sweep is too coarse to mean anything";
}

TEST(PortableExp, Edges) {
  EXPECT_EQ(portable_exp(0.0f), 1.0f);
  EXPECT_EQ(portable_exp(-0.0f), 1.0f);
  EXPECT_TRUE(std::isnan(portable_exp(kNaN)));
  EXPECT_EQ(portable_exp(kInf), kInf);
  EXPECT_EQ(portable_exp(-kInf), 0.0f);
  EXPECT_EQ(portable_exp(89.0f), kInf);
  EXPECT_TRUE(std::isfinite(portable_exp(88.72f)));
  EXPECT_EQ(portable_exp(-87.4f), 0.0f);
  EXPECT_GT(portable_exp(-87.3f), 0.0f);
  EXPECT_EQ(portable_sigmoid(0.0f), 0.5f);
  EXPECT_EQ(portable_sigmoid(-kInf), 0.0f);
  EXPECT_EQ(portable_sigmoid(kInf), 1.0f);
  EXPECT_TRUE(std::isnan(portable_sigmoid(kNaN)));
}

TEST(Box, IouOfKnownBoxes) {
  const Box unit{0, 0, 10, 10};
  EXPECT_EQ(iou(unit, unit), 1.0f);
  EXPECT_EQ(iou(unit, {0, 0, 10, 5}), 0.5f);
  EXPECT_EQ(iou(unit, {10, 0, 20, 10}), 0.0f);  // they touch
  EXPECT_EQ(iou(unit, {20, 20, 30, 30}), 0.0f);
  EXPECT_FLOAT_EQ(iou(unit, {5, 5, 15, 15}), 25.0f / 175.0f);
  const Box point{3, 3, 3, 3};
  EXPECT_TRUE(std::isnan(iou(point, point)));
  EXPECT_EQ(iou(unit, point), 0.0f);
  EXPECT_FALSE(iou(unit, {kNaN, 0, 10, 10}) > 0.5f);
  EXPECT_EQ(iou(unit, {10, 10, 0, 0}), 0.0f);  // inverted on both axes
}

TEST(Box, IouAgainstDoubles) {
  for (uint64_t i = 0; i < 20000; ++i) {
    float v[8];
    for (uint64_t j = 0; j < 8; ++j) v[j] = (cases::random_uniform(7, i * 8 + j) + 1.0f) * 512.0f;
    const Box a{std::min(v[0], v[1]), std::min(v[2], v[3]), std::max(v[0], v[1]), std::max(v[2], v[3])};
    const Box b{std::min(v[4], v[5]), std::min(v[6], v[7]), std::max(v[4], v[5]), std::max(v[6], v[7])};
    const auto area = [](const Box& x) { return (double(x.x2) - x.x1) * (double(x.y2) - x.y1); };
    const double w = std::max(0.0, double(std::min(a.x2, b.x2)) - std::max(a.x1, b.x1));
    const double h = std::max(0.0, double(std::min(a.y2, b.y2)) - std::max(a.y1, b.y1));
    const double want = w * h / (area(a) + area(b) - w * h);
    EXPECT_NEAR(double(iou(a, b)), want, 4e-7) << i;
    EXPECT_EQ(iou(a, b), iou(b, a)) << i;
  }
}

TEST(Box, DecodeAgainstDoubles) {
  double worst = 0;
  for (uint64_t i = 0; i < 20000; ++i) {
    float d[4], b[4];
    for (uint64_t j = 0; j < 4; ++j) {
      d[j] = cases::random_uniform(8, i * 4 + j) * 10.0f;
      b[j] = (cases::random_uniform(9, i * 4 + j) + 1.0f) * 256.0f;
    }
    const Box base{b[0], b[1], b[0] + b[2] + 1.0f, b[1] + b[3] + 1.0f};
    const Box got = box_apply_deltas(base, d, {10, 10, 5, 5});
    const double w = double(base.x2) - base.x1, h = double(base.y2) - base.y1;
    const double x = d[0] / 10.0 * w + base.x1 + w / 2, y = d[1] / 10.0 * h + base.y1 + h / 2;
    const double limit = std::log(1000.0 / 16);
    const double half_w = std::exp(std::min(d[2] / 5.0, limit)) * w / 2;
    const double half_h = std::exp(std::min(d[3] / 5.0, limit)) * h / 2;
    const double want[] = {x - half_w, y - half_h, x + half_w, y + half_h};
    const float have[] = {got.x1, got.y1, got.x2, got.y2};
    const double size = 1 + std::abs(x) + std::abs(y) + half_w + half_h;
    for (int j = 0; j < 4; ++j) worst = std::max(worst, std::abs(double(have[j]) - want[j]) / size);
  }
  EXPECT_LT(worst, 8 * 0x1p-24);
}

TEST(Box, DecodeEdges) {
  const Box base{100, 100, 116, 116};
  const float zero[] = {0, 0, 0, 0};
  const Box same = box_apply_deltas(base, zero, {1, 1, 1, 1});
  EXPECT_EQ(same.x1, 100.0f);
  EXPECT_EQ(same.y2, 116.0f);
  // The clamp: 16 pixels grow to 1000 and no further.
  const float wild[] = {0, 0, 50, kInf};
  const Box grown = box_apply_deltas(base, wild, {1, 1, 1, 1});
  EXPECT_NEAR(grown.x2 - grown.x1, 1000.0f, 1e-3);
  EXPECT_NEAR(grown.y2 - grown.y1, 1000.0f, 1e-3);
  const float bad[] = {kNaN, 0, kNaN, 0};
  const Box nan = box_apply_deltas(base, bad, {1, 1, 1, 1});
  EXPECT_TRUE(std::isnan(nan.x1) && std::isnan(nan.x2) && !std::isnan(nan.y1));
  EXPECT_FALSE(is_finite(nan));
  const Box clipped = box_clip({-5, 3, 2000, 1024}, 1024, 768);
  EXPECT_EQ(clipped.x1, 0.0f);
  EXPECT_EQ(clipped.y1, 3.0f);
  EXPECT_EQ(clipped.x2, 1024.0f);
  EXPECT_EQ(clipped.y2, 768.0f);
}

TEST(Box, Order) {
  EXPECT_TRUE(box_before(2, 9, 1, 0));
  EXPECT_TRUE(box_before(1, 0, 1, 1));
  EXPECT_FALSE(box_before(1, 1, 1, 1));
  EXPECT_TRUE(box_before(0.0f, 1, -0.0f, 2));
  EXPECT_FALSE(box_before(0.0f, 2, -0.0f, 1));
}

// 224 * 2^i belongs to the upper level, also one float below (the source adds 1e-6 to the logarithm), but not 2e-6
// below.
TEST(RoiAlign, LevelBoundaries) {
  const RoiAlignParams params;
  const auto level = [&](float side) { return roi_align_level(params, 4, {0, 0, side, side}); };
  for (int l = 1; l < 4; ++l) {
    const float boundary = 56.0f * std::exp2(static_cast<float>(l));
    EXPECT_EQ(level(boundary), l);
    EXPECT_EQ(level(std::nextafter(boundary, 0.0f)), l);
    EXPECT_EQ(level(boundary * (1 - 2e-6f)), l - 1);
    EXPECT_EQ(level(boundary * 1.001f), l);
  }
  EXPECT_EQ(level(0), 0);
  EXPECT_EQ(level(1e9f), 3);
  EXPECT_EQ(level(3e38f), 3);                                  // the area overflows to infinity
  EXPECT_EQ(roi_align_level(params, 4, {0, 9, 500, 0}), 0);    // an area below 0
  EXPECT_EQ(roi_align_level(params, 1, {0, 0, 500, 500}), 0);  // no choice
}

// Runs the reference and every cpu row of an operator that takes the call on one line and hands each result to the
// check.
template <class Check>
void on_every_kernel(const std::string& text, Check check) {
  const auto line = cases::CaseLine::parse(text);
  ASSERT_TRUE(line.ok());
  ThreadPool pool(2);
  for (const KernelInfo& kernel : all_kernels()) {
    if (op_info(kernel.op).name != line.value().op()) continue;
    if (kernel.backend == Backend::cuda) continue;  // tests/cuda_emulated
    if (kernel.backend == Backend::cpu && kernel.level > cpu_features().best) continue;
    auto prepared = cases::prepare(line.value());
    ASSERT_TRUE(prepared.ok()) << prepared.status().to_string();
    if (refusal(kernel, prepared.value().call())) continue;  // a row for values of another type
    ASSERT_TRUE(cases::run_kernel(kernel, prepared.value(), pool).ok());
    SCOPED_TRACE(kernel.name);
    check(prepared.value());
  }
}

// Pairs with IoU 0.5, 0.50001 and 0.49999: only the second of the middle kind is suppressed.
TEST(Nms, EqualSurvivesAndOneHundredThousandthAboveDoesNot) {
  on_every_kernel("nms g=1 k=96 boxes=planted threshold=0.5 max_output=100", [](cases::PreparedCase& done) {
    EXPECT_EQ(done.out[3].i32()[0], 96 - 16);
    for (int i = 0; i < done.out[3].i32()[0]; ++i) EXPECT_NE(done.out[0].f32()[i * 4 + 3], 50.001f);
  });
}

TEST(Nms, ZeroAreaDuplicatesAreBothKept) {
  on_every_kernel("nms g=1 k=40 boxes=point threshold=0 max_output=100",
                  [](cases::PreparedCase& done) { EXPECT_EQ(done.out[3].i32()[0], 40); });
}

TEST(Nms, MergeIsByScoreThenGroup) {
  on_every_kernel("nms g=4 k=50 boxes=random threshold=1 max_output=16 scores=tied", [](cases::PreparedCase& done) {
    ASSERT_EQ(done.out[3].i32()[0], 16);
    // Scores come in runs of four, equal in all four groups.
    for (int i = 0; i < 16; ++i) {
      EXPECT_EQ(done.out[1].f32()[i], 50.0f);
      EXPECT_EQ(done.out[2].i32()[i], i / 4);
    }
  });
}

TEST(Topk, TiesGoToTheLowerIndex) {
  on_every_kernel("topk k=37 sides=40 data=constant", [](cases::PreparedCase& done) {
    ASSERT_EQ(done.out[2].i32()[0], 37);
    for (int i = 0; i < 37; ++i) EXPECT_EQ(done.out[0].i32()[i], i);
  });
}

TEST(Topk, CountsNonFiniteScoresAndNeverSelectsNaN) {
  on_every_kernel("topk k=400 sides=16 a=1 plant=special", [](cases::PreparedCase& done) {
    const float* scores = done.in[0].f32();
    int invalid = 0;
    for (int i = 0; i < 256; ++i) invalid += std::isfinite(scores[i]) ? 0 : 1;
    EXPECT_GT(invalid, 0);
    EXPECT_EQ(done.out[3].i32()[0], invalid);
    const int count = done.out[2].i32()[0];
    ASSERT_LT(count, 256);
    EXPECT_EQ(done.out[1].f32()[0], kInf);
    for (int i = 0; i < count; ++i) {
      EXPECT_FALSE(std::isnan(done.out[1].f32()[i]));
      if (i > 0) {
        EXPECT_TRUE(
            box_before(done.out[1].f32()[i - 1], done.out[0].i32()[i - 1], done.out[1].f32()[i], done.out[0].i32()[i]));
      }
    }
    EXPECT_EQ(done.out[0].i32()[count], -1);
  });
}

TEST(Topk, ThresholdAtAScore) {
  on_every_kernel("topk k=60 by_class=1 r=60 c=2 data=constant threshold=0.25",
                  [](cases::PreparedCase& done) { EXPECT_EQ(done.out[2].i32()[0], 60); });
  on_every_kernel("topk k=60 by_class=1 r=60 c=2 data=constant threshold=0.25 strict=1",
                  [](cases::PreparedCase& done) { EXPECT_EQ(done.out[2].i32()[0], 0); });
}

TEST(RoiAlign, RegionsThatAreNotFiniteGiveZero) {
  on_every_kernel("roi_align r=16 c=5 boxes=hostile", [](cases::PreparedCase& done) {
    const int64_t row = done.out[0].elements() / 16;
    for (int64_t r = 0; r < 16; ++r) {
      const float* roi = done.in[0].f32() + r * 4;
      const bool finite = is_finite(Box{roi[0], roi[1], roi[2], roi[3]});
      for (int64_t i = 0; i < row; ++i) {
        const float value = done.out[0].f32()[r * row + i];
        EXPECT_TRUE(std::isfinite(value));
        EXPECT_TRUE(finite || value == 0.0f);
      }
    }
  });
}

}  // namespace
}  // namespace spinert
