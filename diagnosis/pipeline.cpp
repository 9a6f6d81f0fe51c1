// pipeline.cpp - one slice after the other on the host: place, detect, read the boxes, classify, judge.
#include "diagnosis/pipeline.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "diagnosis/pipeline_impl.h"
#include "diagnosis/slice_start.h"
#include "diagnosis/spine.h"
#include "kernels/crop_resize/crop_resize.h"
#include "kernels/place/place.h"
#include "kernels/registry.h"

namespace spinert {
namespace {

double milliseconds(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

}  // namespace

bool all_finite(const Tensor& tensor) {
  const int64_t row = tensor.shape[0] == 0 ? 0 : tensor.elements() / tensor.shape[0];
  const float* begin = tensor.f32();
  return std::all_of(begin, begin + tensor.rows() * row, [](float v) { return std::isfinite(v); });
}

// Finds the window for a slice of that size and, on the tight canvas, its plan.
Status PipelineImpl::open_window(int64_t height, int64_t width) {
  window_ = detector_window(canvas_mode_, height, width, config_.detector.input.size);
  if (canvas_mode_ == CanvasMode::fixed) return {};
  SPINERT_ASSIGN(detector_, engine_->sized_plan("detector", window_.height, window_.width));
  canvas_ = detector_->tensor("canvas");
  boxes_ = detector_->tensor("boxes");
  scores_ = detector_->tensor("scores");
  for (size_t i = 0; i < invalid_.size(); ++i) invalid_[i] = detector_->value(invalid_names_[i]);
  return {};
}

void PipelineImpl::place_slice(const std::vector<float>& grey, int64_t height, int64_t width) {
  const PlaceParams params{config_.detector.input.size};
  Tensor slice;
  slice.data = const_cast<float*>(grey.data());  // an input: kernels do not write to it
  slice.dtype = DType::f32;
  slice.shape = {1, height, width, 1};
  const OpCall call{&params, {&slice, 1}, {&patch_canvas_, 1}};
  ThreadPool alone(1);
  choose_kernel(OpId::place, Backend::cpu, Level::scalar, call)->kernel->run(call, {.pool = &alone});
  for (int64_t y = 0; y < window_.height; ++y) {
    const float* row = patch_canvas_.f32() + (window_.top + y) * params.size + window_.left;
    std::copy_n(row, window_.width, canvas_.f32() + y * window_.width);
  }
}

void PipelineImpl::note_cropping(const std::vector<float>& grey, SliceResult& slice) const {
  const int64_t size = config_.detector.input.size;
  const int64_t left = std::max<int64_t>(0, -canvas_shift(slice.width, size)),
                top = std::max<int64_t>(0, -canvas_shift(slice.height, size));
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
  const auto dx = static_cast<float>(canvas_shift(slice.width, size) - window_.left),
             dy = static_cast<float>(canvas_shift(slice.height, size) - window_.top);
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
  const int64_t most = config_.detector.box.detections_per_image;
  if (static_cast<int64_t>(slice.vertebrae.size()) >= most) {
    slice.reasons.push_back({"capped", "the detector keeps its best " + std::to_string(most) +
                                           " boxes, and all of them are vertebrae: there may be more"});
  }
  return {};
}

std::vector<float> PipelineImpl::mean_over_patches(const float* of_patches) const {
  const size_t patches = config_.patches.table.size(), classes = config_.classifier.class_names.size();
  std::vector<float> means(classes, 0.0f);
  for (size_t c = 0; c < classes; ++c) {
    float sum = 0;  // fp32, in table order
    for (size_t k = 0; k < patches; ++k) sum += of_patches[k * classes + c];
    means[c] = sum / static_cast<float>(patches);
  }
  return means;
}

// The mean over the patches of one vertebra, its labels, and where the patches lay.
void PipelineImpl::take_probabilities(Vertebra& vertebra, const float* of_patches) const {
  vertebra.probabilities = mean_over_patches(of_patches);
  label(vertebra, config_.classifier);
  const Box& box = vertebra.box;
  const double longer = std::max(double(box[2]) - box[0], double(box[3]) - box[1]);
  for (const auto& entry : config_.patches.table) {
    const double side = entry[0] * longer;
    vertebra.patches.push_back(
        {(double(box[0]) + box[2]) / 2 + entry[1] * side, (double(box[1]) + box[3]) / 2 + entry[2] * side, side});
  }
}

Status PipelineImpl::run_classifier(std::span<const Box> on_canvas, const RunControl& control,
                                    const std::function<void(size_t, const float*)>& take) {
  const int64_t row = probabilities_.elements() / patch_boxes_.shape[0];
  const auto batch = static_cast<size_t>(patch_boxes_.shape[0]);
  for (size_t first = 0; first < on_canvas.size(); first += batch) {
    const size_t rows = std::min(batch, on_canvas.size() - first);
    *patch_count_.i32() = static_cast<int32_t>(rows);
    for (size_t r = 0; r < rows; ++r) std::ranges::copy(on_canvas[first + r], patch_boxes_.f32() + r * 4);
    SPINERT_TRY(classifier_->run(control));
    if (!all_finite(probabilities_)) return non_finite("classifier");
    for (size_t r = 0; r < rows; ++r) take(first + r, probabilities_.f32() + static_cast<int64_t>(r) * row);
  }
  return {};
}

Status PipelineImpl::classify(SliceResult& slice, const RunControl& control) {
  const auto dx = static_cast<float>(window_.left), dy = static_cast<float>(window_.top);
  std::vector<Box> on_canvas;
  for (const Vertebra& vertebra : slice.vertebrae) {
    // The detector's own numbers: coordinates of the slice are rounded, and would cut a slightly different patch.
    const float* box = boxes_.f32() + 4 * vertebra.candidate;
    on_canvas.push_back({box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy});
  }
  return run_classifier(on_canvas, control,
                        [&](size_t i, const float* of_patches) { take_probabilities(slice.vertebrae[i], of_patches); });
}

Result<std::vector<std::vector<float>>> PipelineImpl::classify_boxes(const Picture& picture, std::span<const Box> boxes,
                                                                     const RunControl& control) {
  if (chain_) {
    return error(ErrorId::E_DEVICE, "on a card the classifier runs on the detector's boxes only")
        .hint("Use --device cpu.");
  }
  SPINERT_TRY(open_window(picture.height, picture.width));
  place_slice(grey_of(picture, config_.detector.input.window), picture.height, picture.width);
  const int64_t size = config_.detector.input.size;
  const auto dx = static_cast<float>(canvas_shift(picture.width, size)),
             dy = static_cast<float>(canvas_shift(picture.height, size));
  std::vector<Box> on_canvas;
  for (const Box& box : boxes) on_canvas.push_back({box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy});
  std::vector<std::vector<float>> probabilities(boxes.size());
  SPINERT_TRY(run_classifier(on_canvas, control, [&](size_t i, const float* of_patches) {
    probabilities[i] = mean_over_patches(of_patches);
  }));
  return probabilities;
}

void PipelineImpl::start(const Picture& picture, const std::string& source, const RunControl& control) {
  Started started;
  started.begin = Clock::now();
  SliceResult& slice = started.slice;
  const std::vector<float> grey = grey_of(picture, config_.detector.input.window);
  slice = begin_slice(picture, source, grey);
  note_cropping(grey, slice);
  if (chain_) {
    started.status = chain_->stopped(control);
    if (started.status.ok()) stage(grey, started);
    started_.push_back(std::move(started));
    if (staged_ == chain_->lanes()) submit();
    return;
  }
  Status& status = started.status;
  status = open_window(picture.height, picture.width);
  if (status.ok()) place_slice(grey, picture.height, picture.width);
  const auto placed = Clock::now();
  if (status.ok()) status = detector_->run(control);
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

}  // namespace spinert
