// jpeg_verify.h - proves that a byte string is a whole baseline JPEG before a decoder may see it.
//
// Rules (docs/safety.md): JP-01 marker walk from SOI to EOI, sides, and every scan holds exactly the blocks that the
// frame demands (Huffman codes followed, nothing transformed); JP-02 8-bit baseline grey or three components only.
// A breach of JP-01 is E_JPEG. A whole JPEG of another process (progressive, 12-bit, arithmetic, lossless, CMYK) is
// E_IMAGE_FORMAT; the walk to EOI comes first, so a cut progressive file is E_JPEG.
// A flipped bit that still decodes to the right number of blocks cannot be seen (JP-03): the caller reports lossy
// input. The scan check also closes holes of older decoders: Huffman tables with more than 256 codes, blocks never
// written.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/status.h"

namespace spinert {

struct JpegInfo {
  uint32_t width = 0, height = 0;
  int components = 0;  // 1 or 3
};

// Sides are checked against the upper limits only; the caller knows the smallest side that makes sense.
Result<JpegInfo> verify_jpeg(std::span<const uint8_t> bytes);

}  // namespace spinert
