// handles.h - what stands behind the opaque handles of spinert.h, and what its functions share.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "api/border.h"
#include "diagnosis/diagnose_run.h"
#include "diagnosis/pipeline.h"

struct spinert_cancel {
  std::atomic<int> number{0};
  static_assert(std::atomic<int>::is_always_lock_free);  // for signal handlers
};

struct spinert_engine {
  spinert::PipelineOptions options;
  bool demo_model = false;
  std::string dicom_program;
  std::unique_ptr<spinert::Pipeline> pipeline;
  std::string description;
  std::atomic<bool> busy{false};
  pid_t owner = 0;
};

struct spinert_result {
  spinert::StudyResult study;
  std::string report;
  std::vector<const char*> class_names;
  std::vector<double> class_thresholds;
  std::vector<std::vector<std::vector<const char*>>> labels;  // of each vertebra of each slice
};

struct spinert_batch {
  std::vector<spinert::StudyRow> rows;
};

namespace spinert::api {

// Keeps an engine for one call. Check status() first.
class Use {
 public:
  explicit Use(spinert_engine* engine);
  ~Use();
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  const Status& status() const { return status_; }

 private:
  spinert_engine* engine_ = nullptr;  // null: refused
  Status status_;
};

// Passes on how a run goes and stops it when the caller wants so.
class Progress : public DiagnoseListener {
 public:
  Progress(spinert_progress callback, void* user, spinert_cancel* cancel);

  void begins(size_t done, size_t total, const std::string& name) override;
  void ended(const SliceResult& slice, size_t done, size_t total) override;
  void study(size_t number, size_t studies, const std::string& name) override;
  void kept() override;
  void info(const std::string& text);
  void warning(const std::string& text) override;
  void problem(const Status& status) override;
  void written(const StudyResult& study, const std::string& folder) override;
  void summary_written(const std::string&) override {}

  const Status& last_problem() const { return last_problem_; }
  const std::atomic<int>* stop() const { return &cancel_->number; }

 private:
  void tell(spinert_event event);

  spinert_progress callback_;
  void* user_;
  spinert_cancel own_;
  spinert_cancel* cancel_;
  Status last_problem_;
};

// Seconds, 0: none. E_USAGE for what is no time.
Status set_deadline(double seconds, RunControl& control);
// 0: what the model says.
Status set_threshold(double threshold, std::optional<float>& out);
Status set_canvas(const char* name, std::optional<CanvasMode>& out);
inline constexpr int64_t kMostThreads = 1024;
// 0 up to `highest`.
Status check_number(const char* name, int64_t value, int64_t highest);
Status check_hu_offset(double offset);
// SPINERT_TRANSFORM_...
Result<NiftiTransform> transform_of(int32_t transform);

// Options in the words of the command line, so that reports say the same and --resume knows its own results.
std::string words_of(const spinert_engine& engine, const spinert_run_options& options);

}  // namespace spinert::api
