// picture_source.h - picture files as the slices of one study, in the order of the command line.
#pragma once

#include <memory>
#include <vector>

#include "diagnosis/input.h"
#include "diagnosis/slice_source.h"

namespace spinert {

// hu_offset: pixel values are HU + offset, so that the model's window is applied.
std::unique_ptr<SliceSource> picture_source(std::vector<Input> inputs, std::optional<double> hu_offset);

}  // namespace spinert
