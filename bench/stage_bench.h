// stage_bench.h - times a stage of the pipeline as a user meets it: after opening the model, on one slice.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnosis/canvas.h"
#include "diagnosis/images/picture.h"
#include "kernels/base/kernel.h"
#include "runtime/engine.h"

namespace spinert::bench {

struct StageOptions {
  std::string stage;  // detector, classifier, slice
  std::string model;
  EngineOptions engine;
  int64_t patches = 8;               // classifier only: patches of all vertebrae together
  int64_t batch = 2;                 // vertebrae per run of the classifier
  std::optional<CanvasMode> canvas;  // unset: of the model
  int repeats = 5;                   // of the whole stage, after one run that is reported as first_ms
};

struct KernelShare {
  std::string kernel;
  int nodes = 0;
  double ms = 0, gflops = 0;
};

// One node of the graph, in the order of the run; the times of several runs of a stage are added up.
struct NodeRow {
  std::string name, op, kernel, shape;  // of the first output
  Level level = Level::any;
  double ms = 0, flops = 0, bytes = 0;  // of the rows in use, not of the capacity
};

struct StageRow {
  std::string stage, isa, precision;
  std::string canvas = "fixed", seen;  // the mode; the size of the detector's picture, "768 x 640", where it runs
  int64_t patches = 0;
  double median_ms = 0, min_ms = 0, first_ms = 0, open_ms = 0, peak_rss_mb = 0;
  int threads = 1;
  std::vector<KernelShare> kernels;  // slowest first; empty for the stage "slice" and on cuda
  std::vector<NodeRow> nodes;        // medians; empty where kernels is
  double between_ms = 0;             // median_ms less the times of all nodes: calls, checks and what medians differ by
};

// Errors: those of opening a model and of running it; E_USAGE for an unknown stage.
Result<StageRow> bench_stage(const StageOptions& options, const Picture& picture);

}  // namespace spinert::bench
