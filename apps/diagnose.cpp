// diagnose.cpp - `spinert diagnose`: pictures in, report.json, report.html and one preview per picture out.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <optional>

#include "apps/command.h"
#include "apps/progress.h"
#include "apps/result_table.h"
#include "diagnosis/input.h"
#include "diagnosis/pipeline.h"
#include "diagnosis/report/batch_summary.h"
#include "diagnosis/report/text.h"
#include "diagnosis/studies/study_inputs.h"
#include "diagnosis/study_run.h"
#include "kernels/base/thread_pool.h"

namespace spinert::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::vector<std::string> inputs;
  std::string output, model, overwrite = "never", transform = "auto", progress = "auto";
  EngineArguments engine;
  int64_t batch = 0, timeout = 0;
  std::optional<double> threshold;
  std::optional<CanvasMode> canvas;
  StudyOptions study;
  int64_t allow_gaps = 0;
  bool resume = false, dicom_output = false;
  std::string dicom_time;
  std::string used_options;  // for the report: without paths
};

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
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

// One run of the subcommand over all its studies.
class DiagnoseRun {
 public:
  DiagnoseRun(const Arguments& arguments, bool json_log)
      : arguments_(arguments),
        json_log_(json_log),
        progress_(arguments.progress, json_log),
        readers_(reader_count(arguments)) {
    control_.cancel = &stop_signal();
    if (arguments.timeout > 0) control_.deadline = begin_ + std::chrono::seconds(arguments.timeout);
    facts_.tool = build_info();
    facts_.time_utc = utc_now();
    facts_.host = processor_name();
    facts_.command_line = arguments.used_options;
  }

  int run() {
    const int code = diagnose();
    progress_.finished();
    return code;
  }

 private:
  int diagnose() {
    // First of all: nothing is computed that could not be kept.
    auto output = StudyOutput::open(arguments_.output, overwrite(), arguments_.inputs);
    if (!output.ok()) return print_error(output.status(), json_log_);
    StudyRun study(std::move(output).value(), facts_, progress_);
    if (const Status status = find_studies(); !status.ok()) return fail(study, status);
    if (studies_.size() == 1) return one(study, studies_.front(), begin_);
    study.abandon();
    return batch();
  }

  static int reader_count(const Arguments& arguments) {
    const int64_t threads = arguments.engine.threads;
    return threads > 0 ? static_cast<int>(std::min<int64_t>(threads, 64)) : usable_threads();
  }

  Overwrite overwrite() const {
    return arguments_.overwrite == "replace"  ? Overwrite::replace
           : arguments_.overwrite == "suffix" ? Overwrite::suffix
                                              : Overwrite::never;
  }

  Status find_studies() {
    SPINERT_ASSIGN(model_, model_path(arguments_.model));
    SPINERT_ASSIGN(InputList list, expand_inputs(arguments_.inputs, true));
    studies_ = group_studies(std::move(list.inputs), readers_, control_);
    return {};
  }

  // Once for all studies.
  Status open_pipeline() {
    if (pipeline_) return {};
    const auto begin = Clock::now();
    PipelineOptions options;
    options.model = model_;
    options.engine = arguments_.engine.options();
    options.batch = static_cast<int>(arguments_.batch);
    if (arguments_.threshold) options.threshold = static_cast<float>(*arguments_.threshold);
    options.canvas = arguments_.canvas;
    SPINERT_ASSIGN(pipeline_, Pipeline::open(options));
    open_ms_ = milliseconds_since(begin);
    const DeviceInfo& device = pipeline_->engine().device();
    if (device.fallback) {
      progress_.warning("--device auto took " + device.name + ": " + device.fallback_reason);
    }
    if (device.cuda && device.lanes != options.engine.lanes) {
      progress_.warning("the card's memory is short: --lanes " + std::to_string(device.lanes));
    }
    if (options.batch > 0 && pipeline_->batch() != options.batch) {
      progress_.warning("the card's memory is short: --batch " + std::to_string(pipeline_->batch()));
    }
    return {};
  }

  Status look_at(StudyRun& run, const StudyInput& input) {
    SPINERT_TRY(open_pipeline());
    if (arguments_.dicom_output) run.want_dicom(readers_, arguments_.dicom_time);
    SPINERT_ASSIGN(const auto source, open_study(input, arguments_.study, pipeline_->config(), readers_, control_));
    return run.look_at(*pipeline_, *source, control_);
  }

  // Several studies: a folder for each inside the output folder, and a table of them all. What goes wrong with one does
  // not stop the others, unless the run is stopped or nothing can be written any more.
  int batch() {
    const Overwrite how = arguments_.resume ? Overwrite::replace : overwrite();
    auto output = StudyOutput::open(arguments_.output, how, arguments_.inputs, "summary.csv");
    if (!output.ok()) return print_error(output.status(), json_log_);
    if (const Status status = open_pipeline(); !status.ok()) return print_error(status, json_log_);
    ResumeKey key;
    if (const auto hash = pipeline_->engine().file_sha256(); hash.ok()) key.model_sha256 = hash.value();
    key.command_line = arguments_.used_options;
    std::vector<BatchRow> rows;
    for (const StudyInput& input : studies_) {
      if (stop_signal().load() != 0) break;
      const std::string folder = output.value().folder() + "/" + input.name;
      progress_.study(rows.size() + 1, studies_.size(), input.name);
      if (arguments_.resume) key.files_sha256 = study_sha256(input);
      if (const auto finished = arguments_.resume ? finished_row(folder, input.name, key) : std::nullopt) {
        progress_.kept();
        rows.push_back(*finished);
        continue;
      }
      auto opened = StudyOutput::open(folder, how, arguments_.inputs);
      if (!opened.ok()) {
        print_error(opened.status(), json_log_);
        BatchRow row{input.name, {}, "failed", "review", std::string(error_name(opened.status().id())), 0, 0};
        row.exit_code = exit_code(opened.status().id());
        rows.push_back(row);
        continue;
      }
      StudyRun run(std::move(opened).value(), facts_, progress_);
      const int code = one(run, input, Clock::now());
      rows.push_back(batch_row(input.name, run.study()));
      rows.back().exit_code = code;
    }
    // Half a table could be taken for a whole one; what is finished stays for --resume.
    if (stop_signal().load() != 0) {
      print_error(
          error(ErrorId::E_CANCELLED,
                "stopped after " + std::to_string(rows.size()) + " of " + counted(studies_.size(), "study", "studies"),
                output.value().folder())
              .hint("--resume goes on."),
          json_log_);
      return 128 + stop_signal().load();
    }
    const std::string table = summary_csv(rows);
    Status status = output.value().add("summary.csv", table);
    if (status.ok()) status = output.value().publish();
    if (!status.ok()) return print_error(status, json_log_);
    std::fprintf(progress_.results(), "summary: %s/summary.csv\n", clean_utf8(output.value().folder()).c_str());
    const int code = batch_exit_code(rows);
    if (code == exit_code(ErrorId::E_PARTIAL)) {
      const auto failed = std::ranges::count_if(rows, [](const BatchRow& row) { return row.exit_code != 0; });
      print_error(
          error(ErrorId::E_PARTIAL,
                std::to_string(failed) + " of " + counted(rows.size(), "study", "studies") + " did not end with 0",
                output.value().folder())
              .hint("summary.csv names them; --resume repeats those that failed."),
          json_log_);
    }
    return code;
  }

  // A whole study: slices, reports, table, error line. Returns the exit code.
  int one(StudyRun& run, const StudyInput& input, Clock::time_point begin) {
    StudyResult& study = run.study();
    study.demo_model = arguments_.model.empty();
    if (arguments_.canvas) study.canvas = canvas_name(*arguments_.canvas);
    if (const Status status = look_at(run, input); !status.ok()) return fail(run, status);
    study.open_ms = open_ms_;
    study.total_ms = milliseconds_since(begin);
    return finish(run);
  }

  // An error of a whole study; what a single slice does wrong stays with it.
  int fail(StudyRun& run, const Status& status) {
    // A report about a folder that cannot be written cannot be written either.
    if (status.id() == ErrorId::E_OUTPUT) return print_error(status, json_log_);
    std::vector<std::string> paths = arguments_.inputs;
    paths.push_back(model_);
    for (const StudyInput& study : studies_) {
      paths.push_back(study.nifti);
      for (const DicomFacts& file : study.dicom) paths.push_back(file.archive ? file.archive->path() : file.path);
      for (const Input& file : study.unread) paths.push_back(file.archive ? file.archive->path() : file.path);
    }
    run.study().demo_model = arguments_.model.empty();
    run.fail(status, paths);
    return finish(run);
  }

  int finish(StudyRun& run) {
    StudyResult& study = run.study();
    const bool stopped = stop_signal().load() != 0 && study.exit_code == exit_code(ErrorId::E_CANCELLED);
    if (stopped) study.exit_code = 128 + stop_signal().load();
    if (const Status status = run.publish(); !status.ok()) return print_error(status, json_log_);
    if (!study.slices.empty()) print_table(study, progress_.results());
    std::fprintf(progress_.results(), "report: %s/report.html\n", clean_utf8(run.folder()).c_str());
    if (study.exit_code != 0) print_error(run.problem(), json_log_);
    return study.exit_code;
  }

  const Arguments& arguments_;
  bool json_log_;
  Clock::time_point begin_ = Clock::now();
  RunControl control_;
  Progress progress_;
  DicomReaders readers_;
  ReportFacts facts_;
  std::string model_;
  std::vector<StudyInput> studies_;
  std::unique_ptr<Pipeline> pipeline_;
  double open_ms_ = 0;
};

// Options as given, but no paths: they may name a patient.
std::string options_without_paths(const CLI::App& command) {
  std::string text = "diagnose";
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || name == "input" || name == "--output" || name == "--model" || name == "--resume" ||
        name == "--overwrite" || name == "--progress") {
      continue;
    }
    text += ' ' + name;
    for (const std::string& value : option->results()) text += ' ' + value;
  }
  return text;
}

}  // namespace

void add_diagnose(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("diagnose", "find and classify the vertebrae of sagittal CT slices");
  command
      ->add_option("input", arguments->inputs,
                   "PNG or JPEG slices, DICOM files, NIfTI volumes, folders of them, or zip archives of DICOM files")
      ->required()
      ->type_name("PATH");
  command->add_option("-o,--output", arguments->output, "folder for report.json, report.html and the previews")
      ->required()
      ->type_name("FOLDER");
  command->add_option("--model", arguments->model, "model file; default: the synthetic demo model")->type_name("FILE");
  command
      ->add_option("--overwrite", arguments->overwrite, "never (default), replace, or suffix: FOLDER-2, FOLDER-3, ...")
      ->check(CLI::IsMember({"never", "replace", "suffix"}))
      ->type_name("HOW");
  arguments->engine.add(*command);
  arguments->engine.add_lanes(*command);
  add_integer(*command, "--batch", arguments->batch, 1, 1024,
              "vertebrae per run of the classifier; changes no result; default: 2, on a card 6");
  add_real(*command, "--threshold", arguments->threshold, 0, 1, "least score of a vertebra; default: of the model");
  add_real(*command, "--hu-offset", arguments->study.hu_offset, -100000, 100000,
           "pixel values are Hounsfield units plus X; applies the model's window");
  add_canvas(*command, arguments->canvas);
  command
      ->add_option("--series-uid", arguments->study.series_uid,
                   "of a DICOM study: the series to take; default: by rule")
      ->type_name("UID");
  add_integer(*command, "--allow-gaps", arguments->allow_gaps, 0, 1000,
              "slices of a series that may be missing or unreadable; the study is then partial");
  command->add_option("--prefer", arguments->transform, "transform of a NIfTI file whose two disagree: sform or qform")
      ->check(CLI::IsMember({"sform", "qform"}))
      ->type_name("NAME");
  CLI::Option* dicom = command->add_flag(
      "--dicom-output", arguments->dicom_output,
      "of a study of DICOM files: also its previews as Secondary Captures and a structured report (dicom-*.dcm)");
  command
      ->add_option("--dicom-time", arguments->dicom_time,
                   "YYYYMMDDHHMMSS, date and time in these files; default: those of the study")
      ->check(CLI::Validator(
          [](const std::string& text) {
            const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
            return text.size() == 14 && digits ? std::string() : "expected YYYYMMDDHHMMSS";
          },
          ""))
      ->needs(dicom)
      ->type_name("TIME");
  command->add_flag("--resume", arguments->resume,
                    "of several studies: keep finished results of the same files, model and options, do the rest");
  command->add_flag(
      "--fast", arguments->study.fast,
      "of a volume every second sagittal plane only: half the time, and what only the others show is missed");
  command
      ->add_option("--progress", arguments->progress,
                   "auto (default: a bar on a terminal, else lines), tty, json, slicer, or none")
      ->check(CLI::IsMember({"auto", "tty", "json", "slicer", "none"}))
      ->type_name("FORM");
  add_integer(*command, "--timeout", arguments->timeout, 1, 1000000, "seconds for the whole run");
  add_log(*command, invocation);
  command->footer(
      "Examples:\n  spinert diagnose slices/ extra.png -o out --threads 2\n"
      "  spinert diagnose slices/ -o out --canvas tight\n"
      "  spinert diagnose study/ -o out --dicom-output\n"
      "  spinert diagnose study.zip -o out --fast --progress json\n\n"
      "Exit codes: 0 all slices completed; 11 some failed; 13 some must not be read as negative; 2 to 10 no result.");
  command->callback([command, arguments, &invocation] {
    arguments->used_options = options_without_paths(*command);
    arguments->study.allow_gaps = static_cast<int>(arguments->allow_gaps);
    if (arguments->transform == "sform") arguments->study.transform = NiftiTransform::sform;
    if (arguments->transform == "qform") arguments->study.transform = NiftiTransform::qform;
    invocation.run = [arguments, &invocation] { return DiagnoseRun(*arguments, invocation.json_log).run(); };
  });
}

}  // namespace spinert::cli
