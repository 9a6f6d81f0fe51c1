// study_run.h - one study from its slices to the finished folder of results.
//
//   auto output = StudyOutput::open(folder, overwrite, inputs);
//   StudyRun run(std::move(output).value(), facts, listener);
//   Status status = run.look_at(*pipeline, *source, control);   // an error of the whole run: run.fail(status)
//   status = run.publish();                                     // E_OUTPUT: nothing was written
//
// What belongs to one slice is written when that slice is done, so that a long study does not fill the memory. What a
// slice does wrong stays with it; run.study() says what came out.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "diagnosis/report/dicom_results.h"
#include "diagnosis/report/report_json.h"
#include "diagnosis/report/slice_files.h"
#include "diagnosis/report/study_output.h"
#include "diagnosis/result.h"
#include "diagnosis/slice_loop.h"

namespace spinert {

class StudyRun {
 public:
  StudyRun(StudyOutput output, ReportFacts facts, StudyListener& listener)
      : output_(std::move(output)), facts_(std::move(facts)), listener_(listener) {}

  // Asks for DICOM files among the results, in front of look_at(), which then also has the errors of
  // DicomResults::start(). `readers` must live as long as this. time: see there.
  void want_dicom(DicomReaders& readers, const std::string& time) {
    dicom_readers_ = &readers;
    dicom_time_ = time;
  }
  // Asks for the slices themselves among the results, in front of look_at().
  void want_slices() { slices_wanted_ = true; }
  // Asks for mask.nii.gz (report/nifti_mask.h), in front of look_at(), which then also has the errors of check_mask().
  void want_mask() { mask_wanted_ = true; }
  // Every slice through the pipeline; the cancel flag and the deadline of `control` end it. Errors: E_OUTPUT.
  Status look_at(Pipeline& pipeline, SliceSource& source, const RunControl& control);
  // The study failed as a whole. `paths`: replaced by their last part wherever the reasons name them.
  void fail(const Status& status, std::span<const std::string> paths);
  // Leaves the folder as it was.
  void abandon() { output_.abandon(); }
  // The DICOM files and the mask, unless the study failed, and the reports. Errors: E_OUTPUT, those of
  // DicomResults::write().
  Status publish();

  StudyResult& study() { return study_; }
  const std::string& folder() const { return output_.folder(); }
  // The error line for a study that did not end with 0; OK if it did.
  Status problem() const;

 private:
  Status take(SliceResult slice, size_t total);

  StudyOutput output_;
  ReportFacts facts_;
  StudyListener& listener_;
  StudyResult study_;
  std::set<std::string> preview_names_;
  std::optional<Spill> sections_, slices_json_;  // of the slices so far, for the two reports
  DicomReaders* dicom_readers_ = nullptr;        // if DICOM files are wanted
  std::string dicom_time_;
  std::optional<DicomResults> dicom_;
  bool slices_wanted_ = false, mask_wanted_ = false;
  std::unique_ptr<SliceFiles> slice_files_;
  bool whole_run_failed_ = false;
  Status problem_;  // of the run, else of its first failed slice
};

}  // namespace spinert
