// memory.cpp - device memory and the shared window of the emulation.
#include "kernels/base/emulation/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace spinert::emulation {
namespace {

constexpr int64_t kGuard = 4096;       // after every device allocation
constexpr int64_t kSharedGuard = 256;  // after every shared array
constexpr int64_t kStaticLimit = 48 << 10;

unsigned char* reserve(int64_t bytes) {
  void* memory = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<unsigned char*>(memory);
}

int64_t round_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

// Addresses are not used again while any allocation lives, so that a pointer kept too long is found.
struct DeviceMemory {
  std::mutex mutex;
  int64_t next = 0;
  std::map<int64_t, int64_t> live;  // offset, bytes

  void mark(int64_t offset, int64_t bytes, bool in_use) {
    for (int64_t i = 0; i < bytes; i += kDeviceGranule) {
      device_bytes[(offset + i) / kDeviceGranule] =
          static_cast<uint16_t>(in_use ? std::min<int64_t>(bytes - i, kDeviceGranule) : 0);
    }
  }
};
DeviceMemory device_memory;

struct SharedArray {
  const void* key;
  int64_t offset, bytes;
};
struct SharedMemory {
  std::vector<unsigned char> valid = std::vector<unsigned char>(kSharedWindow);
  std::vector<SharedArray> arrays;
  int64_t dynamic_bytes = 0, static_bytes = 0, limit = 0, next = 0;

  void use(int64_t offset, int64_t bytes) {
    std::fill_n(valid.begin() + offset, bytes, 1);
    unpoison(shared_base + offset, bytes);
    std::memset(shared_base + offset, 0xFF, static_cast<size_t>(bytes));
  }
};
SharedMemory shared_memory;

}  // namespace

unsigned char* device_base = reserve(kDeviceRange);
uint16_t* device_bytes = nullptr;
unsigned char* shared_base = reserve(kSharedWindow);

void* device_allocate(int64_t bytes) {
  const std::lock_guard lock(device_memory.mutex);
  DeviceMemory& memory = device_memory;
  if (!device_bytes) {
    device_bytes = reinterpret_cast<uint16_t*>(reserve(kDeviceRange / kDeviceGranule * int64_t{sizeof(uint16_t)}));
  }
  if (memory.live.empty()) memory.next = kGuard;
  if (!device_base || !device_bytes || bytes > kDeviceRange - memory.next - 2 * kGuard) return nullptr;
  const int64_t offset = memory.next;
  memory.next = round_up(offset + bytes, kDeviceGranule) + kGuard;
  memory.live[offset] = bytes;
  memory.mark(offset, bytes, true);
  unpoison(device_base + offset, bytes);
  poison(device_base + offset + bytes, memory.next - offset - bytes);
  poison(device_base + offset - kGuard, kGuard);
  std::memset(device_base + offset, 0xFF, static_cast<size_t>(bytes));  // NaN: never read before written
  return device_base + offset;
}

void device_release(void* pointer) {
  const std::lock_guard lock(device_memory.mutex);
  const auto found = device_memory.live.find(static_cast<unsigned char*>(pointer) - device_base);
  if (found == device_memory.live.end()) return;
  device_memory.mark(found->first, found->second, false);
  // Whole pages go back to the system; the addresses stay unused.
  const int64_t begin = round_up(found->first, kGuard), end = (found->first + found->second) / kGuard * kGuard;
  if (end > begin) madvise(device_base + begin, static_cast<size_t>(end - begin), MADV_DONTNEED);
  poison(pointer, found->second);
  device_memory.live.erase(found);
}

bool device_valid(uint64_t offset, size_t bytes) {
  if (!device_bytes || offset + bytes > static_cast<uint64_t>(kDeviceRange)) return false;
  while (bytes > 0) {
    const uint64_t inside = offset % kDeviceGranule;
    const uint64_t step = std::min<uint64_t>(bytes, kDeviceGranule - inside);
    if (inside + step > device_bytes[offset / kDeviceGranule]) return false;
    offset += step;
    bytes -= step;
  }
  return true;
}

bool shared_valid(uint64_t offset, size_t bytes) {
  if (offset + bytes > static_cast<uint64_t>(kSharedWindow)) return false;
  const unsigned char* valid = shared_memory.valid.data() + offset;
  for (size_t i = 0; i < bytes; ++i) {
    if (!valid[i]) return false;
  }
  return true;
}

std::string describe_device(uint64_t offset) {
  const std::lock_guard lock(device_memory.mutex);
  const auto at = static_cast<int64_t>(offset);
  auto next = device_memory.live.upper_bound(at);
  if (next == device_memory.live.begin()) {
    if (next == device_memory.live.end()) return "where nothing is allocated";
    return std::to_string(next->first - at) + " bytes before an allocation of " + std::to_string(next->second);
  }
  const auto [begin, bytes] = *std::prev(next);
  const std::string of =
      "byte " + std::to_string(at - begin) + " of an allocation of " + std::to_string(bytes) + " bytes";
  if (next == device_memory.live.end() || at < begin + bytes + kGuard / 2) return of;
  return of + " or " + std::to_string(next->first - at) + " bytes before one of " + std::to_string(next->second);
}

std::string describe_shared(uint64_t offset) {
  const auto at = static_cast<int64_t>(offset);
  int64_t begin = kDynamicOffset, bytes = shared_memory.dynamic_bytes;
  std::string name = "dynamic shared memory";
  for (size_t i = 0; i < shared_memory.arrays.size(); ++i) {
    const SharedArray& array = shared_memory.arrays[i];
    if (at < array.offset) break;
    begin = array.offset;
    bytes = array.bytes;
    name = "shared array " + std::to_string(i);
  }
  return "byte " + std::to_string(at - begin) + " of " + name + " (" + std::to_string(bytes) + " bytes)";
}

bool shared_begin(int64_t dynamic_bytes, int64_t limit) {
  SharedMemory& memory = shared_memory;
  if (!shared_base || dynamic_bytes < 0 || dynamic_bytes > limit) return false;
  memory.arrays.clear();
  std::fill(memory.valid.begin(), memory.valid.end(), 0);
  poison(shared_base, kSharedWindow);
  memory.dynamic_bytes = dynamic_bytes;
  memory.static_bytes = 0;
  memory.limit = limit;
  memory.use(kDynamicOffset, dynamic_bytes);
  memory.next = round_up(kDynamicOffset + dynamic_bytes + kSharedGuard, 1024);
  return true;
}

void shared_poison() {
  std::memset(shared_base + kDynamicOffset, 0xFF, static_cast<size_t>(shared_memory.dynamic_bytes));
  for (const SharedArray& array : shared_memory.arrays) {
    std::memset(shared_base + array.offset, 0xFF, static_cast<size_t>(array.bytes));
  }
}

void* shared_array(int64_t bytes, int64_t align, const void* key) {
  SharedMemory& memory = shared_memory;
  for (const SharedArray& array : memory.arrays) {
    if (array.key == key) return shared_base + array.offset;
  }
  const int64_t offset = round_up(memory.next, std::max<int64_t>(align, 16));
  memory.static_bytes = round_up(memory.static_bytes, align) + bytes;
  if (memory.static_bytes > kStaticLimit || memory.static_bytes + memory.dynamic_bytes > memory.limit) return nullptr;
  memory.arrays.push_back({key, offset, bytes});
  memory.use(offset, bytes);
  memory.next = offset + bytes + kSharedGuard;
  return shared_base + offset;
}

int64_t shared_dynamic_bytes() {
  return shared_memory.dynamic_bytes;
}

void poison([[maybe_unused]] const void* address, [[maybe_unused]] int64_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_poison_memory_region(address, static_cast<size_t>(bytes));
#endif
}

void unpoison([[maybe_unused]] const void* address, [[maybe_unused]] int64_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(address, static_cast<size_t>(bytes));
#endif
}

}  // namespace spinert::emulation
