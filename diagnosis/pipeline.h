// pipeline.h - the application library: one slice in, vertebrae with probabilities out (DESIGN section 2).
//
//   auto pipeline = spinert::Pipeline::open({.model = "models/spine-demo.safetensors"});
//   auto picture = spinert::read_picture("slice.png");
//   spinert::SliceResult slice = pipeline.value()->diagnose(picture.value(), "slice.png");
//
// A slice never fails silently: its status says whether it may be read as a finding, and an absence of findings is
// "negative" only if a plausible spine was seen and every number was finite.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/pipeline_config.h"
#include "diagnosis/canvas.h"
#include "diagnosis/images/picture.h"
#include "diagnosis/result.h"
#include "runtime/engine.h"

namespace spinert {

struct PipelineOptions {
  std::string model;  // path of the model file
  EngineOptions engine;
  int batch = 0;                     // vertebrae per run of the classifier; changes no result; 0: what suits the device
  std::optional<CanvasMode> canvas;  // replaces place.canvas of the config; tight is refused on a card
  std::optional<float> threshold;    // replaces diagnosis.score_threshold of the config
};

class Pipeline {
 public:
  static Result<std::unique_ptr<Pipeline>> open(const PipelineOptions& options);
  virtual ~Pipeline() = default;

  virtual Engine& engine() = 0;
  virtual const PipelineConfig& config() const = 0;
  virtual int batch() const = 0;
  virtual CanvasMode canvas() const = 0;
  // The plan of a graph, "detector" or "classifier", as the last slice used it.
  virtual Plan& plan(std::string_view graph) = 0;
  // Fills everything of the slice. Errors of the run itself (cancelled, timeout) give status "failed" with that id.
  virtual SliceResult diagnose(const Picture& picture, const std::string& source, const RunControl& control = {}) = 0;

  // The classifier alone, on boxes that the caller gives in pixels of the slice: [box][class], each the mean over the
  // patches. No slice may be started meanwhile. Errors: those of the run, E_NONFINITE; E_DEVICE on a card, where the
  // classifier is part of one recorded chain.
  virtual Result<std::vector<std::vector<float>>> classify_boxes(const Picture& picture, std::span<const Box> boxes,
                                                                 const RunControl& control = {}) = 0;

  // The two halves of diagnose(): finish() gives the results of started slices in order. On a card a started slice is
  // computed while the caller reads the next one and writes the last one; elsewhere start() does all the work. With
  // lanes, slices of one size are computed together once there is one for each lane, or when finish() asks for the
  // first of them. depth() says how many slices may be started before one is finished.
  virtual int depth() const = 0;
  virtual void start(const Picture& picture, const std::string& source, const RunControl& control = {}) = 0;
  virtual SliceResult finish() = 0;
};

// The status and exit code of a study from its slices (DESIGN section 9, "Several inputs").
void summarise(StudyResult& study);

// Where the demo model lies: near the program or library (own_places()), else in the source tree. Empty if neither.
std::string find_demo_model();
// The named model, else the demo model; E_USAGE if there is neither.
Result<std::string> model_path(const std::string& named);

}  // namespace spinert
