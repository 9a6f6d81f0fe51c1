// slice_files.h - the slices of a study as grey PNG files without drawings, for viewers and for training.
//
// A wrapper around the source of the slices: what is read for the first time is staged as "slice-<name>.png", 8 or 16
// bits as the picture has, before any window. A slice that cannot be read has no file.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "diagnosis/report/study_output.h"
#include "diagnosis/slice_source.h"

namespace spinert {

class SliceFiles : public SliceSource {
 public:
  // Both must live as long as this.
  SliceFiles(SliceSource& source, StudyOutput& output)
      : source_(source), output_(output), written_(source.size(), false) {}

  size_t size() const override { return source_.size(); }
  const std::string& name(size_t index) const override { return source_.name(index); }
  const std::string& path(size_t index) const override { return source_.path(index); }
  Result<SourceSlice> read(size_t index) override;
  const Examination& examination() const override { return source_.examination(); }
  std::span<const DicomFacts> dicom_files() const override { return source_.dicom_files(); }

  // The first error of writing: E_OUTPUT, E_OOM_HOST. It concerns the run, not the slice that was read.
  const Status& status() const { return status_; }

 private:
  Status write(size_t index, const Picture& picture);

  SliceSource& source_;
  StudyOutput& output_;
  std::vector<bool> written_;
  std::set<std::string> names_;
  Status status_;
};

}  // namespace spinert
