#include "diagnosis/calibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "diagnosis/pipeline.h"
#include "kernels/base/infer.h"
#include "weights/model_file.h"

namespace spinert {
namespace {

// Vertebrae whose patches are looked at together: all of a slice.
constexpr int kBatch = 32;

// Operators whose outputs a quantised graph may store as codes.
bool records(const std::string& op) {
  return op == "conv2d" || op == "conv2d_stem" || op == "linear" || op == "roi_align";
}

// Widens the range by the rows in use; false if a number is not finite.
bool widen(const Tensor& value, ValueRange& range) {
  const int64_t n = elements_in_use(value);
  const float* p = value.f32();
  float low = range.low, high = range.high;
  bool finite = true;
  for (int64_t i = 0; i < n; ++i) {
    low = std::min(low, p[i]);
    high = std::max(high, p[i]);
    finite &= std::abs(p[i]) <= std::numeric_limits<float>::max();
  }
  range = {low, high};
  return finite;
}

// Runs the nodes of a plan one after the other, on the inputs of the diagnosis before.
Status record(const std::string& graph, Plan& plan, ValueRanges& ranges) {
  for (size_t n = 0; n < plan.nodes().size(); ++n) {
    const NodeInfo& node = plan.nodes()[n];
    if (node.constant) continue;
    SPINERT_TRY(plan.run_node(n));
    if (!records(node.op)) continue;
    const Tensor value = plan.value(node.outputs[0]);
    if (!value.data || value.dtype != DType::f32) continue;
    if (!widen(value, ranges[node.outputs[0]])) {
      return error(ErrorId::E_NONFINITE, "a value is not a finite number",
                   "graph " + graph + ", value " + node.outputs[0]);
    }
  }
  return {};
}

}  // namespace

Result<Calibration> calibrate(const CalibrateOptions& options, std::span<const std::string> pictures,
                              const RunControl& control) {
  PipelineOptions pipeline_options;
  pipeline_options.model = options.model;
  pipeline_options.engine.device = "cpu";
  pipeline_options.engine.precision = "fp32";
  pipeline_options.engine.threads = options.threads;
  // The values of the graphs that int8 runs.
  pipeline_options.engine.rewrites.emplace();
  pipeline_options.batch = kBatch;
  SPINERT_ASSIGN(const auto pipeline, Pipeline::open(pipeline_options));
  Engine& engine = pipeline->engine();
  Calibration calibration;
  calibration.model = engine.model().metadata.at(kKeyDataHash);
  calibration.method = "smallest and largest";
  for (const std::string& graph : options.graphs) {
    if (!engine.plan(graph)) return error(ErrorId::E_MODEL_ARCH, "the model has no such graph", graph);
    for (const NodeInfo& node : engine.plan(graph)->nodes()) {
      for (const std::string& value : node.outputs) {
        const auto begins = [&](const std::string& prefix) { return value.starts_with(prefix); };
        if (std::ranges::any_of(options.keep, begins)) calibration.keep[graph].insert(value);
      }
    }
  }
  int64_t vertebrae = 0;
  for (const std::string& path : pictures) {
    if (options.progress) options.progress(path);
    SPINERT_ASSIGN(const Picture picture, read_picture(path));
    const SliceResult slice = pipeline->diagnose(picture, path, control);
    if (slice.status == "failed") return error(slice.error, "the diagnosis failed", path);
    vertebrae += static_cast<int64_t>(slice.vertebrae.size());
    for (const std::string& graph : options.graphs) {
      if (graph == "classifier" && slice.vertebrae.empty()) continue;
      SPINERT_TRY(record(graph, *engine.plan(graph), calibration.ranges[graph]).at(path));
    }
    ++calibration.slices;
  }
  if (vertebrae == 0) {
    return error(ErrorId::E_CONFIG, "no picture shows a vertebra").hint("Calibrate on slices of spines.");
  }
  return calibration;
}

}  // namespace spinert
