// fma_loop.h - the fastest arithmetic a core can do per instruction set: independent chains of multiply-add in
// registers. Each file is compiled for its own instruction set; call only what cpu_features() offers.
#pragma once

#include <cstdint>

namespace spinert::bench {

// Runs `rounds` rounds and returns a value that depends on all of them. Flops: rounds * kFlops<Isa>.
float fma_loop_scalar(int64_t rounds);
float fma_loop_avx2(int64_t rounds);
float fma_loop_avx512(int64_t rounds);

// Chains: more than latency times ports of any x86 core so far (4 x 2), few enough for 16 registers.
inline constexpr int kFmaChains = 12;
inline constexpr int64_t kFlopsScalar = 2 * 4 * kFmaChains;  // four floats are what the baseline of x86-64 computes on
inline constexpr int64_t kFlopsAvx2 = 2 * 8 * kFmaChains;
inline constexpr int64_t kFlopsAvx512 = 2 * 16 * kFmaChains;

}  // namespace spinert::bench
