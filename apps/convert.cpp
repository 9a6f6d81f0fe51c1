// convert.cpp - `spinert convert`: two checkpoints and a pipeline config become one model file.
#include "converter/convert.h"

#include <cstdio>

#include "apps/command.h"
#include "diagnosis/calibrate.h"
#include "diagnosis/input.h"
#include "diagnosis/report/text.h"

namespace spinert::cli {
namespace {

int run_convert(const ConvertOptions& options, bool json_log) {
  const auto summary = convert(options);
  if (!summary.ok()) return print_error(summary.status(), json_log);
  for (const std::string& note : summary.value().notes) print_note("info", note, json_log);
  std::printf("%s: %lld tensors, %lld values, %.1f MiB of data\n", clean_utf8(options.output).c_str(),
              static_cast<long long>(summary.value().tensors), static_cast<long long>(summary.value().elements),
              static_cast<double>(summary.value().data_bytes) / (1 << 20));
  return 0;
}

struct CalibrationArguments {
  std::string model;
  std::vector<std::string> folders;
};

// A model file and pictures become the file of ranges that int8 needs.
Status write_calibration(const CalibrationArguments& arguments, const ConvertOptions& options, bool json_log) {
  SPINERT_ASSIGN(const InputList list, expand_inputs(arguments.folders));
  std::vector<std::string> pictures;
  for (const Input& input : list.inputs) {
    SPINERT_TRY(input.problem);
    pictures.push_back(input.path);
  }
  CalibrateOptions calibration;
  calibration.model = arguments.model;
  calibration.progress = [&](const std::string& path) { print_note("info", "calibrating on " + path, json_log); };
  SPINERT_ASSIGN(const Calibration made, calibrate(calibration, pictures));
  SPINERT_ASSIGN(AtomicFile file, AtomicFile::create(options.output, options.existing));
  const std::string text = print_calibration(made);
  SPINERT_TRY(file.write(text));
  SPINERT_TRY(file.commit());
  std::printf("%s: ranges of %lld slices\n", clean_utf8(options.output).c_str(), static_cast<long long>(made.slices));
  return {};
}

int run_calibration(const CalibrationArguments& arguments, const ConvertOptions& options, bool json_log) {
  const Status status = write_calibration(arguments, options, json_log);
  return status.ok() ? 0 : print_error(status, json_log);
}

}  // namespace

void add_convert(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ConvertOptions>();
  auto calibration = std::make_shared<CalibrationArguments>();
  CLI::App* command = app.add_subcommand("convert", "make a model file from two checkpoints; executes nothing in them");
  CLI::Option* detector =
      command->add_option("--detector", options->detector, "checkpoint of the detector (.pth or .safetensors)")
          ->type_name("FILE");
  CLI::Option* classifier =
      command->add_option("--classifier", options->classifier, "checkpoint of the classifier")->type_name("FILE");
  CLI::Option* config =
      command->add_option("--config", options->config, "what the checkpoints do not say: pipeline.json")
          ->type_name("FILE");
  command->add_option("-o,--output", options->output, "the model file to write; with --calibrate the file of ranges")
      ->required()
      ->type_name("FILE");
  command
      ->add_option_function<std::string>(
          "--storage", [options](const std::string& text) { (void)parse_storage(text, options->storage); },
          "how weights are stored: f32 (default), f16 or int8")
      ->check(CLI::IsMember({"f32", "f16", "int8"}))
      ->type_name("TYPE");
  command->add_option("--card", options->card, "model card: a JSON object")->type_name("FILE");
  command
      ->add_option_function<std::string>(
          "--key",
          [options](const std::string& key) { options->detector_options.key = options->classifier_options.key = key; },
          "entry of the checkpoint dict that holds the state_dict")
      ->type_name("NAME");
  command->add_option("--detector-key", options->detector_options.key, "the same for the detector alone")
      ->type_name("NAME");
  command->add_option("--classifier-key", options->classifier_options.key, "the same for the classifier alone")
      ->type_name("NAME");
  command->add_flag_callback(
      "--allow-trailing",
      [options] {
        options->detector_options.zip.allow_trailing = options->classifier_options.zip.allow_trailing = true;
      },
      "accept bytes after the end of a checkpoint");
  command->add_flag_callback(
      "--allow-missing-crc",
      [options] {
        options->detector_options.zip.allow_missing_crc = options->classifier_options.zip.allow_missing_crc = true;
      },
      "accept checkpoints that were written without checksums");
  command->add_flag_callback(
      "--replace", [options] { options->existing = AtomicFile::Existing::replace; }, "replace an existing model file");
  command
      ->add_option(
          "--calibrate", calibration->folders,
          "write the ranges that --precision int8 needs, from these pictures or folders, for --model; -o names it "
          "like the model, with .calibration.json")
      ->type_name("PATH...");
  command->add_option("--model", calibration->model, "with --calibrate: the model file")->type_name("FILE");
  add_log(*command, invocation);
  command->footer(
      "Example:\n  spinert convert --detector det.pth --classifier cls.pth "
      "--config converter/configs/fasterrcnn_resnet18_fpn.json -o model.safetensors --storage int8\n"
      "  spinert convert --calibrate examples --model model.safetensors -o model.calibration.json");
  command->callback([=, &invocation] {
    const bool calibrates = !calibration->folders.empty();
    if (calibrates != !calibration->model.empty()) throw CLI::ValidationError("--calibrate and --model go together");
    for (const CLI::Option* source : {detector, classifier, config}) {
      if (source->empty() == !calibrates) {
        throw CLI::ValidationError(source->get_name() +
                                   (calibrates ? " has no place beside --calibrate" : " is required"));
      }
    }
    invocation.run = [=, &invocation] {
      return calibrates ? run_calibration(*calibration, *options, invocation.json_log)
                        : run_convert(*options, invocation.json_log);
    };
  });
}

}  // namespace spinert::cli
