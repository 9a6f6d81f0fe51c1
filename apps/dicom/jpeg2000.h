// jpeg2000.h - one JPEG 2000 code stream through OpenJPEG.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

struct Jpeg2000Picture {
  int precision = 0;  // bits per value
  bool is_signed = false;
  std::vector<int32_t> values;  // [rows][columns]
};

// A code stream, or one in a JP2 file, with one component of exactly this size; the size is compared before anything is
// decoded. Errors: E_DICOM_DIM (another size), E_IMAGE_COLOUR (components), E_SLICE_DECODE (refused by the decoder, or
// decoded with a warning: what it warns of is data that are not there).
Result<Jpeg2000Picture> decode_jpeg2000(std::span<const uint8_t> stream, int rows, int columns);

std::string openjpeg_version();

}  // namespace spinert
