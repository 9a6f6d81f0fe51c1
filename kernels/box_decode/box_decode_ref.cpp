// box_decode_ref.cpp - the definition of box_decode. Box arithmetic is float everywhere, so both rows share it; the
// scalar row adds threads over groups.
#include <algorithm>
#include <cmath>

#include "kernels/base/box.h"
#include "kernels/base/infer.h"
#include "kernels/box_decode/box_decode.h"

namespace spinert {
namespace {

enum Input { kBase, kIndex, kScore, kCount, kDeltas };
enum Output { kBoxes, kScores, kKept, kInvalid };

// Where a group's boxes and deltas lie: index i reads base[first + i] and delta + i * stride.
struct GroupView {
  const float* base;
  const float* delta;
  int64_t length, stride;
};

GroupView view_group(const OpCall& call, int64_t g) {
  const float* base = call.in[kBase].f32();
  const int64_t rows = call.in[kBase].rows();
  if (call.as<BoxDecodeParams>().by_class) {
    const Tensor& deltas = call.in[kDeltas];
    return {base, deltas.f32() + (g + 1) * 4, std::min(rows, deltas.rows()), deltas.shape[1]};
  }
  int64_t first = 0;
  for (int64_t level = 0; level < g; ++level) first += call.in[static_cast<size_t>(kDeltas + level)].elements() / 4;
  const Tensor& deltas = call.in[static_cast<size_t>(kDeltas + g)];
  return {base + first * 4, deltas.f32(), std::clamp<int64_t>(rows - first, 0, deltas.elements() / 4), 4};
}

int32_t invalid_count(int64_t n) {
  return static_cast<int32_t>(std::min<int64_t>(n, INT32_MAX));
}

void run(const OpCall& call, const RunContext&) {
  int64_t invalid = 0;
  for (int64_t g = 0; g < call.out[kKept].shape[0]; ++g) invalid += box_decode_group(call, g);
  call.out[kInvalid].i32()[0] = invalid_count(invalid);
}

}  // namespace

extern const Kernel box_decode_ref;
const Kernel box_decode_ref = {.run = run};

DecodeSettings box_decode_settings(const BoxDecodeParams& p) {
  const auto weight = [&](size_t i) { return static_cast<float>(p.weights[i]); };
  return {{weight(0), weight(1), weight(2), weight(3)},
          static_cast<float>(p.width),
          static_cast<float>(p.height),
          static_cast<float>(p.min_size)};
}

int64_t box_decode_group(const OpCall& call, int64_t g) {
  const auto& p = call.as<BoxDecodeParams>();
  const DecodeSettings settings = box_decode_settings(p);
  const GroupView view = view_group(call, g);
  const int64_t k = call.in[kIndex].shape[1];
  const int64_t selected = std::clamp<int64_t>(call.in[kCount].i32()[g], 0, k);
  const int32_t* index = call.in[kIndex].i32() + g * k;
  const float* score = call.in[kScore].f32() + g * k;
  float* boxes = call.out[kBoxes].f32() + g * k * 4;
  float* scores = call.out[kScores].f32() + g * k;
  int64_t kept = 0, invalid = 0;
  for (int64_t j = 0; j < selected; ++j) {
    const int64_t i = index[j];
    if (i < 0 || i >= view.length) {
      ++invalid;
      continue;
    }
    Box box{};
    const Decoded decoded = decode_one(view.base + i * 4, view.delta + i * view.stride, settings, box);
    if (decoded == Decoded::invalid) ++invalid;
    if (decoded != Decoded::kept) continue;
    boxes[kept * 4] = box.x1;
    boxes[kept * 4 + 1] = box.y1;
    boxes[kept * 4 + 2] = box.x2;
    boxes[kept * 4 + 3] = box.y2;
    scores[kept++] = score[j];
  }
  std::fill(boxes + kept * 4, boxes + k * 4, 0.0f);
  std::fill(scores + kept, scores + k, 0.0f);
  call.out[kKept].i32()[g] = static_cast<int32_t>(kept);
  return invalid;
}

void visit(BoxDecodeParams& params, ParamVisitor& visitor) {
  visitor.field("weights", params.weights);
  visitor.field("width", params.width);
  visitor.field("height", params.height);
  visitor.field("min_size", params.min_size);
  visitor.field("by_class", params.by_class);
}

Status box_decode_infer(const BoxDecodeParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  constexpr const char* kOp = "box_decode";
  constexpr int64_t kMaxSide = 1 << 24;  // whole pixels are exact in float up to here
  SPINERT_TRY(check_arity(kOp, in, out, kDeltas, p.by_class ? kDeltas + 1 : kDeltas + 64, 4));
  SPINERT_TRY(check_input(kOp, "base boxes", in[kBase], DType::f32, 2));
  SPINERT_TRY(check_input(kOp, "index", in[kIndex], DType::i32, 2));
  SPINERT_TRY(check_input(kOp, "score", in[kScore], DType::f32, 2));
  SPINERT_TRY(check_input(kOp, "count", in[kCount], DType::i32, 1));
  const bool weights_ok = p.weights.size() == 4 && std::all_of(p.weights.begin(), p.weights.end(),
                                                               [](double w) { return w >= 1e-6 && w <= 1e6; });
  if (!weights_ok || p.width < 1 || p.height < 1 || p.width > kMaxSide || p.height > kMaxSide ||
      !(p.min_size >= 0 && p.min_size <= kMaxSide)) {
    return refuse_arch(kOp, "a parameter is out of range");
  }
  const int64_t groups = in[kCount].shape[0];
  const Shape selection{groups, in[kIndex].shape[1]};
  if (in[kBase].shape[1] != 4 || in[kIndex].shape != selection || in[kScore].shape != selection) {
    return refuse_arch(kOp, "selection").expected(to_string(selection), to_string(in[kScore].shape));
  }
  if (p.by_class) {
    if (in.size() != kDeltas + 1) return refuse_arch(kOp, "needs one tensor of deltas");
    SPINERT_TRY(check_input(kOp, "deltas", in[kDeltas], DType::f32, 2));
    const Shape want{in[kBase].shape[0], (groups + 1) * 4};
    if (in[kDeltas].shape != want) {
      return refuse_arch(kOp, "deltas").expected(to_string(want), to_string(in[kDeltas].shape));
    }
  } else {
    int64_t boxes = 0;
    if (static_cast<int64_t>(in.size()) != kDeltas + groups) return refuse_arch(kOp, "needs deltas for each level");
    for (const TensorType& deltas : in.subspan(kDeltas)) {
      SPINERT_TRY(check_input(kOp, "deltas", deltas, DType::f32, 4));
      if (deltas.shape[0] != 1 || deltas.shape[3] % 4 != 0) {
        return refuse_arch(kOp, "deltas").expected("[1,H,W,4a]", to_string(deltas.shape));
      }
      boxes += deltas.shape.elements() / 4;
    }
    if (boxes != in[kBase].shape[0]) {
      return refuse_arch(kOp, "number of boxes").expected(std::to_string(boxes), to_string(in[kBase].shape));
    }
  }
  SPINERT_TRY(set_output(kOp, out[kBoxes], DType::f32, Shape{groups, selection[1], 4}));
  SPINERT_TRY(set_output(kOp, out[kScores], DType::f32, selection));
  SPINERT_TRY(set_output(kOp, out[kKept], DType::i32, Shape{groups}));
  return set_output(kOp, out[kInvalid], DType::i32, Shape{1});
}

Cost box_decode_cost(const OpCall& call) {
  // Per selected box: two exponentials, 30 other operations; 4 base values, 4 deltas, index, score read, 5 written.
  constexpr double kFlops = 70, kBytes = 60;
  const double boxes = double(call.in[kIndex].elements());
  return {.flops = kFlops * boxes, .bytes = kBytes * boxes};
}

Tolerance box_decode_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
