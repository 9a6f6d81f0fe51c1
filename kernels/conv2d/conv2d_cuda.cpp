#include "kernels/conv2d/conv2d_cuda.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias, kResidual };

}  // namespace

CudaIgemm conv2d_cuda_call(const OpCall& call) {
  const auto& params = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  const auto narrow = [](int64_t extent) { return static_cast<int>(extent); };
  CudaIgemm igemm;
  igemm.x = call.in[kX];
  igemm.image = {.in_h = narrow(s.in_h),
                 .in_w = narrow(s.in_w),
                 .in_c = narrow(s.in_c),
                 .kernel_h = narrow(s.kernel_h),
                 .kernel_w = narrow(s.kernel_w),
                 .stride = narrow(params.stride),
                 .padding = narrow(params.padding),
                 .dilation = narrow(params.dilation),
                 .out_h = narrow(s.out_h),
                 .out_w = narrow(s.out_w)};
  igemm.epilogue = {.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr,
                    .residual = call.has(kResidual) ? call.in[kResidual].data : nullptr,
                    .y = call.out[0].data,
                    .output = call.out[0].dtype,
                    .activation = params.activation,
                    .columns = narrow(s.out_c),
                    .out_w = narrow(s.out_w),
                    .residual_upsample = narrow(params.residual_upsample)};
  return igemm;
}

const char* conv2d_cuda_rejects(const OpCall& call) {
  const Conv2dShape s = conv2d_shape(call);
  return igemm_cuda_rejects(s.batch * s.out_h * s.out_w, s.kernel_h * s.kernel_w * s.in_c);
}

}  // namespace spinert
