// Cases of normalise: one and three channels, grey outside 0 to 255, NaN, counted and empty pictures.
#include "kernels/normalise/normalise.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  auto& params = *static_cast<NormaliseParams*>(input.params.get());
  if (params.mean.empty()) params = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
  input.add(DType::f32, {line.get("n", 1), line.get("h", 8), line.get("w", 8), 1});
  const Tensor grey = input.in[0].view();
  fill(grey, line.word("data", "real"), static_cast<uint64_t>(line.get("seed", 1)));
  for (int64_t i = 0; i < grey.elements(); ++i) grey.f32()[i] = (grey.f32()[i] + 1.0f) * 127.5f;
  plant(grey, line.word("plant", ""));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite normalise_suite;
const OpSuite normalise_suite = {
    {
        "normalise h=17 w=9",
        "normalise h=3 w=5 mean=0.5 std=0.25 seed=2",
        "normalise h=9 w=9 mean=0,0.1,0.2,0.3 std=1,2,3,4 seed=3",
        "normalise plant=nan seed=4",
        "normalise n=3 count=2 seed=5",
        "normalise n=0 seed=6",
        "normalise n=2 h=5 w=13 mean=0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1,1.1,1.2,1.3,1.4,1.5,1.6 "
        "std=1,1,1,1,1,1,1,1,2,2,2,2,2,2,2,2 count=7 seed=7",
    },
    build,
};

}  // namespace spinert::cases
