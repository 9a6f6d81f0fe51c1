// diagnose_run.h - what `spinert diagnose` does, from the paths it was given to the folders of results: one study or
// several, for the program and for those who embed it (api/spinert.h).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "diagnosis/report/batch_summary.h"
#include "diagnosis/studies/study_inputs.h"
#include "diagnosis/study_run.h"

namespace spinert {

struct DiagnoseRequest {
  std::vector<std::string> inputs;  // files and folders
  std::string output;               // folder
  Overwrite overwrite = Overwrite::never;
  PipelineOptions pipeline;  // an empty model: the demo model
  bool demo_model = false;   // no model was named
  StudyOptions study;
  bool resume = false;
  bool dicom_output = false;  // also DICOM files (report/dicom_results.h)
  std::string dicom_time;     // see there
  bool slice_output = false;  // also the slices as PNG files (report/slice_files.h)
  bool mask_output = false;   // also the boxes as a volume (report/nifti_mask.h)
  std::string used_options;   // for the report: without paths
  std::string dicom_program;  // empty: find_dicom_program()
};

// Also told what does not belong to one slice.
class DiagnoseListener : public StudyListener {
 public:
  // A study begins; number counts from 1. Told of several studies only.
  virtual void study(size_t number, size_t studies, const std::string& name) = 0;
  // It was kept as an earlier run left it.
  virtual void kept() = 0;
  virtual void warning(const std::string& text) = 0;
  // Of a study or of the run; the last one belongs to the exit code.
  virtual void problem(const Status& status) = 0;
  // A study's results lie in `folder`.
  virtual void written(const StudyResult& study, const std::string& folder) = 0;
  // Of several studies.
  virtual void summary_written(const std::string& folder) = 0;
};

// What became of one study.
struct StudyRow {
  BatchRow row;
  std::string folder;  // empty if nothing was written
};

// The time and the machine, for reports.
ReportFacts report_facts(const std::string& used_options);

class DiagnoseRun {
 public:
  // `opened`: a pipeline to use instead of opening one with request.pipeline; may be null. A cancel flag with the value
  // n ends the run with the exit code 128 + n.
  DiagnoseRun(const DiagnoseRequest& request, DiagnoseListener& listener, const RunControl& control,
              Pipeline* opened = nullptr);

  // Returns the exit code.
  int run();
  const std::vector<StudyRow>& rows() const { return rows_; }

 private:
  using Clock = std::chrono::steady_clock;

  int stop_number() const { return control_.cancel ? control_.cancel->load() : 0; }
  Status find_studies();
  Status open_pipeline();
  Status look_at(StudyRun& run, const StudyInput& input);
  int batch();
  int one(StudyRun& run, const StudyInput& input, Clock::time_point begin);
  int fail(StudyRun& run, const Status& status);
  int finish(StudyRun& run);
  int refuse(const Status& status);
  void keep(BatchRow row, int code, const std::string& folder);

  const DiagnoseRequest& request_;
  DiagnoseListener& listener_;
  RunControl control_;
  Clock::time_point begin_ = Clock::now();
  DicomReaders readers_;
  ReportFacts facts_;
  std::string model_;
  std::vector<StudyInput> studies_;
  std::vector<StudyRow> rows_;
  std::unique_ptr<Pipeline> own_pipeline_;
  Pipeline* pipeline_;
  double open_ms_ = 0, sorting_ms_ = 0;
};

}  // namespace spinert
