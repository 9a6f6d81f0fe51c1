#include "runtime/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace spinert {
namespace {

bool overlap(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

ArenaSize plan_arena(std::vector<Lifetime>& values, int64_t alignment) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return values[a].bytes > values[b].bytes; });
  ArenaSize size;
  std::vector<const Lifetime*> placed;  // by offset
  for (const size_t index : order) {
    Lifetime& value = values[index];
    int64_t offset = 0;
    for (const Lifetime* other : placed) {
      if (!overlap(value, *other)) continue;
      if (offset + aligned(value.bytes, alignment) <= other->offset) break;
      offset = std::max(offset, other->offset + aligned(other->bytes, alignment));
    }
    value.offset = offset;
    size.bytes = std::max(size.bytes, offset + aligned(value.bytes, alignment));
    placed.insert(std::ranges::upper_bound(placed, offset, {}, [](const Lifetime* v) { return v->offset; }), &value);
  }
  int last = 0;
  for (const Lifetime& value : values) last = std::max(last, value.last);
  for (int node = 0; node <= last; ++node) {
    int64_t live = 0;
    for (const Lifetime& value : values) {
      if (value.first <= node && node <= value.last) live += aligned(value.bytes, alignment);
    }
    size.live_peak = std::max(size.live_peak, live);
  }
  return size;
}

}  // namespace spinert
