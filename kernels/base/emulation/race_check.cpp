// race_check.cpp - see race_check.h.
#include "kernels/base/emulation/race_check.h"

#include "kernels/base/emulation/memory.h"
#include "kernels/base/emulation/state.h"

namespace spinert::emulation {
namespace {

void check_bounds(const void* address, size_t bytes, const char* what) {
  const uint64_t shared = shared_offset(address), device = device_offset(address);
  if (shared < static_cast<uint64_t>(kSharedWindow)) {
    if (!shared_valid(shared, bytes)) report(std::string(what) + ": outside the shared memory of the block");
  } else if (device < static_cast<uint64_t>(kDeviceRange)) {
    if (!device_valid(device, bytes)) report(std::string(what) + ": outside every allocation of device memory");
  }
}

}  // namespace

void races_begin() {}

void check_access(const void* address, size_t bytes, Access, const void*) {
  const Inside inside;
  check_bounds(address, bytes, "an access");
}

void note_read(const void* address, size_t bytes, const char* what) {
  const Inside inside;
  check_bounds(address, bytes, what);
}
void note_write(const void* address, size_t bytes, const char* what) {
  const Inside inside;
  check_bounds(address, bytes, what);
}
void note_atomic(const void* address, size_t bytes, const char* what) {
  const Inside inside;
  check_bounds(address, bytes, what);
}
void note_read(const void* address, size_t bytes, const char* what, const Clock&) {
  const Inside inside;
  check_bounds(address, bytes, what);
}
void note_write(const void* address, size_t bytes, const char* what, const Clock&) {
  const Inside inside;
  check_bounds(address, bytes, what);
}
void check_fenced(const void*, size_t, const char*) {}

}  // namespace spinert::emulation
