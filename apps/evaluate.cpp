// evaluate.cpp - `spinert evaluate`: how good a system is against annotated slices. Runs the pipeline on pictures, or
// takes the reports that an earlier run wrote; evaluation.json, tables and a page out.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <new>
#include <optional>

#include "apps/command.h"
#include "diagnosis/evaluation/evaluation.h"
#include "diagnosis/evaluation/evaluation_csv.h"
#include "diagnosis/evaluation/evaluation_html.h"
#include "diagnosis/evaluation/evaluation_json.h"
#include "diagnosis/evaluation/gallery.h"
#include "diagnosis/evaluation/report_reader.h"
#include "diagnosis/evaluation/truth.h"
#include "diagnosis/input.h"
#include "diagnosis/pipeline.h"
#include "diagnosis/report/study_output.h"
#include "diagnosis/report/text.h"
#include "diagnosis/study.h"

namespace spinert::cli {
namespace {

namespace ev = spinert::evaluation;
using Clock = std::chrono::steady_clock;

struct Arguments {
  std::vector<std::string> inputs;
  std::string output, truth, reports, against, config, model, overwrite = "never", absent = "refuse", goal;
  EngineArguments engine;
  int64_t batch = 0, timeout = 0;
  std::optional<double> threshold, hu_offset;
  std::optional<CanvasMode> canvas;
};

std::string study_of(const std::string& path) {
  std::error_code code;
  return clean_utf8(std::filesystem::absolute(path, code).parent_path().filename().string());
}

class EvaluateRun {
 public:
  EvaluateRun(const Arguments& arguments, bool json_log, StudyOutput output)
      : arguments_(arguments), json_log_(json_log), output_(std::move(output)) {}

  int run() {
    const Status status = evaluate_all();
    if (!status.ok()) {
      const int stopped = stop_signal().load();
      const int code = print_error(status, json_log_);
      return status.id() == ErrorId::E_CANCELLED && stopped != 0 ? 128 + stopped : code;
    }
    print_summary();
    std::printf("evaluation: %s/evaluation.html\n", clean_utf8(output_.folder()).c_str());
    const size_t without = evaluation_.failed + evaluation_.absent;
    if (without == 0) return 0;
    return print_error(error(ErrorId::E_PARTIAL,
                             std::to_string(without) + " of " + counted(evaluation_.outcomes.size(), "slice") +
                                 " failed or had no result",
                             output_.folder())
                           .hint("Their vertebrae count as missed; slices.csv names them."),
                       json_log_);
  }

 private:
  Status evaluate_all() {
    absent_ = arguments_.absent == "missed"   ? ev::Absent::missed
              : arguments_.absent == "ignore" ? ev::Absent::ignore
                                              : ev::Absent::refuse;
    SPINERT_TRY(find_pictures());
    SPINERT_TRY(arguments_.reports.empty() ? run_pipeline() : take_reports());
    SPINERT_ASSIGN(const ev::Pairing pairing, ev::pair_slices(truth_, system_, absent_));
    evaluation_ = ev::evaluate(truth_, system_, pairing);
    if (!arguments_.against.empty()) SPINERT_TRY(compare());
    SPINERT_TRY(describe());
    return write_all();
  }

  // Pictures of the command line: inputs of the pipeline, or with reports what the gallery shows.
  Status find_pictures() {
    if (arguments_.inputs.empty()) return {};
    SPINERT_ASSIGN(InputList list, expand_inputs(arguments_.inputs));
    inputs_ = std::move(list.inputs);
    return {};
  }

  Status take_reports() {
    SPINERT_ASSIGN(system_, ev::read_reports(arguments_.reports));
    SPINERT_ASSIGN(truth_, ev::read_truth(arguments_.truth, system_.class_names));
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const std::string& path = inputs_[i].path;
      pictures_[{study_of(path), file_name_of(path)}] = path;
      pictures_[{"", file_name_of(path)}] = path;
    }
    return {};
  }

  Status run_pipeline() {
    const auto begin = Clock::now();
    SPINERT_ASSIGN(const std::string model, model_path(arguments_.model));
    PipelineOptions options;
    options.model = model;
    options.engine = arguments_.engine.options();
    options.batch = static_cast<int>(arguments_.batch);
    if (arguments_.threshold) options.threshold = static_cast<float>(*arguments_.threshold);
    options.canvas = arguments_.canvas;
    SPINERT_ASSIGN(pipeline_, Pipeline::open(options));
    const PipelineConfig& config = pipeline_->config();
    system_.class_names = config.classifier.class_names;
    system_.thresholds = config.classifier.thresholds;
    system_.thresholds["score"] = config.diagnosis.score_threshold;
    system_.name = file_name_of(model);
    system_.demo = arguments_.model.empty() || system_.name.find("demo") != std::string::npos;
    system_.has_on_truth = !pipeline_->engine().device().cuda;
    SPINERT_ASSIGN(truth_, ev::read_truth(arguments_.truth, system_.class_names));
    for (const Input& input : inputs_) {
      ev::FoundSlice slice;
      slice.name = file_name_of(input.path);
      slice.study = study_of(input.path);
      slice.status = "failed";
      system_.slices.push_back(std::move(slice));
    }
    // What does not belong together is said before the first slice costs time.
    SPINERT_ASSIGN(const ev::Pairing planned, ev::pair_slices(truth_, system_, absent_));
    std::map<const ev::FoundSlice*, const ev::TruthSlice*> truth_of;
    for (const ev::SlicePair& pair : planned.pairs) {
      if (pair.found) truth_of[pair.found] = pair.truth;
    }
    RunControl control;
    control.cancel = &stop_signal();
    if (arguments_.timeout > 0) control.deadline = begin + std::chrono::seconds(arguments_.timeout);
    size_t done = 0;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      ev::FoundSlice& slice = system_.slices[i];
      const auto truth = truth_of.find(&slice);
      if (truth == truth_of.end()) continue;
      SPINERT_TRY(look_at(inputs_[i], *truth->second, control, slice));
      pictures_[{slice.study, slice.name}] = inputs_[i].path;
      print_note(slice.status == "failed" ? "warning" : "info",
                 "[" + std::to_string(++done) + "/" + std::to_string(truth_of.size()) + "] " + slice.name + ": " +
                     slice.status + (slice.status == "failed" ? ", " + slice.error : ""),
                 json_log_);
    }
    SPINERT_ASSIGN(system_.model_sha256, pipeline_->engine().file_sha256());
    return {};
  }

  // What goes wrong with one slice stays with it; an end of the whole run is an error.
  Status look_at(const Input& input, const ev::TruthSlice& truth, const RunControl& control, ev::FoundSlice& slice) {
    const auto fail = [&](const Status& status) {
      slice.error = error_name(status.id());
      print_note("warning", without_folder(status.to_string(), input.path), json_log_);
      return Status();
    };
    if (stop_signal().load() != 0) return error(ErrorId::E_CANCELLED, "the run was stopped");
    if (!input.problem.ok()) return fail(input.problem);
    auto picture = read_picture(input.path);
    if (!picture.ok()) return fail(picture.status());
    picture.value().hu_offset = arguments_.hu_offset;
    const SliceResult result = pipeline_->diagnose(picture.value(), slice.name, control);
    if (result.error == ErrorId::E_CANCELLED || result.error == ErrorId::E_TIMEOUT) {
      return error(result.error, "the run ended before all slices were looked at").hint("Nothing was written.");
    }
    slice.status = result.status;
    slice.alert = result.alert;
    slice.error = error_name(result.error);
    slice.sha256 = result.sha256;
    slice.width = result.width;
    slice.height = result.height;
    const auto rect = [](const Box& box) { return ev::Rect{box[0], box[1], box[2], box[3]}; };
    for (const Candidate& candidate : result.candidates) {
      slice.candidates.push_back({rect(candidate.box), candidate.score});
    }
    for (const Vertebra& from : result.vertebrae) {
      ev::FoundVertebra vertebra{rect(from.box), from.score, from.probabilities, 0};
      for (size_t c = 0; c < system_.class_names.size(); ++c) {
        const bool has = std::ranges::find(from.labels, system_.class_names[c]) != from.labels.end();
        if (has) vertebra.labels |= ev::LabelSet{1} << c;
      }
      slice.vertebrae.push_back(std::move(vertebra));
    }
    if (!system_.has_on_truth) return {};
    std::vector<Box> boxes;
    for (const ev::TruthVertebra& vertebra : truth.vertebrae) {
      boxes.push_back({static_cast<float>(vertebra.box.x1), static_cast<float>(vertebra.box.y1),
                       static_cast<float>(vertebra.box.x2), static_cast<float>(vertebra.box.y2)});
    }
    auto on_truth = pipeline_->classify_boxes(picture.value(), boxes, control);
    if (on_truth.ok()) {
      slice.on_truth = std::move(on_truth).value();
    } else if (on_truth.status().id() == ErrorId::E_CANCELLED || on_truth.status().id() == ErrorId::E_TIMEOUT) {
      return on_truth.status();
    } else {
      print_note("warning", slice.name + ": not classified on the annotated boxes: " + on_truth.status().to_string(),
                 json_log_);
    }
    return {};
  }

  // A folder or a report is another system; anything else is the truth of a person.
  Status compare() {
    std::error_code code;
    const std::string& path = arguments_.against;
    const bool reports = std::filesystem::is_directory(path, code) || file_name_of(path) == "report.json";
    if (reports) {
      SPINERT_ASSIGN(against_, ev::read_reports(path));
      if (against_.class_names != system_.class_names) {
        return error(ErrorId::E_REPORT, "the two systems have different classes", path);
      }
    } else {
      SPINERT_ASSIGN(const ev::Truth read, ev::read_truth(path, system_.class_names));
      against_ = ev::reader_as_system(read, file_name_of(path));
    }
    SPINERT_ASSIGN(const ev::Pairing pairing, ev::pair_slices(truth_, against_, absent_));
    evaluation_.comparison = ev::compare_with(evaluation_, system_, against_, pairing);
    return {};
  }

  Status describe() {
    facts_.tool = build_info();
    facts_.system = system_.name;
    facts_.model_sha256 = system_.model_sha256;
    facts_.demo = system_.demo;
    facts_.thresholds = system_.thresholds;
    facts_.truth_name = file_name_of(arguments_.truth);
    facts_.truth_sha256 = truth_.sha256;
    if (!arguments_.reports.empty()) {
      facts_.no_patch_level = "reports say nothing of the annotated boxes; run evaluate on the pictures";
    } else if (!system_.has_on_truth) {
      facts_.no_patch_level = "on a card the classifier runs on the detector's boxes only; use --device cpu";
    }
    if (arguments_.goal.empty()) return {};
    facts_.chosen_goal = arguments_.goal;
    facts_.chosen =
        ev::choose_thresholds(evaluation_, arguments_.goal == "f1" ? ev::ThresholdGoal::f1 : ev::ThresholdGoal::youden);
    return {};
  }

  // The config of the pipeline, or the one named where there are reports only, with the chosen thresholds.
  Result<std::string> new_config() {
    PipelineConfig config;
    if (pipeline_) {
      const std::string& text = pipeline_->engine().model().metadata.at("spinert.config");
      SPINERT_ASSIGN(config, parse_pipeline_config(text, system_.name));
    } else {
      constexpr uint64_t kMaxConfigBytes = 16 << 20;
      SPINERT_ASSIGN(const std::string text, ev::read_text(arguments_.config, kMaxConfigBytes, ErrorId::E_CONFIG));
      SPINERT_ASSIGN(config, parse_pipeline_config(text, file_name_of(arguments_.config)));
      if (config.classifier.class_names != system_.class_names) {
        return error(ErrorId::E_CONFIG, "the config has other classes than the reports", arguments_.config);
      }
    }
    for (size_t c = 0; c < system_.class_names.size(); ++c) {
      const std::string& name = system_.class_names[c];
      if (facts_.chosen[c]) {
        config.classifier.thresholds[name] = facts_.chosen[c]->threshold;
      } else {
        print_note("warning", "the threshold of " + name + " stays: the truth has only vertebrae with it, or none",
                   json_log_);
      }
    }
    return print_pipeline_config(config, 2) + "\n";
  }

  std::string picture_of(const ev::SliceOutcome& outcome) const {
    if (!outcome.found) return {};
    auto at = pictures_.find({outcome.found->study, outcome.found->name});
    if (at == pictures_.end()) at = pictures_.find({"", outcome.found->name});
    return at == pictures_.end() ? std::string() : at->second;
  }

  Status write_all() {
    std::vector<ev::ErrorCase> errors = ev::worst_errors(evaluation_);
    std::optional<HuWindow> window;
    if (arguments_.hu_offset) {
      window.emplace();
      window->offset = *arguments_.hu_offset;
      if (pipeline_) {
        window->level = pipeline_->config().detector.input.window.level;
        window->width = pipeline_->config().detector.input.window.width;
      }
    }
    ev::add_pictures(
        errors, evaluation_, [this](const ev::SliceOutcome& outcome) { return picture_of(outcome); }, window);
    if (!facts_.chosen.empty()) {
      SPINERT_ASSIGN(const std::string config, new_config());
      SPINERT_TRY(output_.add("pipeline.json", config));
    }
    for (const auto& [name, text] : ev::evaluation_tables(evaluation_)) SPINERT_TRY(output_.add(name, text));
    SPINERT_TRY(output_.add("evaluation.html", ev::evaluation_html(evaluation_, facts_, errors)));
    SPINERT_TRY(output_.add("evaluation.json", ev::evaluation_json(evaluation_, facts_)));
    return output_.publish();
  }

  static std::string shown(const std::optional<double>& value) {
    return value ? fixed_number(*value, 3) : "not defined";
  }

  void print_summary() const {
    const ev::DetectorFigures& d = evaluation_.detector;
    std::printf("slices: %zu completed, %zu indeterminate, %zu failed, %zu without a result\n", evaluation_.completed,
                evaluation_.indeterminate, evaluation_.failed, evaluation_.absent);
    std::printf("detector: average precision %s (IoU 0.5, all points), %s (COCO 0.50:0.95)\n",
                shown(d.voc_all_points).c_str(), shown(d.coco_50_95).c_str());
    std::printf("vertebrae: %lld of %lld found, %lld false boxes; false-positive rate %s, false-negative rate %s\n",
                static_cast<long long>(d.hits), static_cast<long long>(d.annotated),
                static_cast<long long>(d.false_boxes), shown(d.false_positive_rate.value).c_str(),
                shown(d.false_negative_rate.value).c_str());
    for (size_t c = 0; c < evaluation_.class_names.size(); ++c) {
      const ev::ClassFigures& f = evaluation_.end_to_end.classes[c];
      std::printf("%s: AUC %s, sensitivity %s, specificity %s, PPV %s, F1 %s\n",
                  clean_utf8(evaluation_.class_names[c]).c_str(),
                  shown(f.auc ? std::optional(f.auc->area) : std::nullopt).c_str(), shown(f.sensitivity.value).c_str(),
                  shown(f.specificity.value).c_str(), shown(f.ppv.value).c_str(), shown(f.f1.value).c_str());
    }
    if (system_.demo) std::printf("note: %s\n", kDemoNotice);
    std::printf("%s\n", kResearchLabel);
  }

  const Arguments& arguments_;
  bool json_log_;
  StudyOutput output_;
  ev::Absent absent_ = ev::Absent::refuse;
  std::vector<Input> inputs_;
  std::unique_ptr<Pipeline> pipeline_;
  ev::Truth truth_;
  ev::System system_, against_;
  ev::Evaluation evaluation_;
  ev::EvaluationFacts facts_;
  std::map<std::pair<std::string, std::string>, std::string> pictures_;  // study (or none) and name -> path
};

int run_evaluate(const Arguments& arguments, bool json_log) {
  const auto usage = [json_log](const std::string& what, const std::string& hint) {
    return print_error(error(ErrorId::E_USAGE, what, "command line").hint(hint), json_log);
  };
  if (arguments.inputs.empty() && arguments.reports.empty()) {
    return usage("neither pictures nor reports", "Give pictures, or existing reports with --reports.");
  }
  if (!arguments.goal.empty() && !arguments.reports.empty() && arguments.config.empty()) {
    return usage("--choose-thresholds with --reports needs the config that is to be changed", "Name it with --config.");
  }
  if (!arguments.config.empty() && (arguments.goal.empty() || arguments.reports.empty())) {
    return usage("--config without --reports and --choose-thresholds", "Leave it out: the model has its own.");
  }
  const Overwrite overwrite = arguments.overwrite == "replace"  ? Overwrite::replace
                              : arguments.overwrite == "suffix" ? Overwrite::suffix
                                                                : Overwrite::never;
  std::vector<std::string> read = arguments.inputs;
  for (const std::string* path : {&arguments.truth, &arguments.reports, &arguments.against, &arguments.config}) {
    if (!path->empty()) read.push_back(*path);
  }
  auto output = StudyOutput::open(arguments.output, overwrite, read, "evaluation.json");
  if (!output.ok()) return print_error(output.status(), json_log);
  return EvaluateRun(arguments, json_log, std::move(output).value()).run();
}

}  // namespace

void add_evaluate(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("evaluate", "compare results with annotated slices");
  command
      ->add_option("input", arguments->inputs,
                   "PNG or JPEG slices, or folders of them; with --reports only for pictures of the worst errors")
      ->type_name("PATH");
  command->add_option("--truth", arguments->truth, "annotated slices: COCO-style JSON, or a table NAME.csv")
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--output", arguments->output, "folder for evaluation.json, evaluation.html and the tables")
      ->required()
      ->type_name("FOLDER");
  command
      ->add_option("--reports", arguments->reports,
                   "existing report.json, or a folder with them, instead of running the pipeline")
      ->type_name("PATH");
  command
      ->add_option("--against", arguments->against,
                   "a second system on the same slices: reports, or the JSON or CSV of a person")
      ->type_name("PATH");
  command
      ->add_option("--absent", arguments->absent,
                   "slices of the truth without a result: refuse (default), missed, or ignore, which also leaves out "
                   "results without truth")
      ->check(CLI::IsMember({"refuse", "missed", "ignore"}))
      ->type_name("HOW");
  command
      ->add_option("--choose-thresholds", arguments->goal,
                   "choose the threshold of each class by youden or f1 and write pipeline.json with them")
      ->check(CLI::IsMember({"youden", "f1"}))
      ->type_name("GOAL");
  command->add_option("--config", arguments->config, "with --reports: the pipeline.json whose thresholds are chosen")
      ->type_name("FILE");
  command->add_option("--model", arguments->model, "model file; default: the synthetic demo model")->type_name("FILE");
  command
      ->add_option("--overwrite", arguments->overwrite, "never (default), replace, or suffix: FOLDER-2, FOLDER-3, ...")
      ->check(CLI::IsMember({"never", "replace", "suffix"}))
      ->type_name("HOW");
  arguments->engine.add(*command);
  add_integer(*command, "--batch", arguments->batch, 1, 1024,
              "vertebrae per run of the classifier; changes no result; default: 2, on a card 6");
  add_real(*command, "--threshold", arguments->threshold, 0, 1, "least score of a vertebra; default: of the model");
  add_real(*command, "--hu-offset", arguments->hu_offset, -100000, 100000,
           "pixel values are Hounsfield units plus X; applies the model's window");
  add_canvas(*command, arguments->canvas);
  add_integer(*command, "--timeout", arguments->timeout, 1, 1000000, "seconds for the whole run");
  // They say how the pipeline runs; beside reports they would promise what nobody does.
  for (const char* name : {"--model", "--threshold", "--batch", "--canvas", "--timeout", "--device", "--isa",
                           "--precision", "--threads", "--memory-limit", "--model-sha256"}) {
    command->get_option(name)->excludes("--reports");
  }
  add_log(*command, invocation);
  command->footer(
      "Examples:\n  spinert evaluate examples/ --truth examples/truth.json -o evaluation\n"
      "  spinert evaluate --reports out/ --truth truth.csv --against reader.json -o evaluation\n"
      "  spinert evaluate slices/ --truth truth.json --choose-thresholds youden -o evaluation\n\n"
      "Exit codes: 0 evaluated; 11 evaluated, but some slices failed or had no result; 2 to 10, 14 no evaluation.");
  command->callback([arguments, &invocation] {
    invocation.run = [arguments, &invocation] { return run_evaluate(*arguments, invocation.json_log); };
  });
}

}  // namespace spinert::cli
