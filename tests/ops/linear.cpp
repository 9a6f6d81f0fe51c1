// Cases of linear: partial tiles of rows and columns, more k than one block, empty and counted rows.
#include "kernels/linear/linear.h"

#include "tests/ops/op_case.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const int64_t r = line.get("r", 4), k = line.get("k", 32), o = line.get("o", 16), count = line.get("count", -1);
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  const std::string data = line.word("data", "int");
  input.exact = data == "int";
  const bool codes = line.activations() == DType::u8;
  input.add(line.activations(), {r, k}, line.quantisation("x"));
  input.add(DType::f32, {k, o});
  fill(input.in[0].view(), data, seed);
  if (codes && data == "int") {
    fill_codes(input.in[1].view(), seed + 1);
  } else {
    fill(input.in[1].view(), data, seed + 1);
  }
  if (line.get("bias", 1) != 0) {
    input.add(DType::f32, {o});
    fill(input.in[2].view(), data, seed + 2);
  } else {
    input.add_absent();
  }
  if (count >= 0) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite linear_suite;
const OpSuite linear_suite = {
    {
        "linear r=1 k=1 o=1",
        "linear r=4 k=32 o=16 activation=relu",
        "linear r=15 k=100 o=33 seed=2",
        "linear r=29 k=17 o=6 bias=0 seed=3",
        "linear r=17 k=3200 o=70 seed=4",
        "linear r=0 k=16 o=16 seed=5",
        "linear r=20 k=64 o=64 count=7 activation=relu6 seed=6",
        "linear r=20 k=64 o=64 count=0 seed=7",
        "linear r=20 k=64 o=64 count=99 seed=8",
        "linear r=113 k=48 o=40 data=real activation=sigmoid seed=9",
        "linear r=9 k=4000 o=50 data=real activation=relu seed=10",
        // Codes of u8.
        "linear dtype=u8 r=1 k=1 o=1 output=f32",
        "linear dtype=u8 r=4 k=32 o=16 activation=relu xzero=5 yscale=256 seed=2",
        "linear dtype=u8 r=29 k=17 o=6 bias=0 xscale=0.5 output=f32 seed=3",
        "linear dtype=u8 r=20 k=64 o=64 count=7 activation=relu6 xscale=0.125 yscale=0.0625 seed=4",
        "linear dtype=u8 r=20 k=64 o=64 count=0 seed=5",
        "linear dtype=u8 r=113 k=48 o=40 data=real activation=sigmoid xscale=0.01 xzero=128 yscale=0.004 seed=6",
        "linear dtype=u8 r=9 k=4000 o=50 data=real activation=relu xscale=0.01 xzero=100 yscale=0.3 seed=7",
        "linear dtype=u8 r=40 k=2312 o=80 data=real activation=relu count=33 xscale=0.01 output=f32 seed=8",
        // Sums so long that more rows share one pass of the weight.
        "linear r=31 k=8210 o=40 seed=17",
        // Tiles of 128 rows on the tensor cores: tails in rows, k and columns; long sums in segments.
        "linear r=130 k=72 o=24 data=real seed=11",
        "linear r=700 k=136 o=72 data=real activation=relu count=650 output=f32 seed=12",
        "linear r=40 k=1560 o=80 data=real activation=relu count=33 seed=13",
        "linear r=520 k=1560 o=80 data=real activation=relu seed=13",
        // One step of k that is mostly beyond its end; segments with columns that are no whole octet.
        "linear r=150 k=8 o=200 data=real activation=relu seed=14",
        "linear r=6 k=1032 o=20 count=4 data=real output=f32 seed=15",
        "linear r=250 k=1032 o=60 count=190 data=real seed=16",
        "linear r=40 k=2312 o=80 data=real activation=relu count=33 seed=13",
        "linear r=500 k=2312 o=80 data=real activation=relu seed=13",
    },
    build,
    true,
};

}  // namespace spinert::cases
