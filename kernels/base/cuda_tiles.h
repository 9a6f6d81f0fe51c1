// cuda_tiles.h - which block tile a matrix product on mma.sync gets, and into how many segments its sum is cut: one
// pure function of shapes and the card, so that launch, scratch and tests agree.
//
// Two questions, answered apart:
//  - How a sum over k is ordered: the number of segments. It depends on the shape of ONE image and the card alone. A
//    batch of any size, and any count of rows in use, gives the bytes that single images give.
//  - How the work is spread: the tile shape, and whether segments run side by side in blocks of their own (partial sums
//    in scratch, added in order by a second kernel) or one after the other in one block (added in the same order
//    there). Neither changes a byte, so this follows the capacity.
#pragma once

#include <array>
#include <cstdint>

namespace spinert {

struct GemmShape {
  int64_t rows_of_one = 1;  // output pixels of one image; 1 for linear
  int64_t rows = 1;         // of the whole capacity
  int64_t columns = 1;      // output channels
  int64_t depth = 1;        // k
};

struct TileShape {
  int rows, columns, threads;
  int resident;  // blocks that one multiprocessor holds, by registers and 144 KB of shared memory
};
// The instantiations of igemm_half_sm80.cu, largest first.
inline constexpr std::array<TileShape, 3> kTileShapes = {{{128, 128, 256, 2}, {128, 64, 128, 3}, {64, 64, 128, 4}}};

inline constexpr int kMostSegments = 16;
// Partial sums of more than this do not stay in the second-level cache of the cards in question (40 to 60 MB).
inline constexpr int64_t kMostPartialBytes = int64_t{32} << 20;

struct TileChoice {
  int tile = 0;           // of kTileShapes
  int segments = 1;       // of the sum over k
  int segment_steps = 0;  // steps of 32 k in each segment but the last
  bool side_by_side = false;
  int64_t scratch_bytes = 0;  // segments x rows x columns floats where side_by_side
  double clocks = 0;          // predicted
  double efficiency = 0;      // predicted: multiply-adds of the shape over what the card can do in those clocks
};

TileChoice choose_tile(const GemmShape& shape, int multiprocessors);

// The model behind the choice, for one way to run a shape. Assumed, not measured; see cuda_tiles.cpp.
double predict_clocks(const GemmShape& shape, const TileShape& tile, int segments, bool side_by_side,
                      int multiprocessors);

}  // namespace spinert
