// topk_ref.cpp - the definition of topk: sort everything by box_before, cut, filter.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/base/box.h"
#include "kernels/base/infer.h"
#include "kernels/topk/topk.h"
#include "kernels/topk/topk_key.h"

namespace spinert {
namespace {

enum Output { kIndex, kScore, kCount, kInvalid };
constexpr int64_t kMaxK = int64_t{1} << 24;

void run(const OpCall& call, const RunContext&) {
  const auto& p = call.as<TopkParams>();
  const int64_t groups = topk_group_count(call);
  int64_t invalid = 0;
  for (int64_t g = 0; g < groups; ++g) {
    const TopkGroup group = topk_group(call, g);
    const auto score = [&](int64_t i) { return group.scores[i * group.stride]; };
    std::vector<int64_t> order;
    for (int64_t i = 0; i < group.length; ++i) {
      if (!is_finite(score(i))) ++invalid;
      if (score(i) == score(i)) order.push_back(i);
    }
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return box_before(score(a), a, score(b), b); });
    if (order.size() > static_cast<size_t>(p.k)) order.resize(static_cast<size_t>(p.k));
    int32_t* index = call.out[kIndex].i32() + g * p.k;
    float* value = call.out[kScore].f32() + g * p.k;
    int32_t count = 0;
    for (const int64_t i : order) {
      if (!topk_passes(p, score(i))) continue;
      index[count] = static_cast<int32_t>(i);
      value[count++] = score(i);
    }
    std::fill(index + count, index + p.k, -1);
    std::fill(value + count, value + p.k, 0.0f);
    call.out[kCount].i32()[g] = count;
  }
  call.out[kInvalid].i32()[0] = static_cast<int32_t>(std::min<int64_t>(invalid, INT32_MAX));
}

}  // namespace

extern const Kernel topk_ref;
const Kernel topk_ref = {.run = run};

bool topk_passes(const TopkParams& p, float score) {
  return topk_passes(TopkThreshold{static_cast<float>(p.threshold), p.strict, p.on_sigmoid}, score);
}

int64_t topk_group_count(const OpCall& call) {
  return call.out[kCount].shape[0];
}

int64_t topk_group_capacity(const OpCall& call, int64_t group) {
  if (call.as<TopkParams>().by_class) return call.in[0].shape[0];
  return call.in[static_cast<size_t>(group)].shape.elements();
}

TopkGroup topk_group(const OpCall& call, int64_t group) {
  if (call.as<TopkParams>().by_class) {
    return {call.in[0].f32() + group + 1, call.in[0].rows(), call.in[0].shape[1]};
  }
  return {call.in[static_cast<size_t>(group)].f32(), topk_group_capacity(call, group), 1};
}

void visit(TopkParams& params, ParamVisitor& visitor) {
  visitor.field("k", params.k);
  visitor.field("threshold", params.threshold);
  visitor.field("strict", params.strict);
  visitor.field("on_sigmoid", params.on_sigmoid);
  visitor.field("by_class", params.by_class);
}

Status topk_infer(const TopkParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("topk", in, out, 1, p.by_class ? 1 : 64, 4));
  if (p.k < 1 || p.k > kMaxK || !(std::abs(p.threshold) <= std::numeric_limits<float>::max())) {
    return refuse_arch("topk", "a parameter is out of range")
        .expected("k from 1 to " + std::to_string(kMaxK) + " and a threshold that fits float", std::to_string(p.k));
  }
  int64_t groups = static_cast<int64_t>(in.size());
  for (const TensorType& type : in) {
    SPINERT_TRY(check_input("topk", "scores", type, DType::f32, p.by_class ? 2 : 4));
    if (p.by_class ? type.shape[1] < 1 : type.shape[0] != 1) {
      return refuse_arch("topk", "shape of scores")
          .expected(p.by_class ? "[R,C], C >= 1" : "[1,H,W,A]", to_string(type.shape));
    }
  }
  if (p.by_class) groups = in[0].shape[1] - 1;
  SPINERT_TRY(set_output("topk", out[kIndex], DType::i32, Shape{groups, p.k}));
  SPINERT_TRY(set_output("topk", out[kScore], DType::f32, Shape{groups, p.k}));
  SPINERT_TRY(set_output("topk", out[kCount], DType::i32, Shape{groups}));
  return set_output("topk", out[kInvalid], DType::i32, Shape{1});
}

Cost topk_cost(const OpCall& call) {
  double scores = 0;
  for (const Tensor& tensor : call.in) scores += double(tensor.elements());
  return {.flops = scores, .bytes = call_bytes(call)};
}

Tolerance topk_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
