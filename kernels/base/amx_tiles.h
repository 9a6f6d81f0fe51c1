// amx_tiles.h - every tile instruction (AMX) that a kernel uses, one function each. Kernels hold no inline assembly.
//
//   AmxTiles                          the instructions; in files compiled for them (*_amx_int8.cpp, *_amx_bf16.cpp)
//   AmxModel (tests/support/amx_model.h)  the same names in plain C++, after the pseudo-code of Intel's manual
//
// A thread has eight tiles of up to 16 rows of 64 bytes (palette 1). Their sizes are set by configure(), which also
// zeroes them; release() gives them back, and a thread must do so before it leaves its work: the system then saves 8 KB
// less at every switch. Tile numbers are constants, so the wrappers are templates.
//
//   configure(config)                 every tile gets its rows and bytes per row, and zeros
//   release()                         back to the state before configure
//   zero<t>()                         tile t = 0
//   load<t>(base, stride)             row r = bytes at base + r * stride
//   store<t>(base, stride)
//   dot_bf16<c, a, b>()               c[m][n] += sum over i of a[m][i] * b[i][n], c f32; a: rows of bf16, k ascending;
//                                     b: row i holds k = 2 i and 2 i + 1 of each column side by side. Per instruction
//                                     the even and the odd k of an output are two chains of fused multiply-adds from
//                                     zero; then c + (even + odd). Denormals count as zero, in and out; half to even.
//   dot_u8s8<c, a, b>()               the same with four neighbours: a u8, b s8, c i32, which wraps
//
// Intrinsics of gcc 12 are not used: its _tile_loadconfig tells the compiler of 8 of the 64 bytes that it reads, and
// its _tile_loadd of none, so that a store to a gathered block may sink below the load of it.
#pragma once

#include <cstdint>

namespace spinert {

// The operand of LDTILECFG.
struct alignas(64) TileConfig {
  uint8_t palette = 0;
  uint8_t start_row = 0;
  uint8_t reserved_0[14] = {};
  uint16_t row_bytes[8] = {};
  uint8_t reserved_1[16] = {};
  uint8_t rows[8] = {};
  uint8_t reserved_2[8] = {};
};
static_assert(sizeof(TileConfig) == 64);

inline constexpr int kTileRows = 16, kTileRowBytes = 64;

// All eight tiles at their full size.
constexpr TileConfig full_tiles() {
  TileConfig config;
  config.palette = 1;
  for (int t = 0; t < 8; ++t) {
    config.row_bytes[t] = kTileRowBytes;
    config.rows[t] = kTileRows;
  }
  return config;
}

#if defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AMX_BF16__)
namespace {

struct AmxTiles {
  static void configure(const TileConfig& config) { __asm__ volatile("ldtilecfg %0" ::"m"(config)); }
  static void release() { __asm__ volatile("tilerelease"); }

  template <int t>
  static void zero() {
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(t));
  }
  template <int t>
  static void load(const void* base, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(base), "r"(stride), "i"(t) : "memory");
  }
  template <int t>
  static void store(void* base, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(base), "r"(stride), "i"(t) : "memory");
  }
  template <int c, int a, int b>
  static void dot_bf16() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
  }
  template <int c, int a, int b>
  static void dot_u8s8() {
    __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
  }
};

}  // namespace
#endif

}  // namespace spinert
