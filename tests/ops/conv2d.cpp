// Cases of conv2d: every path of the fast kernels (full and partial pixel tiles, channel tails, borders, strides),
// exact with small integers and again with real numbers, and the shapes of both networks in small.
#include "kernels/conv2d/conv2d.h"

#include "tests/ops/op_case.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const auto& params = *static_cast<const Conv2dParams*>(input.params.get());
  const int64_t n = line.get("n", 1), h = line.get("h", 8), w = line.get("w", h), c = line.get("c", 16);
  const int64_t o = line.get("o", 32), k = line.get("k", 3), seed = line.get("seed", 1);
  const std::string data = line.word("data", "int");
  const bool bias = line.get("bias", 1) != 0, residual = line.get("residual", 0) != 0;
  const int64_t count = line.get("count", -1);
  const auto stream = static_cast<uint64_t>(seed);
  input.exact = data == "int";
  const DType type = line.activations();
  const bool codes = type == DType::u8;
  input.add(type, {n, h, w, c}, line.quantisation("x"));
  input.add(DType::f32, {k, k, c / params.groups, o});
  fill(input.in[0].view(), data, stream);
  if (codes && data == "int") {
    fill_codes(input.in[1].view(), stream + 1);
  } else {
    fill(input.in[1].view(), data, stream + 1);
  }
  if (bias) {
    input.add(DType::f32, {o});
    fill(input.in[2].view(), data, stream + 2);
  } else {
    input.add_absent();
  }
  if (residual) {
    const int64_t span = params.dilation * (k - 1) + 1, up = params.residual_upsample;
    const int64_t oh = (h + 2 * params.padding - span) / params.stride + 1;
    const int64_t ow = (w + 2 * params.padding - span) / params.stride + 1;
    const DType residual_type = line.word("rtype", "") == "f32" ? DType::f32 : type;
    input.add(residual_type, {n, oh / up, ow / up, o}, line.quantisation("r"));
    fill(input.in[3].view(), data, stream + 3);
  } else {
    input.add_absent();
  }
  if (count >= 0) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite conv2d_suite;
const OpSuite conv2d_suite = {
    {
        "conv2d h=1 w=1 c=1 o=1 k=1",
        "conv2d h=5 w=7 c=3 o=5 k=3 padding=1",
        "conv2d h=14 w=14 c=16 o=32 k=3 padding=1 activation=relu",
        "conv2d h=9 w=13 c=17 o=33 k=3 padding=1 seed=2",
        "conv2d h=9 w=13 c=16 o=15 k=1 seed=3",
        "conv2d h=7 w=7 c=64 o=64 k=1 residual=1 activation=relu seed=4",
        "conv2d h=16 w=12 c=32 o=48 k=1 residual=1 residual_upsample=2 seed=5",
        "conv2d h=15 w=17 c=32 o=64 k=3 stride=2 padding=1 activation=relu seed=6",
        "conv2d h=16 w=16 c=32 o=64 k=1 stride=2 seed=7",
        "conv2d h=23 w=19 c=3 o=64 k=7 stride=2 padding=3 seed=8",
        "conv2d h=9 w=9 c=16 o=16 k=3 padding=2 dilation=2 seed=9",
        "conv2d h=9 w=9 c=16 o=16 k=3 padding=1 groups=4 seed=10",
        "conv2d h=9 w=9 c=16 o=16 k=3 padding=1 groups=16 stride=2 seed=11",
        "conv2d n=3 h=7 w=7 c=32 o=32 k=3 padding=1 count=2 seed=12",
        "conv2d n=3 h=7 w=7 c=32 o=32 k=1 count=0 seed=13",
        "conv2d n=0 h=7 w=7 c=32 o=32 k=1 seed=14",
        "conv2d n=2 h=11 w=5 c=40 o=72 k=3 padding=1 bias=0 seed=15",
        "conv2d h=6 w=6 c=256 o=256 k=3 padding=1 residual=1 activation=relu6 seed=16",
        "conv2d h=33 w=31 c=64 o=64 k=3 padding=1 data=real activation=relu seed=17",
        "conv2d h=12 w=12 c=512 o=96 k=1 data=real residual=1 seed=18",
        "conv2d h=8 w=8 c=24 o=40 k=3 padding=1 data=real activation=sigmoid seed=19",
        "conv2d h=3 w=3 c=16 o=16 k=3 padding=3 stride=3 data=real seed=20",
        "conv2d h=4 w=4 c=32 o=16 k=3 padding=1 seed=21",
        "conv2d h=12 w=20 c=48 o=40 k=3 padding=1 residual=1 activation=relu seed=22",
        "conv2d h=15 w=13 c=32 o=33 k=3 padding=1 bias=0 data=real seed=23",
        "conv2d n=3 h=16 w=12 c=64 o=64 k=3 padding=1 count=2 data=real activation=relu seed=24",
        "conv2d n=2 h=8 w=8 c=256 o=256 k=3 padding=1 data=real residual=1 seed=25",
        // Activations of bf16 around float arithmetic.
        "conv2d n=2 h=11 w=9 c=64 o=72 k=3 padding=1 data=real residual=1 activation=relu dtype=bf16 seed=47",
        "conv2d h=8 w=13 c=32 o=43 k=3 padding=1 bias=0 dtype=bf16 seed=48",
        // Tiles of 128 pixels on the tensor cores: tails in pixels and channels, all borders, more tiles than blocks.
        "conv2d n=2 h=16 w=12 c=64 o=256 k=1 residual=1 residual_upsample=2 data=real seed=26",
        "conv2d h=16 w=12 c=128 o=136 k=3 stride=2 padding=1 data=real activation=relu seed=27",
        "conv2d n=3 h=13 w=11 c=64 o=72 k=1 stride=2 count=2 seed=28",
        "conv2d h=9 w=9 c=64 o=64 k=3 padding=2 dilation=2 bias=0 seed=29",
        "conv2d h=9 w=9 c=64 o=40 k=3 padding=1 output=f32 residual=1 seed=30",
        "conv2d n=5 h=7 w=7 c=64 o=64 k=3 padding=1 count=9 data=real seed=31",
        "conv2d n=5 h=7 w=7 c=64 o=64 k=3 padding=1 count=0 seed=32",
        "conv2d h=38 w=37 c=64 o=128 k=3 padding=1 data=real residual=1 activation=relu6 seed=33",
        "conv2d h=20 w=19 c=64 o=64 k=4 padding=5 stride=3 data=real seed=34",
        // Long sums in segments: side by side where one image has few tiles, in one block where a batch has many.
        "conv2d h=7 w=7 c=256 o=72 k=3 padding=1 data=real residual=1 activation=relu seed=35",
        "conv2d n=9 h=7 w=7 c=256 o=72 k=3 padding=1 data=real residual=1 activation=relu count=8 seed=35",
        // Tiles of 256 channels.
        "conv2d h=111 w=111 c=128 o=256 k=1 data=real residual=1 seed=36",
        // mma.sync rows: four taps in one step of k, a step over the end of k, columns that are no whole octet.
        "conv2d n=2 h=9 w=7 c=8 o=24 k=3 padding=1 residual=1 seed=40",
        "conv2d h=13 w=11 c=8 o=20 k=7 stride=2 padding=3 data=real activation=relu seed=41",
        "conv2d n=2 h=6 w=4 c=16 o=20 k=1 residual=1 residual_upsample=2 output=f32 seed=42",
        // A long sum over few pixels: in segments, whose partial sums have a count and columns that are no whole octet.
        "conv2d n=3 h=4 w=4 c=104 o=20 k=3 padding=1 residual=1 count=2 seed=43",
        // Codes of u8: exact sums, padding by the zero, every type of residual and output, long and short sums.
        "conv2d dtype=u8 h=1 w=1 c=1 o=1 k=1 output=f32",
        "conv2d dtype=u8 h=5 w=7 c=3 o=5 k=3 padding=1 xscale=0.5 xzero=7 output=f32 seed=2",
        "conv2d dtype=u8 h=14 w=14 c=16 o=32 k=3 padding=1 activation=relu xscale=0.25 yscale=512 seed=3",
        "conv2d dtype=u8 h=9 w=13 c=17 o=33 k=3 padding=1 xzero=128 yscale=1024 yzero=120 seed=4",
        "conv2d dtype=u8 h=9 w=13 c=64 o=15 k=1 xscale=2 yscale=2048 yzero=128 seed=5",
        "conv2d dtype=u8 h=7 w=7 c=64 o=64 k=1 residual=1 activation=relu yscale=256 rscale=64 rzero=100 seed=6",
        "conv2d dtype=u8 h=16 w=12 c=32 o=48 k=1 residual=1 rtype=f32 residual_upsample=2 yscale=512 yzero=99 seed=7",
        "conv2d dtype=u8 h=15 w=17 c=32 o=64 k=3 stride=2 padding=1 activation=relu xzero=3 yscale=1024 seed=8",
        "conv2d dtype=u8 h=16 w=16 c=32 o=64 k=1 stride=2 yscale=512 yzero=128 seed=9",
        "conv2d dtype=u8 h=23 w=19 c=3 o=64 k=7 stride=2 padding=3 xzero=9 yscale=512 yzero=128 seed=10",
        "conv2d dtype=u8 h=9 w=9 c=16 o=16 k=3 padding=2 dilation=2 xzero=1 output=f32 seed=11",
        "conv2d dtype=u8 h=9 w=9 c=16 o=16 k=3 padding=1 groups=4 xzero=2 output=f32 seed=12",
        "conv2d dtype=u8 n=3 h=7 w=7 c=32 o=32 k=3 padding=1 count=2 yscale=512 yzero=128 seed=13",
        "conv2d dtype=u8 n=3 h=7 w=7 c=32 o=32 k=1 count=0 seed=14",
        "conv2d dtype=u8 n=0 h=7 w=7 c=32 o=32 k=1 seed=15",
        "conv2d dtype=u8 n=2 h=11 w=5 c=40 o=72 k=3 padding=1 bias=0 xzero=128 yscale=1024 yzero=128 seed=16",
        "conv2d dtype=u8 h=6 w=6 c=256 o=256 k=3 padding=1 residual=1 activation=relu6 xzero=128 yscale=0.03125 "
        "seed=17",
        "conv2d dtype=u8 h=33 w=31 c=64 o=64 k=3 padding=1 data=real activation=relu xscale=0.013 yscale=0.2 seed=18",
        "conv2d dtype=u8 h=12 w=12 c=512 o=96 k=1 data=real residual=1 xscale=0.017 xzero=120 yscale=0.1 yzero=130 "
        "rscale=0.05 rzero=128 seed=19",
        "conv2d dtype=u8 h=8 w=8 c=24 o=40 k=3 padding=1 data=real activation=sigmoid xscale=0.01 yscale=0.004 seed=20",
        "conv2d dtype=u8 n=9 h=7 w=7 c=256 o=72 k=3 padding=1 data=real residual=1 activation=relu count=8 "
        "xscale=0.011 "
        "rscale=0.07 yscale=0.09 seed=21",
        "conv2d dtype=u8 h=7 w=7 c=512 o=72 k=3 padding=1 data=real xscale=0.011 output=f32 seed=22",
        "conv2d dtype=u8 n=2 h=12 w=20 c=48 o=130 k=3 padding=1 data=real xscale=0.011 xzero=50 residual=1 rtype=f32 "
        "output=f32 seed=23",
        // Depthwise.
        "conv2d n=3 h=7 w=9 c=24 o=24 groups=24 k=3 padding=1 residual=1 activation=relu6 count=2 seed=44",
        "conv2d h=9 w=8 c=8 o=8 groups=8 k=5 stride=2 padding=4 dilation=2 bias=0 data=real seed=45",
        "conv2d h=6 w=6 c=16 o=32 groups=16 k=3 padding=1 data=real seed=46",
        "conv2d h=19 w=23 c=40 o=40 groups=40 k=3 padding=1 data=real activation=relu6 seed=49",
        "conv2d h=18 w=22 c=144 o=144 groups=144 k=3 stride=2 padding=1 data=real activation=relu6 seed=50",
        "conv2d h=17 w=25 c=16 o=16 groups=16 k=3 stride=2 padding=1 activation=relu6 seed=51",
        "conv2d n=2 h=12 w=16 c=5 o=5 groups=5 k=3 bias=0 seed=52",
        "conv2d h=9 w=21 c=33 o=33 groups=33 k=3 padding=2 stride=2 residual=1 seed=53",
        "conv2d h=12 w=14 c=24 o=24 groups=24 k=3 padding=1 residual=1 residual_upsample=2 output=f32 seed=54",
        "conv2d h=2 w=1 c=8 o=8 groups=8 k=3 padding=1 seed=55",
        "conv2d h=1 w=2 c=32 o=32 groups=32 k=3 stride=2 padding=1 data=real activation=sigmoid seed=56",
        "conv2d h=3 w=11 c=48 o=48 groups=48 k=3 padding=5 data=real seed=57",
        "conv2d n=2 h=7 w=11 c=16 o=16 groups=16 k=3 padding=1 count=0 seed=58",
        "conv2d n=0 h=7 w=11 c=16 o=16 groups=16 k=3 padding=1 seed=59",
        "conv2d h=13 w=15 c=24 o=24 groups=24 k=3 padding=1 residual=1 dtype=bf16 output=f32 seed=60",
        "conv2d dtype=u8 h=9 w=13 c=24 o=24 groups=24 k=3 padding=1 xzero=7 activation=relu6 yscale=0.05 seed=61",
        // Channel counts of MobileNetV2 that are no whole lines or panels.
        "conv2d h=15 w=13 c=16 o=96 k=1 data=real activation=relu6 seed=62",
        "conv2d h=15 w=13 c=144 o=24 k=1 data=real residual=1 seed=63",
        "conv2d h=9 w=7 c=24 o=144 k=1 activation=relu6 seed=64",
    },
    build,
    true,
};

}  // namespace spinert::cases
