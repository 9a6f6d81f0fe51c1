// pipeline_impl.h - the state of a pipeline. Internal to the diagnosis: pipeline_open.cpp fills it, pipeline.cpp runs
// slices, pipeline_chain.cpp runs them on a card.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "diagnosis/pipeline.h"
#include "runtime/chained_plan.h"

namespace spinert {

using Clock = std::chrono::steady_clock;

// Whether the rows in use hold finite numbers only; the error to give where they do not.
bool all_finite(const Tensor& tensor);
Status non_finite(const std::string& where);

class PipelineImpl : public Pipeline {
 public:
  Engine& engine() override { return *engine_; }
  const PipelineConfig& config() const override { return config_; }
  int batch() const override { return static_cast<int>(patch_boxes_.shape[0]); }
  CanvasMode canvas() const override { return canvas_mode_; }
  Plan& plan(std::string_view graph) override { return graph == "detector" ? *detector_ : *classifier_; }
  SliceResult diagnose(const Picture& picture, const std::string& source, const RunControl& control) override {
    start(picture, source, control);
    return finish();
  }
  int depth() const override { return chain_ ? ChainedPlan::kSlots * chain_->lanes() : 1; }
  Result<std::vector<std::vector<float>>> classify_boxes(const Picture& picture, std::span<const Box> boxes,
                                                         const RunControl& control) override;
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
  Result<CanvasMode> configured_canvas() const;
  Status chain_graphs();
  Status open_window(int64_t height, int64_t width);
  void place_slice(const std::vector<float>& grey, int64_t height, int64_t width);
  void note_cropping(const std::vector<float>& grey, SliceResult& slice) const;
  Status read_detections(SliceResult& slice) const;
  // Runs the classifier on boxes of the canvas that place_slice() filled last; `take` gets, for each box, the
  // probabilities of its patches.
  Status run_classifier(std::span<const Box> on_canvas, const RunControl& control,
                        const std::function<void(size_t, const float*)>& take);
  Status classify(SliceResult& slice, const RunControl& control);
  void stage(const std::vector<float>& grey, Started& started);
  void submit();
  void collect(int slot);
  Status read_chain(SliceResult& slice, int slot, int lane);
  std::vector<float> mean_over_patches(const float* of_patches) const;
  void take_probabilities(Vertebra& vertebra, const float* of_patches) const;

  PipelineOptions options_;
  std::unique_ptr<Engine> engine_;
  PipelineConfig config_;
  CanvasMode canvas_mode_ = CanvasMode::fixed;
  Window window_;             // of the canvas, what the detector sees; only its place counts on a card
  Plan* detector_ = nullptr;  // for this window
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

}  // namespace spinert
