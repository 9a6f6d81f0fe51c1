// The choices that kernels make from shapes alone: which algorithm a convolution takes and how its rows are cut for the
// threads. Both are pure functions; this test prints their tables and holds the reasons behind each branch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_f32.h"
#include "kernels/conv2d/winograd.h"
#include "tests/ops/op_case.h"

namespace spinert {
namespace {

// The reason against a size of Winograd for a case line, or null.
using Rejects = const char* (*)(const OpCall&);
const char* reason(const std::string& text, Rejects rejects = winograd_f4_rejects) {
  auto line = cases::CaseLine::parse(text);
  EXPECT_TRUE(line.ok()) << line.status().to_string();
  auto prepared = cases::prepare(line.value());
  EXPECT_TRUE(prepared.ok()) << prepared.status().to_string();
  return rejects(prepared.value().call());
}

TEST(Winograd, IsTakenWhereItPays) {
  struct Row {
    const char* line;
    const char* why;  // part of the reason; null: taken
  };
  const Row rows[] = {
      {"conv2d h=64 c=256 o=256 k=3 padding=1", nullptr},
      {"conv2d h=56 c=64 o=64 k=3 padding=1", nullptr},
      {"conv2d h=14 c=256 o=256 k=3 padding=1", nullptr},
      {"conv2d h=7 c=64 o=64 k=3 padding=1", nullptr},
      {"conv2d h=6 c=64 o=64 k=3 padding=1", "overhang"},
      {"conv2d h=16 c=512 o=512 k=3 padding=1", "too large"},
      {"conv2d h=64 c=16 o=64 k=3 padding=1", "fewer than 32"},
      {"conv2d h=64 c=40 o=64 k=3 padding=1", "multiple of 16"},
      {"conv2d h=64 c=64 o=64 k=1", "not 3x3"},
      {"conv2d h=64 c=64 o=64 k=3 padding=1 stride=2", "stride"},
      {"conv2d h=64 c=64 o=64 k=3 padding=2 dilation=2", "stride, dilation"},
      {"conv2d h=64 c=64 o=64 k=3 padding=1 groups=2", "groups"},
      {"conv2d h=64 c=64 o=64 k=3", "padding"},
      {"conv2d h=64 c=64 o=64 k=3 padding=1 residual=1 residual_upsample=2", "half resolution"},
  };
  for (const Row& row : rows) {
    const char* why = reason(row.line);
    std::printf("  %-72s %s\n", row.line, why ? why : "winograd");
    if (!row.why) {
      EXPECT_EQ(why, nullptr) << row.line;
    } else {
      ASSERT_NE(why, nullptr) << row.line;
      EXPECT_NE(std::strstr(why, row.why), nullptr) << row.line << ": " << why;
    }
  }
}

// F(2x2) takes what F(4x4) leaves, never both.
TEST(Winograd, SmallTilesTakeTheRest) {
  struct Row {
    const char* line;
    const char* why;
  };
  const Row rows[] = {
      {"conv2d h=32 c=512 o=512 k=3 padding=1", nullptr},
      {"conv2d h=7 c=512 o=512 k=3 padding=1", nullptr},
      {"conv2d h=6 c=64 o=64 k=3 padding=1", nullptr},
      {"conv2d h=64 c=256 o=256 k=3 padding=1", "F(4x4)"},
      {"conv2d h=5 c=64 o=64 k=3 padding=1", "overhang"},
      {"conv2d h=32 c=512 o=512 k=1", "not 3x3"},
      {"conv2d h=32 c=512 o=512 k=3 padding=1 stride=2", "stride"},
  };
  for (const Row& row : rows) {
    const char* why = reason(row.line, winograd_f2_rejects);
    if (!row.why) {
      EXPECT_EQ(why, nullptr) << row.line;
      EXPECT_NE(reason(row.line), nullptr) << row.line;
    } else {
      ASSERT_NE(why, nullptr) << row.line;
      EXPECT_NE(std::strstr(why, row.why), nullptr) << row.line << ": " << why;
    }
  }
}

// DT-1: the algorithm must not depend on how many images come together.
TEST(Winograd, ChoiceDoesNotDependOnTheBatch) {
  for (const int size : {4, 6, 7, 14, 16}) {
    const std::string rest = " h=" + std::to_string(size) + " c=64 o=64 k=3 padding=1";
    const bool one = reason("conv2d n=1" + rest) == nullptr;
    for (const int batch : {2, 8, 32}) {
      EXPECT_EQ(reason("conv2d n=" + std::to_string(batch) + rest) == nullptr, one) << rest;
    }
  }
}

// Every tile of every panel is computed once, and no thread has much more than its share.
TEST(IgemmShares, CoversEveryTileAndFeedsEveryThread) {
  for (const int64_t tile : {2, 6, 14}) {
    for (const int64_t rows : {1, 13, 14, 49, 196, 392, 1000, 1024, 65536}) {
      for (const int threads : {1, 2, 3, 7, 16}) {
        for (const int64_t panels : {1, 2, 8, 64}) {
          const std::string what = std::to_string(rows) + " rows " + std::to_string(threads) + " threads " +
                                   std::to_string(panels) + " panels of tiles of " + std::to_string(tile);
          const IgemmShares cut = igemm_shares(rows, panels, tile, threads);
          std::vector<int> done(static_cast<size_t>(cut.tiles * panels));
          int64_t longest = 0;
          for (int64_t t = 0; t < threads; ++t) {
            const int64_t end = cut.items() * (t + 1) / threads;
            int64_t work = 0;
            for (int64_t item = cut.items() * t / threads; item < end;) {
              const IgemmBlock block = cut.block(item, end, 8);
              ASSERT_GE(block.tiles, 1) << what;
              ASSERT_LE(block.tiles, 8) << what;
              ASSERT_LE(block.tile + block.tiles, cut.tiles) << what;
              item += block.tiles;
              for (int64_t p = cut.panel_begin(block.group); p < cut.panel_begin(block.group + 1); ++p) {
                for (int64_t i = 0; i < block.tiles; ++i) ++done[static_cast<size_t>((block.tile + i) * panels + p)];
                work += block.tiles;
              }
            }
            longest = std::max(longest, work);
          }
          for (const int times : done) ASSERT_EQ(times, 1) << what;
          // A split of panels may be uneven by one panel, a whole cut by one tile.
          const double mean = double(cut.tiles * panels) / threads;
          EXPECT_LE(double(longest), 1.1 * mean + double(cut.panel_groups == 1 ? panels : cut.tiles + panels)) << what;
        }
      }
    }
  }
}

// Seven tiles for two threads: 4 against 3, so panels are split; a thousand rows are not.
TEST(IgemmShares, SplitsPanelsOnlyForFewTiles) {
  EXPECT_EQ(igemm_shares(98, 8, 14, 2).panel_groups, 2);
  EXPECT_EQ(igemm_shares(1000, 32, 14, 2).panel_groups, 1);
  EXPECT_EQ(igemm_shares(98, 1, 14, 2).panel_groups, 1);
}

// Every block of a thread's share fits the memory that the plan was told of; sums of codes never wait.
TEST(IgemmBlocking, BlocksStayWithinTheirMemory) {
  constexpr int64_t kTile = 14, kPanel = 32;
  for (const DType x : {DType::f32, DType::bf16, DType::u8}) {
    for (const int64_t rows : {1, 14, 49, 392, 1000, 65536}) {
      for (const int64_t lines : {1, 8, 72, 73, 144, 392, 784}) {
        for (const int64_t out_c : {1, 64, 2048}) {
          IgemmCall p;
          p.x.dtype = x;
          p.in_c = lines * kLineBytes / size_of(x);
          p.out_w = rows;
          p.out_c = out_c;
          ASSERT_EQ(p.lines(), lines);
          const IgemmBlocking most = igemm_blocking(x, lines, kTile);
          const IgemmScratch scratch = igemm_scratch(p, kTile, kPanel);
          EXPECT_GE(most.lines, 1);
          EXPECT_LE(most.lines, lines);
          if (x == DType::u8) {
            EXPECT_EQ(most.lines, lines);
          }
          for (const int threads : {1, 2, 7}) {
            const IgemmShares cut = igemm_shares(rows, divide_up(out_c, kPanel), kTile, threads);
            for (int64_t t = 0; t < threads; ++t) {
              const int64_t end = cut.items() * (t + 1) / threads;
              for (int64_t item = cut.items() * t / threads; item < end;) {
                const IgemmBlock block = cut.block(item, end, most.tiles);
                item += block.tiles;
                const int64_t tile_rows = block.tiles * kTile;
                const int64_t panels = cut.panel_begin(block.group + 1) - cut.panel_begin(block.group);
                EXPECT_LE(tile_rows * most.lines * kLineBytes, scratch.gathered);
                if (most.lines < lines) {
                  EXPECT_LE(tile_rows * panels * kPanel * 4, scratch.sums);
                }
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace spinert
