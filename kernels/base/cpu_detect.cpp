#include "kernels/base/cpu_detect.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace spinert {

#if defined(__x86_64__)
namespace {

// Feature bits of CPUID leaf 7. They are read here because compilers before 13 do not know the names of all of them.
constexpr unsigned kEcxVnni = 1u << 11;                                                     // subleaf 0
constexpr unsigned kEdxAmxBf16 = 1u << 22, kEdxAmxTile = 1u << 24, kEdxAmxInt8 = 1u << 25;  // subleaf 0
constexpr unsigned kEaxBf16 = 1u << 5;                                                      // subleaf 1
// State components of XCR0: 17 and 18 are the tiles.
constexpr unsigned kXcr0Tiles = 3u << 17;
// arch_prctl: permission to use a state component that the kernel allocates on demand.
constexpr int kArchReqXcompPerm = 0x1023, kTileData = 18;

unsigned xcr0() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool tiles_permitted() {
  return (xcr0() & kXcr0Tiles) == kXcr0Tiles && syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
}

}  // namespace

Level detect_cpu_level() {
  // __builtin_cpu_supports looks at XCR0 too: a level counts only if the system saves its registers.
  __builtin_cpu_init();
  if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))) return Level::scalar;
  if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))) {
    return Level::avx2;
  }
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(ecx & kEcxVnni)) return Level::avx512;
  const unsigned amx = edx;
  if (!__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) || !(eax & kEaxBf16)) return Level::avx512_vnni;
  if (!(amx & kEdxAmxTile) || !(amx & kEdxAmxInt8) || !tiles_permitted()) return Level::avx512_bf16;
  return amx & kEdxAmxBf16 ? Level::amx_bf16 : Level::amx_int8;
}
#else
Level detect_cpu_level() {
  return Level::scalar;
}
#endif

}  // namespace spinert
