// igemm_cut.h - how the rows and panels of a product are cut for the threads: pure functions of sizes. A panel is the
// group of output channels that a tile computes. The cut never changes a result: every output is one sum in the order
// of k.
#pragma once

#include <cstdint>

namespace spinert {

// In tiles: an item is one tile of rows and one group of panels, group by group. Every thread takes a contiguous share
// of the items in blocks of tiles. Panels are split only where whole tiles would leave a thread idle for long.
struct IgemmBlock {
  int64_t tile, tiles, group;  // tiles [tile, tile + tiles) of this group of panels
};
struct IgemmShares {
  int64_t tiles, panels, panel_groups;
  int64_t items() const { return tiles * panel_groups; }
  int64_t panel_begin(int64_t group) const { return panels * group / panel_groups; }
  // The block at `item` of a share that ends at `end`: of at most `largest` tiles, as equal as the share allows.
  IgemmBlock block(int64_t item, int64_t end, int64_t largest) const;
};
IgemmShares igemm_shares(int64_t rows, int64_t panels, int64_t tile_rows, int threads);

// In whole row blocks, times groups of panels when there are fewer blocks than threads: item i is row block
// i / panel_groups and group i % panel_groups.
struct IgemmCut {
  int64_t block_rows, row_blocks, panel_groups;
  int64_t items() const { return row_blocks * panel_groups; }
};
// largest_block: rows of the largest block that the caller's buffers hold.
IgemmCut igemm_cut(int64_t rows, int64_t panels, int64_t tile_rows, int threads, int64_t largest_block);

}  // namespace spinert
