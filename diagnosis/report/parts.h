// parts.h - text that is written in parts, because the whole of it may be too large for memory.
#pragma once

#include <functional>
#include <string_view>

#include "kernels/base/status.h"

namespace spinert {

// Takes the next part. Errors: those of where the text goes.
using Put = std::function<Status(std::string_view part)>;
// Gives all its parts, in order, to `put`, and passes on the first error.
using PutParts = std::function<Status(const Put& put)>;

}  // namespace spinert
