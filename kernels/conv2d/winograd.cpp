#include "kernels/conv2d/winograd.h"

#include "kernels/base/igemm.h"

namespace spinert {
namespace {

// The transformed kernel is four times as large as the kernel. Above this many weights the copy costs more memory and
// opening time than the layer (5 % of the detector) gains.
constexpr int64_t kMostWeights = 256 * 256;
// Below this many input channels the transforms cost as much as the multiplications that they save.
constexpr int64_t kFewestChannels = 32;
// Maps whose last tiles overhang by more than this waste what the algorithm saves: 14x14 has 31 %.
constexpr double kMostOverhang = 1.35;

int64_t tiles(int64_t extent) {
  return (extent + kWinogradOut - 1) / kWinogradOut;
}

}  // namespace

const char* winograd_rejects(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  if (call.out[0].dtype != call.in[0].dtype) return "x and y of different types";
  if (s.kernel_h != 3 || s.kernel_w != 3) return "kernel is not 3x3";
  if (p.stride != 1 || p.dilation != 1 || p.groups != 1) return "stride, dilation or groups != 1";
  if (p.padding != 1) return "padding != 1";
  if (p.residual_upsample != 1) return "residual at half resolution";
  if (s.in_c % kIgemmChunk != 0) return "input channels not a multiple of 16";
  if (s.in_c < kFewestChannels) return "fewer than 32 input channels";
  if (s.in_c * s.out_c > kMostWeights) return "transformed weights would be too large";
  const double covered = double(tiles(s.out_h) * tiles(s.out_w)) * kWinogradOut * kWinogradOut;
  if (covered > kMostOverhang * double(s.out_h) * double(s.out_w)) return "tiles overhang too far";
  return nullptr;
}

}  // namespace spinert
