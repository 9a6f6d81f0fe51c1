// place.h - a slice of any size onto the square canvas: centred crop along each axis that is too long, centred zero
// padding along each that is too short. No scaling.
//
//   source offset = max(0, (extent - size) / 2), target offset = max(0, (size - extent) / 2), integer division
//
// Inputs   0 slice   f32 [1,h,w,1]
// Output   0 canvas  f32 [1,size,size,1]
// Edges    h, w = 0 give an empty canvas; values are copied bit for bit.
// Errors   E_MODEL_ARCH: size outside [1, 16384], shape does not fit.
// Source   the VDModule input of doi 10.21037/qims-23-685
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct PlaceParams {
  int64_t size = 1024;
};

void visit(PlaceParams& params, ParamVisitor& visitor);
Status place_infer(const PlaceParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost place_cost(const OpCall& call);
Tolerance place_tolerance(const OpCall& call);

}  // namespace spinert
