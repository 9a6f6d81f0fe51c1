// max_pool2d_codes_avx512.cpp - backend cpu, level avx512: max_pool2d_codes.inl
#include "kernels/max_pool2d/max_pool2d_codes.inl"

namespace spinert {

extern const Kernel max_pool2d_codes_avx512;
const Kernel max_pool2d_codes_avx512 = {
    .rejects = max_pool2d_codes_rejects, .run = max_pool2d_codes_run, .also_takes = kTakesU8};

}  // namespace spinert
