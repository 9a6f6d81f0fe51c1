// limits.h - what a picture file may ask for. Every limit of the picture readers stands here and none comes from a
// file.
#pragma once

#include <cstdint>

namespace spinert {

inline constexpr uint64_t kMaxPictureFileBytes = 256ull << 20;  // a 16-bit grey picture of the largest size is 128 MB
inline constexpr int kMinPictureSide = 64;                      // smaller cannot show a vertebra: E_IMAGE_SIZE
inline constexpr uint32_t kMaxPictureSide = 8192;
inline constexpr uint64_t kMaxPicturePixels = 64'000'000;  // decimal, so that 8192 x 8192 is already too much
inline constexpr int kMaxJpegSegments = 10'000;            // markers outside scans; a large ICC profile needs about 300

}  // namespace spinert
