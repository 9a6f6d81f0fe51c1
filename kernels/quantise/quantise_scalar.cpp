// quantise_scalar.cpp - backend cpu, level scalar: quantise.inl
#include "kernels/base/infer.h"
#include "kernels/base/simd.h"
#include "kernels/quantise/quantise.h"

namespace spinert {
namespace {

#include "kernels/quantise/quantise.inl"

}  // namespace

extern const Kernel quantise_scalar;
const Kernel quantise_scalar = {.run = quantise_run<SimdScalar>, .also_takes = kTakesU8};

}  // namespace spinert
