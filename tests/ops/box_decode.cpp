// Cases of box_decode: both uses, deltas at and beyond the clamp, NaN and infinities, hostile boxes, indices and
// counts, sides at the smallest size kept.
#include "kernels/box_decode/box_decode.h"

#include <sstream>

#include "tests/ops/boxes.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

// Selection of g groups: count[i] of `selected`, indices in a fixed random order over the group's boxes, scores
// falling.
void add_selection(const CaseLine& line, CaseInput& input, const std::vector<int64_t>& lengths, uint64_t seed) {
  const auto groups = static_cast<int64_t>(lengths.size());
  const int64_t k = line.get("k", 20), selected = line.get("selected", k);
  const bool hostile = line.get("hostile_index", 0) != 0;
  input.add(DType::i32, {groups, k});
  input.add(DType::f32, {groups, k});
  input.add(DType::i32, {groups});
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t length = lengths[static_cast<size_t>(g)];
    input.in[3].view().i32()[g] = static_cast<int32_t>(length == 0 ? 0 : selected);
    for (int64_t j = 0; j < k; ++j) {
      const uint64_t bits = random_bits(seed, static_cast<uint64_t>(g * k + j));
      int64_t index = length > 0 ? static_cast<int64_t>(bits % static_cast<uint64_t>(length)) : 0;
      if (hostile && j % 3 == 0) index = j % 2 == 0 ? -1 - index : length + index * 1000;
      input.in[1].view().i32()[g * k + j] = static_cast<int32_t>(index);
      input.in[2].view().f32()[g * k + j] = 1.0f - static_cast<float>(j) / static_cast<float>(k);
    }
  }
}

void fill_deltas(const CaseLine& line, const Tensor& deltas, uint64_t seed) {
  fill(deltas, "real", seed);
  const auto range = static_cast<float>(line.real("range", 1));
  for (int64_t i = 0; i < deltas.elements(); ++i) deltas.f32()[i] *= range;
  plant(deltas, line.word("plant", ""));
}

Status build(const CaseLine& line, CaseInput& input) {
  const auto& params = *static_cast<const BoxDecodeParams*>(input.params.get());
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  const std::string kind = line.word("boxes", "random");
  const auto canvas = static_cast<float>(params.width);
  input.outputs = 4;
  if (params.by_class) {
    const int64_t r = line.get("r", 30), c = line.get("c", 2);
    input.add(DType::f32, {r, 4});
    fill_boxes(input.in[0].view().f32(), r, kind, seed, canvas);
    add_selection(line, input, std::vector<int64_t>(static_cast<size_t>(c - 1), r), seed + 1);
    input.add(DType::f32, {r, 4 * c});
    fill_deltas(line, input.in[4].view(), seed + 2);
    if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
    return {};
  }
  std::stringstream sides(line.word("sides", "4"));
  const int64_t anchors = line.get("a", 3);
  std::vector<int64_t> side_list, lengths;
  int64_t total = 0;
  for (std::string side; std::getline(sides, side, ',');) {
    side_list.push_back(std::stoll(side));
    lengths.push_back(side_list.back() * side_list.back() * anchors);
    total += lengths.back();
  }
  input.add(DType::f32, {total, 4});
  fill_boxes(input.in[0].view().f32(), total, kind, seed, canvas);
  add_selection(line, input, lengths, seed + 1);
  for (const int64_t side : side_list) {
    input.add(DType::f32, {1, side, side, anchors * 4});
    fill_deltas(line, input.in.back().view(), seed + input.in.size());
  }
  return {};
}

}  // namespace

extern const OpSuite box_decode_suite;
const OpSuite box_decode_suite = {
    {
        "box_decode",
        "box_decode sides=8,4,2,1 k=50 seed=2",
        "box_decode sides=8,0,3 k=50 min_size=0.001 seed=3",
        "box_decode sides=8 k=100 range=8 min_size=0.001 seed=4",
        "box_decode sides=8 k=100 range=100 min_size=20 seed=5",
        "box_decode sides=8 k=100 range=1e30 seed=6",
        "box_decode sides=8,4 k=100 plant=nan seed=7",
        "box_decode sides=8,4 k=100 plant=special seed=8",
        "box_decode sides=8,4 k=100 boxes=hostile seed=9",
        "box_decode sides=8,4 k=100 boxes=point min_size=0.001 range=0 seed=10",
        "box_decode sides=8,4 k=10 boxes=point range=0 seed=11",
        "box_decode sides=4 k=30 selected=0 seed=12",
        "box_decode sides=4 k=30 selected=-3 seed=13",
        "box_decode sides=4 k=30 selected=1000 seed=14",
        "box_decode sides=4 k=30 hostile_index=1 seed=15",
        "box_decode by_class=1 r=100 c=2 k=100 weights=10,10,5,5 min_size=0.01 seed=16",
        "box_decode by_class=1 r=50 c=7 k=20 weights=10,10,5,5 width=200 height=100 seed=17",
        "box_decode by_class=1 r=50 c=3 k=20 count=10 seed=18",
        "box_decode by_class=1 r=50 c=3 k=20 count=0 seed=19",
        "box_decode by_class=1 r=0 c=3 k=5 seed=20",
        "box_decode by_class=1 r=9 c=1 k=5 seed=21",
        "box_decode by_class=1 r=32 c=2 k=32 boxes=hostile plant=special seed=22",
        // More boxes than a block has threads, kept ones on both sides of the seam.
        "box_decode sides=16,8,2 k=2500 selected=2200 range=8 min_size=20 seed=23",
        "box_decode sides=16,0,2 k=1100 selected=1024 plant=nan seed=24",
        "box_decode sides=16 k=1100 selected=1025 hostile_index=1 seed=25",
        // A detector's levels at full size.
        "box_decode sides=256,128,64,32,16 k=1000 min_size=0.001 plant=special seed=26",
    },
    build,
};

}  // namespace spinert::cases
