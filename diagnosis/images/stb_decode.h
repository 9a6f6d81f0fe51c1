// stb_decode.h - pixels of a PNG or JPEG that verify_png() or verify_jpeg() has passed. Never call it with other bytes:
// stb_image takes damaged files for good ones (docs/safety.md, section 4).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kernels/base/status.h"

namespace spinert {

// Interleaved samples [height][width][channels]; channels as the file has them: 1 grey, 2 grey and alpha, 3 RGB, 4
// RGBA. Palettes are expanded to RGB or RGBA, samples under 8 bits to the range 0..255.
struct StbPixels {
  int width = 0, height = 0, channels = 0;
  std::unique_ptr<void, void (*)(void*)> samples;  // uint8_t or, from stb_decode16, uint16_t in the machine's order
};

// Fails with `refused` (E_PNG or E_JPEG) if the decoder refuses what the verifier passed; E_OOM_HOST without memory.
Result<StbPixels> stb_decode8(std::span<const uint8_t> verified, ErrorId refused);
// Only for 16-bit PNG: an 8-bit file would be widened.
Result<StbPixels> stb_decode16(std::span<const uint8_t> verified, ErrorId refused);

}  // namespace spinert
