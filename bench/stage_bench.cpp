#include "bench/stage_bench.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "bench/timing.h"
#include "diagnosis/pipeline.h"
#include "kernels/place/place.h"
#include "kernels/registry.h"
#include "runtime/aligned_buffer.h"
#include "weights/model_file.h"

namespace spinert::bench {
namespace {

// Places the picture on the whole canvas.
Status place(const Picture& picture, const Tensor& canvas) {
  if (!canvas.present()) return error(ErrorId::E_MODEL_ARCH, "the graph has no input canvas");
  std::vector<float> grey = to_grey(picture, std::nullopt);
  const PlaceParams params{canvas.shape[1]};
  Tensor slice;
  slice.data = grey.data();
  slice.dtype = DType::f32;
  slice.shape = {1, picture.height, picture.width, 1};
  const OpCall call{&params, {&slice, 1}, {&canvas, 1}};
  ThreadPool alone(1);
  choose_kernel(OpId::place, Backend::cpu, Level::scalar, call)->kernel->run(call, {.pool = &alone});
  return {};
}

// Copies a window of the whole canvas.
void cut(const Tensor& whole, const Window& window, const Tensor& canvas) {
  for (int64_t y = 0; y < window.height; ++y) {
    const float* row = whole.f32() + (window.top + y) * whole.shape[2] + window.left;
    std::copy_n(row, window.width, canvas.f32() + y * window.width);
  }
}

Result<CanvasMode> configured_canvas(const StageOptions& options) {
  if (options.canvas) return *options.canvas;
  SPINERT_ASSIGN(const ModelFile file, ModelFile::open(options.model));
  SPINERT_ASSIGN(const PipelineConfig config, parse_pipeline_config(file.config(), options.model));
  return canvas_mode(config.place.canvas);
}

// Squares of the size of a vertebra down the middle of the canvas: the classifier's time does not depend on content.
void place_boxes(const Tensor& boxes, int64_t canvas_side) {
  const auto side = static_cast<float>(canvas_side);
  const auto rows = static_cast<float>(boxes.shape[0]);
  for (int64_t r = 0; r < boxes.shape[0]; ++r) {
    const float x = side * 0.45f, y = side * (0.1f + 0.8f * static_cast<float>(r) / rows), extent = side * 0.055f;
    const float box[] = {x, y, x + extent, y + extent};
    std::copy(box, box + 4, boxes.f32() + 4 * r);
  }
}

// Where the time goes, node by node. Nothing on cuda, where a node run alone is mostly copies: bench/gpu times kernels
// there.
class NodeTimer {
 public:
  NodeTimer(const Engine& engine, Plan& plan) : plan_(plan), off_(engine.device().cuda), nodes_(plan.nodes().size()) {}

  bool off() const { return off_; }
  void begin_pass() {
    for (Entry& node : nodes_) node.seconds = node.share = 0;
  }
  // plan.run() one node at a time.
  Status run() {
    for (size_t n = 0; n < nodes_.size(); ++n) {
      const NodeInfo& info = plan_.nodes()[n];
      if (info.constant) continue;
      Status status;
      nodes_[n].seconds += time_once([&] { status = plan_.run_node(n); });
      SPINERT_TRY(status);
      // Not the value itself: to show one of a half type the plan would make a copy.
      Tensor out{.shape = info.shape, .count_scale = info.count_scale};
      if (!info.count.empty()) out.count = plan_.value(info.count).i32();
      const bool counted = out.count && out.shape.rank > 0 && out.shape[0] > 0;
      nodes_[n].share += counted ? static_cast<double>(out.rows()) / static_cast<double>(out.shape[0]) : 1;
    }
    return {};
  }
  void end_pass() {
    for (Entry& node : nodes_) node.passes.seconds.push_back(node.seconds);
  }

  // Fills nodes, kernels and between_ms from the medians of the passes.
  void report(StageRow& row) const {
    std::map<std::string, KernelShare> shares;
    std::map<std::string, double> flops;
    row.between_ms = row.median_ms;
    for (size_t n = 0; n < nodes_.size(); ++n) {
      const NodeInfo& info = plan_.nodes()[n];
      if (info.constant || off_) continue;
      NodeRow node{info.name, info.op, info.kernel, to_string(info.shape)};
      for (const KernelInfo& kernel : all_kernels()) {
        if (kernel.name == info.kernel) node.level = kernel.level;
      }
      node.ms = nodes_[n].passes.median() * 1e3;
      node.flops = info.flops * nodes_[n].share;
      node.bytes = info.bytes * nodes_[n].share;
      KernelShare& share = shares[info.kernel];
      share.kernel = info.kernel;
      ++share.nodes;
      share.ms += node.ms;
      flops[info.kernel] += node.flops;
      row.between_ms -= node.ms;
      row.nodes.push_back(std::move(node));
    }
    for (auto& [kernel, share] : shares) {
      if (share.ms > 0) share.gflops = flops[kernel] / share.ms * 1e-6;
      row.kernels.push_back(share);
    }
    std::ranges::sort(row.kernels, [](const KernelShare& a, const KernelShare& b) { return a.ms > b.ms; });
  }

 private:
  struct Entry {
    double seconds = 0, share = 0;  // of this pass; share of the capacity that was in use, summed over its runs
    Times passes;
  };
  Plan& plan_;
  bool off_;
  std::vector<Entry> nodes_;
};

// Runs once for first_ms, then `repeats` times; `in_between`, if there is one, follows each timed run. The work says
// itself what went wrong.
Status time_stage(const StageOptions& options, StageRow& row, const std::function<Status()>& work,
                  const std::function<Status()>& in_between = nullptr) {
  Status status;
  Times times;
  row.first_ms = time_once([&] { status = work(); }) * 1e3;
  for (int i = 0; i < options.repeats && status.ok(); ++i) {
    times.seconds.push_back(time_once([&] { status = work(); }));
    if (status.ok() && in_between) status = in_between();
  }
  row.median_ms = times.median() * 1e3;
  row.min_ms = times.best() * 1e3;
  return status;
}

Status bench_detector(const StageOptions& options, const Picture& picture, StageRow& row) {
  SPINERT_ASSIGN(const CanvasMode mode, configured_canvas(options));
  EngineOptions engine_options = options.engine;
  if (mode == CanvasMode::tight) engine_options.size_steps["detector"] = kCanvasStep;
  Result<std::unique_ptr<Engine>> engine = Status();
  row.open_ms = time_once([&] { engine = Engine::open(options.model, engine_options); }) * 1e3;
  SPINERT_TRY(engine.status());
  Plan* plan = engine.value()->plan("detector");
  if (!plan) return error(ErrorId::E_MODEL_ARCH, "the model has no graph detector", options.model);
  Tensor whole = plan->tensor("canvas");
  SPINERT_TRY(place(picture, whole));
  const Window window = detector_window(mode, picture.height, picture.width, whole.shape[1]);
  row.canvas = canvas_name(mode);
  row.seen = std::to_string(window.width) + " x " + std::to_string(window.height);
  if (mode == CanvasMode::tight) {
    const std::vector<float> placed(whole.f32(), whole.f32() + whole.elements());
    whole.data = const_cast<float*>(placed.data());
    SPINERT_ASSIGN(plan, engine.value()->sized_plan("detector", window.height, window.width));
    cut(whole, window, plan->tensor("canvas"));
  }
  NodeTimer nodes(*engine.value(), *plan);
  const auto pass = [&]() -> Status {
    nodes.begin_pass();
    SPINERT_TRY(nodes.run());
    nodes.end_pass();
    return {};
  };
  SPINERT_TRY(time_stage(
      options, row, [&] { return plan->run(); }, nodes.off() ? nullptr : std::function<Status()>(pass)));
  nodes.report(row);
  const DeviceInfo& device = engine.value()->device();
  row.isa = device.isa;
  row.precision = device.precision;
  row.threads = device.threads;
  return engine.value()->file_sha256().status();
}

Status bench_classifier(const StageOptions& options, const Picture& picture, StageRow& row) {
  // The table of the model says how many patches a vertebra has; a number that is no multiple of it is timed with one
  // patch per vertebra.
  SPINERT_ASSIGN(const ModelFile file, ModelFile::open(options.model));
  SPINERT_ASSIGN(const PipelineConfig config, parse_pipeline_config(file.config(), options.model));
  auto per_box = static_cast<int64_t>(config.patches.table.size());
  EngineOptions engine_options = options.engine;
  if (options.patches % per_box != 0) {
    engine_options.crop_entries = 1;
    per_box = 1;
  }
  const int64_t boxes = options.patches / per_box;
  const int64_t batch = std::min(boxes, options.batch);
  engine_options.rows["classifier"] = batch;
  Result<std::unique_ptr<Engine>> engine = Status();
  row.open_ms = time_once([&] { engine = Engine::open(options.model, engine_options); }) * 1e3;
  SPINERT_TRY(engine.status());
  Plan* plan = engine.value()->plan("classifier");
  if (!plan) return error(ErrorId::E_MODEL_ARCH, "the model has no graph classifier", options.model);
  const Tensor canvas = plan->tensor("canvas"), box_input = plan->tensor("boxes"), count = plan->tensor("count");
  SPINERT_TRY(place(picture, canvas));
  place_boxes(box_input, canvas.shape[1]);
  const auto for_batches = [&](const std::function<Status()>& run) -> Status {
    for (int64_t done = 0; done < boxes; done += batch) {
      *count.i32() = static_cast<int32_t>(std::min(batch, boxes - done));
      SPINERT_TRY(run());
    }
    return {};
  };
  NodeTimer nodes(*engine.value(), *plan);
  const auto pass = [&]() -> Status {
    nodes.begin_pass();
    SPINERT_TRY(for_batches([&] { return nodes.run(); }));
    nodes.end_pass();
    return {};
  };
  SPINERT_TRY(time_stage(
      options, row, [&] { return for_batches([&] { return plan->run(); }); },
      nodes.off() ? nullptr : std::function<Status()>(pass)));
  nodes.report(row);
  const DeviceInfo& device = engine.value()->device();
  row.isa = device.isa;
  row.precision = device.precision;
  row.threads = device.threads;
  row.patches = options.patches;
  return engine.value()->file_sha256().status();
}

Status bench_slice(const StageOptions& options, const Picture& picture, StageRow& row) {
  PipelineOptions pipeline_options;
  pipeline_options.model = options.model;
  pipeline_options.engine = options.engine;
  pipeline_options.batch = static_cast<int>(options.batch);
  pipeline_options.canvas = options.canvas;
  Result<std::unique_ptr<Pipeline>> pipeline = Status();
  row.open_ms = time_once([&] { pipeline = Pipeline::open(pipeline_options); }) * 1e3;
  SPINERT_TRY(pipeline.status());
  SPINERT_TRY(time_stage(options, row, [&]() -> Status {
    const SliceResult slice = pipeline.value()->diagnose(picture, "slice");
    row.patches = 0;
    for (const Vertebra& vertebra : slice.vertebrae) row.patches += static_cast<int64_t>(vertebra.patches.size());
    if (slice.status == "failed") return error(slice.error, "the diagnosis failed", "bench");
    return {};
  }));
  row.canvas = canvas_name(pipeline.value()->canvas());
  const DeviceInfo& device = pipeline.value()->engine().device();
  row.isa = device.isa;
  row.precision = device.precision;
  row.threads = device.threads;
  return pipeline.value()->engine().file_sha256().status();
}

}  // namespace

Result<StageRow> bench_stage(const StageOptions& options, const Picture& picture) {
  StageRow row;
  row.stage = options.stage;
  if (options.stage == "detector") {
    SPINERT_TRY(bench_detector(options, picture, row));
  } else if (options.stage == "classifier") {
    SPINERT_TRY(bench_classifier(options, picture, row));
  } else if (options.stage == "slice") {
    SPINERT_TRY(bench_slice(options, picture, row));
  } else {
    return error(ErrorId::E_USAGE, "no such stage", "--stage").expected("detector, classifier or slice", options.stage);
  }
  row.peak_rss_mb = peak_memory_mb();
  return row;
}

}  // namespace spinert::bench
