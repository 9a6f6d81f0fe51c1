// random.h - seeded random numbers (splitmix64) and smooth lattice noise for a phantom. Integers decide, so that a seed
// means the same numbers on every machine.
#pragma once

#include <cstdint>

#include "diagnosis/phantom/arithmetic.h"

namespace spinert::phantom {

inline uint64_t scramble(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Each subject of a slice has a stream of its own: with another prevalence size, field and tissue of a slice stay.
enum class Stream : unsigned char { picture, spine, disease, tissue, noise };

class Random {
 public:
  Random(uint64_t seed, uint64_t slice, Stream stream)
      : state_(scramble(scramble(scramble(seed) + slice) + static_cast<uint64_t>(stream))) {}

  uint64_t bits() { return scramble(state_ += 0x9e3779b97f4a7c15u); }
  // A seed for lattice noise.
  uint32_t seed() { return static_cast<uint32_t>(bits() >> 32); }
  // In [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) / 9007199254740992.0; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  // low and high included.
  int whole(int low, int high) { return low + static_cast<int>(bits() % (static_cast<uint64_t>(high - low) + 1)); }
  bool chance(double probability) { return uniform() < probability; }
  // Mean 0, variance 1, within +-3.5: the sum of four uniform numbers.
  double normal() {
    const uint64_t b = bits();
    const auto sum = static_cast<int64_t>((b & 0xffff) + (b >> 16 & 0xffff) + (b >> 32 & 0xffff) + (b >> 48));
    constexpr double kSigma = 37837.2;  // of the sum: 65536 * sqrt(4 / 12)
    return static_cast<double>(sum - 131070) / kSigma;
  }

 private:
  uint64_t state_;
};

// In [-1, 1] at whole coordinates.
inline double lattice(uint32_t seed, int x, int y) {
  uint32_t h = seed ^ (static_cast<uint32_t>(x) * 0x9e3779b1u) ^ (static_cast<uint32_t>(y) * 0x85ebca77u);
  h = (h ^ (h >> 15)) * 0x2c1b3c6du;
  h = (h ^ (h >> 12)) * 0x297a2d39u;
  h ^= h >> 15;
  return static_cast<double>(h) / 2147483647.5 - 1;
}

// Smooth between the whole coordinates, in [-1, 1].
inline double noise(uint32_t seed, double x, double y) {
  const int ix = floor_int(x), iy = floor_int(y);
  const double fx = x - ix, fy = y - iy;
  const double wx = fx * fx * (3 - 2 * fx), wy = fy * fy * (3 - 2 * fy);
  return mix(mix(lattice(seed, ix, iy), lattice(seed, ix + 1, iy), wx),
             mix(lattice(seed, ix, iy + 1), lattice(seed, ix + 1, iy + 1), wx), wy);
}
inline double noise(uint32_t seed, double x) {
  const int ix = floor_int(x);
  const double fx = x - ix;
  return mix(lattice(seed, ix, 0), lattice(seed, ix + 1, 0), fx * fx * (3 - 2 * fx));
}

}  // namespace spinert::phantom
