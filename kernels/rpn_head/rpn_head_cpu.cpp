// rpn_head_cpu.cpp - host side of rpn_head_cpu.h.
#include "kernels/rpn_head/rpn_head_cpu.h"

#include "kernels/conv2d/winograd.h"

namespace spinert {

const char* rpn_head_winograd_rejects(const OpCall& call) {
  const auto pixels = [&](size_t level) {
    const Shape& map = call.in[rpn_head_map(level)].shape;
    return map[1] * map[2];
  };
  size_t largest = 0;
  for (size_t l = 1; l < rpn_head_levels(call); ++l) {
    if (pixels(l) > pixels(largest)) largest = l;
  }
  const Tensor in[] = {call.in[rpn_head_map(largest)], call.in[kRpnWeight]};
  Tensor hidden = in[0];
  hidden.shape[3] = in[1].shape[3];
  const Conv2dParams params{.padding = 1};
  return winograd_f4_rejects({&params, in, {&hidden, 1}});
}

}  // namespace spinert
