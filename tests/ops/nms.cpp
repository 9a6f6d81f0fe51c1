// Cases of nms: overlapping clusters, IoU planted at and around the threshold, zero areas, ties of scores, hostile
// boxes and counts, more kept than asked for.
#include "kernels/nms/nms.h"

#include "tests/ops/boxes.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const int64_t groups = line.get("g", 1), k = line.get("k", 20), count = line.get("count", k);
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  const std::string kind = line.word("boxes", "cluster"), scores = line.word("scores", "falling");
  input.outputs = 4;
  input.add(DType::f32, {groups, k, 4});
  input.add(DType::f32, {groups, k});
  input.add(DType::i32, {groups});
  fill(input.in[1].view(), "real", seed + 1);
  for (int64_t g = 0; g < groups; ++g) {
    fill_boxes(input.in[0].view().f32() + g * k * 4, k, kind, seed + static_cast<uint64_t>(g), 1024);
    float* score = input.in[1].view().f32() + g * k;
    for (int64_t j = 0; j < k; ++j) {
      // Groups share most scores when tied, so that the merge must fall back on group and index.
      const float falling = 1.0f - static_cast<float>(j) / static_cast<float>(k);
      if (scores == "falling") score[j] = falling - static_cast<float>(g) * 1e-3f;
      if (scores == "tied") score[j] = static_cast<float>(k - j / 4);
      if (scores == "nan") score[j] = j % 5 == 0 ? std::numeric_limits<float>::quiet_NaN() : falling;
    }
    input.in[2].view().i32()[g] = static_cast<int32_t>(g % 2 == 0 ? count : count / 2);
  }
  return {};
}

}  // namespace

extern const OpSuite nms_suite;
const OpSuite nms_suite = {
    {
        "nms k=1",
        "nms k=17 seed=2",
        "nms g=5 k=100 threshold=0.7 max_output=200 seed=3",
        "nms g=5 k=200 boxes=random threshold=0.2 max_output=1000 seed=4",
        "nms g=3 k=200 boxes=random threshold=0.5 max_output=30 scores=tied seed=5",
        "nms g=2 k=96 boxes=planted threshold=0.5 max_output=100 seed=6",
        "nms g=2 k=40 boxes=point threshold=0 max_output=100 seed=7",
        "nms g=2 k=40 boxes=same threshold=1 max_output=100 seed=8",
        "nms g=2 k=40 boxes=same threshold=0.99 max_output=100 seed=9",
        "nms g=2 k=64 boxes=hostile threshold=0.5 max_output=200 seed=10",
        "nms g=2 k=64 boxes=hostile threshold=0 max_output=200 seed=11",
        "nms g=2 k=33 boxes=random scores=random max_output=50 seed=12",
        "nms g=2 k=33 boxes=random scores=nan max_output=50 seed=13",
        "nms g=4 k=50 boxes=random threshold=1 max_output=7 scores=tied seed=14",
        "nms g=2 k=20 count=0 seed=15",
        "nms g=2 k=20 count=-8 seed=16",
        "nms g=2 k=20 count=1000 seed=17",
        "nms g=0 k=20 seed=18",
        "nms g=2 k=0 seed=19",
        "nms g=2 k=1000 boxes=random threshold=0.7 max_output=1000 seed=20",
    },
    build,
};

}  // namespace spinert::cases
