// nifti_header.h - the header of a NIfTI file, checked: what the voxels are and where they lie.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "diagnosis/studies/nifti.h"
#include "diagnosis/studies/nifti_bytes.h"
#include "kernels/base/status.h"

namespace spinert {

// The limits; none comes from a file.
inline constexpr int64_t kMaxNiftiSide = 65535;
inline constexpr int64_t kMaxNiftiVoxels = int64_t{1} << 30;       // 2 GiB as a Volume
inline constexpr uint64_t kMaxNiftiOffset = uint64_t{64} << 20;    // of the voxels: header and extensions
inline constexpr uint64_t kMaxNiftiFileBytes = uint64_t{9} << 30;  // all voxels as float64

// A stored number at `from`, whatever its alignment; swapped: of the other byte order.
template <class Stored>
Stored load_nifti(const uint8_t* from, bool swapped) {
  uint8_t raw[sizeof(Stored)];
  std::memcpy(raw, from, sizeof raw);
  if (swapped) std::reverse(raw, raw + sizeof raw);
  Stored stored;
  std::memcpy(&stored, raw, sizeof raw);
  return stored;
}

enum class NiftiType : int { u8 = 2, i16 = 4, i32 = 8, f32 = 16, f64 = 64, i8 = 256, u16 = 512, u32 = 768 };

struct NiftiHeader {
  bool swapped = false;  // the other byte order
  NiftiType type = NiftiType::i16;
  size_t value_bytes = 0;
  double slope = 1, intercept = 0;  // of the stored values
  Grid grid;                        // in DICOM's coordinates
  std::string transform;            // "sform" or "qform"
};

// Reads up to the first voxel. Errors: see nifti.h.
Result<NiftiHeader> read_nifti_header(NiftiBytes& bytes, NiftiTransform prefer, const std::string& where);

}  // namespace spinert
