#include "diagnosis/synthetic_slice.h"

#include <algorithm>

#include "weights/sha256.h"

namespace spinert {
namespace {

constexpr int kBlocks = 10;
constexpr int kFirstCentre = 60, kPitch = 70;  // rows between two blocks
constexpr int kRim = 3;
constexpr int kAir = 2, kSoftTissue = 74, kSpongy = 104, kCortex = 168;

// Column of the spine's centre at a row: a gentle arc.
int spine_centre(int y) {
  const int from_middle = y - kSyntheticHeight / 2;
  return 330 - from_middle * from_middle / 2600;
}

int tissue(int x, int y) {
  const int centre = spine_centre(y);
  if (x < centre - 190 || x > centre + 230) return kAir;
  const int index = std::clamp((y - kFirstCentre + kPitch / 2) / kPitch, 0, kBlocks - 1);
  const int dy = std::abs(y - (kFirstCentre + index * kPitch)), half_height = 21 + index, half_width = 24 + index;
  // The sides are drawn in, as those of a vertebral body are.
  const int waist = (half_height - std::min(dy, half_height)) / 5, dx = std::abs(x - centre) + waist;
  if (dy > half_height || dx > half_width) return kSoftTissue;
  return dy > half_height - kRim || dx > half_width - kRim ? kCortex : kSpongy;
}

}  // namespace

Picture synthetic_slice() {
  Picture picture;
  picture.width = kSyntheticWidth;
  picture.height = kSyntheticHeight;
  picture.value.reserve(static_cast<size_t>(kSyntheticWidth) * kSyntheticHeight);
  uint32_t state = 1;
  for (int y = 0; y < kSyntheticHeight; ++y) {
    for (int x = 0; x < kSyntheticWidth; ++x) {
      state = state * 1664525u + 1013904223u;
      // The sum of two draws: noise with a peak in the middle.
      const int noise = static_cast<int>(state >> 28) + static_cast<int>(state >> 24 & 15u) - 15;
      picture.value.push_back(static_cast<uint16_t>(std::clamp(tissue(x, y) + noise / 2, 0, 255)));
    }
  }
  picture.sha256 = to_hex(sha256(picture.value.data(), picture.value.size() * sizeof(uint16_t)));
  return picture;
}

}  // namespace spinert
