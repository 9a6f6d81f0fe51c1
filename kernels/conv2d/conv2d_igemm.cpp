#include "kernels/conv2d/conv2d_igemm.h"

#include "kernels/conv2d/conv2d.h"

namespace spinert {

IgemmCall conv2d_igemm_call(const OpCall& call) {
  enum Input { kX, kWeight, kBias, kResidual };
  const auto& params = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  IgemmCall p;
  p.x = call.in[kX];
  p.weight = call.in[kWeight].f32();
  p.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  if (call.has(kResidual)) p.residual = call.in[kResidual];
  p.y = call.out[0];
  p.activation = params.activation;
  p.batch = s.batch;
  p.in_h = s.in_h;
  p.in_w = s.in_w;
  p.in_c = s.in_c;
  p.kernel_h = s.kernel_h;
  p.kernel_w = s.kernel_w;
  p.stride = params.stride;
  p.padding = params.padding;
  p.dilation = params.dilation;
  p.groups = params.groups;
  p.out_h = s.out_h;
  p.out_w = s.out_w;
  p.out_c = s.out_c;
  p.residual_h = s.residual_h;
  p.residual_w = s.residual_w;
  p.residual_upsample = params.residual_upsample;
  return p;
}

}  // namespace spinert
