// Cases of anchors: a pyramid, one level with all sizes, extents that do not divide the canvas.
#include "kernels/anchors/anchors.h"

#include "tests/ops/op_case.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const int64_t canvas = line.get("canvas", 64), levels = line.get("levels", 1);
  input.add(DType::f32, {1, canvas, line.get("canvas_w", canvas), 1});
  int64_t h = line.get("h", 16), w = line.get("w", h);
  for (int64_t l = 0; l < levels; ++l) {
    input.add(DType::f32, {1, h, w, 3});
    h = (h + 1) / 2;
    w = (w + 1) / 2;
  }
  return {};
}

}  // namespace

extern const OpSuite anchors_suite;
const OpSuite anchors_suite = {
    {
        "anchors levels=1 h=4",
        "anchors levels=5 h=16 sizes=8,16,32,64,128",
        "anchors levels=2 h=5 w=7 sizes=4,8,16,32 ratios=0.5,1 canvas=33 canvas_w=50",
        "anchors levels=1 h=1 sizes=1 ratios=1 canvas=1",
        "anchors levels=1 h=3 sizes=5,7 ratios=1,1.0001 canvas=20",
        "anchors levels=5 h=256 canvas=1024",
    },
    build,
};

}  // namespace spinert::cases
