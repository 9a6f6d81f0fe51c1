// verify.cpp - `spinert verify`: a fast backend against the reference, node by node and as a whole.
#include "diagnosis/verify.h"

#include <cstdio>

#include "apps/command.h"
#include "diagnosis/report/text.h"
#include "diagnosis/report/verify_json.h"
#include "diagnosis/verify_request.h"

namespace spinert::cli {
namespace {

struct Arguments {
  std::string model, device = "cpu", precision, isa = "all", dump, json;
  std::vector<std::string> inputs;
  int64_t threads = 0, timeout = 0;
  std::optional<double> threshold;
  std::optional<CanvasMode> canvas;
};

void print_level(const LevelReport& level) {
  std::printf("%s against reference, node by node\n", level.level.c_str());
  std::printf("  %-10s %-34s %-30s %12s %12s %8s\n", "graph", "node", "kernel", "difference", "tolerance", "wrong");
  for (const NodeCheck& check : level.nodes) {
    std::printf("  %-10s %-34s %-30s %12.3g %12.3g %8lld%s\n", check.graph.c_str(), check.node.c_str(),
                check.kernel.c_str(), check.max_difference, check.absolute, static_cast<long long>(check.wrong),
                check.wrong > 0 ? "  <-" : "");
  }
  const GlobalCheck& global = level.global;
  std::printf("%s end to end: %d vertebrae matched, least IoU %.6f, largest |score| %.3g, largest |probability| %.3g, ",
              level.level.c_str(), global.vertebrae, global.min_iou, global.max_score, global.max_probability);
  std::printf("%d label flips, %d boxes excused: %s\n", global.flips, global.excused,
              level.breach.ok() ? "passed" : "FAILED");
}

int run_verify(const Arguments& arguments, bool json_log) {
  VerifyOptions options;
  const auto model = model_path(arguments.model);
  if (!model.ok()) return print_error(model.status(), json_log);
  options.model = model.value();
  options.device = arguments.device;
  options.precision = arguments.precision;
  const auto levels = verify_levels(arguments.device, arguments.precision, arguments.isa);
  if (!levels.ok()) return print_error(levels.status(), json_log);
  options.levels = levels.value().names;
  for (const std::string& name : levels.value().skipped) {
    print_note("warning", "skipped " + name + ": this machine has no " + name, json_log);
  }
  if (names_card(arguments.device) && options.precision.empty()) options.precision = "mixed";
  options.limits = verify_limits(options.precision);
  options.threads = static_cast<int>(arguments.threads);
  options.dump_folder = arguments.dump;
  if (arguments.threshold) options.threshold = static_cast<float>(*arguments.threshold);
  options.canvas = arguments.canvas;
  options.progress = [json_log](const std::string& text) { print_note("info", text, json_log); };
  const auto inputs = verify_pictures(arguments.inputs);
  if (!inputs.ok()) return print_error(inputs.status(), json_log);
  RunControl control;
  control.cancel = &stop_signal();
  if (arguments.timeout > 0) {
    control.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(arguments.timeout);
  }
  const auto report = verify(options, inputs.value(), control);
  if (!report.ok()) {
    const int code = print_error(report.status(), json_log);
    return report.status().id() == ErrorId::E_CANCELLED && stop_signal().load() != 0 ? 128 + stop_signal().load()
                                                                                     : code;
  }
  for (const LevelReport& level : report.value().levels) print_level(level);
  if (!arguments.json.empty()) {
    if (const Status status = write_text(arguments.json, verify_json(report.value())); !status.ok()) {
      return print_error(status, json_log);
    }
  }
  for (const LevelReport& level : report.value().levels) {
    if (!level.breach.ok()) return print_error(level.breach, json_log);
  }
  return 0;
}

}  // namespace

void add_verify(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("verify", "compare a fast backend with the reference, node by node");
  command->add_option("model", arguments->model, "model file; default: the synthetic demo model")->type_name("MODEL");
  command->add_option("input", arguments->inputs, "slices; default: a built-in synthetic slice")->type_name("PATH");
  command->add_option("--device", arguments->device, "cpu (default) or cuda[:n]")
      ->check([](const std::string& text) {
        return text == "cpu" || names_card(text) ? std::string() : "expected cpu or cuda[:n], got \"" + text + '"';
      })
      ->type_name("NAME");
  command->add_option("--precision", arguments->precision, "fp32, mixed or int8; default: mixed on a card, else fp32")
      ->check(CLI::IsMember({"fp32", "mixed", "int8"}))
      ->type_name("NAME");
  std::vector<std::string> levels_and_all = isa_names();
  levels_and_all.insert(levels_and_all.begin(), "all");
  command->add_option("--isa", arguments->isa, "all (default) or one; sm80 or sm90a on a card")
      ->check(CLI::IsMember(levels_and_all))
      ->type_name("NAME");
  command->add_option("--dump-stages", arguments->dump, "write every node's outputs of the first slice as .npy")
      ->type_name("FOLDER");
  command->add_option("--json", arguments->json, "write the figures to this file")->type_name("FILE");
  add_integer(*command, "--threads", arguments->threads, 1, 1024, "threads of the cpu backend");
  add_real(*command, "--threshold", arguments->threshold, 0, 1, "least score of a vertebra; default: of the model");
  add_canvas(*command, arguments->canvas);
  add_integer(*command, "--timeout", arguments->timeout, 1, 1000000, "seconds for the whole run");
  add_log(*command, invocation);
  command->footer(
      "Examples:\n  spinert verify models/spine-demo.safetensors --isa all\n"
      "  spinert verify models/spine-demo.safetensors slice.png --canvas tight\n\n"
      "The reference takes minutes for a slice. Exit code 12: a difference beyond the tolerance.");
  command->callback([arguments, &invocation] {
    invocation.run = [arguments, &invocation] { return run_verify(*arguments, invocation.json_log); };
  });
}

}  // namespace spinert::cli
