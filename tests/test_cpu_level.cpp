// The level of the cpu backend as a function of what CPUID, XCR0 and the system say: every missing part lowers it, and
// the system is asked for tiles only where all else is there.
#include <gtest/gtest.h>

#include "kernels/base/cpu_detect.h"
#include "kernels/registry.h"

namespace spinert {
namespace {

int asked = 0;
bool granted() {
  ++asked;
  return true;
}
bool refused() {
  ++asked;
  return false;
}

// The answers of a processor with everything: 8 tiles of 16 rows of 64 bytes, products of 16 x 64.
CpuFacts everything() {
  return {.avx2 = true,
          .avx512 = true,
          .leaf7_ecx = 1u << 11,
          .leaf7_edx = 1u << 22 | 1u << 24 | 1u << 25,
          .leaf7_1_eax = 1u << 5,
          .xcr0 = 0x600e7,
          .palette_ebx = 8u << 16 | 64,
          .palette_ecx = 16,
          .product_ebx = 64u << 8 | 16};
}

TEST(CpuLevel, EveryMissingPartLowersIt) {
  struct Case {
    const char* missing;
    Level level;
    bool asks;
    void (*take)(CpuFacts&);
  };
  const Case cases[] = {
      {"nothing", Level::amx_bf16, true, [](CpuFacts&) {}},
      {"AMX-BF16", Level::amx_int8, true, [](CpuFacts& f) { f.leaf7_edx &= ~(1u << 22); }},
      {"AMX-TILE", Level::avx512_bf16, false, [](CpuFacts& f) { f.leaf7_edx &= ~(1u << 24); }},
      {"AMX-INT8", Level::avx512_bf16, false, [](CpuFacts& f) { f.leaf7_edx &= ~(1u << 25); }},
      {"XTILECFG", Level::avx512_bf16, false, [](CpuFacts& f) { f.xcr0 &= ~(1u << 17); }},
      {"XTILEDATA", Level::avx512_bf16, false, [](CpuFacts& f) { f.xcr0 &= ~(1u << 18); }},
      {"palette 1", Level::avx512_bf16, false, [](CpuFacts& f) { f.palette_ebx = f.palette_ecx = 0; }},
      {"bytes per row", Level::avx512_bf16, false, [](CpuFacts& f) { f.palette_ebx = 8u << 16 | 32; }},
      {"tiles", Level::avx512_bf16, false, [](CpuFacts& f) { f.palette_ebx = 4u << 16 | 64; }},
      {"rows", Level::avx512_bf16, false, [](CpuFacts& f) { f.palette_ecx = 8; }},
      {"product k", Level::avx512_bf16, false, [](CpuFacts& f) { f.product_ebx = 64u << 8 | 8; }},
      {"product columns", Level::avx512_bf16, false, [](CpuFacts& f) { f.product_ebx = 32u << 8 | 16; }},
      {"AVX512_BF16", Level::avx512_vnni, false, [](CpuFacts& f) { f.leaf7_1_eax = 0; }},
      {"AVX512_VNNI", Level::avx512, false, [](CpuFacts& f) { f.leaf7_ecx = 0; }},
      {"AVX-512", Level::avx2, false, [](CpuFacts& f) { f.avx512 = false; }},
      {"AVX2", Level::scalar, false, [](CpuFacts& f) { f.avx2 = false; }},
  };
  for (const Case& c : cases) {
    CpuFacts facts = everything();
    c.take(facts);
    asked = 0;
    EXPECT_EQ(level_name(level_of(facts, granted)), level_name(c.level)) << "without " << c.missing;
    EXPECT_EQ(asked, c.asks) << "without " << c.missing;
  }
  asked = 0;
  EXPECT_EQ(level_of(everything(), refused), Level::avx512_bf16) << "without permission";
  EXPECT_EQ(asked, 1);
}

TEST(CpuLevel, SaysTheSameTwice) {
  EXPECT_EQ(detect_cpu_level(), cpu_features().best);
}

}  // namespace
}  // namespace spinert
