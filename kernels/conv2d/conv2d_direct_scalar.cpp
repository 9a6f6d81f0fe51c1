// conv2d_direct_scalar.cpp - backend cpu, level scalar: conv2d as plain loops in float over f32 or bf16 activations.
// The fallback that takes every call.
#include <algorithm>

#include "kernels/base/half.h"
#include "kernels/base/quantise.h"
#include "kernels/conv2d/conv2d_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_loops.inl"
#include "kernels/base/igemm/igemm_row.inl"

using Engine = IgemmLoops<FloatSums>;

}  // namespace

extern const Kernel conv2d_direct_scalar;
const Kernel conv2d_direct_scalar = IgemmRow<Engine, conv2d_igemm_call>::kernel();

}  // namespace spinert
