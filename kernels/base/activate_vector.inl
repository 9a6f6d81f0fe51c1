// activate_vector.inl - the activations of epilogue.h on a vector. Included inside an unnamed namespace by the bodies
// that have an epilogue. max(0, x) and min(6, x) in this operand order keep a NaN of x.
#pragma once

template <class V>
typename V::V activate_vector(Activation activation, typename V::V x) {
  if (activation == Activation::none) return x;
  if (activation == Activation::sigmoid) {
    float lanes[V::kLanes];
    V::storeu(lanes, x);
    for (float& lane : lanes) lane = portable_sigmoid(lane);
    return V::loadu(lanes);
  }
  x = V::max(V::zero(), x);
  return activation == Activation::relu6 ? V::min(V::set1(6.0f), x) : x;
}
