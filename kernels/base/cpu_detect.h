// cpu_detect.h - what this processor and system offer to the cpu backend.
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

// The highest level of which every feature is there: reported by CPUID and, for registers beyond SSE, saved by the
// system (XCR0). Tiles (AMX) need the system's permission besides, which this call asks for, once for the whole
// process: threads share it, also those that run already.
Level detect_cpu_level();

// What detect_cpu_level() looks at, and its decision as a pure function of that. Sources: Intel's Software Developer's
// Manual (CPUID; volume 1, chapter 18 for tiles), the kernel's Documentation/arch/x86/xstate.rst for the permission.
struct CpuFacts {
  bool avx2 = false;                                       // AVX2 and FMA, registers saved by the system
  bool avx512 = false;                                     // F, BW, DQ, VL, likewise
  unsigned leaf7_ecx = 0, leaf7_edx = 0, leaf7_1_eax = 0;  // CPUID 7, subleaves 0 and 1
  unsigned xcr0 = 0;
  unsigned palette_ebx = 0, palette_ecx = 0;  // CPUID 1DH, subleaf 1: palette 1
  unsigned product_ebx = 0;                   // CPUID 1EH: limits of the tile products
};
// permission: asks the system for tiles; called only where everything else is there.
Level level_of(const CpuFacts& facts, bool (*permission)());

}  // namespace spinert
