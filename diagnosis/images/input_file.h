// input_file.h - reads one input file whole into memory, or says why not.
//
// Errors: E_INPUT_EMPTY (missing, not readable, not a regular file), E_INPUT_READ (the medium failed while reading),
// E_INPUT_CHANGED (size or time changed while it was read: somebody is still writing it), E_IMAGE_SIZE (larger than
// max_bytes; nothing is read then), E_OOM_HOST. An empty file is not an error here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

Result<std::vector<uint8_t>> read_input_file(const std::string& path, uint64_t max_bytes);

}  // namespace spinert
