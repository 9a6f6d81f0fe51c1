// png_verify.h - proves that a byte string is a whole and undamaged PNG before a decoder may see it.
//
// Rules (docs/safety.md): PN-01 signature, IHDR, sides; PN-02 chunk lengths, order and CRC-32; PN-03 the picture data
// inflates to exactly the demanded length and its Adler-32 is right; PN-04 palette present and never exceeded; PN-05
// IEND ends the file. A breach is E_PNG with the rule in the text. APNG is E_IMAGE_FORMAT: it holds more than one
// picture. PN-06 (16 bits stay 16) is kept by the caller, who picks the decoder's path by bit_depth.
// Cost: one CRC pass, one inflate pass; memory: 64 KiB and two scan lines, whatever size the header claims.
#pragma once

#include <cstdint>
#include <span>

#include "diagnosis/images/png_scanlines.h"
#include "kernels/base/status.h"

namespace spinert {

// Sides are checked against the upper limits only; the caller knows the smallest side that makes sense.
Result<PngInfo> verify_png(std::span<const uint8_t> bytes);

}  // namespace spinert
