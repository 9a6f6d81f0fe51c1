#include "kernels/linear/linear_igemm.h"

#include "kernels/linear/linear.h"

namespace spinert {

IgemmCall linear_igemm_call(const OpCall& call) {
  enum Input { kX, kWeight, kBias };
  IgemmCall p;
  p.x = call.in[kX];
  p.weight = call.in[kWeight].f32();
  p.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  p.y = call.out[0];
  p.activation = call.as<LinearParams>().activation;
  p.batch = call.in[kX].shape[0];
  p.in_c = call.in[kWeight].shape[0];
  p.out_c = call.in[kWeight].shape[1];
  return p;
}

}  // namespace spinert
