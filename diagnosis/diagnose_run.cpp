#include "diagnosis/diagnose_run.h"

#include <algorithm>
#include <ctime>
#include <fstream>

#include "diagnosis/input.h"
#include "diagnosis/report/text.h"
#include "diagnosis/studies/dicom_archive.h"
#include "kernels/base/thread_pool.h"
#include "runtime/aligned_buffer.h"

namespace spinert {
namespace {

double milliseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return {};
}

int reader_count(int threads) {
  constexpr int kMostReaders = 64;
  return threads > 0 ? std::min(threads, kMostReaders) : usable_threads();
}

}  // namespace

ReportFacts report_facts(const std::string& used_options) {
  ReportFacts facts;
  facts.tool = build_info();
  facts.time_utc = utc_now();
  facts.host = processor_name();
  facts.command_line = used_options;
  return facts;
}

DiagnoseRun::DiagnoseRun(const DiagnoseRequest& request, DiagnoseListener& listener, const RunControl& control,
                         Pipeline* opened)
    : request_(request),
      listener_(listener),
      control_(control),
      readers_(reader_count(request.pipeline.engine.threads), request.dicom_program, KeptPixels::usual_limit()),
      facts_(report_facts(request.used_options)),
      pipeline_(opened) {}

int DiagnoseRun::refuse(const Status& status) {
  listener_.problem(status);
  return exit_code(status.id());
}

void DiagnoseRun::keep(BatchRow row, int code, const std::string& folder) {
  row.exit_code = code;
  rows_.push_back({std::move(row), folder});
}

int DiagnoseRun::run() {
  // First of all: nothing is computed that could not be kept.
  auto output = StudyOutput::open(request_.output, request_.overwrite, request_.inputs);
  if (!output.ok()) return refuse(output.status());
  StudyRun study(std::move(output).value(), facts_, listener_);
  if (const Status status = find_studies(); !status.ok()) return fail(study, status);
  if (studies_.size() == 1) {
    const int code = one(study, studies_.front(), begin_);
    keep(batch_row(studies_.front().name, study.study()), code, study.folder());
    return code;
  }
  study.abandon();
  return batch();
}

Status DiagnoseRun::find_studies() {
  model_ = request_.pipeline.model;
  if (!pipeline_) {
    SPINERT_ASSIGN(model_, model_path(model_));
  }
  SPINERT_ASSIGN(InputList list, expand_inputs(request_.inputs, true));
  const auto begin = Clock::now();
  studies_ = group_studies(std::move(list.inputs), readers_, control_);
  sorting_ms_ = milliseconds_since(begin);
  return {};
}

// Once for all studies.
Status DiagnoseRun::open_pipeline() {
  if (pipeline_) return {};
  const auto begin = Clock::now();
  PipelineOptions options = request_.pipeline;
  options.model = model_;
  SPINERT_ASSIGN(own_pipeline_, Pipeline::open(options));
  pipeline_ = own_pipeline_.get();
  open_ms_ = milliseconds_since(begin);
  const DeviceInfo& device = pipeline_->engine().device();
  if (device.fallback) {
    listener_.warning("--device auto took " + device.name + ": " + device.fallback_reason);
  }
  if (device.cuda && device.lanes != options.engine.lanes) {
    listener_.warning("the card's memory is short: --lanes " + std::to_string(device.lanes));
  }
  if (options.batch > 0 && pipeline_->batch() != options.batch) {
    listener_.warning("the card's memory is short: --batch " + std::to_string(pipeline_->batch()));
  }
  return {};
}

Status DiagnoseRun::look_at(StudyRun& run, const StudyInput& input) {
  SPINERT_TRY(open_pipeline());
  if (request_.slice_output) run.want_slices();
  if (request_.mask_output) run.want_mask();
  if (request_.dicom_output) run.want_dicom(readers_, request_.dicom_time);
  const auto begin = Clock::now();
  SPINERT_ASSIGN(const auto source, open_study(input, request_.study, pipeline_->config(), readers_, control_));
  run.study().reading_ms = milliseconds_since(begin) + (studies_.size() == 1 ? sorting_ms_ : 0);
  return run.look_at(*pipeline_, *source, control_);
}

// Several studies: a folder for each inside the output folder, and a table of them all. What goes wrong with one does
// not stop the others, unless the run is stopped or nothing can be written any more.
int DiagnoseRun::batch() {
  const Overwrite how = request_.resume ? Overwrite::replace : request_.overwrite;
  auto output = StudyOutput::open(request_.output, how, request_.inputs, "summary.csv");
  if (!output.ok()) return refuse(output.status());
  if (const Status status = open_pipeline(); !status.ok()) return refuse(status);
  ResumeKey key;
  if (const auto hash = pipeline_->engine().file_sha256(); hash.ok()) key.model_sha256 = hash.value();
  key.command_line = request_.used_options;
  const auto next = [&](const StudyInput& input) {
    const std::string folder = output.value().folder() + "/" + input.name;
    listener_.study(rows_.size() + 1, studies_.size(), input.name);
    if (request_.resume) key.files_sha256 = study_sha256(input);
    if (const auto finished = request_.resume ? finished_row(folder, input.name, key) : std::nullopt) {
      listener_.kept();
      keep(*finished, finished->exit_code, folder);
      return;
    }
    auto opened = StudyOutput::open(folder, how, request_.inputs);
    if (!opened.ok()) {
      listener_.problem(opened.status());
      BatchRow row{input.name, {}, "failed", "review", std::string(error_name(opened.status().id())), 0, 0};
      keep(std::move(row), exit_code(opened.status().id()), {});
      return;
    }
    StudyRun run(std::move(opened).value(), facts_, listener_);
    const int code = one(run, input, Clock::now());
    keep(batch_row(input.name, run.study()), code, run.folder());
  };
  for (const StudyInput& input : studies_) {
    if (stop_number() != 0) break;
    next(input);
    readers_.kept().forget(input.dicom);
  }
  // Half a table could be taken for a whole one; what is finished stays for --resume.
  if (stop_number() != 0) {
    listener_.problem(
        error(ErrorId::E_CANCELLED,
              "stopped after " + std::to_string(rows_.size()) + " of " + counted(studies_.size(), "study", "studies"),
              output.value().folder())
            .hint("--resume goes on."));
    return 128 + stop_number();
  }
  std::vector<BatchRow> rows;
  for (const StudyRow& row : rows_) rows.push_back(row.row);
  const std::string table = summary_csv(rows);
  Status status = output.value().add("summary.csv", table);
  if (status.ok()) status = output.value().publish();
  if (!status.ok()) return refuse(status);
  listener_.summary_written(output.value().folder());
  const int code = batch_exit_code(rows);
  if (code == exit_code(ErrorId::E_PARTIAL)) {
    const auto failed = std::ranges::count_if(rows, [](const BatchRow& row) { return row.exit_code != 0; });
    listener_.problem(
        error(ErrorId::E_PARTIAL,
              std::to_string(failed) + " of " + counted(rows.size(), "study", "studies") + " did not end with 0",
              output.value().folder())
            .hint("summary.csv names them; --resume repeats those that failed."));
  }
  return code;
}

// A whole study: slices, reports, table, error line. Returns the exit code.
int DiagnoseRun::one(StudyRun& run, const StudyInput& input, Clock::time_point begin) {
  StudyResult& study = run.study();
  study.demo_model = request_.demo_model;
  if (request_.pipeline.canvas) study.canvas = canvas_name(*request_.pipeline.canvas);
  if (const Status status = look_at(run, input); !status.ok()) return fail(run, status);
  study.open_ms = open_ms_;
  study.total_ms = milliseconds_since(begin);
  study.peak_memory_mb = peak_memory_mb();
  return finish(run);
}

// An error of a whole study; what a single slice does wrong stays with it.
int DiagnoseRun::fail(StudyRun& run, const Status& status) {
  // A report about a folder that cannot be written cannot be written either.
  if (status.id() == ErrorId::E_OUTPUT) return refuse(status);
  std::vector<std::string> paths = request_.inputs;
  paths.push_back(model_);
  for (const StudyInput& study : studies_) {
    paths.push_back(study.nifti);
    for (const DicomFacts& file : study.dicom) paths.push_back(file.archive ? file.archive->path() : file.path);
    for (const Input& file : study.unread) paths.push_back(file.archive ? file.archive->path() : file.path);
  }
  run.study().demo_model = request_.demo_model;
  run.fail(status, paths);
  return finish(run);
}

int DiagnoseRun::finish(StudyRun& run) {
  StudyResult& study = run.study();
  const bool stopped = stop_number() != 0 && study.exit_code == exit_code(ErrorId::E_CANCELLED);
  if (stopped) study.exit_code = 128 + stop_number();
  if (const Status status = run.publish(); !status.ok()) return refuse(status);
  listener_.written(study, run.folder());
  if (study.exit_code != 0) listener_.problem(run.problem());
  return study.exit_code;
}

}  // namespace spinert
