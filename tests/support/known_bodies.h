// known_bodies.h - phantom slices in Hounsfield units whose bodies are known as exactly as they were drawn: for tests
// of measurements. The face looks to the left.
#pragma once

#include <cstdint>
#include <vector>

#include "diagnosis/phantom/disease.h"
#include "diagnosis/result.h"
#include "diagnosis/studies/volume.h"

namespace spinert {

struct KnownBody {
  Box box{};  // around the body, pixels
  phantom::Disease disease;
  double anterior_mm = 0, middle_mm = 0, posterior_mm = 0;  // where BodyMeasures takes its heights
  double mean_hu = 0;                                       // of the middle three fifths, before blur and noise
};

struct KnownSlice {
  HuSlice picture;
  std::vector<KnownBody> bodies;  // whole ones only, from top to bottom
};

KnownSlice known_slice(uint64_t seed, uint64_t number);

}  // namespace spinert
