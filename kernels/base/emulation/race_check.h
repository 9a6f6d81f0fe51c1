// race_check.h - every access of a kernel is held against the memory that it may touch; accesses to shared memory also
// against those of the other threads of the block: two agents, one byte, at least one write, and no barrier or other
// order between them is a race. Atomic operations race with plain accesses, not with each other.
#pragma once

#include "kernels/base/emulation/fibers.h"

namespace spinert::emulation {

enum class Access : unsigned char { read, write, atomic };

// Who accesses, what it knows, and how to say where. `clock` is null for the running thread.
struct Accessor {
  int agent;
  uint32_t time;
  ClockVector* known;
  const Clock* clock;
  const char* what;    // the instruction, or null
  const void* caller;  // a place in the program, or null
};

// One access of the running thread by code of the kernel; caller: where.
void check_access(const void* address, size_t bytes, Access kind, const void* caller);
// Code of the host has touched device memory outside every launch; the next synchronize fails.
void note_host_access(const void* address, const void* caller);
std::string take_host_problem();

// shadow.cpp: the accesses to shared memory so far.
void races_begin();  // forgets those of the block before
void check_race(uint64_t offset, size_t bytes, Access kind, const Accessor& who);
// The first byte whose last write is by a thread and not `fenced`; -1: none.
int64_t find_unfenced(uint64_t offset, size_t bytes, bool (*fenced)(int agent, uint32_t time));

// " (program +0x1234)", or nothing.
std::string place_in_program(const void* caller);
const char* access_name(Access kind);

}  // namespace spinert::emulation
