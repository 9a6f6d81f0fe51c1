// progress.h - tells how a run of `spinert diagnose` goes on (--progress): a bar, a line or a JSON object for each
// slice on stderr, or the XML that 3D Slicer reads from stdout. The forms are described in docs/studies.md.
#pragma once

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

#include "diagnosis/diagnose_run.h"

namespace spinert::cli {

class Progress : public DiagnoseListener {
 public:
  // kind: auto, tty, json, slicer, none.
  Progress(const std::string& kind, bool json_log);

  void study(size_t number, size_t studies, const std::string& name) override;
  void kept() override;
  void begins(size_t done, size_t total, const std::string& name) override;
  void ended(const SliceResult& slice, size_t done, size_t total) override;
  void warning(const std::string& text) override;
  void problem(const Status& status) override;
  void written(const StudyResult& study, const std::string& folder) override;
  void summary_written(const std::string& folder) override;
  // The run is over.
  void finished();

 private:
  enum class Form : unsigned char { lines, tty, json, slicer, none };
  using Clock = std::chrono::steady_clock;

  // Where results are printed: stdout, unless progress goes there.
  FILE* results() const { return form_ == Form::slicer ? stderr : stdout; }
  double fraction() const;
  std::optional<double> seconds_left() const;
  std::string batch_text() const;
  void tell(size_t done, size_t total);
  void clear_bar() const;

  Form form_;
  bool json_log_;
  Clock::time_point begin_ = Clock::now();
  size_t number_ = 1, studies_ = 1, worked_ = 0;  // worked_: studies before this one that were not kept
  bool kept_ = false;
  double of_study_ = 0;  // of the slices of this study
  std::string name_;
};

}  // namespace spinert::cli
