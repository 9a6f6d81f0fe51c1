// scheduler.cpp - threads of a block as fibers: their stacks, the order in which they run, and launches.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <numeric>

#include "kernels/base/emulation/emulated_device.h"
#include "kernels/base/emulation/memory.h"
#include "kernels/base/emulation/ptx_state.h"
#include "kernels/base/emulation/race_check.h"
#include "kernels/base/emulation/state.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

// Boost's public fibers unwind the stack of one that is dropped. A kernel that failed must not run another step, and
// the calls that the compiler inserts for the race check cannot be unwound: so the bare switch underneath is used.
namespace context = boost::context::detail;

namespace spinert::emulation {

Block block;
Thread* current = nullptr;
std::string problem;
thread_local constinit bool checking = false;
thread_local constinit bool device_at_work = false;
const unsigned char* closure_base = nullptr;
size_t closure_bytes = 0;

namespace {

constexpr size_t kGuardPage = 4096;
constexpr uint32_t kDeferredOdds = 16;  // one in so many switches runs a deferred operation

#if defined(__SANITIZE_ADDRESS__)
size_t bytes_of_stack = 256 << 10;
#else
size_t bytes_of_stack = 64 << 10;
#endif
uint64_t launch_seed = 0;
std::mutex one_launch;
const LaunchRequest* request = nullptr;

// Stacks with a guard page below each, kept for the next launch.
struct Stacks {
  unsigned char* memory = nullptr;
  size_t bytes = 0, count = 0;

  unsigned char* get(size_t i) const { return memory + i * (bytes + kGuardPage) + kGuardPage; }
  bool prepare(size_t want, size_t want_bytes) {
    if (want <= count && want_bytes == bytes) return true;
    if (memory) {
      // What the frames left behind would be held against whoever the system gives these addresses to next.
      unpoison(memory, static_cast<int64_t>(count * (bytes + kGuardPage)));
      munmap(memory, count * (bytes + kGuardPage));
    }
    count = 0;
    bytes = want_bytes;
    void* mapped = mmap(nullptr, want * (bytes + kGuardPage), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory = mapped == MAP_FAILED ? nullptr : static_cast<unsigned char*>(mapped);
    if (!memory) return false;
    count = want;
    for (size_t i = 0; i < count; ++i) mprotect(get(i) - kGuardPage, kGuardPage, PROT_NONE);
    return true;
  }
  // After a failure the stacks still own what their threads held, such as the text of a message. For the search for
  // leaks they stay as they are, and the next launch has others.
  void keep_dropped() {
#if defined(__SANITIZE_ADDRESS__)
    __lsan_register_root_region(memory, count * (bytes + kGuardPage));
    memory = nullptr;
    count = 0;
#endif
  }
};
Stacks stacks;

// Where the scheduler goes on, and its stack for the address sanitizer.
context::fcontext_t scheduler_context = nullptr;
[[maybe_unused]] const void* scheduler_stack = nullptr;
[[maybe_unused]] size_t scheduler_stack_bytes = 0;

void start_switch([[maybe_unused]] void** fake, [[maybe_unused]] const void* bottom, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake, bottom, bytes);
#endif
}
void finish_switch([[maybe_unused]] void* fake, [[maybe_unused]] bool into_thread) {
#if defined(__SANITIZE_ADDRESS__)
  const void* bottom;
  size_t bytes;
  __sanitizer_finish_switch_fiber(fake, &bottom, &bytes);
  if (into_thread) {
    scheduler_stack = bottom;
    scheduler_stack_bytes = bytes;
  }
#endif
}

void thread_main(context::transfer_t from) {
  finish_switch(nullptr, true);
  scheduler_context = from.fctx;
  checking = true;
  request->invoke(request->closure.get());
  checking = false;
  current->state = ThreadState::exited;
  start_switch(nullptr, scheduler_stack, scheduler_stack_bytes);
  context::jump_fcontext(scheduler_context, nullptr);
}

void resume(Thread& thread) {
  current = &thread;
  void* fake = nullptr;
  start_switch(&fake, thread.stack, stacks.bytes);
  thread.context = context::jump_fcontext(thread.context, nullptr).fctx;
  finish_switch(fake, false);
  current = nullptr;
  checking = false;
}

void run_deferred() {
  std::vector<Deferred>& all = block.deferred;
  size_t chosen = block.random.below(static_cast<uint32_t>(all.size()));
  if (all[chosen].queue >= 0) {  // the oldest of its queue
    chosen = 0;
    const int queue = all[chosen].queue;
    for (size_t i = 0; all[i].queue != queue; ++i) chosen = i + 1;
  }
  const Deferred taken = std::move(all[chosen]);
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(chosen));
  taken.operation();
}

template <class T>
void shuffle(std::vector<T>& items) {
  for (size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[block.random.below(static_cast<uint32_t>(i))]);
  }
}

void poll() {
  for (size_t i = 0; i < block.polling.size() && !failed();) {
    Thread& thread = block.threads[static_cast<size_t>(block.polling[i])];
    if (thread.ready(thread.argument)) {
      thread.state = ThreadState::ready;
      block.ready.push_back(thread.index);
      block.polling[i] = block.polling.back();
      block.polling.pop_back();
    } else {
      ++i;
    }
  }
}

// "wait at __syncwarp (lanes 0xffff)"
std::string what_it_does(const Thread& thread) {
  if (thread.state == ThreadState::exited) return "have exited";
  char lanes[24] = "";
  if (thread.mask != 0) std::snprintf(lanes, sizeof(lanes), " (lanes 0x%x)", thread.mask);
  return std::string("wait at ") + thread.waits_for + lanes;
}

// "threads 0-31, 64 wait at __syncthreads; threads 32-63 wait at mbarrier_wait"
std::string who_waits() {
  constexpr size_t kMostRanges = 8;
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  for (size_t i = 0; i < block.threads.size();) {
    const std::string what = what_it_does(block.threads[i]);
    size_t end = i + 1;
    while (end < block.threads.size() && what_it_does(block.threads[end]) == what) ++end;
    auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.first == what; });
    if (found == groups.end()) found = groups.insert(groups.end(), {what, {}});
    found->second.push_back(std::to_string(i) + (end - i > 1 ? "-" + std::to_string(end - 1) : ""));
    i = end;
  }
  std::string text;
  for (const auto& [what, ranges] : groups) {
    text += text.empty() ? "threads " : "; threads ";
    for (size_t i = 0; i < ranges.size() && i < kMostRanges; ++i) text.append(i > 0 ? ", " : "").append(ranges[i]);
    text.append(ranges.size() > kMostRanges ? ", ... " : " ").append(what);
  }
  return text;
}

void begin_block(int64_t linear, const Index3& grid) {
  const auto at = static_cast<uint64_t>(linear);
  block.index = {static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
                 static_cast<unsigned>(at / grid.x / grid.y)};
  shared_poison();
  clocks_begin(static_cast<int>(block.size.x));
  races_begin();
  block.alive = static_cast<int>(block.size.x);
  block.fresh_agents = 0;
  block.polling.clear();
  block.ready.clear();
  ClockVector* nothing = new_vector();
  for (int i = 0; i < block.alive; ++i) {
    Thread& thread = block.threads[static_cast<size_t>(i)];
    thread = {};
    thread.index = i;
    thread.stack = stacks.get(static_cast<size_t>(i));
    thread.known = hold(nothing);
    // Tops at different cache lines: stacks lie whole pages apart and would all share a few sets of the cache.
    const size_t colour = static_cast<size_t>(i) % 12 * 320;
    unpoison(thread.stack, static_cast<int64_t>(stacks.bytes));
    thread.context = context::make_fcontext(thread.stack + stacks.bytes - colour, stacks.bytes - colour, thread_main);
    block.ready.push_back(i);
  }
  drop(nothing);
}

void end_block() {
  ptx_end_block();
  for (Thread& thread : block.threads) {
    drop(thread.known);
    thread.known = nullptr;
    thread.fence_clock.clear();
  }
  block.deferred.clear();
  clear_meetings();
}

void run_block() {
  std::vector<int> round;
  while (!failed()) {
    poll();
    if (block.ready.empty()) {
      if (!block.deferred.empty()) {
        run_deferred();
        continue;
      }
      if (block.alive > 0) report("deadlock: " + who_waits());
      return;
    }
    round.clear();
    round.swap(block.ready);
    shuffle(round);
    for (const int index : round) {
      Thread& thread = block.threads[static_cast<size_t>(index)];
      resume(thread);
      if (failed()) return;
      if (thread.state == ThreadState::exited) {
        --block.alive;
        settle_after_exit(index);
      }
      if (!block.deferred.empty() && block.random.below(kDeferredOdds) == 0) run_deferred();
      if (failed()) return;
    }
  }
}

void run_grid(CudaStream& stream) {
  const LaunchRequest& launched = *request;
  const CudaCard& card = stream.card();
  const std::string where = "cuda:" + std::to_string(card.index);
  constexpr int64_t kMostBlocks = int64_t{1} << 26, kMostYZ = 65535;
  if (launched.block < kWarp || launched.block > kMostThreads || launched.block % kWarp != 0 ||
      launched.grid_x > kMostBlocks || launched.grid_y > kMostYZ || launched.grid_z > kMostYZ ||
      launched.grid_x * launched.grid_y > kMostBlocks ||
      launched.grid_x * launched.grid_y * launched.grid_z > kMostBlocks) {
    stream.fail(error(ErrorId::E_DEVICE, "a launch has an impossible shape", where)
                    .expected("32 to 1024 threads in whole warps", std::to_string(launched.block)));
    return;
  }
  if (!shared_begin(launched.shared_bytes, card.shared_bytes)) {
    stream.fail(error(ErrorId::E_DEVICE, "a kernel does not fit this card", where)
                    .expected("at most " + std::to_string(card.shared_bytes) + " bytes of shared memory",
                              std::to_string(launched.shared_bytes)));
    return;
  }
  if (!stacks.prepare(static_cast<size_t>(launched.block), bytes_of_stack)) {
    stream.fail(error(ErrorId::E_OOM_HOST, "no memory for the stacks of a block", where));
    return;
  }
  block.size = {static_cast<unsigned>(launched.block), 1, 1};
  block.grid = {static_cast<unsigned>(launched.grid_x), static_cast<unsigned>(launched.grid_y),
                static_cast<unsigned>(launched.grid_z)};
  block.threads.resize(static_cast<size_t>(launched.block));
  block.warps.resize(static_cast<size_t>(launched.block / kWarp));
  block.warpgroups.resize(static_cast<size_t>((launched.block + kWarpgroup - 1) / kWarpgroup));
  block.random.seed(launch_seed);
  closure_base = static_cast<const unsigned char*>(launched.closure.get());
  closure_bytes = launched.closure_bytes;
  problem.clear();
  std::vector<int64_t> order(static_cast<size_t>(launched.grid_x * launched.grid_y * launched.grid_z));
  std::iota(order.begin(), order.end(), 0);
  shuffle(order);
  for (const int64_t linear : order) {
    begin_block(linear, block.grid);
    run_block();
    end_block();
    if (failed()) break;
  }
  if (failed()) stacks.keep_dropped();
  if (failed())
    stream.fail(error(ErrorId::E_VERIFY, "a kernel is wrong: " + problem, where)
                    .hint("addr2line -Cfie PROGRAM ADDRESS names the line of an address."));
}

}  // namespace

void set_seed(uint64_t seed) {
  launch_seed = seed;
}
uint64_t current_seed() {
  return launch_seed;
}
void set_stack_bytes(size_t bytes) {
  bytes_of_stack = (bytes + kGuardPage - 1) / kGuardPage * kGuardPage;
}
size_t stack_bytes() {
  return stacks.bytes;
}

void launch(CudaStream& stream, LaunchRequest launched) {
  if (launched.grid_x == 0 || launched.grid_y == 0 || launched.grid_z == 0) return;
  enqueue(stream, [&stream, launched = std::move(launched)] {
    if (!count_launch(stream)) return;
    const std::lock_guard lock(one_launch);
    request = &launched;
    run_grid(stream);
    request = nullptr;
  });
}

Index3 thread_index() {
  return {static_cast<unsigned>(current->index), 0, 0};
}
Index3 block_index() {
  return block.index;
}
Index3 block_size() {
  return block.size;
}
Index3 grid_size() {
  return block.grid;
}
int thread_in_block() {
  return current->index;
}
int block_threads() {
  return static_cast<int>(block.size.x);
}

Inside::Inside() : was_(checking) {
  checking = false;
}
Inside::~Inside() {
  checking = was_;
}

std::string describe(const Thread& thread) {
  return "thread " + std::to_string(thread.index);
}

void report(std::string text) {
  checking = false;
  if (!failed()) {
    problem = std::move(text) + ", in block (" + std::to_string(block.index.x) + ", " + std::to_string(block.index.y) +
              ", " + std::to_string(block.index.z) + ")" + (current ? ", " + describe(*current) : "");
  }
  while (current) switch_out();  // never taken again
}

void switch_out() {
  Thread& thread = *current;
  start_switch(&thread.fake_stack, scheduler_stack, scheduler_stack_bytes);
  scheduler_context = context::jump_fcontext(scheduler_context, nullptr).fctx;
  finish_switch(thread.fake_stack, true);
}

void wait_until(bool (*ready)(void*), void* argument, const char* what) {
  const Inside inside;
  Thread* const me = current;
  current = nullptr;
  const bool now = ready(argument);
  current = me;
  if (failed()) report({});
  if (now) return;
  me->state = ThreadState::polling;
  me->ready = ready;
  me->argument = argument;
  me->waits_for = what;
  me->mask = 0;
  block.polling.push_back(me->index);
  switch_out();
}

void yield() {
  const Inside inside;
  block.ready.push_back(current->index);
  switch_out();
}

void defer(std::function<void()> operation, int queue) {
  const Inside inside;
  block.deferred.push_back({std::move(operation), queue});
}

void* static_shared(int64_t bytes, int64_t align, const void* key) {
  const Inside inside;
  void* array = shared_array(bytes, align, key);
  if (!array) report("static shared memory is used up by " + std::to_string(bytes) + " bytes more");
  return array;
}

unsigned char* dynamic_shared() {
  return shared_base + kDynamicOffset;
}

uint32_t shared_address(const void* pointer) {
  const uint64_t offset = shared_offset(pointer);
  if (offset >= static_cast<uint64_t>(kSharedWindow)) {
    const Inside inside;
    report("the address of something that is not in shared memory is used as a shared address");
  }
  return static_cast<uint32_t>(offset);
}
unsigned char* shared_pointer(uint32_t address) {
  return shared_base + address;
}
bool is_shared(const void* pointer) {
  return shared_offset(pointer) < static_cast<uint64_t>(kSharedWindow);
}
bool is_device(const void* pointer) {
  return device_offset(pointer) < static_cast<uint64_t>(kDeviceRange);
}

}  // namespace spinert::emulation
