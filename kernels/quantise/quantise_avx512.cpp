// quantise_avx512.cpp - backend cpu, level avx512: f32 to u8 codes
// Layout   any; flat over the elements of the rows in use
// Tile     one vector of 16
// Work     1 multiplication, 2 comparisons and 1 conversion an element
// Bound    memory: 5 bytes an element
// Measured not on an idle machine
// Rejects  nothing
// Numerics exact: the codes of kernels/base/quantise.h
// Tried    nothing else: it is one node of a graph
#include "kernels/base/infer.h"
#include "kernels/base/simd.h"
#include "kernels/quantise/quantise.h"

namespace spinert {
namespace {

#include "kernels/quantise/quantise.inl"

}  // namespace

extern const Kernel quantise_avx512;
const Kernel quantise_avx512 = {.run = quantise_run<SimdAvx512>, .also_takes = kTakesU8};

}  // namespace spinert
