// igemm_cut.h - how a product of igemm_call.h is cut: for the threads, into blocks that fit a cache, and what memory
// that takes. Pure functions of sizes. A panel is the group of output channels that one tile computes. No cut changes a
// result: every output is one sum in the order of k.
#pragma once

#include <cstdint>

#include "kernels/base/igemm/igemm_call.h"

namespace spinert {

// An item is one tile of rows and one group of panels, group by group. Every thread takes a contiguous share of the
// items in blocks of tiles. Panels are split only where whole tiles would leave a thread idle for long.
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

// The largest block of the vector engines: so many lines of k in one go, of so many tiles of rows. Where k has more
// lines the sums of a block wait in scratch memory.
struct IgemmBlocking {
  int64_t lines, tiles;
};
IgemmBlocking igemm_blocking(DType x, int64_t lines, int64_t tile_rows);

// Bytes of scratch memory of one thread: the gathered rows, then the waiting sums of 4 bytes.
struct IgemmScratch {
  int64_t gathered, sums;
  int64_t bytes() const { return gathered + sums; }
};
IgemmScratch igemm_scratch(const IgemmCall& p, int64_t tile_rows, int64_t panel);

}  // namespace spinert
