// linear_integer_scalar.cpp - backend cpu, level scalar: linear as plain loops in whole numbers over u8 codes. The
// fallback that takes every call whose input is u8.
#include <algorithm>

#include "kernels/base/half.h"
#include "kernels/base/quantise.h"
#include "kernels/linear/linear_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_loops.inl"
#include "kernels/base/igemm/igemm_row.inl"

using Engine = IgemmLoops<IntegerSums>;

}  // namespace

extern const Kernel linear_integer_scalar;
const Kernel linear_integer_scalar = IgemmRow<Engine, linear_igemm_call>::kernel();

}  // namespace spinert
