// meetings.cpp - barriers, warp collectives, named barriers: threads that wait for each other; and the clocks that they
// carry away.
#include <algorithm>
#include <bit>

#include "kernels/base/emulation/state.h"

namespace spinert::emulation {
namespace {

bool alive(int thread) {
  return block.threads[static_cast<size_t>(thread)].state != ThreadState::exited;
}

int alive_in(int first, int count) {
  int sum = 0;
  for (int i = first; i < std::min(first + count, block_threads()); ++i) sum += alive(i);
  return sum;
}

// How many must come, of those that still can.
int wanted(const Meeting& meeting, int first_thread) {
  switch (meeting.scope.kind) {
    case Scope::Kind::warp: {
      int sum = 0;
      for (int i = 0; i < kWarp; ++i) sum += (meeting.scope.mask >> i & 1) != 0 && alive(first_thread + i);
      return sum;
    }
    case Scope::Kind::warpgroup: return alive_in(first_thread, kWarpgroup);
    case Scope::Kind::block: return block.alive;
    case Scope::Kind::named: return meeting.scope.threads;
  }
  return 0;
}

int first_thread(const Scope& scope, int thread) {
  switch (scope.kind) {
    case Scope::Kind::warp: return thread / kWarp * kWarp;
    case Scope::Kind::warpgroup: return thread / kWarpgroup * kWarpgroup;
    default: return 0;
  }
}

// Meetings with different masks are independent, even where the masks overlap: a lane may wait in one for lanes that
// are still on their way from another. Masks that do not fit each other end in a deadlock, which is reported.
Meeting& warp_meeting(const Scope& scope, int thread) {
  std::vector<Meeting>& all = block.warps[static_cast<size_t>(thread / kWarp)];
  if ((scope.mask >> (thread % kWarp) & 1) == 0) report("a lane calls a warp function with a mask that lacks it");
  Meeting* empty = nullptr;
  for (Meeting& meeting : all) {
    if (!meeting.what) {
      empty = &meeting;
    } else if (meeting.scope.mask == scope.mask) {
      return meeting;
    }
  }
  return empty ? *empty : all.emplace_back();
}

Meeting& find(const Scope& scope, const char* what) {
  const int thread = current->index;
  Meeting* meeting = &block.whole;
  if (scope.kind == Scope::Kind::warp) meeting = &warp_meeting(scope, thread);
  if (scope.kind == Scope::Kind::warpgroup) meeting = &block.warpgroups[static_cast<size_t>(thread / kWarpgroup)];
  if (scope.kind == Scope::Kind::named) {
    if (scope.id < 0 || scope.id >= kNamedBarriers || scope.threads <= 0 || scope.threads % kWarp != 0 ||
        scope.threads > block_threads()) {
      report("a named barrier with an id above 15 or a count that is not in whole warps");
    }
    meeting = &block.named[scope.id];
  }
  if (!meeting->what) {
    meeting->scope = scope;
    meeting->what = what;
  } else if (scope.kind != Scope::Kind::named && meeting->what != what && std::string_view(meeting->what) != what) {
    report(std::string("threads meet in different operations, ") + meeting->what + " and " + what);
  } else if (meeting->scope.threads != scope.threads) {
    report("a named barrier is used with two counts");
  }
  return *meeting;
}

// All who meet know all that any of them knew and did. Their times become equal, which keeps clocks and sets of readers
// small.
void join_clocks(Meeting& meeting, const std::vector<int>& members) {
  uint32_t latest = meeting.clock_time;
  for (const int i : members) latest = std::max(latest, block.threads[static_cast<size_t>(i)].time);
  ClockVector* sum = new_vector();
  ClockVector* last = nullptr;
  for (const int i : members) {
    Thread& member = block.threads[static_cast<size_t>(i)];
    if (member.known != last) add_all(sum, member.known);
    last = member.known;
    sum->time()[i] = std::max(sum->time()[i], member.time);
  }
  if (meeting.scope.kind == Scope::Kind::block) sum->floor = latest;
  sum = meeting.clock.added_to(sum);
  for (const int i : meeting.waiting) {
    Thread& member = block.threads[static_cast<size_t>(i)];
    drop(member.known);
    member.known = hold(sum);
    member.time = latest + 1;
  }
  drop(sum);
}

void clear(Meeting& meeting) {
  meeting.waiting.clear();
  meeting.clock.clear();
  meeting.clock_time = 0;
  meeting.arrived = 0;
  meeting.what = nullptr;
}

void complete(Meeting& meeting, int first) {
  Thread* const me = current;
  current = nullptr;
  if (meeting.body) {
    void* lanes[kMostThreads];
    const Scope& scope = meeting.scope;
    const int slots = scope.kind == Scope::Kind::warp        ? kWarp
                      : scope.kind == Scope::Kind::warpgroup ? kWarpgroup
                      : scope.kind == Scope::Kind::named     ? scope.threads
                                                             : block_threads();
    std::fill_n(lanes, slots, nullptr);
    int next = 0;
    for (const int i : meeting.waiting) {
      lanes[scope.kind == Scope::Kind::named ? next++ : i - first] = block.threads[static_cast<size_t>(i)].argument;
    }
    meeting.body(lanes, slots);
  }
  if (meeting.order == Order::joined) {
    if (meeting.scope.kind == Scope::Kind::block) {  // those that have exited came here before
      std::vector<int> all(block.threads.size());
      for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
      join_clocks(meeting, all);
    } else {
      join_clocks(meeting, meeting.waiting);
    }
  }
  for (const int i : meeting.waiting) {
    Thread& member = block.threads[static_cast<size_t>(i)];
    if (&member == me) continue;
    member.state = ThreadState::ready;
    block.ready.push_back(i);
  }
  clear(meeting);
  current = me;
  if (failed()) report({});
}

}  // namespace

void rendezvous(const Scope& scope, const char* what, void* mine, Body body, Order order) {
  const Inside inside;
  Thread& me = *current;
  Meeting& meeting = find(scope, what);
  meeting.body = body;
  meeting.order = order;
  me.argument = mine;
  meeting.waiting.push_back(me.index);
  ++meeting.arrived;
  const int first = first_thread(scope, me.index);
  if (meeting.arrived >= wanted(meeting, first)) {
    complete(meeting, first);
    return;
  }
  me.state = ThreadState::meeting;
  me.waits_for = what;
  me.mask = scope.kind == Scope::Kind::warp ? scope.mask : 0;
  switch_out();
}

void arrive(const Scope& named, const char* what) {
  const Inside inside;
  Meeting& meeting = find(named, what);
  meeting.clock_time = std::max(meeting.clock_time, current->time);
  meeting.clock.join(release());
  meeting.order = Order::joined;
  if (++meeting.arrived >= named.threads) complete(meeting, 0);
}

void settle_after_exit(int thread) {
  const auto settle = [&](Meeting& meeting) {
    if (!meeting.what || meeting.waiting.empty()) return;
    const int first = first_thread(meeting.scope, thread);
    if (meeting.arrived >= wanted(meeting, first)) complete(meeting, first);
  };
  for (Meeting& meeting : block.warps[static_cast<size_t>(thread / kWarp)]) settle(meeting);
  settle(block.warpgroups[static_cast<size_t>(thread / kWarpgroup)]);
  settle(block.whole);
}

void clear_meetings() {
  for (std::vector<Meeting>& warp : block.warps) {
    for (Meeting& meeting : warp) clear(meeting);
  }
  for (Meeting& meeting : block.warpgroups) clear(meeting);
  for (Meeting& meeting : block.named) clear(meeting);
  clear(block.whole);
}

Clock release() {
  const Inside inside;
  Thread& me = *current;
  return Clock::of(me.known, {me.index, me.time++});
}

void acquire(const Clock& clock) {
  const Inside inside;
  current->known = clock.added_to(current->known);
}

Clock fork(Agent agent) {
  const Inside inside;
  Thread& me = *current;
  const int threads = block_threads();
  Clock::Entry entry;
  if (agent == Agent::own) {
    entry = {threads + me.index, ++me.own_agent_time};
  } else {
    const int serial = block.fresh_agents++;
    const int fresh = clock_agents() - 2 * threads;
    entry = {2 * threads + serial % fresh, static_cast<uint32_t>(serial / fresh + 1)};
  }
  return Clock::of(me.known, {me.index, me.time++}, entry);
}

void proxy_fence() {
  const Inside inside;
  Thread& me = *current;
  me.fence_time = me.time;
  me.fence_clock = release();
}

}  // namespace spinert::emulation
