// bench.cpp - `spinert bench`: the roofs of the machine, stages of the pipeline or single kernels, as tables and as
// JSON.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "apps/bench_output.h"
#include "apps/command.h"
#include "diagnosis/pipeline.h"
#include "diagnosis/report/text.h"
#include "diagnosis/synthetic_slice.h"

namespace spinert::cli {
namespace {

struct Arguments {
  std::vector<std::string> stages, cases, shapes;
  std::string op, kernel, model, slice, json;
  bool best = false, nodes = false, on_demand = false;
  EngineArguments engine;
  std::optional<CanvasMode> canvas;
  int64_t patches = 8, batch = 2, repeats = 5;

  bool single() const { return !op.empty() || !cases.empty() || !shapes.empty(); }
};

// A case to time: a layer of a file of shapes, or a line of its own.
struct Layer {
  std::string name, case_line;
  int64_t count = 1;
};

Result<Picture> bench_picture(const std::string& path) {
  if (path.empty()) return synthetic_slice();
  return read_picture(path);
}

Level level_limit(const Arguments& arguments) {
  Level limit = cpu_features().best;
  for (const Level level : cpu_levels()) {
    if (arguments.engine.isa == level_name(level)) limit = std::min(limit, level);
  }
  return limit;
}

int threads_of(const Arguments& arguments) {
  return arguments.engine.threads > 0 ? static_cast<int>(arguments.engine.threads) : usable_threads();
}

bench::Roof measure_roof(const Arguments& arguments, JsonText& json) {
  ThreadPool pool(threads_of(arguments));
  bench::Roof roof = bench::measure_roof(level_limit(arguments), pool);
  if (!arguments.on_demand) print_roof(roof);
  write_roof(json, roof);
  return roof;
}

Status bench_stages(const Arguments& arguments, JsonText& json) {
  SPINERT_ASSIGN(const Picture picture, bench_picture(arguments.slice));
  bench::StageOptions options;
  SPINERT_ASSIGN(options.model, model_path(arguments.model));
  options.engine = arguments.engine.options();
  options.patches = arguments.patches;
  options.batch = arguments.batch;
  options.repeats = static_cast<int>(arguments.repeats);
  options.canvas = arguments.canvas;
  std::optional<bench::Roof> roof;
  if (arguments.nodes) roof = measure_roof(arguments, json);
  json.key("stages").begin_array();
  for (const std::string& stage : arguments.stages) {
    options.stage = stage;
    SPINERT_ASSIGN(const bench::StageRow row, bench::bench_stage(options, picture));
    print_stage(row);
    if (roof && !row.nodes.empty()) print_nodes(row, *roof);
    write_stage(json, row, roof ? &*roof : nullptr);
  }
  json.end();
  return {};
}

// Appends the layers of a file ("name xCOUNT case"), of one operator or of all.
Status read_shapes(const std::string& path, const std::string& op, std::vector<Layer>& layers) {
  std::ifstream file(path);
  if (!file) return error(ErrorId::E_INPUT_EMPTY, "the file of layers cannot be opened", path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Layer layer;
    char times = 0;
    if (line.starts_with('#') || !(words >> layer.name >> times >> layer.count) || times != 'x' ||
        !std::getline(words >> std::ws, layer.case_line)) {
      continue;
    }
    if (op.empty() || layer.case_line.starts_with(op + " ")) layers.push_back(layer);
  }
  return {};
}

Result<std::vector<Layer>> layers_of(const Arguments& arguments) {
  std::vector<Layer> layers;
  for (const std::string& line : arguments.cases) layers.push_back({"", line});
  for (const std::string& path : arguments.shapes) SPINERT_TRY(read_shapes(path, arguments.op, layers));
  if (layers.empty() && !arguments.shapes.empty()) {
    return error(ErrorId::E_USAGE, "no layer to time", arguments.shapes[0])
        .expected("lines of name, xCOUNT and a case", arguments.op);
  }
  return layers;
}

// One line of JSON for every line on standard input, once the case has been verified: for bench/peers, which lets this
// process sleep while another engine is timed.
void answer_on_demand(bench::OpBenchOptions& options, bool& asked) {
  options.reference = false;
  options.again = [&asked] {
    std::string line;
    asked = static_cast<bool>(std::getline(std::cin, line));
    return asked;
  };
}

Status bench_kernels(const Arguments& arguments, JsonText& json) {
  SPINERT_ASSIGN(const std::vector<Layer> layers, layers_of(arguments));
  bench::OpBenchOptions options;
  options.kernel = arguments.kernel;
  options.best_only = arguments.best;
  options.limit = level_limit(arguments);
  bool asked = false;
  if (arguments.on_demand) answer_on_demand(options, asked);
  const bench::Roof roof = measure_roof(arguments, json);
  ThreadPool pool(threads_of(arguments));
  if (!arguments.on_demand) print_op_head();
  json.key("kernels").begin_array();
  double total_us = 0;
  const auto measure = [&](const Layer& layer) -> Status {
    const auto done = [&](const bench::OpRow& row) {
      if (!arguments.on_demand) return print_op(row, layer.name);
      // The first timing warms up; the caller waits for one line.
      if (!asked || !row.refused.empty()) return;
      JsonText line;
      line.begin_object(JsonText::Layout::inline_).key("kernels").begin_array(JsonText::Layout::inline_);
      write_op(line, row, layer.name, layer.count);
      std::printf("%s\n", line.end().end().str().c_str());
      std::fflush(stdout);
    };
    SPINERT_ASSIGN(const auto rows, bench::bench_op(options, roof, pool, done));
    for (const bench::OpRow& row : rows) {
      total_us += row.warm_us * static_cast<double>(layer.count);
      write_op(json, row, layer.name, layer.count);
    }
    return {};
  };
  options.op = arguments.op;
  if (layers.empty()) SPINERT_TRY(measure({}));  // all cases of the operator
  for (const Layer& layer : layers) {
    // A case names its operator: --case alone is enough.
    options.op = arguments.op.empty() ? layer.case_line.substr(0, layer.case_line.find(' ')) : arguments.op;
    options.cases = {layer.case_line};
    SPINERT_TRY(measure(layer));
  }
  if (arguments.best && !arguments.shapes.empty()) {
    std::printf("%-38s %11.1f  every layer as often as it occurs\n", "all layers", total_us);
  }
  json.end();
  return {};
}

int run_bench(const Arguments& arguments, bool json_log) {
  JsonText json;
  json.begin_object();
  const auto refuse = [&](const char* why) {
    return print_error(error(ErrorId::E_USAGE, why, "command line").hint("See spinert bench --help."), json_log);
  };
  if (arguments.single() && !arguments.stages.empty())
    return refuse("give either --stage, or --op, --case or --shapes");
  if (arguments.nodes && arguments.stages.empty()) return refuse("--nodes needs --stage");
  if (arguments.on_demand && (arguments.cases.size() != 1 || !arguments.shapes.empty())) {
    return refuse("--on-demand needs one --case");
  }
  Status status;
  if (arguments.single()) {
    status = bench_kernels(arguments, json);
  } else if (!arguments.stages.empty()) {
    status = bench_stages(arguments, json);
  } else {
    measure_roof(arguments, json);
  }
  if (status.ok() && !arguments.json.empty()) status = write_text(arguments.json, json.end().str() + "\n");
  return status.ok() ? 0 : print_error(status, json_log);
}

}  // namespace

void add_bench(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "bench", "time stages of the pipeline or single kernels; with neither, the roofs of the machine");
  command->add_option("--stage", arguments->stages, "detector, classifier or slice; may be given more than once")
      ->check(CLI::IsMember({"detector", "classifier", "slice"}))
      ->type_name("NAME");
  command->add_flag("--nodes", arguments->nodes, "a table of the stage's nodes, with their part of the roof");
  add_integer(*command, "--patches", arguments->patches, 1, 100000, "patches of the stage classifier (8)");
  add_integer(*command, "--batch", arguments->batch, 1, 1024, "vertebrae per run of the classifier (2)");
  add_integer(*command, "--repeats", arguments->repeats, 1, 100000, "timed runs of a stage (5)");
  command->add_option("--slice", arguments->slice, "a picture; default: a built-in synthetic slice")->type_name("FILE");
  command->add_option("--model", arguments->model, "model file; default: the synthetic demo model")->type_name("FILE");
  command->add_option("--op", arguments->op, "time the kernels of this operator on its cases")->type_name("NAME");
  command->add_option("--case", arguments->cases, "one case line; may be given more than once")->type_name("LINE");
  command->add_option("--shapes", arguments->shapes, "files of layers, as in bench/shapes")->type_name("FILE");
  command->add_flag("--best", arguments->best, "only the kernel that a plan would take");
  command->add_option("--kernel", arguments->kernel, "only this kernel")->type_name("NAME");
  command->add_flag("--on-demand", arguments->on_demand, "time the case once per line on standard input, as JSON");
  command->add_option("--json", arguments->json, "write the figures to this file")->type_name("FILE");
  add_canvas(*command, arguments->canvas);
  arguments->engine.add(*command);
  add_log(*command, invocation);
  command->footer(
      "Examples:\n  spinert bench                                            the roofs alone\n"
      "  spinert bench --stage detector --nodes --json detector.json\n"
      "  spinert bench --stage detector --canvas tight --slice slice.png\n"
      "  spinert bench --stage detector --threads 1               one core; --isa avx2: a smaller machine\n"
      "  spinert bench --case \"conv2d h=64 w=64 c=64 o=64 k=3 padding=1\" --isa avx2\n"
      "  spinert bench --shapes bench/shapes/detector.txt bench/shapes/classifier.txt --best\n"
      "Two runs side by side: bench/compare.py before.json after.json");
  command->callback([arguments, &invocation] {
    invocation.run = [arguments, &invocation] { return run_bench(*arguments, invocation.json_log); };
  });
}

}  // namespace spinert::cli
