#include "kernels/conv2d/winograd.h"

#include "kernels/base/igemm/igemm_f32.h"

namespace spinert {
namespace {

// The transformed kernel of F(4x4) is four times as large as the kernel. Above this many weights the copy costs more
// memory and opening time than it gains over F(2x2), which is 16/9 as large.
constexpr int64_t kMostWeightsF4 = 256 * 256;
// Below this many input channels the transforms cost as much as the multiplications that they save.
constexpr int64_t kFewestChannels = 32;
// Maps whose last tiles overhang by more than this waste what the algorithm saves: by F(4x4) 14x14 has 31 %.
constexpr double kMostOverhang = 1.35;

// Why the call is no 3x3 convolution that Winograd computes, or null.
const char* not_winograd(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  if (call.out[0].dtype != call.in[0].dtype) return "x and y of different types";
  if (s.kernel_h != 3 || s.kernel_w != 3) return "kernel is not 3x3";
  if (p.stride != 1 || p.dilation != 1 || p.groups != 1) return "stride, dilation or groups != 1";
  if (p.padding != 1) return "padding != 1";
  if (p.residual_upsample != 1) return "residual at half resolution";
  if (s.in_c % kF32Line != 0) return "input channels not a multiple of 16";
  if (s.in_c < kFewestChannels) return "fewer than 32 input channels";
  return nullptr;
}

bool overhangs(const Conv2dShape& s, int64_t tile) {
  const auto covered = [tile](int64_t extent) { return double((extent + tile - 1) / tile * tile); };
  return covered(s.out_h) * covered(s.out_w) > kMostOverhang * double(s.out_h) * double(s.out_w);
}

}  // namespace

const char* winograd_f4_rejects(const OpCall& call) {
  if (const char* why = not_winograd(call)) return why;
  const Conv2dShape s = conv2d_shape(call);
  if (s.in_c * s.out_c > kMostWeightsF4) return "transformed weights would be too large";
  if (overhangs(s, WinogradF4::kOut)) return "tiles overhang too far";
  return nullptr;
}

const char* winograd_f2_rejects(const OpCall& call) {
  if (const char* why = not_winograd(call)) return why;
  if (!winograd_f4_rejects(call)) return "F(4x4) takes it";
  if (overhangs(conv2d_shape(call), WinogradF2::kOut)) return "tiles overhang too far";
  return nullptr;
}

}  // namespace spinert
