#include "kernels/base/cpu_detect.h"

#include "kernels/base/amx_tiles.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace spinert {
namespace {

// Feature bits of CPUID leaf 7. They are read here because compilers before 13 do not know the names of all of them.
constexpr unsigned kEcxVnni = 1u << 11;                                                     // subleaf 0
constexpr unsigned kEdxAmxBf16 = 1u << 22, kEdxAmxTile = 1u << 24, kEdxAmxInt8 = 1u << 25;  // subleaf 0
constexpr unsigned kEaxBf16 = 1u << 5;                                                      // subleaf 1
// State components of XCR0: 17 and 18 are the tiles.
constexpr unsigned kXcr0Tiles = 3u << 17;

// Tiles as large as the kernels configure them.
bool tiles_are_full_size(const CpuFacts& facts) {
  const unsigned row_bytes = facts.palette_ebx & 0xFFFF, names = facts.palette_ebx >> 16;
  const unsigned rows = facts.palette_ecx & 0xFFFF;
  const unsigned product_k = facts.product_ebx & 0xFF, product_row_bytes = facts.product_ebx >> 8 & 0xFFFF;
  return row_bytes >= kTileRowBytes && names >= 8 && rows >= kTileRows && product_k >= kTileRows &&
         product_row_bytes >= kTileRowBytes;
}

}  // namespace

Level level_of(const CpuFacts& facts, bool (*permission)()) {
  if (!facts.avx2) return Level::scalar;
  if (!facts.avx512) return Level::avx2;
  if (!(facts.leaf7_ecx & kEcxVnni)) return Level::avx512;
  if (!(facts.leaf7_1_eax & kEaxBf16)) return Level::avx512_vnni;
  if (!(facts.leaf7_edx & kEdxAmxTile) || !(facts.leaf7_edx & kEdxAmxInt8) || !tiles_are_full_size(facts) ||
      (facts.xcr0 & kXcr0Tiles) != kXcr0Tiles || !permission()) {
    return Level::avx512_bf16;
  }
  return facts.leaf7_edx & kEdxAmxBf16 ? Level::amx_bf16 : Level::amx_int8;
}

#if defined(__x86_64__)
namespace {

// arch_prctl: permission to use a state component for which the system allocates room on demand. Kernels before 5.16
// do not know the call, and a seccomp filter may refuse it; both mean no tiles.
constexpr int kArchReqXcompPerm = 0x1023, kTileData = 18;

bool ask_for_tiles() {
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
}

}  // namespace

Level detect_cpu_level() {
  // __builtin_cpu_supports looks at XCR0 too: a level counts only if the system saves its registers.
  __builtin_cpu_init();
  CpuFacts facts;
  facts.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  facts.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
    facts.leaf7_ecx = ecx;
    facts.leaf7_edx = edx;
  }
  if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) facts.leaf7_1_eax = eax;
  if (__get_cpuid_count(0x1D, 1, &eax, &ebx, &ecx, &edx)) {
    facts.palette_ebx = ebx;
    facts.palette_ecx = ecx;
  }
  if (__get_cpuid_count(0x1E, 0, &eax, &ebx, &ecx, &edx)) facts.product_ebx = ebx;
  // AVX2 above means that XGETBV is there.
  if (facts.avx2) __asm__ volatile("xgetbv" : "=a"(facts.xcr0), "=d"(edx) : "c"(0));
  return level_of(facts, ask_for_tiles);
}
#else
Level detect_cpu_level() {
  return Level::scalar;
}
#endif

}  // namespace spinert
