// synthetic_slice.h - a made-up sagittal slice for `verify` and `bench` when no picture is named: a body, a curved
// column of blocks with bright rims, noise. Integer arithmetic only, so it is the same everywhere. It shows no anatomy.
#pragma once

#include "diagnosis/images/picture.h"

namespace spinert {

inline constexpr int kSyntheticHeight = 768, kSyntheticWidth = 640;

Picture synthetic_slice();

}  // namespace spinert
