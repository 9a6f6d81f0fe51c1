// slice_start.h - the result of a slice before any network ran: what the picture alone says.
#pragma once

#include <string>
#include <vector>

#include "config/pipeline_config.h"
#include "diagnosis/images/picture.h"
#include "diagnosis/result.h"

namespace spinert {

// to_grey() with the model's window where the picture holds Hounsfield units.
std::vector<float> grey_of(const Picture& picture, const WindowConfig& window);

// Source, hash, size, warnings and preview; grey: grey_of() the picture.
SliceResult begin_slice(const Picture& picture, const std::string& source, const std::vector<float>& grey);

}  // namespace spinert
