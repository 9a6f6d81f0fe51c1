// The memory planner: no two values that live at the same time overlap, and simple chains reach the lower bound.
#include <gtest/gtest.h>

#include "runtime/memory_planner.h"
#include "tests/ops/op_case.h"

namespace spinert {
namespace {

void expect_valid(const std::vector<Lifetime>& values, const ArenaSize& size) {
  for (size_t a = 0; a < values.size(); ++a) {
    EXPECT_EQ(values[a].offset % kTensorAlignment, 0);
    EXPECT_GE(values[a].offset, 0);
    EXPECT_LE(values[a].offset + values[a].bytes, size.bytes);
    for (size_t b = 0; b < a; ++b) {
      const bool together = values[a].first <= values[b].last && values[b].first <= values[a].last;
      const bool apart = values[a].offset + values[a].bytes <= values[b].offset ||
                         values[b].offset + values[b].bytes <= values[a].offset;
      EXPECT_TRUE(!together || apart || values[a].bytes == 0 || values[b].bytes == 0) << a << " and " << b;
    }
  }
  EXPECT_GE(size.bytes, size.live_peak);
}

TEST(MemoryPlanner, ChainNeedsTwoNeighbours) {
  std::vector<Lifetime> values;
  for (int i = 0; i < 10; ++i) values.push_back({6400, i, i + 1});
  const ArenaSize size = plan_arena(values);
  expect_valid(values, size);
  EXPECT_EQ(size.bytes, 2 * 6400);
  EXPECT_EQ(size.live_peak, 2 * 6400);
}

TEST(MemoryPlanner, EmptyAndZeroBytes) {
  std::vector<Lifetime> none;
  EXPECT_EQ(plan_arena(none).bytes, 0);
  std::vector<Lifetime> zero = {{0, 0, 3}, {64, 1, 2}};
  expect_valid(zero, plan_arena(zero));
}

TEST(MemoryPlanner, RandomLifetimesNeverOverlap) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<Lifetime> values;
    const uint64_t count = 1 + cases::random_bits(seed, 0) % 40;
    for (uint64_t i = 1; i <= count; ++i) {
      const auto first = static_cast<int>(cases::random_bits(seed, 3 * i) % 30);
      const auto length = static_cast<int>(cases::random_bits(seed, 3 * i + 1) % 8);
      values.push_back({static_cast<int64_t>(cases::random_bits(seed, 3 * i + 2) % 5000), first, first + length});
    }
    expect_valid(values, plan_arena(values));
  }
}

}  // namespace
}  // namespace spinert
