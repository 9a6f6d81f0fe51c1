// shadow.cpp - the race check of shared memory. Beside each word stands a cell: its last write as one epoch, and the
// reads and atomic operations since then that are not yet known to be before a later one. A word that is accessed in
// parts is split into a cell for each byte.
//
// Readers are kept by group: 32 agents (a warp) at one time are one entry, because barriers give the threads that meet
// the same time. Cells of an older block are recognised by its number, so that nothing has to be cleared.
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "kernels/base/emulation/memory.h"
#include "kernels/base/emulation/race_check.h"
#include "kernels/base/emulation/state.h"

namespace spinert::emulation {
namespace {

constexpr int kGroup = 32, kWord = 4;

// Some agents of one group that accessed at one time.
struct Group {
  uint32_t time, agents;
  int first;
  uint32_t next;  // 0: the last
  const void* caller;
};

struct Cell {
  uint32_t write_time = 0;  // 0: never written
  int write_agent = 0;
  const void* write_caller = nullptr;
  uint32_t readers = 0, atomics = 0;  // lists of groups; 0: empty
};

struct Word {
  uint32_t block = 0;
  uint32_t split = 0;  // where its four cells are; 0: in `whole`
  Cell whole;
};

// Items that are used again, by number from 1 on.
template <class T>
class Pool {
 public:
  T& operator[](uint32_t i) { return items_[i]; }
  uint32_t get() {
    if (free_.empty()) {
      items_.emplace_back();
      return static_cast<uint32_t>(items_.size() - 1);
    }
    const uint32_t i = free_.back();
    free_.pop_back();
    items_[i] = T();
    return i;
  }
  void put(uint32_t i) { free_.push_back(i); }
  void clear() {
    items_.resize(1);
    free_.clear();
  }

 private:
  std::vector<T> items_ = std::vector<T>(1);
  std::vector<uint32_t> free_;
};

std::vector<Word> words;
Pool<Group> groups;
Pool<std::array<Cell, kWord>> splits;
uint32_t serial = 0;

bool knows(const Accessor& who, int agent, uint32_t time) {
  if (agent == who.agent) return true;
  return who.clock ? who.clock->knows(agent, time) : vector_knows(who.known, block_threads(), agent, time);
}

std::string agent_name(int agent) {
  const int threads = block_threads();
  if (agent < threads) return "thread " + std::to_string(agent);
  if (agent < 2 * threads) return "an asynchronous copy of thread " + std::to_string(agent - threads);
  return "an asynchronous operation";
}

void race(uint64_t offset, const Accessor& who, Access kind, int other, const char* others_access, const void* where) {
  report("race on " + describe_shared(offset) + ": " + agent_name(who.agent) + " " + access_name(kind) +
         (who.what ? std::string(" (") + who.what + ")" : std::string()) + place_in_program(who.caller) + " what " +
         agent_name(other) + " " + others_access + place_in_program(where) + " with no barrier between them");
}

// The first agent of the group that `who` does not know, or -1.
int unknown_in(const Group& group, const Accessor& who) {
  if (!who.clock && group.time <= who.known->floor && group.first < block_threads()) return -1;
  for (uint32_t rest = group.agents; rest != 0; rest &= rest - 1) {
    const int agent = group.first + std::countr_zero(rest);
    if (!knows(who, agent, group.time)) return agent;
  }
  return -1;
}

void drop_list(uint32_t& list) {
  while (list != 0) {
    const uint32_t next = groups[list].next;
    groups.put(list);
    list = next;
  }
}

uint32_t copy_list(uint32_t list) {
  uint32_t copy = 0;
  for (; list != 0; list = groups[list].next) {
    const uint32_t i = groups.get();
    groups[i] = groups[list];
    groups[i].next = copy;
    copy = i;
  }
  return copy;
}

// Adds the accessor to a list. Entries that it knows go: who is not ordered after them is not ordered after it either.
void add(uint32_t& list, const Accessor& who) {
  const int first = who.agent / kGroup * kGroup;
  const uint32_t bit = 1u << (who.agent % kGroup);
  for (uint32_t* link = &list; *link != 0;) {
    const uint32_t i = *link;
    Group& group = groups[i];
    if (group.first == first && group.time == who.time) {
      group.agents |= bit;
      return;
    }
    if (unknown_in(group, who) < 0) {
      *link = group.next;
      groups.put(i);
    } else {
      link = &group.next;
    }
  }
  const uint32_t i = groups.get();
  groups[i] = {who.time, bit, first, list, who.caller};
  list = i;
}

// False after a race.
bool none_unknown(uint32_t list, uint64_t offset, const Accessor& who, Access kind, const char* others_access) {
  for (; list != 0; list = groups[list].next) {
    const int other = unknown_in(groups[list], who);
    if (other < 0) continue;
    race(offset, who, kind, other, others_access, groups[list].caller);
    return false;
  }
  return true;
}

void check_cell(Cell& cell, uint64_t offset, Access kind, const Accessor& who) {
  if (cell.write_time != 0 && !knows(who, cell.write_agent, cell.write_time)) {
    race(offset, who, kind, cell.write_agent, "wrote", cell.write_caller);
    return;
  }
  if (kind != Access::atomic && !none_unknown(cell.atomics, offset, who, kind, "changed by an atomic operation"))
    return;
  if (kind != Access::read && !none_unknown(cell.readers, offset, who, kind, "read")) return;
  switch (kind) {
    case Access::read: add(cell.readers, who); break;
    case Access::atomic: add(cell.atomics, who); break;
    case Access::write:
      drop_list(cell.readers);
      drop_list(cell.atomics);
      cell.write_time = who.time;
      cell.write_agent = who.agent;
      cell.write_caller = who.caller;
  }
}

void split(Word& word) {
  word.split = splits.get();
  for (Cell& cell : splits[word.split]) {
    cell = word.whole;
    cell.readers = copy_list(word.whole.readers);
    cell.atomics = copy_list(word.whole.atomics);
  }
  drop_list(word.whole.readers);
  drop_list(word.whole.atomics);
}

// After a write of all four bytes by one agent.
void unite(Word& word) {
  word.whole = splits[word.split][0];
  splits.put(word.split);
  word.split = 0;
}

}  // namespace

void races_begin() {
  if (words.empty()) words.resize(kSharedWindow / kWord);
  ++serial;
  groups.clear();
  splits.clear();
}

void check_race(uint64_t offset, size_t bytes, Access kind, const Accessor& who) {
  const uint64_t end = offset + bytes;
  while (offset < end && !failed()) {
    const uint64_t inside = offset % kWord, step = std::min<uint64_t>(kWord - inside, end - offset);
    Word& word = words[offset / kWord];
    if (word.block != serial) {
      word = {};
      word.block = serial;
    }
    if (step < kWord && word.split == 0) split(word);
    if (word.split == 0) {
      check_cell(word.whole, offset, kind, who);
    } else {
      for (uint64_t i = 0; i < step && !failed(); ++i) {
        check_cell(splits[word.split][inside + i], offset + i, kind, who);
      }
      if (step == kWord && kind == Access::write) unite(word);
    }
    offset += step;
  }
}

int64_t find_unfenced(uint64_t offset, size_t bytes, bool (*fenced)(int agent, uint32_t time)) {
  for (uint64_t at = offset; at < offset + bytes; ++at) {
    Word& word = words[at / kWord];
    if (word.block != serial) continue;
    const Cell& cell = word.split == 0 ? word.whole : splits[word.split][at % kWord];
    const bool by_thread = cell.write_time != 0 && cell.write_agent < block_threads();
    if (by_thread && !fenced(cell.write_agent, cell.write_time)) return static_cast<int64_t>(at);
  }
  return -1;
}

}  // namespace spinert::emulation
