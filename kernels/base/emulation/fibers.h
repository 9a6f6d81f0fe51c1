// fibers.h - the core of the emulation: one block of threads as fibers, and what the twins of CUDA and PTX are made of.
//
// Blocks run one after the other in a shuffled order; the threads of a block switch only inside the functions below. A
// function called by a thread works for that thread. While a thread is inside the emulation, its memory accesses are
// not checked (Inside); what it does on behalf of the kernel it declares with note_read and note_write.
//
// A thread that fails never goes on: its stack is dropped without unwinding. Own nothing on a stack across a switch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "kernels/base/cuda_device.h"
#include "kernels/base/emulation/clock.h"

namespace spinert::emulation {

struct Index3 {
  unsigned x, y, z;
};

// ---- who am I. `const`: the answer never changes within one activation of a function, so calls are merged.
[[gnu::const]] Index3 thread_index();
[[gnu::const]] Index3 block_index();
[[gnu::const]] Index3 block_size();
[[gnu::const]] Index3 grid_size();
[[gnu::const]] int thread_in_block();
[[gnu::const]] int block_threads();
inline int lane() {
  return thread_in_block() % 32;
}
inline int warp() {
  return thread_in_block() / 32;
}

// While one lives, accesses of the calling thread are the emulation's own and are not checked. The first thing in every
// twin that is defined in a header (twins in a .cpp of this folder are not instrumented, but what they inline from the
// standard library may be).
class Inside {
 public:
  Inside();
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  bool was_;
};

// ---- meeting points

struct Scope {
  enum class Kind : unsigned char { warp, warpgroup, block, named };
  Kind kind;
  uint32_t mask;  // warp: lanes that take part
  int id;         // named: 0 to 15
  int threads;    // named: how many arrive, a multiple of 32

  static Scope warp(uint32_t mask = 0xFFFFFFFFu) { return {Kind::warp, mask, 0, 0}; }
  static Scope warpgroup() { return {Kind::warpgroup, 0, 0, 0}; }  // four warps, the first a multiple of 4
  static Scope block() { return {Kind::block, 0, 0, 0}; }
  static Scope named(int id, int threads) { return {Kind::named, 0, id, threads}; }
};
// none: meets only (shuffles, votes, mma). joined: also orders memory among all who meet (barriers).
enum class Order : unsigned char { none, joined };

// lanes[i] is the argument of lane i of the warp, thread i of the warpgroup or block, or the i-th to arrive at a named
// barrier; null for one that takes no part. slots is 32, 128, the threads of the block, or those of the barrier.
using Body = void (*)(void* const* lanes, int slots);

// Waits until every thread of the scope has called with the same `what`; the last one to come runs body (if any) once;
// then all go on. Threads that have exited are not waited for, except at named barriers. `what` is a string constant
// that names the operation in errors ("__shfl_sync"). Different operations at one meeting point are an error.
void rendezvous(const Scope& scope, const char* what, void* mine, Body body, Order order);
// Comes to a named barrier without waiting (bar.arrive): counts, releases the caller's clock to those who wait.
void arrive(const Scope& named, const char* what);

// Yields until ready(argument) is true; it is called often and without a current thread. `what` names it in the report
// of a deadlock.
void wait_until(bool (*ready)(void*), void* argument, const char* what);
// Lets others run once.
void yield();

// ---- asynchronous operations (TMA, cp.async, wgmma): run once at a random later switch, at the latest when no thread
// can go on, before the block ends in any case. Operations of one queue (>= 0) run in the order of their defer; -1: any
// order. They run without a current thread: use the forms of note_* with a Clock.
void defer(std::function<void()> operation, int queue = -1);

// ---- order of memory accesses (clock.h)

// What I did so far, for someone who will acquire it; my later accesses are not part of it.
Clock release();
// Everything in `clock` is now before me.
void acquire(const Clock& clock);
// A clock for an asynchronous operation that starts now: after everything I did, concurrent to all that I do later. Its
// accesses are noted with it; who waits for the operation acquires it, directly or through a barrier's clock.
// own: my one private agent, whose operations are in order (cp.async). fresh: an agent for this operation alone (TMA,
// wgmma).
enum class Agent : unsigned char { own, fresh };
Clock fork(Agent agent);

// Accesses on behalf of the calling thread; the same checks as an access that the kernel makes itself: bounds, host
// memory, races on shared memory. `what` names the instruction in errors.
void note_read(const void* address, size_t bytes, const char* what);
void note_write(const void* address, size_t bytes, const char* what);
void note_atomic(const void* address, size_t bytes, const char* what);
// The same for an asynchronous operation.
void note_read(const void* address, size_t bytes, const char* what, const Clock& clock);
void note_write(const void* address, size_t bytes, const char* what, const Clock& clock);

// The asynchronous proxy sees ordinary writes only behind a fence. proxy_fence: fence.proxy.async of the calling
// thread. check_fenced: reports a byte of shared memory whose last ordinary write has no fence behind it, neither by
// its writer nor by the caller after it learned of the write. Called by the thread that issues the asynchronous read.
void proxy_fence();
void check_fenced(const void* shared, size_t bytes, const char* what);

// ---- failures: the first one of a launch counts; the launch is abandoned and its stream fails with E_VERIFY. Does not
// return when a thread calls; returns in a deferred operation, in `ready` and in a rendezvous body.
void report(std::string problem);

// ---- memory

// The shared window: addresses as PTX sees them are offsets in it. Offset 0 is never handed out.
uint32_t shared_address(const void* pointer);  // reports a pointer that is not in the window
unsigned char* shared_pointer(uint32_t address);
bool is_shared(const void* pointer);
bool is_device(const void* pointer);
// One array for each key and block, filled with 0xff when the block starts.
void* static_shared(int64_t bytes, int64_t align, const void* key);
unsigned char* dynamic_shared();  // 1024-byte aligned

// ---- launches

struct LaunchRequest {
  int64_t grid_x, grid_y, grid_z;
  int block;
  int64_t shared_bytes;
  std::shared_ptr<const void> closure;  // the kernel and its parameters
  size_t closure_bytes;
  void (*invoke)(const void* closure);  // the body of one thread
};
void launch(CudaStream& stream, LaunchRequest request);

template <class Kernel>
void launch(CudaStream& stream, int64_t grid_x, int64_t grid_y, int64_t grid_z, int block, int64_t shared_bytes,
            const Kernel& kernel) {
  launch(stream, {grid_x, grid_y, grid_z, block, shared_bytes, std::make_shared<const Kernel>(kernel), sizeof(Kernel),
                  [](const void* closure) { (*static_cast<const Kernel*>(closure))(); }});
}

// ---- for tests
// Of every launch that runs from now on: order of blocks and threads, times of deferred operations.
void set_seed(uint64_t seed);
void set_stack_bytes(size_t bytes);  // of one thread; 64 KiB (256 KiB under the address sanitizer) unless set

}  // namespace spinert::emulation
