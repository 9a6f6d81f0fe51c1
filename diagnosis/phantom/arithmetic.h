// arithmetic.h - the arithmetic that decides the pixels of a phantom: additions, products, quotients and square roots,
// which IEEE 754 rounds alike everywhere, and portable_exp. No function of libm whose last bit a machine may choose.
#pragma once

#include "kernels/base/portable_exp.h"

namespace spinert::phantom {

// In millimetres of the slice: x to the right, y down.
struct Point {
  double x = 0, y = 0;
};

inline double clamp01(double t) {
  return t < 0 ? 0 : t > 1 ? 1 : t;
}
inline double mix(double a, double b, double share) {
  return a + (b - a) * share;
}
// 0 below low, 1 above high, a smooth rise between; low < high.
inline double smooth_between(double low, double high, double x) {
  const double t = clamp01((x - low) / (high - low));
  return t * t * (3 - 2 * t);
}
inline double square(double x) {
  return x * x;
}
// exp(-x^2 / 2)
inline double bell(double x) {
  return static_cast<double>(portable_exp(static_cast<float>(-0.5 * x * x)));
}
// The largest whole number that is not above x; |x| < 2^31.
inline int floor_int(double x) {
  const int whole = static_cast<int>(x);
  return x < whole ? whole - 1 : whole;
}

struct Rotation {
  double c = 1, s = 0;
};

// Cosine and sine by Taylor's series of a quarter of the angle, doubled twice; |degrees| <= 180.
inline Rotation rotation(double degrees) {
  const double q = degrees * (3.14159265358979323846 / 180 / 4), z = q * q;
  Rotation r;
  r.s = q * (1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72 * (1 - z / 110 * (1 - z / 156))))));
  r.c = 1 - z / 2 * (1 - z / 12 * (1 - z / 30 * (1 - z / 56 * (1 - z / 90 * (1 - z / 132 * (1 - z / 182))))));
  for (int doubling = 0; doubling < 2; ++doubling) r = {r.c * r.c - r.s * r.s, 2 * r.c * r.s};
  return r;
}

// A place and a direction in the slice. Local u points backwards (dorsal), v downwards along the spine (caudal); at
// angle 0 they are x and y.
struct Frame {
  Point centre;
  Rotation turn;

  Point local(Point p) const {
    const double dx = p.x - centre.x, dy = p.y - centre.y;
    return {dx * turn.c - dy * turn.s, dx * turn.s + dy * turn.c};
  }
  Point slice(Point uv) const {
    return {centre.x + uv.x * turn.c + uv.y * turn.s, centre.y - uv.x * turn.s + uv.y * turn.c};
  }
};

}  // namespace spinert::phantom
