// memory.h - the memory that a kernel may touch: device allocations in one reserved range of addresses with guard gaps,
// and the shared window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace spinert::emulation {

// Device memory. Null when the range is used up.
void* device_allocate(int64_t bytes);
void device_release(void* memory);

constexpr int64_t kDeviceRange = int64_t{64} << 30, kDeviceGranule = 256;
constexpr int64_t kSharedWindow = 512 << 10;
constexpr uint32_t kDynamicOffset = 1024;  // of dynamic shared memory in the window

// One range check tells whose an address is: offset < size.
extern unsigned char* device_base;
extern unsigned char* shared_base;
inline uint64_t device_offset(const void* address) {
  return reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(device_base);
}
inline uint64_t shared_offset(const void* address) {
  return reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(shared_base);
}
// Of each granule of the device range: bytes in use from its start. Null before the first allocation.
extern uint16_t* device_bytes;
// Quick answer for a few bytes within one granule; false: ask device_valid.
inline bool device_valid_quick(uint64_t offset, size_t bytes) {
  return offset % kDeviceGranule + bytes <= device_bytes[offset / kDeviceGranule];
}
// All bytes belong to one live allocation, or to one array of shared memory.
bool device_valid(uint64_t offset, size_t bytes);
bool shared_valid(uint64_t offset, size_t bytes);

// For errors: "byte 1028, 4 behind an allocation of 1024 bytes", "byte 12 of dynamic shared memory (1024 bytes)".
std::string describe_device(uint64_t offset);
std::string describe_shared(uint64_t offset);

// The shared memory of a launch; false: more than there is.
bool shared_begin(int64_t dynamic_bytes, int64_t limit);
// Fills what is in use with 0xff.
void shared_poison();
// Null: the arrays do not fit.
void* shared_array(int64_t bytes, int64_t align, const void* key);
int64_t shared_dynamic_bytes();

// Under the address sanitizer an access to a poisoned region stops the program; otherwise nothing.
void poison(const void* address, int64_t bytes);
void unpoison(const void* address, int64_t bytes);

}  // namespace spinert::emulation
