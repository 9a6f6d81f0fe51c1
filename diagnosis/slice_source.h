// slice_source.h - the slices of one study, whatever they are read from: picture files, a series of an examination, a
// volume. One slice is in memory at a time.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "diagnosis/images/picture.h"
#include "diagnosis/result.h"
#include "diagnosis/studies/dicom_file.h"
#include "kernels/base/status.h"

namespace spinert {

struct SourceSlice {
  Picture picture;
  std::optional<SlicePlace> place;  // where it lies in the patient; pictures do not say
};

class SliceSource {
 public:
  virtual ~SliceSource() = default;

  virtual size_t size() const = 0;
  // What the reports call the slice; unique within the study and free of folders.
  virtual const std::string& name(size_t index) const = 0;
  // The path that an error of read() may name, so that reports can leave its folder out; empty if there is none.
  virtual const std::string& path(size_t index) const = 0;
  // May be called more than once for a slice and gives the same one again, or an error.
  virtual Result<SourceSlice> read(size_t index) = 0;
  // What was examined and how slices were made from it; complete before the first read().
  virtual const Examination& examination() const = 0;
  // The DICOM files that the slices are made from; of a native series one for each slice, in the same order. None of
  // pictures and NIfTI volumes.
  virtual std::span<const DicomFacts> dicom_files() const { return {}; }
};

}  // namespace spinert
