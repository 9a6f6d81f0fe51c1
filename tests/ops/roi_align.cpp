// Cases of roi_align: channel tails around every vector width, one and four levels, sides at the level boundaries,
// regions outside, inverted, huge and not finite, NaN features, 1 x 1 maps, counts.
#include "kernels/roi_align/roi_align.h"

#include "tests/ops/boxes.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const auto& params = *static_cast<const RoiAlignParams*>(input.params.get());
  const int64_t r = line.get("r", 10), c = line.get("c", 16), levels = line.get("levels", 1);
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  int64_t side = line.get("h", 32), width = line.get("w", side);
  input.add(DType::f32, {r, 4});
  fill_boxes(input.in[0].view().f32(), r, line.word("boxes", "random"), seed, static_cast<float>(params.canvas));
  for (int64_t l = 0; l < levels; ++l) {
    Quantisation q = line.quantisation("x");
    q.zero += static_cast<int32_t>(l);
    input.add(line.activations(), {1, side, width, c}, q);
    fill(input.in.back().view(), line.word("data", "real"), seed + 1 + static_cast<uint64_t>(l));
    plant(input.in.back().view(), line.word("plant", ""));
    side = std::max<int64_t>(1, side / 2);
    width = std::max<int64_t>(1, width / 2);
  }
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite roi_align_suite;
const OpSuite roi_align_suite = {
    {
        "roi_align",
        "roi_align r=20 c=256 levels=4 h=64 seed=2",
        "roi_align r=9 c=1 seed=3",
        "roi_align r=9 c=7 seed=4",
        "roi_align r=9 c=9 seed=5",
        "roi_align r=9 c=31 seed=6",
        "roi_align r=9 c=33 seed=7",
        "roi_align r=9 c=65 seed=8",
        "roi_align r=9 c=100 seed=9",
        "roi_align r=18 c=8 levels=4 h=64 boxes=boundary canvas=1024 seed=10",
        "roi_align r=32 c=20 levels=4 h=32 boxes=hostile seed=11",
        "roi_align r=32 c=20 levels=1 h=5 w=3 boxes=hostile canvas=64 seed=12",
        "roi_align r=16 c=70 levels=4 h=16 plant=nan seed=13",
        "roi_align r=10 c=16 h=1 seed=14",
        "roi_align r=10 c=16 h=32 output_size=5 sampling_ratio=1 seed=15",
        "roi_align r=10 c=16 h=32 output_size=3 sampling_ratio=4 seed=16",
        "roi_align r=10 c=16 h=32 output_size=1 sampling_ratio=8 seed=17",
        "roi_align r=3 c=4 h=16 output_size=32 sampling_ratio=2 seed=18",
        "roi_align r=10 c=16 count=3 seed=19",
        "roi_align r=10 c=16 count=0 seed=20",
        "roi_align r=10 c=16 count=11 seed=21",
        "roi_align r=0 c=16 seed=22",
        "roi_align r=4 c=0 seed=23",
        "roi_align r=8 c=16 levels=3 h=32 canonical_scale=56 canonical_level=3 min_level=1 canvas=128 seed=24",
        "roi_align r=24 c=8 levels=8 h=64 canonical_level=6 min_level=0 boxes=hostile seed=25",
        "roi_align r=3 c=264 levels=2 h=16 sampling_ratio=3 output_size=2 seed=26",
        "roi_align dtype=u8 r=20 c=256 levels=4 h=64 xscale=0.02 xzero=100 yscale=0.03 yzero=120 seed=28",
        "roi_align dtype=u8 r=9 c=70 xscale=0.02 yscale=0.02 seed=29",
        "roi_align dtype=u8 r=32 c=20 levels=4 h=32 boxes=hostile xzero=90 yzero=80 seed=30",
        "roi_align dtype=u8 r=10 c=16 h=32 output_size=3 sampling_ratio=4 count=3 seed=31",
        "roi_align r=2 c=5 levels=3 h=16 output_size=32 sampling_ratio=8 plant=nan seed=27",
    },
    build,
    true,
};

}  // namespace spinert::cases
