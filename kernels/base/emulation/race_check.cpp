// race_check.cpp - which memory a kernel may touch, and accesses on its behalf.
#include "kernels/base/emulation/race_check.h"

#include <cstdio>
#include <mutex>

#include "kernels/base/emulation/memory.h"
#include "kernels/base/emulation/state.h"

// The program as it lies in memory: code and constants end where variables begin.
extern "C" const char __executable_start, __data_start;

namespace spinert::emulation {
namespace {

std::mutex host_mutex;
std::string host_problem;

bool within(const void* address, const void* begin, const void* end) {
  return std::less_equal<>()(begin, address) && std::less<>()(address, end);
}

std::string text(Access kind, size_t bytes, const char* what, const void* caller) {
  const char* const noun = kind == Access::read    ? "a read of "
                           : kind == Access::write ? "a write of "
                                                   : "an atomic operation on ";
  return (what ? std::string(what) + ", " : std::string()) + noun + std::to_string(bytes) + " bytes" +
         place_in_program(caller);
}

void check(const void* address, size_t bytes, Access kind, const Accessor& who) {
  if (bytes == 0) return;
  const uint64_t shared = shared_offset(address);
  if (shared < static_cast<uint64_t>(kSharedWindow)) {
    if (!shared_valid(shared, bytes)) {
      report(text(kind, bytes, who.what, who.caller) + " outside the shared memory of the block, " +
             describe_shared(shared));
      return;
    }
    check_race(shared, bytes, kind, who);
    return;
  }
  const uint64_t device = device_offset(address);
  if (device < static_cast<uint64_t>(kDeviceRange)) {
    if (!device_valid(device, bytes)) {
      report(text(kind, bytes, who.what, who.caller) + " outside device memory, " + describe_device(device));
    }
    return;
  }
  if (current && within(address, current->stack, current->stack + stack_bytes())) return;
  if (kind == Access::read && within(address, &__executable_start, &__data_start)) return;
  if (kind == Access::read && within(address, closure_base, closure_base + closure_bytes)) return;
  report(text(kind, bytes, who.what, who.caller) + ": a host pointer is used on the device");
}

Accessor running(const char* what, const void* caller) {
  return {current->index, current->time, current->known, nullptr, what, caller};
}
Accessor asynchronous(const char* what, const Clock& clock) {
  return {clock.agent().agent, clock.agent().time, nullptr, &clock, what, nullptr};
}

bool is_fenced(int agent, uint32_t time) {
  return time <= block.threads[static_cast<size_t>(agent)].fence_time || current->fence_clock.knows(agent, time);
}

}  // namespace

const char* access_name(Access kind) {
  return kind == Access::read ? "reads" : kind == Access::write ? "writes" : "changes by an atomic operation";
}

std::string place_in_program(const void* caller) {
  if (!caller) return {};
  char place[40];
  // The call itself lies before the address to which it returns.
  std::snprintf(place, sizeof(place), " (at 0x%zx)",
                static_cast<size_t>(static_cast<const char*>(caller) - &__executable_start) - 1);
  return place;
}

void check_access(const void* address, size_t bytes, Access kind, const void* caller) {
  // Most accesses by far: device memory, and the thread's own variables.
  const uint64_t device = device_offset(address);
  if (device < static_cast<uint64_t>(kDeviceRange) && device_bytes && device_valid_quick(device, bytes)) return;
  if (static_cast<size_t>(static_cast<const unsigned char*>(address) - current->stack) < stack_bytes()) return;
  checking = false;
  check(address, bytes, kind, running(nullptr, caller));
  checking = true;
}

void note_read(const void* address, size_t bytes, const char* what) {
  const Inside inside;
  check(address, bytes, Access::read, running(what, nullptr));
}
void note_write(const void* address, size_t bytes, const char* what) {
  const Inside inside;
  check(address, bytes, Access::write, running(what, nullptr));
}
void note_atomic(const void* address, size_t bytes, const char* what) {
  const Inside inside;
  check(address, bytes, Access::atomic, running(what, nullptr));
}
void note_read(const void* address, size_t bytes, const char* what, const Clock& clock) {
  const Inside inside;
  check(address, bytes, Access::read, asynchronous(what, clock));
}
void note_write(const void* address, size_t bytes, const char* what, const Clock& clock) {
  const Inside inside;
  check(address, bytes, Access::write, asynchronous(what, clock));
}

void check_fenced(const void* shared, size_t bytes, const char* what) {
  const Inside inside;
  const uint64_t offset = shared_offset(shared);
  if (offset >= static_cast<uint64_t>(kSharedWindow) || !shared_valid(offset, bytes)) return;  // note_read reports it
  const int64_t unfenced = find_unfenced(offset, bytes, is_fenced);
  if (unfenced >= 0) {
    report(std::string(what) + " reads " + describe_shared(static_cast<uint64_t>(unfenced)) +
           ", written by a thread with no proxy fence behind it");
  }
}

void note_host_access(const void* address, const void* caller) {
  const std::lock_guard lock(host_mutex);
  if (host_problem.empty()) {
    host_problem =
        "code of the host uses device memory, " + describe_device(device_offset(address)) + place_in_program(caller);
  }
}

std::string take_host_problem() {
  const std::lock_guard lock(host_mutex);
  return std::exchange(host_problem, {});
}

}  // namespace spinert::emulation
