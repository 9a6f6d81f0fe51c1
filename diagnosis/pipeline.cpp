#include "diagnosis/pipeline.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <new>

#include "diagnosis/spine.h"
#include "kernels/crop_resize/crop_resize.h"
#include "kernels/place/place.h"
#include "kernels/registry.h"
#include "runtime/chained_plan.h"

namespace spinert {
namespace {

// Vertebrae per run of the classifier. On a card 24 patches with the usual table of four fill it; on a cpu two keep the
// activations in its caches.
constexpr int kBatchOnCpu = 2, kBatchOnCuda = 6;

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

bool all_finite(const Tensor& tensor) {
  const int64_t row = tensor.shape[0] == 0 ? 0 : tensor.elements() / tensor.shape[0];
  const float* begin = tensor.f32();
  return std::all_of(begin, begin + tensor.rows() * row, [](float v) { return std::isfinite(v); });
}

// Offset of one axis: position on the canvas = position in the slice + shift. Negative where the slice is cropped.
int64_t shift(int64_t extent, int64_t size) {
  return std::max<int64_t>(0, (size - extent) / 2) - std::max<int64_t>(0, (extent - size) / 2);
}

class PipelineImpl : public Pipeline {
 public:
  Engine& engine() override { return *engine_; }
  const PipelineConfig& config() const override { return config_; }
  int batch() const override { return static_cast<int>(patch_boxes_.shape[0]); }
  SliceResult diagnose(const Picture& picture, const std::string& source, const RunControl& control) override {
    start(picture, source, control);
    return finish();
  }
  int depth() const override { return chain_ ? ChainedPlan::kSlots * chain_->lanes() : 1; }
  void start(const Picture& picture, const std::string& source, const RunControl& control) override;
  SliceResult finish() override;

  Status open(const PipelineOptions& options);

 private:
  struct Started {
    SliceResult slice;
    Clock::time_point begin;
    int slot = -1;  // of the chain, until its results are read
    int lane = 0;
    Status status;  // of the part that is done
  };

  Status check_graphs();
  Status open_engine();
  Status chain_graphs();
  void place_slice(const std::vector<float>& grey, int64_t height, int64_t width);
  void note_cropping(const std::vector<float>& grey, SliceResult& slice) const;
  Status read_detections(SliceResult& slice) const;
  Status classify(SliceResult& slice, const RunControl& control);
  void stage(const std::vector<float>& grey, Started& started);
  void submit();
  void collect(int slot);
  Status read_chain(SliceResult& slice, int slot, int lane);
  void take_probabilities(Vertebra& vertebra, const float* of_patches) const;

  PipelineOptions options_;
  std::unique_ptr<Engine> engine_;
  PipelineConfig config_;
  Plan* detector_ = nullptr;
  Plan* classifier_ = nullptr;
  Tensor canvas_, boxes_, scores_, count_;                           // of the detector
  Tensor patch_canvas_, patch_boxes_, patch_count_, probabilities_;  // of the classifier
  std::vector<Tensor> invalid_;                                      // counters of non-finite numbers
  std::vector<std::string> invalid_names_;
  std::unique_ptr<ChainedPlan> chain_;  // on a card; the tensors of the detector above are then those of its slot
  std::vector<Started> started_;  // with room for all lanes: what the card has must not be forgotten for lack of memory
  // The slot that is being filled: pictures in its first lanes, all of one size.
  int slot_ = 0, staged_ = 0;
  int64_t staged_height_ = 0, staged_width_ = 0;
};

Status PipelineImpl::open(const PipelineOptions& options) {
  options_ = options;
  if (options_.batch < 0 || options_.batch > 1024) {
    return error(ErrorId::E_USAGE, "batch out of range").expected("1 to 1024", std::to_string(options_.batch));
  }
  SPINERT_TRY(open_engine());
  const auto config = engine_->model().metadata.find("spinert.config");
  if (config == engine_->model().metadata.end()) {
    return error(ErrorId::E_CONFIG, "the model holds no config", options_.model);
  }
  SPINERT_ASSIGN(config_, parse_pipeline_config(config->second, options_.model));
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

Status PipelineImpl::open_engine() {
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

void PipelineImpl::place_slice(const std::vector<float>& grey, int64_t height, int64_t width) {
  const PlaceParams params{config_.detector.input.size};
  Tensor slice;
  slice.data = const_cast<float*>(grey.data());  // an input: kernels do not write to it
  slice.dtype = DType::f32;
  slice.shape = {1, height, width, 1};
  const OpCall call{&params, {&slice, 1}, {&canvas_, 1}};
  ThreadPool alone(1);
  choose_kernel(OpId::place, Backend::cpu, Level::scalar, call)->kernel->run(call, {.pool = &alone});
  std::memcpy(patch_canvas_.data, canvas_.data, static_cast<size_t>(canvas_.bytes()));
}

void PipelineImpl::note_cropping(const std::vector<float>& grey, SliceResult& slice) const {
  const int64_t size = config_.detector.input.size;
  const int64_t left = std::max<int64_t>(0, -shift(slice.width, size)),
                top = std::max<int64_t>(0, -shift(slice.height, size));
  const int64_t right = std::max<int64_t>(0, slice.width - size - left);
  const int64_t bottom = std::max<int64_t>(0, slice.height - size - top);
  bool cut = false;
  for (int64_t y = 0; y < slice.height && !cut; ++y) {
    for (int64_t x = 0; x < slice.width && !cut; ++x) {
      const bool inside = y >= top && y < slice.height - bottom && x >= left && x < slice.width - right;
      cut = !inside && grey[static_cast<size_t>(y * slice.width + x)] != 0;
    }
  }
  if (!cut) return;
  slice.reasons.push_back({"cropped", "pixels beyond " + std::to_string(size) + " x " + std::to_string(size) +
                                          " were cut off: left " + std::to_string(left) + ", top " +
                                          std::to_string(top) + ", right " + std::to_string(right) + ", bottom " +
                                          std::to_string(bottom)});
}

Status non_finite(const std::string& where) {
  return error(ErrorId::E_NONFINITE, "a result is not a finite number", where)
      .hint("Do not read this slice as negative; check the model with `spinert verify`.");
}

Status PipelineImpl::read_detections(SliceResult& slice) const {
  for (const Tensor& counter : invalid_) {
    if (*counter.i32() != 0) return non_finite("detector");
  }
  if (!all_finite(boxes_) || !all_finite(scores_)) return non_finite("detector");
  const int64_t size = config_.detector.input.size;
  const auto dx = static_cast<float>(shift(slice.width, size)), dy = static_cast<float>(shift(slice.height, size));
  for (int64_t i = 0; i < boxes_.rows(); ++i) {
    const float* b = boxes_.f32() + i * 4;
    slice.candidates.push_back({{b[0] - dx, b[1] - dy, b[2] - dx, b[3] - dy}, scores_.f32()[i]});
  }
  const auto threshold = static_cast<float>(config_.diagnosis.score_threshold);
  for (size_t i = 0; i < slice.candidates.size(); ++i) {
    const Candidate& candidate = slice.candidates[i];
    if (!(candidate.score >= threshold)) continue;
    Vertebra vertebra;
    vertebra.candidate = static_cast<int>(i);
    vertebra.box = candidate.box;
    vertebra.score = candidate.score;
    slice.vertebrae.push_back(std::move(vertebra));
  }
  order_and_number(slice.vertebrae);
  return {};
}

// The mean over the patches of one vertebra, its labels, and where the patches lay.
void PipelineImpl::take_probabilities(Vertebra& vertebra, const float* of_patches) const {
  const size_t patches = config_.patches.table.size(), classes = config_.classifier.class_names.size();
  vertebra.probabilities.assign(classes, 0.0f);
  for (size_t c = 0; c < classes; ++c) {
    float sum = 0;  // fp32, in table order
    for (size_t k = 0; k < patches; ++k) sum += of_patches[k * classes + c];
    vertebra.probabilities[c] = sum / static_cast<float>(patches);
  }
  label(vertebra, config_.classifier);
  const Box& box = vertebra.box;
  const double longer = std::max(double(box[2]) - box[0], double(box[3]) - box[1]);
  for (const auto& entry : config_.patches.table) {
    const double side = entry[0] * longer;
    vertebra.patches.push_back(
        {(double(box[0]) + box[2]) / 2 + entry[1] * side, (double(box[1]) + box[3]) / 2 + entry[2] * side, side});
  }
}

Status PipelineImpl::classify(SliceResult& slice, const RunControl& control) {
  const int64_t row = probabilities_.elements() / patch_boxes_.shape[0], batch = patch_boxes_.shape[0];
  const auto total = static_cast<int64_t>(slice.vertebrae.size());
  for (int64_t first = 0; first < total; first += batch) {
    const int64_t rows = std::min(batch, total - first);
    *patch_count_.i32() = static_cast<int32_t>(rows);
    for (int64_t r = 0; r < rows; ++r) {
      // The detector's own numbers: coordinates of the slice are rounded, and would cut a slightly different patch.
      const float* box = boxes_.f32() + 4 * slice.vertebrae[static_cast<size_t>(first + r)].candidate;
      std::copy(box, box + 4, patch_boxes_.f32() + r * 4);
    }
    SPINERT_TRY(classifier_->run(control));
    if (!all_finite(probabilities_)) return non_finite("classifier");
    for (int64_t r = 0; r < rows; ++r) {
      take_probabilities(slice.vertebrae[static_cast<size_t>(first + r)], probabilities_.f32() + r * row);
    }
  }
  return {};
}

// The part of the slice that lies on the canvas goes to a lane of the slot that is being filled; the rest happens on
// the card. A slice of another size starts the ones before it.
void PipelineImpl::stage(const std::vector<float>& grey, Started& started) {
  const SliceResult& slice = started.slice;
  const int64_t size = config_.detector.input.size;
  const int64_t height = std::min<int64_t>(slice.height, size), width = std::min<int64_t>(slice.width, size);
  const int64_t top = std::max<int64_t>(0, -shift(slice.height, size)),
                left = std::max<int64_t>(0, -shift(slice.width, size));
  if (staged_ > 0 && (height != staged_height_ || width != staged_width_)) submit();
  if (staged_ == 0) collect(slot_);  // differing sizes use up the slots before the lanes
  float* const pixels = chain_->picture(slot_, staged_);
  for (int64_t y = 0; y < height; ++y) {
    std::copy_n(grey.data() + (top + y) * slice.width + left, width, pixels + y * width);
  }
  staged_height_ = height;
  staged_width_ = width;
  started.slot = slot_;
  started.lane = staged_++;
}

Status no_memory() {
  return error(ErrorId::E_OOM_HOST, "the memory was not enough").hint("Give the process more memory.");
}

// Starts the slices of the slot that is being filled. Like collect() it fails its slices where memory is short, so that
// each keeps its turn.
void PipelineImpl::submit() {
  Status status;
  try {
    status = chain_->submit(slot_, staged_height_, staged_width_, {}, staged_);
  } catch (const std::bad_alloc&) {
    status = no_memory();
  }
  for (Started& started : started_) {
    if (started.slot != slot_ || status.ok()) continue;
    started.slot = -1;
    started.status = status;
  }
  slot_ = (slot_ + 1) % ChainedPlan::kSlots;
  staged_ = 0;
}

// Waits for a slot and reads the results of its slices, so that it is free again.
void PipelineImpl::collect(int slot) {
  const auto in_slot = [slot](const Started& started) { return started.slot == slot; };
  if (std::ranges::none_of(started_, in_slot)) return;
  const Status waited = chain_->wait(slot);
  for (Started& started : started_) {
    if (!in_slot(started)) continue;
    started.slot = -1;
    started.status = waited;
    if (!waited.ok()) continue;
    try {
      started.status = read_chain(started.slice, slot, started.lane);
    } catch (const std::bad_alloc&) {
      started.status = no_memory();
    }
  }
}

Status PipelineImpl::read_chain(SliceResult& slice, int slot, int lane) {
  boxes_ = chain_->value(slot, "boxes", lane);
  scores_ = chain_->value(slot, "scores", lane);
  for (size_t i = 0; i < invalid_.size(); ++i) invalid_[i] = chain_->value(slot, invalid_names_[i], lane);
  SPINERT_TRY(read_detections(slice));
  const Tensor collected = chain_->collected(slot, lane);
  if (!all_finite(collected)) return non_finite("classifier");
  const int64_t row = collected.elements() / boxes_.shape[0];
  for (Vertebra& vertebra : slice.vertebrae) {
    // Both sides count the scores at or above one threshold, best first.
    if (vertebra.candidate >= chain_->fed_rows(slot, lane)) {
      return error(ErrorId::E_INTERNAL, "a vertebra was not classified",
                   "candidate " + std::to_string(vertebra.candidate));
    }
    take_probabilities(vertebra, collected.f32() + vertebra.candidate * row);
  }
  return {};
}

void PipelineImpl::start(const Picture& picture, const std::string& source, const RunControl& control) {
  Started started;
  started.begin = Clock::now();
  SliceResult& slice = started.slice;
  slice.source = source;
  slice.sha256 = picture.sha256;
  slice.width = picture.width;
  slice.height = picture.height;
  slice.lossy = picture.lossy;
  for (const std::string& warning : picture.warnings) {
    slice.reasons.push_back({warning.substr(0, warning.find(':')), warning});
  }
  std::optional<HuWindow> window;
  if (options_.hu_offset) {
    window = {*options_.hu_offset, config_.detector.input.window.level, config_.detector.input.window.width};
  }
  const std::vector<float> grey = to_grey(picture, window);
  slice.preview.resize(grey.size());
  std::ranges::transform(grey, slice.preview.begin(),
                         [](float v) { return static_cast<unsigned char>(std::lround(std::clamp(v, 0.0f, 255.0f))); });
  note_cropping(grey, slice);
  if (chain_) {
    started.status = chain_->stopped(control);
    if (started.status.ok()) stage(grey, started);
    started_.push_back(std::move(started));
    if (staged_ == chain_->lanes()) submit();
    return;
  }
  place_slice(grey, picture.height, picture.width);
  const auto placed = Clock::now();
  Status& status = started.status;
  status = detector_->run(control);
  if (status.ok()) status = read_detections(slice);
  const auto detected = Clock::now();
  if (status.ok()) status = classify(slice, control);
  const auto classified = Clock::now();
  slice.milliseconds = {{"place", milliseconds(started.begin, placed)},
                        {"detector", milliseconds(placed, detected)},
                        {"classifier", milliseconds(detected, classified)}};
  started_.push_back(std::move(started));
}

SliceResult PipelineImpl::finish() {
  if (const int slot = started_.front().slot; slot >= 0) {
    if (slot == slot_ && staged_ > 0) submit();
    collect(slot);
  }
  Started started = std::move(started_.front());
  started_.erase(started_.begin());
  SliceResult& slice = started.slice;
  Status& status = started.status;
  slice.milliseconds["slice"] = milliseconds(started.begin, Clock::now());
  if (!status.ok()) {
    // Half a result could be taken for a whole one.
    slice.vertebrae.clear();
    slice.candidates.clear();
    slice.error = status.id();
    slice.status = status.id() == ErrorId::E_NONFINITE ? "indeterminate" : "failed";
    slice.alert = "review";
    slice.reasons.push_back({std::string(error_name(status.id())), status.message()});
    return std::move(slice);
  }
  judge(slice, config_);
  return std::move(slice);
}

}  // namespace

Result<std::unique_ptr<Pipeline>> Pipeline::open(const PipelineOptions& options) {
  auto pipeline = std::make_unique<PipelineImpl>();
  SPINERT_TRY(pipeline->open(options));
  return std::unique_ptr<Pipeline>(std::move(pipeline));
}

std::string find_demo_model() {
  namespace fs = std::filesystem;
  std::error_code failure;
  const fs::path program = fs::read_symlink("/proc/self/exe", failure);
  if (failure) return {};
  // Installed: <prefix>/bin and <prefix>/share; built: <tree>/build/spinert or <tree>/build/tests/test_x.
  const fs::path folder = program.parent_path();
  for (const fs::path& place : {folder / "../share/spinert", folder / "../models", folder / "../../models"}) {
    const fs::path model = (place / "spine-demo.safetensors").lexically_normal();
    if (fs::is_regular_file(model, failure)) return model.string();
  }
  return {};
}

}  // namespace spinert
