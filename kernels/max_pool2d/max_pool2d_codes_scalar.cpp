// max_pool2d_codes_scalar.cpp - backend cpu, level scalar: max_pool2d_codes.inl
#include "kernels/max_pool2d/max_pool2d_codes.inl"

namespace spinert {

extern const Kernel max_pool2d_codes_scalar;
const Kernel max_pool2d_codes_scalar = {
    .rejects = max_pool2d_codes_rejects, .run = max_pool2d_codes_run, .also_takes = kTakesU8};

}  // namespace spinert
