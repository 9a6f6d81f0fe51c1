// diagnose.cpp - `spinert diagnose`: pictures in, report.json, report.html and one preview per picture out.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include "apps/command.h"
#include "apps/progress.h"
#include "apps/result_table.h"
#include "diagnosis/diagnose_run.h"
#include "diagnosis/report/text.h"

namespace spinert::cli {
namespace {

struct Arguments {
  std::vector<std::string> inputs;
  std::string output, model, overwrite = "never", transform = "auto", progress = "auto";
  EngineArguments engine;
  int64_t batch = 0, timeout = 0;
  std::optional<double> threshold;
  std::optional<CanvasMode> canvas;
  StudyOptions study;
  int64_t allow_gaps = 0;
  bool resume = false, dicom_output = false, slice_output = false, mask_output = false;
  std::string dicom_time;
  std::string used_options;  // for the report: without paths
};

int run_diagnose(const Arguments& arguments, bool json_log) {
  DiagnoseRequest request;
  request.inputs = arguments.inputs;
  request.output = arguments.output;
  if (arguments.overwrite == "replace") request.overwrite = Overwrite::replace;
  if (arguments.overwrite == "suffix") request.overwrite = Overwrite::suffix;
  request.pipeline.model = arguments.model;
  request.pipeline.engine = arguments.engine.options();
  request.pipeline.batch = static_cast<int>(arguments.batch);
  if (arguments.threshold) request.pipeline.threshold = static_cast<float>(*arguments.threshold);
  request.pipeline.canvas = arguments.canvas;
  request.demo_model = arguments.model.empty();
  request.study = arguments.study;
  request.dicom_output = arguments.dicom_output;
  request.dicom_time = arguments.dicom_time;
  request.slice_output = arguments.slice_output;
  request.mask_output = arguments.mask_output;
  request.resume = arguments.resume;
  request.used_options = arguments.used_options;
  RunControl control;
  control.cancel = &stop_signal();
  if (arguments.timeout > 0) {
    control.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(arguments.timeout);
  }
  Progress progress(arguments.progress, json_log);
  const int code = DiagnoseRun(request, progress, control).run();
  progress.finished();
  return code;
}

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
  command->add_flag("--slice-output", arguments->slice_output,
                    "also each slice without drawings: slice-*.png, all its bits, for viewers and training");
  command->add_flag("--mask-output", arguments->mask_output,
                    "of an examination: also the boxes of its vertebrae as a volume of labels (mask.nii.gz)");
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
    invocation.run = [arguments, &invocation] { return run_diagnose(*arguments, invocation.json_log); };
  });
}

}  // namespace spinert::cli
