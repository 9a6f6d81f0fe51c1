// bench.cpp - `spinert bench`: stages of the pipeline or single kernels, as a table and as JSON.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "apps/command.h"
#include "bench/op_bench.h"
#include "bench/stage_bench.h"
#include "diagnosis/report/json_text.h"
#include "diagnosis/report/text.h"
#include "diagnosis/synthetic_slice.h"

namespace spinert::cli {
namespace {

constexpr auto kInline = JsonText::Layout::inline_;

struct Arguments {
  std::vector<std::string> stages, cases;
  std::string op, kernel, model, slice, json, shapes;
  bool best = false;
  EngineArguments engine;
  std::optional<CanvasMode> canvas;
  int64_t patches = 8, batch = 2, repeats = 5;
};

void stage_json(JsonText& json, const bench::StageRow& row) {
  json.begin_object().key("stage").text(row.stage).key("patches").integer(row.patches);
  json.key("median_ms").number(row.median_ms).key("min_ms").number(row.min_ms).key("first_ms").number(row.first_ms);
  json.key("open_ms").number(row.open_ms).key("peak_rss_mb").number(row.peak_rss_mb);
  json.key("threads").integer(row.threads).key("isa").text(row.isa).key("precision").text(row.precision);
  json.key("canvas").text(row.canvas).key("seen").text(row.seen);
  json.key("kernels").begin_array();
  for (const bench::KernelShare& share : row.kernels) {
    json.begin_object(kInline).key("kernel").text(share.kernel).key("nodes").integer(share.nodes);
    json.key("ms").number(share.ms).key("gflops").number(share.gflops).end();
  }
  json.end().end();
}

void print_stage(const bench::StageRow& row) {
  std::printf(
      "%-10s  patches %3lld  median %9.2f ms  min %9.2f ms  first %9.2f ms  open %8.1f ms  peak %7.1f MB  %d threads  "
      "%s canvas%s\n",
      row.stage.c_str(), static_cast<long long>(row.patches), row.median_ms, row.min_ms, row.first_ms, row.open_ms,
      row.peak_rss_mb, row.threads, row.canvas.c_str(), row.seen.empty() ? "" : (", " + row.seen).c_str());
  for (const bench::KernelShare& share : row.kernels) {
    std::printf("  %-36s %3d nodes %9.2f ms %9.1f GFLOP/s\n", share.kernel.c_str(), share.nodes, share.ms,
                share.gflops);
  }
}

void op_json(JsonText& json, const bench::OpRow& row) {
  json.begin_object(kInline).key("op").text(row.op).key("case").text(row.case_line).key("kernel").text(row.kernel);
  json.key("isa").text(row.level).key("refused").text(row.refused).key("max_difference").number(row.max_difference);
  json.key("warm_us").number(row.warm_us).key("cold_us").number(row.cold_us).key("gflops").number(row.gflops);
  json.key("gbytes_per_s").number(row.gbytes).key("roof_percent").number(row.roof_percent);
  json.key("times_reference").number(row.times_reference).key("flops").number(row.flops);
  json.key("bytes").number(row.bytes).key("copies").integer(row.copies).end();
}

void print_op(const bench::OpRow& row) {
  if (!row.refused.empty()) {
    std::printf("%-32s refused: %s  [%s]\n", row.kernel.c_str(), row.refused.c_str(), row.case_line.c_str());
    return;
  }
  std::printf("%-32s %10.1f us warm %10.1f us cold %8.1f GFLOP/s %7.1f GB/s %5.1f %% of roof %7.1f x reference  [%s]\n",
              row.kernel.c_str(), row.warm_us, row.cold_us, row.gflops, row.gbytes, row.roof_percent,
              row.times_reference, row.case_line.c_str());
  std::fflush(stdout);
}

Result<Picture> bench_picture(const std::string& path) {
  if (path.empty()) return synthetic_slice();
  return read_picture(path);
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
  json.key("stages").begin_array();
  for (const std::string& stage : arguments.stages) {
    options.stage = stage;
    SPINERT_ASSIGN(const bench::StageRow row, bench::bench_stage(options, picture));
    print_stage(row);
    stage_json(json, row);
  }
  json.end();
  return {};
}

// The case lines of a file of layers ("name xCOUNT case"), of one operator or of all.
Result<std::vector<std::string>> read_shapes(const std::string& path, const std::string& op) {
  std::ifstream file(path);
  if (!file) return error(ErrorId::E_INPUT_EMPTY, "the file of layers cannot be opened", path);
  std::vector<std::string> cases;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, count, rest;
    if (line.starts_with('#') || !(words >> name >> count) || !std::getline(words >> std::ws, rest)) continue;
    if (op.empty() || rest.starts_with(op + " ")) cases.push_back(rest);
  }
  if (cases.empty()) {
    return error(ErrorId::E_USAGE, "no layer to time", path).expected("lines of name, xCOUNT and a case", op);
  }
  return cases;
}

Status bench_kernels(const Arguments& arguments, JsonText& json) {
  std::vector<std::string> cases = arguments.cases;
  if (!arguments.shapes.empty()) {
    SPINERT_ASSIGN(cases, read_shapes(arguments.shapes, arguments.op));
  }
  bench::OpBenchOptions options;
  options.kernel = arguments.kernel;
  options.best_only = arguments.best;
  for (const Level level : cpu_levels()) {
    if (arguments.engine.isa == level_name(level)) options.limit = level;
  }
  ThreadPool pool(arguments.engine.threads > 0 ? static_cast<int>(arguments.engine.threads) : usable_threads());
  const Level level = std::min(options.limit, cpu_features().best);
  const bench::Roof roof = bench::measure_roof(level, pool);
  std::printf("roof: %.1f GFLOP/s, %.1f GB/s, %s, %d threads\n", roof.gflops, roof.gbytes,
              std::string(level_name(level)).c_str(), pool.size());
  json.key("threads").integer(pool.size());
  json.key("roof").begin_object(kInline).key("gflops").number(roof.gflops).key("gbytes_per_s").number(roof.gbytes);
  json.end().key("kernels").begin_array();
  const auto measure = [&]() -> Status {
    SPINERT_ASSIGN(const auto rows, bench::bench_op(options, roof, pool, print_op));
    for (const bench::OpRow& row : rows) op_json(json, row);
    return {};
  };
  options.op = arguments.op;
  if (cases.empty()) SPINERT_TRY(measure());  // all cases of the operator
  for (const std::string& line : cases) {
    // A case names its operator: --case alone is enough.
    options.op = arguments.op.empty() ? line.substr(0, line.find(' ')) : arguments.op;
    options.cases = {line};
    SPINERT_TRY(measure());
  }
  json.end();
  return {};
}

int run_bench(const Arguments& arguments, bool json_log) {
  JsonText json;
  json.begin_object();
  const bool single = !arguments.op.empty() || !arguments.cases.empty() || !arguments.shapes.empty();
  if (single == !arguments.stages.empty()) {
    return print_error(error(ErrorId::E_USAGE, "give either --stage, or --op, --case or --shapes", "command line")
                           .hint("See spinert bench --help."),
                       json_log);
  }
  Status status = single ? bench_kernels(arguments, json) : bench_stages(arguments, json);
  if (status.ok() && !arguments.json.empty()) status = write_text(arguments.json, json.end().str() + "\n");
  return status.ok() ? 0 : print_error(status, json_log);
}

}  // namespace

void add_bench(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("bench", "time stages of the pipeline or single kernels");
  command->add_option("--stage", arguments->stages, "detector, classifier or slice; may be given more than once")
      ->check(CLI::IsMember({"detector", "classifier", "slice"}))
      ->type_name("NAME");
  add_integer(*command, "--patches", arguments->patches, 1, 100000, "patches of the stage classifier (8)");
  add_integer(*command, "--batch", arguments->batch, 1, 1024, "vertebrae per run of the classifier (2)");
  add_integer(*command, "--repeats", arguments->repeats, 1, 100000, "timed runs of a stage (5)");
  command->add_option("--slice", arguments->slice, "a picture; default: a built-in synthetic slice")->type_name("FILE");
  command->add_option("--model", arguments->model, "model file; default: the synthetic demo model")->type_name("FILE");
  command->add_option("--op", arguments->op, "time the kernels of this operator on its cases")->type_name("NAME");
  command->add_option("--case", arguments->cases, "one case line; may be given more than once")->type_name("LINE");
  command->add_option("--shapes", arguments->shapes, "a file of layers, as in bench/shapes")->type_name("FILE");
  command->add_flag("--best", arguments->best, "only the kernel that a plan would take");
  command->add_option("--kernel", arguments->kernel, "only this kernel")->type_name("NAME");
  command->add_option("--json", arguments->json, "write the figures to this file")->type_name("FILE");
  add_canvas(*command, arguments->canvas);
  arguments->engine.add(*command);
  add_log(*command, invocation);
  command->footer(
      "Examples:\n  spinert bench --stage detector --threads 2 --json detector.json\n"
      "  spinert bench --stage detector --canvas tight --slice slice.png\n"
      "  spinert bench --case \"conv2d h=64 w=64 c=64 o=64 k=3 padding=1\" --isa avx2\n"
      "  spinert bench --shapes bench/shapes/detector.txt --best");
  command->callback([arguments, &invocation] {
    invocation.run = [arguments, &invocation] { return run_bench(*arguments, invocation.json_log); };
  });
}

}  // namespace spinert::cli
