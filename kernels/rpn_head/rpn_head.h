// rpn_head.h - the head of a region proposal network on every level of a pyramid in one call:
//
//   hidden = relu( bias[o] + sum over i,j,c of x[0, y + i - 1, x + j - 1, c] * w[i,j,c,o] )       never an output
//   logits = logits_bias + hidden * logits_weight,   deltas = deltas_bias + hidden * deltas_weight
//
// The weights are those of all levels. The maps may come in any order; output l belongs to map l. Map 0 is the first
// input and the others are the last, because a weight that kernels pack is input kPackedInput.
//
// T is f32, f16 or bf16; f16 only on cuda. Sums and the hidden map are at least float, or a pair of half numbers that
// holds as much.
// Inputs   0        map 0           T   [1,H,W,C]
//          1        weight          f32 [3][3][C][K]
//          2        bias            f32 [K]
//          3        logits weight   f32 [1][1][K][A]
//          4        logits bias     f32 [A]
//          5        deltas weight   f32 [1][1][K][4A]
//          6        deltas bias     f32 [4A]
//          7..L+5   maps 1..L-1     T   [1,H,W,C]
// Outputs  0..L-1   logits          f32 [1,H,W,A]
//          L..2L-1  deltas          f32 [1,H,W,4A]
// Edges    taps outside a map count as 0. A NaN or infinite number in a map makes what it reaches not finite; in half
//          precision a hidden number beyond the range of T may do so too.
// Rows     none: a map is one picture.
// Errors   E_MODEL_ARCH: shapes and types that do not fit, more than kRpnHeadMaxLevels maps, a row count.
// Source   torchvision.models.detection.rpn.RPNHead
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct RpnHeadParams {};

inline constexpr size_t kRpnHeadMaxLevels = 8;

// Inputs by name. Maps have numbers of their own: rpn_head_map.
enum RpnHeadInput : size_t {
  kRpnMap0,
  kRpnWeight,
  kRpnBias,
  kRpnLogitsWeight,
  kRpnLogitsBias,
  kRpnDeltasWeight,
  kRpnDeltasBias,
  kRpnMoreMaps
};
// The input that is map l.
constexpr size_t rpn_head_map(size_t level) {
  return level == 0 ? kRpnMap0 : kRpnMoreMaps + level - 1;
}
inline size_t rpn_head_levels(const OpCall& call) {
  return call.out.size() / 2;
}

void visit(RpnHeadParams& params, ParamVisitor& visitor);
Status rpn_head_infer(const RpnHeadParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost rpn_head_cost(const OpCall& call);
Tolerance rpn_head_tolerance(const OpCall& call);

}  // namespace spinert
