// compiler_hooks.cpp - the calls that the compiler inserts into kernels with -fsanitize=thread, answered by our own
// check of accesses instead of the library of ThreadSanitizer, which knows no fibers, no blocks and no clocks of
// barriers.
//
// The same objects hold host code (run(), pack()) and inline functions that the linker may choose for the whole
// program: outside a running kernel every call returns at once.
#include <atomic>

#include "kernels/base/emulation/memory.h"
#include "kernels/base/emulation/race_check.h"
#include "kernels/base/emulation/state.h"

namespace {

using spinert::emulation::Access;
using spinert::emulation::check_access;
using spinert::emulation::checking;
using spinert::emulation::device_at_work;
using spinert::emulation::device_base;
using spinert::emulation::device_offset;
using spinert::emulation::kDeviceRange;
using spinert::emulation::note_host_access;

void access(const void* address, size_t bytes, Access kind, const void* caller) {
  if (checking) {
    check_access(address, bytes, kind, caller);
  } else if (device_offset(address) < static_cast<uint64_t>(kDeviceRange) && device_base && !device_at_work) {
    note_host_access(address, caller);
  }
}

template <class T>
T* atomic(volatile void* address, const void* caller) {
  T* const cell = const_cast<T*>(static_cast<volatile T*>(address));
  access(cell, sizeof(T), Access::atomic, caller);
  return cell;
}

}  // namespace

#define CALLER __builtin_return_address(0)
#define HOOK(Result, name, ...)        \
  extern "C" Result name(__VA_ARGS__); \
  extern "C" Result name(__VA_ARGS__)

HOOK(void, __tsan_init) {}
HOOK(void, __tsan_func_entry, void*) {}
HOOK(void, __tsan_func_exit) {}
HOOK(void, __tsan_vptr_update, void** address, void*) {
  access(address, sizeof(void*), Access::write, CALLER);
}
HOOK(void, __tsan_vptr_read, void** address) {
  access(address, sizeof(void*), Access::read, CALLER);
}
HOOK(void, __tsan_read_range, void* address, unsigned long bytes) {
  access(address, bytes, Access::read, CALLER);
}
HOOK(void, __tsan_write_range, void* address, unsigned long bytes) {
  access(address, bytes, Access::write, CALLER);
}

#define ONE(name, bytes, kind)                    \
  HOOK(void, name##bytes, void* address) {        \
    access(address, bytes, Access::kind, CALLER); \
  }
#define PLAIN(bytes)                               \
  ONE(__tsan_read, bytes, read)                    \
  ONE(__tsan_write, bytes, write)                  \
  ONE(__tsan_unaligned_read, bytes, read)          \
  ONE(__tsan_unaligned_write, bytes, write)        \
  ONE(__tsan_volatile_read, bytes, read)           \
  ONE(__tsan_volatile_write, bytes, write)         \
  ONE(__tsan_unaligned_volatile_read, bytes, read) \
  ONE(__tsan_unaligned_volatile_write, bytes, write)
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

// Atomic operations of C++ are calls as well, in host code too: the strongest order serves all.
#define FETCH(bits, T, operation)                                                           \
  HOOK(T, __tsan_atomic##bits##_fetch_##operation, volatile void* address, T value, int) {  \
    return __atomic_fetch_##operation(atomic<T>(address, CALLER), value, __ATOMIC_SEQ_CST); \
  }
#define COMPARE(bits, T, kind)                                                                                    \
  HOOK(bool, __tsan_atomic##bits##_compare_exchange_##kind, volatile void* address, void* expected, T value, int, \
       int) {                                                                                                     \
    return __atomic_compare_exchange_n(atomic<T>(address, CALLER), static_cast<T*>(expected), value, false,       \
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                       \
  }
#define ATOMICS(bits, T)                                                                              \
  HOOK(T, __tsan_atomic##bits##_load, const volatile void* address, int) {                            \
    return __atomic_load_n(atomic<T>(const_cast<volatile void*>(address), CALLER), __ATOMIC_SEQ_CST); \
  }                                                                                                   \
  HOOK(void, __tsan_atomic##bits##_store, volatile void* address, T value, int) {                     \
    __atomic_store_n(atomic<T>(address, CALLER), value, __ATOMIC_SEQ_CST);                            \
  }                                                                                                   \
  HOOK(T, __tsan_atomic##bits##_exchange, volatile void* address, T value, int) {                     \
    return __atomic_exchange_n(atomic<T>(address, CALLER), value, __ATOMIC_SEQ_CST);                  \
  }                                                                                                   \
  FETCH(bits, T, add)                                                                                 \
  FETCH(bits, T, sub)                                                                                 \
  FETCH(bits, T, and)                                                                                 \
  FETCH(bits, T, or)                                                                                  \
  FETCH(bits, T, xor)                                                                                 \
  COMPARE(bits, T, strong)                                                                            \
  COMPARE(bits, T, weak)
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
HOOK(void, __tsan_atomic_thread_fence, int) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
}
HOOK(void, __tsan_atomic_signal_fence, int) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}
