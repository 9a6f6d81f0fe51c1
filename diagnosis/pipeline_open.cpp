// pipeline_open.cpp - opens a model and finds what the pipeline needs of it.
#include "diagnosis/own_place.h"
#include "diagnosis/pipeline_impl.h"
#include "kernels/place/place.h"
#include "weights/model_file.h"

namespace spinert {
namespace {

// Vertebrae per run of the classifier. On a card 24 patches with the usual table of four fill it; on a cpu two keep the
// activations in its caches.
constexpr int kBatchOnCpu = 2, kBatchOnCuda = 6;

}  // namespace

Status PipelineImpl::open(const PipelineOptions& options) {
  options_ = options;
  if (options_.batch < 0 || options_.batch > 1024) {
    return error(ErrorId::E_USAGE, "batch out of range").expected("1 to 1024", std::to_string(options_.batch));
  }
  SPINERT_ASSIGN(canvas_mode_, configured_canvas());
  SPINERT_TRY(open_engine());
  const auto config = engine_->model().metadata.find("spinert.config");
  if (config == engine_->model().metadata.end()) {
    return error(ErrorId::E_CONFIG, "the model holds no config", options_.model);
  }
  SPINERT_ASSIGN(config_, parse_pipeline_config(config->second, options_.model));
  if (!options_.canvas && config_.place.canvas != canvas_name(canvas_mode_)) {
    return error(ErrorId::E_MODEL_HASH, "the model changed while it was opened", options_.model);
  }
  if (options_.threshold) {
    // Below the detector's own threshold there are no boxes to be had: a lower number would promise what is not kept.
    const auto lowest = static_cast<float>(config_.detector.box.score_threshold);
    if (!(*options_.threshold > lowest && *options_.threshold <= 1)) {
      return error(ErrorId::E_USAGE, "threshold out of range")
          .expected("above " + std::to_string(lowest) + " (the detector keeps no box below it), at most 1",
                    std::to_string(*options_.threshold));
    }
    config_.diagnosis.score_threshold = *options_.threshold;
  }
  SPINERT_TRY(check_graphs());
  if (engine_->device().cuda) SPINERT_TRY(chain_graphs());
  started_.reserve(static_cast<size_t>(depth()));
  return {};
}

// The engine has to know before it plans. What is wrong with the file it says itself, in its own order.
Result<CanvasMode> PipelineImpl::configured_canvas() const {
  if (options_.canvas) return *options_.canvas;
  const auto file = ModelFile::open(options_.model);
  if (!file.ok()) return CanvasMode::fixed;
  const auto config = parse_pipeline_config(file.value().config(), options_.model);
  return config.ok() ? canvas_mode(config.value().place.canvas) : CanvasMode::fixed;
}

Status PipelineImpl::open_engine() {
  if (canvas_mode_ == CanvasMode::tight) options_.engine.size_steps["detector"] = kCanvasStep;
  options_.engine.rows["classifier"] = options_.batch > 0 ? options_.batch : kBatchOnCpu;
  options_.engine.rows_on_cuda["classifier"] = options_.batch > 0 ? options_.batch : kBatchOnCuda;
  auto opened = Engine::open(options_.model, options_.engine);
  if (opened.status().id() == ErrorId::E_OOM_DEVICE && options_.engine.lanes > 1) {
    // FS-06: once more with one lane, and then with the smallest batch; depth() and batch() say so.
    options_.engine.lanes = 1;
    opened = Engine::open(options_.model, options_.engine);
  }
  if (opened.status().id() == ErrorId::E_OOM_DEVICE && options_.batch != 1) {
    options_.engine.rows_on_cuda["classifier"] = 1;
    opened = Engine::open(options_.model, options_.engine);
  }
  if (!opened.ok()) return opened.status();
  engine_ = std::move(opened).value();
  return {};
}

// On a card the slice goes from its pixels to all probabilities without the host.
Status PipelineImpl::chain_graphs() {
  ChainSpec spec;
  spec.first = "detector";
  spec.second = "classifier";
  spec.opening = OpId::place;
  spec.opening_params = std::make_shared<PlaceParams>(PlaceParams{config_.detector.input.size});
  spec.opened = "canvas";
  spec.whole = {{"canvas", "canvas"}};
  spec.rows = {{"boxes", "boxes"}};
  spec.scores = "scores";
  spec.threshold = config_.diagnosis.score_threshold;
  spec.chunk_count = "count";
  spec.collected = "probabilities";
  SPINERT_ASSIGN(chain_, engine_->chain(spec));
  return {};
}

// The graphs must have the inputs and outputs of a detector and a classifier, with the sizes of the config.
Status PipelineImpl::check_graphs() {
  detector_ = engine_->plan("detector");
  classifier_ = engine_->plan("classifier");
  if (!detector_ || !classifier_) {
    return error(ErrorId::E_MODEL_ARCH, "the model needs the graphs detector and classifier", options_.model);
  }
  struct Wanted {
    Plan* plan;
    const char* name;
    Tensor* tensor;
    DType dtype;
    Shape shape;
  };
  const int64_t size = config_.detector.input.size, best = config_.detector.box.detections_per_image;
  const auto& wanted_rows = engine_->device().cuda ? options_.engine.rows_on_cuda : options_.engine.rows;
  const int64_t rows = wanted_rows.at("classifier");
  const int64_t patches = rows * static_cast<int64_t>(config_.patches.table.size());
  const auto classes = static_cast<int64_t>(config_.classifier.class_names.size());
  const Wanted wanted[] = {
      {detector_, "canvas", &canvas_, DType::f32, {1, size, size, 1}},
      {detector_, "boxes", &boxes_, DType::f32, {best, 4}},
      {detector_, "scores", &scores_, DType::f32, {best}},
      {detector_, "count", &count_, DType::i32, {1}},
      {classifier_, "canvas", &patch_canvas_, DType::f32, {1, size, size, 1}},
      {classifier_, "boxes", &patch_boxes_, DType::f32, {rows, 4}},
      {classifier_, "count", &patch_count_, DType::i32, {1}},
      {classifier_, "probabilities", &probabilities_, DType::f32, {patches, classes}},
  };
  for (const Wanted& w : wanted) {
    *w.tensor = w.plan->tensor(w.name);
    if (w.tensor->dtype != w.dtype || w.tensor->shape != w.shape) {
      return error(ErrorId::E_MODEL_ARCH, std::string("the graph does not fit the config at ") + w.name, options_.model)
          .expected(to_string(w.shape), w.tensor->present() ? to_string(w.tensor->shape) : "no such value")
          .hint("Convert the model again.");
    }
  }
  for (const NodeInfo& node : detector_->nodes()) {
    for (const std::string& output : node.outputs) {
      const Tensor value = detector_->value(output);
      if (output.ends_with("invalid") && value.dtype == DType::i32 && value.shape == Shape{1}) {
        invalid_.push_back(value);
        invalid_names_.push_back(output);
      }
    }
  }
  // Selection drops non-finite scores and decoding drops non-finite boxes: without their counters a fault would look
  // like an empty slice.
  if (invalid_.empty()) {
    return error(ErrorId::E_MODEL_ARCH, "the detector has no counter of non-finite numbers", options_.model);
  }
  return {};
}

Result<std::unique_ptr<Pipeline>> Pipeline::open(const PipelineOptions& options) {
  auto pipeline = std::make_unique<PipelineImpl>();
  SPINERT_TRY(pipeline->open(options));
  return std::unique_ptr<Pipeline>(std::move(pipeline));
}

std::string find_demo_model() {
  return find_own_file("spine-demo.safetensors",
                       {"../share/spinert", "../../share/spinert", "../models", "../../models"});
}

Result<std::string> model_path(const std::string& named) {
  if (!named.empty()) return named;
  std::string demo = find_demo_model();
  if (!demo.empty()) return demo;
  return error(ErrorId::E_USAGE, "no model was named and the demo model is not installed")
      .hint("Give a model file with --model.");
}

}  // namespace spinert
