// patient_space.h - where a voxel or pixel lies in the patient: vectors, planes and grids in millimetres.
//
// Coordinates are those of DICOM (LPS): x grows to the patient's left, y to the back, z to the head. NIfTI's are RAS;
// its reader turns them. Positions are those of the centres of voxels. Everything is double: a source gives its numbers
// as decimal text, and a result must agree with it to 1e-3 mm a metre away.
#pragma once

#include <cmath>

namespace spinert {

struct Vec3 {
  double x = 0, y = 0, z = 0;

  friend Vec3 operator+(const Vec3& a, const Vec3& b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend Vec3 operator-(const Vec3& a, const Vec3& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  friend Vec3 operator*(double s, const Vec3& a) { return {s * a.x, s * a.y, s * a.z}; }
  friend bool operator==(const Vec3&, const Vec3&) = default;
};

inline double dot(const Vec3& a, const Vec3& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
inline Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline double length(const Vec3& a) {
  return std::sqrt(dot(a, a));
}
// a must not be zero.
inline Vec3 unit(const Vec3& a) {
  return (1 / length(a)) * a;
}

// A picture in the patient: pixel (x, y) has its centre at origin + x * column_step + y * row_step. x counts columns
// (to the right), y rows (downwards), as everywhere in the project.
struct Plane {
  int columns = 0, rows = 0;
  Vec3 origin, column_step, row_step;  // mm per pixel

  Vec3 at(double x, double y) const { return origin + x * column_step + y * row_step; }
  friend bool operator==(const Plane&, const Plane&) = default;
};

// A stack of parallel pictures at equal distances: voxel (x, y, k) is at plane.at(x, y) + k * slice_step. slice_step
// need not be at right angles to the plane (gantry tilt).
struct Grid {
  Plane plane;
  int slices = 0;
  Vec3 slice_step;

  Vec3 at(double x, double y, double k) const { return plane.at(x, y) + k * slice_step; }
  friend bool operator==(const Grid&, const Grid&) = default;
};

}  // namespace spinert
