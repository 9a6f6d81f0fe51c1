// Cases of crop_resize: inside, across every border, outside, hostile boxes, sizes around every vector width, one and
// many table entries, counts.
#include "kernels/crop_resize/crop_resize.h"

#include "tests/ops/boxes.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const int64_t side = line.get("s", 64), b = line.get("b", 3);
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  input.add(DType::f32, {1, side, line.get("t", side), 1});
  const Tensor canvas = input.in[0].view();
  fill(canvas, "real", seed);
  for (int64_t i = 0; i < canvas.elements(); ++i) canvas.f32()[i] = (canvas.f32()[i] + 1.0f) * 127.5f;
  input.add(DType::f32, {b, 4});
  fill_boxes(input.in[1].view().f32(), b, line.word("boxes", "random"), seed + 1, static_cast<float>(side));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(1, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite crop_resize_suite;
const OpSuite crop_resize_suite = {
    {
        "crop_resize size=32",
        "crop_resize size=224 b=2 s=128 seed=2",
        "crop_resize size=1 b=5 seed=3",
        "crop_resize size=7 b=20 seed=4",
        "crop_resize size=17 b=20 table=1,0,0 seed=5",
        "crop_resize size=31 b=20 table=3,0.4,-0.3,0.2,0,0 seed=6",
        "crop_resize size=16 b=32 s=100 boxes=hostile seed=7",
        "crop_resize size=33 b=32 s=9 t=13 boxes=hostile seed=8",
        "crop_resize size=16 b=4 s=1 seed=9",
        "crop_resize size=12 b=6 s=16 boxes=point seed=10",
        "crop_resize size=16 b=5 count=2 seed=11",
        "crop_resize size=16 b=5 count=0 seed=12",
        "crop_resize size=16 b=5 count=50 seed=13",
        "crop_resize size=16 b=0 seed=14",
        "crop_resize size=8 b=3 s=0 seed=15",
        "crop_resize size=20 b=8 s=512 table=4,0,0 seed=16",
        "crop_resize size=300 b=1 s=40 boxes=cluster table=2,0.1,0.1 seed=17",
    },
    build,
};

}  // namespace spinert::cases
