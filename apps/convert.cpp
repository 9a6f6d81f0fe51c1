// convert.cpp - `spinert convert`: two checkpoints and a pipeline config become one model file.
#include "converter/convert.h"

#include <cstdio>

#include "apps/command.h"
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

}  // namespace

void add_convert(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand("convert", "make a model file from two checkpoints; executes nothing in them");
  command->add_option("--detector", options->detector, "checkpoint of the detector (.pth or .safetensors)")
      ->required()
      ->type_name("FILE");
  command->add_option("--classifier", options->classifier, "checkpoint of the classifier")
      ->required()
      ->type_name("FILE");
  command->add_option("--config", options->config, "what the checkpoints do not say: pipeline.json")
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--output", options->output, "the model file to write")->required()->type_name("FILE");
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
  add_log(*command, invocation);
  command->footer(
      "Example:\n  spinert convert --detector det.pth --classifier cls.pth "
      "--config converter/configs/fasterrcnn_resnet18_fpn.json -o model.safetensors --storage int8");
  command->callback([options, &invocation] {
    invocation.run = [options, &invocation] { return run_convert(*options, invocation.json_log); };
  });
}

}  // namespace spinert::cli
