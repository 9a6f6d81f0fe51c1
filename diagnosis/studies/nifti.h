// nifti.h - NIfTI-1 and NIfTI-2 files (.nii, .nii.gz; single files), read without a library.
//
// Rules NI-01 to NI-13 are listed in docs/studies.md. Source: the format as defined at nifti.nimh.nih.gov (nifti1.h,
// nifti2.h). Values become Hounsfield units by scl_slope and scl_inter (a slope of 0 means none). RAS coordinates
// become LPS. sform is used before qform; if both are set and differ by more than 1e-3 mm at a corner, or the sform and
// pixdim by more than 1 %, the file is refused unless `prefer` names one. Units must be millimetres or not stated.
// Memory: the volume and a buffer of less than 1 MiB, also for .nii.gz. Errors: E_NIFTI (damaged, contradictory, larger
// than the limits; the text begins with the rule), E_NIFTI_KIND (four dimensions, RGB, complex, a pair of files: valid
// but not read), E_GEOM_MISSING (no transform), E_RANGE (outside 16 bits, not a number, or no Hounsfield units:
// check_plausible_hu()), E_OOM_HOST; from reading also those of input_file.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "diagnosis/studies/volume.h"
#include "kernels/base/status.h"

namespace spinert {

enum class NiftiTransform : unsigned char { automatic, sform, qform };

struct NiftiFile {
  Volume volume;
  std::string sha256;     // of the file's bytes
  std::string transform;  // "sform" or "qform": which one was used
};

Result<NiftiFile> read_nifti(const std::string& path, NiftiTransform prefer = NiftiTransform::automatic);

// The same for a file in memory; `where` stands in errors.
Result<NiftiFile> read_nifti(std::span<const uint8_t> memory, const std::string& where,
                             NiftiTransform prefer = NiftiTransform::automatic);

}  // namespace spinert
