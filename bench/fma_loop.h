// fma_loop.h - the fastest arithmetic a core can do per instruction set: independent chains of multiply-add in
// registers. Each file is compiled for its own instruction set; call only what cpu_features() offers.
#pragma once

#include <cstdint>

namespace spinert::bench {

// Runs `rounds` rounds and returns a value that depends on all of them. Operations: rounds * kOperations<Level>, a
// multiplication and an addition counting as two.
float fma_loop_scalar(int64_t rounds);
float fma_loop_avx2(int64_t rounds);
float fma_loop_avx512(int64_t rounds);
float fma_loop_avx512_vnni(int64_t rounds);  // u8 x s8 into s32
float fma_loop_avx512_bf16(int64_t rounds);  // bf16 into fp32
float fma_loop_amx_int8(int64_t rounds);     // tiles of u8 x s8 into s32
float fma_loop_amx_bf16(int64_t rounds);     // tiles of bf16 into fp32

// Chains: more than latency times ports of any x86 core so far (4 x 2), few enough for 16 registers.
inline constexpr int kFmaChains = 12;
// Tiles: four sums from two left and two right operands fill the eight registers.
inline constexpr int kTileChains = 4, kTileRows = 16, kTileRowBytes = 64;
inline constexpr int64_t kOperationsScalar = 2 * 4 * kFmaChains;  // the baseline of x86-64 computes on four floats
inline constexpr int64_t kOperationsAvx2 = 2 * 8 * kFmaChains;
inline constexpr int64_t kOperationsAvx512 = 2 * 16 * kFmaChains;
inline constexpr int64_t kOperationsAvx512Vnni = 2 * 64 * kFmaChains;
inline constexpr int64_t kOperationsAvx512Bf16 = 2 * 32 * kFmaChains;
inline constexpr int64_t kOperationsAmxInt8 = 2 * 16 * 16 * 64 * kTileChains;
inline constexpr int64_t kOperationsAmxBf16 = 2 * 16 * 16 * 32 * kTileChains;

}  // namespace spinert::bench
