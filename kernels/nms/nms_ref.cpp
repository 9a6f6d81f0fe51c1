// nms_ref.cpp - the definition of nms: for each box in order, compare with every box kept so far.
#include <algorithm>
#include <vector>

#include "kernels/base/box.h"
#include "kernels/base/infer.h"
#include "kernels/nms/nms.h"

namespace spinert {
namespace {

enum Input { kBoxes, kScores, kCount };
enum Output { kOutBoxes, kOutScores, kOutGroup, kOutCount };
constexpr int64_t kMaxOutput = int64_t{1} << 24;

Box load_box(const float* p) {
  return {p[0], p[1], p[2], p[3]};
}

void run(const OpCall& call, const RunContext&) {
  const auto& p = call.as<NmsParams>();
  const auto threshold = static_cast<float>(p.threshold);
  const int64_t groups = call.in[kScores].shape[0], k = call.in[kScores].shape[1];
  std::vector<int32_t> kept(static_cast<size_t>(groups * k)), kept_count(static_cast<size_t>(groups)),
      heads(static_cast<size_t>(groups));
  for (int64_t g = 0; g < groups; ++g) {
    const float* boxes = call.in[kBoxes].f32() + g * k * 4;
    const int64_t count = std::clamp<int64_t>(call.in[kCount].i32()[g], 0, k);
    int32_t* keep = kept.data() + g * k;
    int32_t n = 0;
    for (int64_t j = 0; j < count; ++j) {
      const Box candidate = load_box(boxes + j * 4);
      const bool suppressed = std::any_of(keep, keep + n, [&](int32_t i) {
        const Box better = load_box(boxes + int64_t{i} * 4);
        return box_iou(better, box_area(better), candidate, box_area(candidate)) > threshold;
      });
      if (!suppressed) keep[n++] = static_cast<int32_t>(j);
    }
    kept_count[static_cast<size_t>(g)] = n;
  }
  nms_merge(call, kept.data(), kept_count.data(), heads.data());
}

}  // namespace

extern const Kernel nms_ref;
const Kernel nms_ref = {.run = run};

void nms_merge(const OpCall& call, const int32_t* kept, const int32_t* kept_count, int32_t* heads) {
  const int64_t groups = call.in[kScores].shape[0], k = call.in[kScores].shape[1];
  const int64_t capacity = call.out[kOutScores].shape[0];
  const float *boxes = call.in[kBoxes].f32(), *scores = call.in[kScores].f32();
  std::fill(heads, heads + groups, 0);
  int64_t n = 0;
  for (; n < capacity; ++n) {
    // The best head; a later group wins only with a higher score. Groups are few, so a plain scan is enough.
    int64_t best = -1, best_entry = 0;
    for (int64_t g = 0; g < groups; ++g) {
      if (heads[g] >= kept_count[g]) continue;
      const int64_t entry = g * k + kept[g * k + heads[g]];
      if (best < 0 || scores[entry] > scores[best_entry]) {
        best = g;
        best_entry = entry;
      }
    }
    if (best < 0) break;
    ++heads[best];
    std::copy_n(boxes + best_entry * 4, 4, call.out[kOutBoxes].f32() + n * 4);
    call.out[kOutScores].f32()[n] = scores[best_entry];
    call.out[kOutGroup].i32()[n] = static_cast<int32_t>(best);
  }
  call.out[kOutCount].i32()[0] = static_cast<int32_t>(n);
}

void visit(NmsParams& params, ParamVisitor& visitor) {
  visitor.field("threshold", params.threshold);
  visitor.field("max_output", params.max_output);
}

Status nms_infer(const NmsParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("nms", in, out, 3, 3, 4));
  SPINERT_TRY(check_input("nms", "boxes", in[kBoxes], DType::f32, 3));
  SPINERT_TRY(check_input("nms", "scores", in[kScores], DType::f32, 2));
  SPINERT_TRY(check_input("nms", "count", in[kCount], DType::i32, 1));
  const int64_t groups = in[kCount].shape[0], k = in[kScores].shape[1];
  if (in[kScores].shape[0] != groups || in[kBoxes].shape != Shape{groups, k, 4}) {
    return refuse_arch("nms", "boxes, scores and count do not fit")
        .expected(to_string(Shape{groups, k, 4}), to_string(in[kBoxes].shape));
  }
  if (!(p.threshold >= 0 && p.threshold <= 1) || p.max_output < 1 || p.max_output > kMaxOutput) {
    return refuse_arch("nms", "a parameter is out of range")
        .expected("threshold in [0,1], max_output from 1 to " + std::to_string(kMaxOutput),
                  std::to_string(p.threshold) + ", " + std::to_string(p.max_output));
  }
  const int count = out[kOutCount].self;
  SPINERT_TRY(set_output("nms", out[kOutBoxes], DType::f32, Shape{p.max_output, 4}, count));
  SPINERT_TRY(set_output("nms", out[kOutScores], DType::f32, Shape{p.max_output}, count));
  SPINERT_TRY(set_output("nms", out[kOutGroup], DType::i32, Shape{p.max_output}, count));
  return set_output("nms", out[kOutCount], DType::i32, Shape{1});
}

Cost nms_cost(const OpCall& call) {
  // Every box against every earlier one, which is the most that can happen; 13 operations for each IoU.
  constexpr double kFlops = 13;
  const double groups = double(call.in[kScores].shape[0]), k = double(call.in[kScores].shape[1]);
  return {.flops = kFlops * groups * k * (k - 1) / 2, .bytes = call_bytes(call)};
}

Tolerance nms_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
