// The choice of block tiles and segments on the card: properties over the shapes of both networks and over many others,
// and that the cases of conv2d and linear reach every way to run on the card that the emulation plays.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <tuple>

#include "kernels/base/cuda_tiles.h"
#include "kernels/base/igemm_cuda.h"
#include "tests/ops/op_case.h"

namespace spinert {
namespace {

constexpr int kHopper = 132, kAmpere = 108, kSmall = 20, kEmulated = 4;

// The product that a case line of conv2d or linear comes to; columns 0 for any other line.
GemmShape shape_of(const std::string& text) {
  const auto line = cases::CaseLine::parse(text);
  EXPECT_TRUE(line.ok()) << text;
  GemmShape shape;
  shape.columns = 0;
  if (!line.ok()) return shape;
  const auto get = [&](const char* key, int64_t fallback) { return line.value().get(key, fallback); };
  if (line.value().op() == "linear") {
    shape = {.rows_of_one = 1, .rows = get("r", 4), .columns = get("o", 16), .depth = get("k", 32)};
  } else if (line.value().op() == "conv2d") {
    const int64_t h = get("h", 8), w = get("w", h), k = get("k", 3), stride = get("stride", 1);
    const int64_t span = get("dilation", 1) * (k - 1) + 1, padding = get("padding", 0);
    const int64_t pixels = ((h + 2 * padding - span) / stride + 1) * ((w + 2 * padding - span) / stride + 1);
    shape = {
        .rows_of_one = pixels, .rows = pixels * get("n", 1), .columns = get("o", 32), .depth = k * k * get("c", 16)};
  }
  return shape;
}

std::vector<GemmShape> network_shapes() {
  std::vector<GemmShape> shapes;
  for (const char* network : {"detector", "classifier"}) {
    std::ifstream file(std::string(SPINERT_SOURCE_DIR) + "/bench/shapes/" + network + ".txt");
    std::string text;
    while (std::getline(file, text)) {
      if (text.empty() || text[0] == '#') continue;
      std::istringstream words(text);
      std::string name, times, line;
      words >> name >> times;
      std::getline(words >> std::ws, line);
      if (const GemmShape shape = shape_of(line); shape.columns > 0) shapes.push_back(shape);
    }
  }
  return shapes;
}

// Those of the networks, and every kind of edge: one row, one column, a short and a long sum, the largest tensors.
std::vector<GemmShape> all_shapes() {
  std::vector<GemmShape> shapes = network_shapes();
  for (const int64_t one : {1, 49, 64, 65, 4096, 65536}) {
    for (const int64_t images : {1, 3, 136, 20000}) {
      for (const int64_t columns : {1, 64, 65, 2048}) {
        for (const int64_t depth : {8, 32, 264, 2304, 12544}) {
          if (one * images * columns <= kMaxElements) shapes.push_back({one, one * images, columns, depth});
        }
      }
    }
  }
  return shapes;
}

TEST(CudaTiles, EveryLayerOfBothNetworksIsThere) {
  EXPECT_EQ(network_shapes().size(), 27u + 25u);
}

TEST(CudaTiles, ChoiceCoversTheShapeAndStatesItsScratch) {
  for (const int multiprocessors : {kHopper, kAmpere, kSmall, kEmulated, 1}) {
    for (const GemmShape& shape : all_shapes()) {
      const TileChoice choice = choose_tile(shape, multiprocessors);
      const std::string what = std::to_string(shape.rows) + " x " + std::to_string(shape.columns) + " x " +
                               std::to_string(shape.depth) + " on " + std::to_string(multiprocessors);
      ASSERT_GE(choice.tile, 0) << what;
      ASSERT_LT(choice.tile, static_cast<int>(kTileShapes.size())) << what;
      const int64_t steps = (shape.depth + kGemmStep - 1) / kGemmStep;
      // Every segment has at least one step, and together they are the sum.
      ASSERT_GE(choice.segments, 1) << what;
      ASSERT_LE(choice.segments, kMostSegments) << what;
      EXPECT_LT(int64_t{choice.segments - 1} * choice.segment_steps, steps) << what;
      EXPECT_GE(int64_t{choice.segments} * choice.segment_steps, steps) << what;
      const int64_t partial = int64_t{choice.segments} * shape.rows * shape.columns * 4;
      EXPECT_EQ(choice.scratch_bytes, choice.side_by_side ? partial : 0) << what;
      EXPECT_LE(choice.scratch_bytes, kMostPartialBytes) << what;
      EXPECT_TRUE(choice.segments > 1 || !choice.side_by_side) << what;
      // Cards of 8.6 and 8.9 give a block 99 KB: buffers of four steps, and totals where segments follow each other.
      const TileShape& tile = kTileShapes[static_cast<size_t>(choice.tile)];
      const int totals = choice.segments > 1 && !choice.side_by_side ? tile.rows * tile.columns * 4 : 0;
      EXPECT_LE(4 * (tile.rows + tile.columns) * kGemmStep * 2 + totals, 99 << 10) << what;
      EXPECT_GT(choice.clocks, 0) << what;
      EXPECT_GT(choice.efficiency, 0) << what;
      EXPECT_LE(choice.efficiency, 1) << what;
    }
  }
}

TEST(CudaTiles, OrderOfASumDependsOnOneImageAlone) {
  int cut = 0;
  for (const int multiprocessors : {kHopper, kAmpere, kSmall, kEmulated}) {
    for (const GemmShape& shape : all_shapes()) {
      GemmShape one = shape;
      one.rows = shape.rows_of_one;
      const TileChoice alone = choose_tile(one, multiprocessors), batch = choose_tile(shape, multiprocessors);
      EXPECT_EQ(alone.segments, batch.segments);
      EXPECT_EQ(alone.segment_steps, batch.segment_steps);
      cut += batch.segments > 1;
    }
  }
  EXPECT_GT(cut, 0);
}

// What the comments promise: small grids are cut, large ones are not, and a batch that fills the card adds in place.
TEST(CudaTiles, SmallGridsAreCut) {
  const GemmShape fpn{65536, 65536, 256, 2304}, layer4{49, 49, 512, 4608}, layer4_batch{49, 49 * 1000, 512, 4608};
  EXPECT_EQ(choose_tile(fpn, kHopper).segments, 1);
  EXPECT_EQ(kTileShapes[static_cast<size_t>(choose_tile(fpn, kHopper).tile)].rows, 128);
  EXPECT_GT(choose_tile(layer4, kHopper).segments, 1);
  EXPECT_TRUE(choose_tile(layer4, kHopper).side_by_side);
  EXPECT_FALSE(choose_tile(layer4_batch, kHopper).side_by_side);
}

TEST(CudaTiles, PredictionGrowsWithTheWork) {
  for (const TileShape& tile : kTileShapes) {
    const GemmShape small{4096, 4096, 256, 1152}, deep{4096, 4096, 256, 2304}, tall{8192, 8192, 256, 1152};
    const double clocks = predict_clocks(small, tile, 1, false, kHopper);
    EXPECT_GT(predict_clocks(deep, tile, 1, false, kHopper), clocks);
    EXPECT_GE(predict_clocks(tall, tile, 1, false, kHopper), clocks);
    EXPECT_LT(predict_clocks(tall, tile, 1, false, kHopper), predict_clocks(tall, tile, 1, false, kSmall));
    EXPECT_GT(predict_clocks(small, tile, 4, false, kHopper), clocks) << "adding segments costs";
  }
}

// The emulation has four multiprocessors: on those the case lines must take every tile, whole, in segments side by side
// and in segments one after the other.
TEST(CudaTiles, CasesReachEveryWay) {
  std::set<std::tuple<int, bool, bool>> reached;
  for (const OpId op : {OpId::conv2d, OpId::linear}) {
    for (const std::string& line : cases::suite(op).cases) {
      const GemmShape shape = shape_of(line);
      if (shape.rows == 0 || shape.depth % 8 != 0 || line.find("groups") != std::string::npos) continue;
      const TileChoice choice = choose_tile(shape, kEmulated);
      reached.insert({choice.tile, choice.segments > 1, choice.side_by_side});
    }
  }
  for (int tile = 0; tile < static_cast<int>(kTileShapes.size()); ++tile) {
    EXPECT_TRUE(reached.contains({tile, false, false})) << "tile " << tile << " whole";
  }
  EXPECT_TRUE(reached.contains({1, true, false})) << "128x64, segments one after the other";
  EXPECT_TRUE(reached.contains({2, true, false})) << "64x64, segments one after the other";
  EXPECT_TRUE(reached.contains({2, true, true})) << "64x64, segments side by side";
}

}  // namespace
}  // namespace spinert
