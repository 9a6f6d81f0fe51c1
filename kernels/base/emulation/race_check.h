// race_check.h - every access of a kernel is held against the memory that it may touch; accesses to shared memory
// against those of the other threads.
#pragma once

#include "kernels/base/emulation/fibers.h"

namespace spinert::emulation {

enum class Access : unsigned char { read, write, atomic };

// Forgets the accesses of the block before.
void races_begin();
// One access of the running thread by code of the kernel; caller: where.
void check_access(const void* address, size_t bytes, Access kind, const void* caller);

}  // namespace spinert::emulation
