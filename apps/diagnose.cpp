// diagnose.cpp - `spinert diagnose`: pictures in, report.json, report.html and one preview per picture out.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <fstream>
#include <new>
#include <optional>
#include <set>

#include "apps/command.h"
#include "apps/result_table.h"
#include "config/json.h"
#include "diagnosis/input.h"
#include "diagnosis/pipeline.h"
#include "diagnosis/report/preview.h"
#include "diagnosis/report/report_html.h"
#include "diagnosis/report/report_json.h"
#include "diagnosis/report/study_output.h"
#include "diagnosis/report/text.h"
#include "diagnosis/study.h"
#include "weights/sha256.h"

namespace spinert::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::vector<std::string> inputs;
  std::string output, model, overwrite = "never";
  EngineArguments engine;
  int64_t batch = 0, timeout = 0;
  std::optional<double> threshold, hu_offset;
  std::optional<CanvasMode> canvas;
  std::string used_options;  // for the report: without paths
};

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// `list = {}` would keep the memory: it assigns an empty list of initialisers.
template <class T>
void give_back(std::vector<T>& list) {
  std::vector<T>().swap(list);
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

// One run of the subcommand: owns the study, the output folder and what was written so far.
class DiagnoseRun {
 public:
  DiagnoseRun(const Arguments& arguments, bool json_log, StudyOutput output)
      : arguments_(arguments), json_log_(json_log), output_(std::move(output)) {
    facts_.tool = build_info();
    facts_.time_utc = utc_now();
    facts_.host = processor_name();
    facts_.command_line = arguments.used_options;
    if (arguments.canvas) study_.canvas = canvas_name(*arguments.canvas);
    show_bar_ = !json_log && ::isatty(STDERR_FILENO) != 0;
  }

  int run() {
    const auto begin = Clock::now();
    if (const Status status = look_at_all(begin); !status.ok()) {
      // A report about a folder that cannot be written cannot be written either.
      if (status.id() == ErrorId::E_OUTPUT) return print_error(status, json_log_);
      fail(status);
    }
    study_.total_ms = milliseconds_since(begin);
    return finish();
  }

 private:
  // An error here is one of the whole run; what a single picture does wrong stays with its slice.
  Status look_at_all(Clock::time_point begin) {
    SPINERT_ASSIGN(model_, model_path(arguments_.model));
    study_.demo_model = arguments_.model.empty();
    SPINERT_ASSIGN(const InputList list, expand_inputs(arguments_.inputs));
    SPINERT_TRY(open_pipeline());
    SPINERT_ASSIGN(sections_, output_.spill());
    SPINERT_ASSIGN(slices_json_, output_.spill());
    RunControl control;
    control.cancel = &stop_signal();
    if (arguments_.timeout > 0) control.deadline = begin + std::chrono::seconds(arguments_.timeout);
    for (const Input& input : list.inputs) {
      progress(study_.slices.size(), list.inputs.size(), file_name_of(input.path));
      begin_slice(input, control);
      if (static_cast<int>(pending_.size()) >= pipeline_->depth()) SPINERT_TRY(take(end_slice(), list.inputs.size()));
    }
    while (!pending_.empty()) SPINERT_TRY(take(end_slice(), list.inputs.size()));
    SPINERT_ASSIGN(study_.model_sha256, pipeline_->engine().file_sha256());
    summarise(study_);
    return {};
  }

  Status open_pipeline() {
    const auto begin = Clock::now();
    PipelineOptions options;
    options.model = model_;
    options.engine = arguments_.engine.options();
    options.batch = static_cast<int>(arguments_.batch);
    if (arguments_.threshold) options.threshold = static_cast<float>(*arguments_.threshold);
    options.hu_offset = arguments_.hu_offset;
    options.canvas = arguments_.canvas;
    SPINERT_ASSIGN(pipeline_, Pipeline::open(options));
    study_.open_ms = milliseconds_since(begin);
    describe_model();
    const DeviceInfo& device = pipeline_->engine().device();
    study_.device_name = device.name;
    study_.isa = device.isa;
    study_.precision = device.precision;
    study_.canvas = canvas_name(pipeline_->canvas());
    study_.fallback = device.fallback;
    study_.threads = device.threads;
    study_.batch = pipeline_->batch();
    if (device.fallback) {
      print_note("warning", "--device auto took " + device.name + ": " + device.fallback_reason, json_log_);
    }
    if (device.cuda && device.lanes != options.engine.lanes) {
      print_note("warning", "the card's memory is short: --lanes " + std::to_string(device.lanes), json_log_);
    }
    if (options.batch > 0 && study_.batch != options.batch) {
      print_note("warning", "the card's memory is short: --batch " + std::to_string(study_.batch), json_log_);
    }
    return {};
  }

  void describe_model() {
    const auto& metadata = pipeline_->engine().model().metadata;
    if (const auto it = metadata.find("spinert.config"); it != metadata.end()) {
      study_.config_sha256 = to_hex(sha256(it->second.data(), it->second.size()));
    }
    study_.model_name = file_name_of(pipeline_->engine().model().path);
    if (const auto it = metadata.find("spinert.card"); it != metadata.end()) {
      const auto card = parse_json(it->second, ErrorId::E_CONFIG, "model card");
      const auto text = [&card](const char* key) -> std::string {
        if (!card.ok() || !card.value().is_object()) return {};
        const auto field = card.value().find(key);
        return field != card.value().end() && field->is_string() ? field->get<std::string>() : std::string();
      };
      if (!text("name").empty()) study_.model_name = text("name");
      study_.card_version = text("version");
      // A copy of the demo model says so too, wherever it lies.
      if (study_.model_name.find("demo") != std::string::npos) study_.demo_model = true;
    }
    const PipelineConfig& config = pipeline_->config();
    study_.class_names = config.classifier.class_names;
    study_.thresholds = config.classifier.thresholds;
    study_.thresholds["score"] = config.diagnosis.score_threshold;
  }

  // Appends one slice to pending_: with its result, or started in the pipeline.
  void begin_slice(const Input& input, const RunControl& control) {
    const std::string source = names_.add(input.path);
    pending_.push_back({source, {}});
    pending_.back().result = start(input, source, control);
  }

  // The result of the first pending slice.
  SliceResult end_slice() {
    const Pending slice = std::move(pending_.front());
    pending_.pop_front();
    if (slice.result) return *slice.result;
    try {
      return pipeline_->finish();
    } catch (const std::bad_alloc&) {
      return no_memory(slice.source);
    }
  }

  static SliceResult no_memory(const std::string& source) {
    return failed_slice(
        source, error(ErrorId::E_OOM_HOST, "the memory was not enough", source).hint("Give the process more memory."));
  }

  // Nothing if the slice is on its way through the pipeline, else why it is not.
  std::optional<SliceResult> start(const Input& input, const std::string& source, const RunControl& control) {
    if (stop_signal().load() != 0) {
      return failed_slice(source, error(ErrorId::E_CANCELLED, "not looked at: the run was stopped", source));
    }
    if (Clock::now() >= control.deadline) {
      return failed_slice(source, error(ErrorId::E_TIMEOUT, "not looked at: the time limit was reached", source)
                                      .hint("Raise --timeout or leave it out."));
    }
    if (!input.problem.ok()) return failed(source, input.path, input.problem);
    try {
      const Result<Picture> picture = read_picture(input.path);
      if (!picture.ok()) return failed(source, input.path, picture.status());
      pipeline_->start(picture.value(), source, control);
      return std::nullopt;
    } catch (const std::bad_alloc&) {
      return no_memory(source);
    }
  }

  SliceResult failed(const std::string& source, const std::string& path, const Status& status) {
    if (problem_.ok()) problem_ = status;
    SliceResult slice = failed_slice(source, status);
    for (Reason& reason : slice.reasons) reason.text = without_folder(std::move(reason.text), path);
    return slice;
  }

  // The whole run failed: the error may name the model or an argument.
  void fail(const Status& status) {
    whole_run_failed_ = true;
    problem_ = status;
    fail_study(study_, status);
    std::vector<std::string> paths = arguments_.inputs;
    paths.push_back(model_);
    for (Reason& reason : study_.reasons) {
      for (const std::string& path : paths) reason.text = without_folder(std::move(reason.text), path);
    }
  }

  // Writes what belongs to the slice alone and keeps what the table and the summary need: a long study must not fill
  // the memory.
  Status take(SliceResult slice, size_t total) {
    const size_t index = study_.slices.size();
    SPINERT_ASSIGN(const std::string section, slice_section(study_, slice, index));
    SPINERT_TRY(sections_.append(section));
    SPINERT_TRY(slices_json_.append(slice_json(study_, slice, index)));
    SPINERT_ASSIGN(const std::vector<uint8_t> png, preview_png(study_, slice));
    std::string name = preview_name(slice.source);
    for (int i = 2; !preview_names_.insert(name).second; ++i) {
      name = preview_name(slice.source + '-' + std::to_string(i));
    }
    SPINERT_TRY(output_.add(name, {reinterpret_cast<const char*>(png.data()), png.size()}, slice.source));
    give_back(slice.preview);
    give_back(slice.candidates);
    for (Vertebra& vertebra : slice.vertebrae) give_back(vertebra.patches);
    study_.slices.push_back(std::move(slice));
    report_slice(study_.slices.back(), total);
    return {};
  }

  void progress(size_t done, size_t total, const std::string& name) const {
    if (!show_bar_) return;
    constexpr size_t kWidth = 30;
    const size_t filled = total == 0 ? kWidth : done * kWidth / total;
    std::fprintf(stderr, "\r\033[K[%s%s] %zu/%zu %s", std::string(filled, '#').c_str(),
                 std::string(kWidth - filled, '.').c_str(), done, total, name.substr(0, 40).c_str());
    std::fflush(stderr);
  }

  void report_slice(const SliceResult& slice, size_t total) const {
    const std::string place = "[" + std::to_string(study_.slices.size()) + "/" + std::to_string(total) + "] ";
    if (slice.status == "failed") {
      if (show_bar_) std::fputs("\r\033[K", stderr);
      const std::string why =
          slice.reasons.empty() ? slice.source : slice.reasons.back().code + ": " + slice.reasons.back().text;
      print_note("warning", place + slice.source + ": failed, " + why, json_log_);
      return;
    }
    if (show_bar_) {
      progress(study_.slices.size(), total, "");
      if (study_.slices.size() == total) std::fputs("\r\033[K", stderr);
      return;
    }
    const auto time = slice.milliseconds.find("slice");
    print_note("info",
               place + slice.source + ": " + slice.status + ", " + slice.alert + ", " +
                   counted(slice.vertebrae.size(), "vertebra", "vertebrae") +
                   (time == slice.milliseconds.end() ? "" : ", " + fixed_number(time->second, 0) + " ms"),
               json_log_);
  }

  Status write_all() {
    const PutParts page = [this](const Put& put) -> Status {
      SPINERT_TRY(put(report_html_head(study_)));
      if (!whole_run_failed_) SPINERT_TRY(sections_.copy(put));
      return put(report_html_tail(study_, facts_));
    };
    SPINERT_TRY(output_.add_parts("report.html", page));
    facts_.files = output_.files();
    const PutParts slices = [this](const Put& put) { return slices_json_.copy(put); };
    SPINERT_TRY(output_.add_parts("report.json",
                                  [&](const Put& put) { return write_report_json(study_, facts_, slices, put); }));
    return output_.publish();
  }

  // The reports, the table, the error line.
  int finish() {
    const bool stopped = stop_signal().load() != 0 && study_.exit_code == exit_code(ErrorId::E_CANCELLED);
    if (stopped) study_.exit_code = 128 + stop_signal().load();
    if (const Status status = write_all(); !status.ok()) return print_error(status, json_log_);
    if (!study_.slices.empty()) print_table(study_);
    std::printf("report: %s/report.html\n", clean_utf8(output_.folder()).c_str());
    if (study_.exit_code == 0) return 0;
    print_error(summary_error(), json_log_);
    return study_.exit_code;
  }

  Status summary_error() const {
    const auto count = [this](const char* status) {
      return static_cast<size_t>(std::ranges::count(study_.slices, status, &SliceResult::status));
    };
    const std::string of_all = " of " + counted(study_.slices.size(), "slice");
    if (study_.status == "partial") {
      return error(ErrorId::E_PARTIAL, std::to_string(count("failed")) + of_all + " failed", output_.folder())
          .hint("The reasons are in the report; give those slices again.");
    }
    ErrorId id = ErrorId::E_INTERNAL;
    for (const SliceResult& slice : study_.slices) {
      if (slice.status != "completed" && exit_code(slice.error) == exit_code_of_study()) {
        id = slice.error;
        break;
      }
    }
    if (study_.status == "indeterminate") {
      if (exit_code(id) != study_.exit_code) id = ErrorId::E_NO_VERTEBRA;
      return error(id, std::to_string(count("indeterminate")) + of_all + " must not be read as negative",
                   output_.folder())
          .hint("A person must look; the reasons are in the report.");
    }
    if (study_.slices.size() > 1) {
      return error(id, std::to_string(count("failed")) + of_all + " failed", output_.folder())
          .hint("The reasons are in the report.");
    }
    if (!problem_.ok()) return problem_;
    std::string text = study_.reasons.empty() ? study_.status : study_.reasons.back().text;
    while (text.ends_with('.')) text.pop_back();
    return error(id, text);
  }

  int exit_code_of_study() const {
    // 143 is a cancelled run as well.
    return study_.exit_code > 128 ? exit_code(ErrorId::E_CANCELLED) : study_.exit_code;
  }

  const Arguments& arguments_;
  bool json_log_, show_bar_;
  StudyOutput output_;
  StudyResult study_;
  ReportFacts facts_;
  std::string model_;
  std::unique_ptr<Pipeline> pipeline_;
  struct Pending {
    std::string source;
    std::optional<SliceResult> result;  // nothing: in the pipeline
  };
  std::deque<Pending> pending_;
  SourceNames names_;
  std::set<std::string> preview_names_;
  Spill sections_, slices_json_;  // of the slices so far, for the two reports
  bool whole_run_failed_ = false;
  Status problem_;  // of the run, else of its first failed picture
};

int run_diagnose(const Arguments& arguments, bool json_log) {
  const Overwrite overwrite = arguments.overwrite == "replace"  ? Overwrite::replace
                              : arguments.overwrite == "suffix" ? Overwrite::suffix
                                                                : Overwrite::never;
  // First of all: nothing is computed that could not be kept.
  auto output = StudyOutput::open(arguments.output, overwrite, arguments.inputs);
  if (!output.ok()) return print_error(output.status(), json_log);
  return DiagnoseRun(arguments, json_log, std::move(output).value()).run();
}

// Options as given, but no paths: they may name a patient.
std::string options_without_paths(const CLI::App& command) {
  std::string text = "diagnose";
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || name == "input" || name == "--output" || name == "--model") continue;
    text += ' ' + name;
    for (const std::string& value : option->results()) text += ' ' + value;
  }
  return text;
}

}  // namespace

void add_diagnose(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("diagnose", "find and classify the vertebrae of sagittal CT slices");
  command->add_option("input", arguments->inputs, "PNG or JPEG slices, or folders of them")
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
  add_real(*command, "--hu-offset", arguments->hu_offset, -100000, 100000,
           "pixel values are Hounsfield units plus X; applies the model's window");
  add_canvas(*command, arguments->canvas);
  add_integer(*command, "--timeout", arguments->timeout, 1, 1000000, "seconds for the whole run");
  add_log(*command, invocation);
  command->footer(
      "Examples:\n  spinert diagnose slices/ extra.png -o out --threads 2\n"
      "  spinert diagnose slices/ -o out --canvas tight\n\n"
      "Exit codes: 0 all slices completed; 11 some failed; 13 some must not be read as negative; 2 to 10 no result.");
  command->callback([command, arguments, &invocation] {
    arguments->used_options = options_without_paths(*command);
    invocation.run = [arguments, &invocation] { return run_diagnose(*arguments, invocation.json_log); };
  });
}

}  // namespace spinert::cli
