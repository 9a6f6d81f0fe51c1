// engine.h - the public interface of the SpineRT runtime: open a model file, run its graphs by name.
//
// The runtime knows operators and graphs, not what a vertebra is; for a diagnosis use diagnosis/pipeline.h.
//
//   auto engine = spinert::Engine::open("model.safetensors", {.threads = 2});
//   if (!engine.ok()) { puts(engine.status().to_string().c_str()); return exit_code(engine.status().id()); }
//   spinert::Plan& plan = *engine.value()->plan("detector");
//   ... fill plan.tensor("canvas") ...
//   Status status = plan.run();
//   ... read plan.tensor("boxes") ...
//
// Threads: an Engine and its plans belong to one caller at a time. Several engines may run side by side.
// Errors: every fallible call gives a Status (kernels/base/status.h); nothing throws. E_MODEL_* for the file, E_DEVICE
// for a device or precision that this machine lacks and for a card that fails while it runs (the engine refuses
// everything after that), E_OOM_HOST and E_OOM_DEVICE when the plan exceeds the limit or memory is short.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/base/tensor.h"

namespace spinert {

struct EngineOptions {
  std::string device = "auto";  // auto, cpu, reference, cuda[:n]; a named device never becomes another one
  // Whether `auto` may choose a card. Off by default: the cuda backend is proved by emulation only, and a slow result
  // harms nobody. To be turned on when a card has passed bench/gpu_session.sh (docs/PERFORMANCE.md, "On a card").
  bool auto_takes_card = false;
  // Upper bound on the level: one of cpu_levels() on cpu, sm80, sm90a on cuda; empty: the best there is.
  std::string isa;
  std::string precision;     // fp32, mixed, int8, fp8; never lowered silently; empty: mixed on cuda, else fp32
  std::string calibration;   // of int8: path of its file (runtime/calibration.h); empty: the one beside the model
  int threads = 0;           // 0: all that the affinity mask and the control group allow
  int64_t memory_limit = 0;  // bytes for weights and activations; 0: what the machine or card has
  std::string model_sha256;  // if set, the whole file must have this hash, checked before work
  bool fuse = true;          // false runs the graph as stored, for tests of the rewrites
  // Rewrites that only some devices use, as "<graph>.<operator>"; unset: those that the device has kernels for and that
  // pay. With the set of another engine (DeviceInfo) both have the same nodes.
  std::optional<std::set<std::string>> rewrites;
  // Capacity of dim 0 of a graph's counted inputs, by graph name; a graph not named keeps what the file says.
  std::map<std::string, int64_t> rows;
  std::map<std::string, int64_t>
      rows_on_cuda;  // instead of rows where the device is a card; a name missing: as in rows
  // Graphs that also run on smaller pictures, by name: the step of heights and widths. See Engine::sized_plan().
  std::map<std::string, int64_t> size_steps;
  // Slices that a chained plan computes side by side, each with activations of its own; 1 to 8, E_USAGE otherwise. On
  // cuda alone: elsewhere there is one. Changes no result.
  int lanes = 1;
  // Uses only the first entries of every crop_resize table, so that the bench can time a single patch; 0: all.
  int64_t crop_entries = 0;
};

// Where the ranges of int8 came from (runtime/calibration.h). Empty in another precision.
struct CalibrationInfo {
  std::string sha256;  // of the file's bytes
  std::string method;
  int64_t slices = 0;  // pictures that it was taken from
};

struct DeviceInfo {
  std::string name;       // "cpu", "reference" or the card's name
  std::string isa;        // levels used, for example "scalar avx2 avx512" or "sm80 sm90a"; "any" for reference
  std::string precision;  // "fp32", "mixed" or "int8"
  bool fallback = false;  // true if `auto` could not take its first choice
  std::string fallback_reason;
  bool cuda = false;
  std::set<std::string> rewrites;  // see EngineOptions
  int threads = 1;
  int lanes = 1;  // see EngineOptions; 1 but on cuda
  CalibrationInfo calibration;
};

// One tensor as stored in the model file.
struct StoredTensor {
  std::string name;
  std::string dtype;  // F32, F16, BF16, I8
  Shape shape;
  int64_t bytes = 0;
};

struct ModelInfo {
  std::string path;
  int64_t file_bytes = 0;
  std::map<std::string, std::string> metadata;  // "spinert.config", "spinert.card", ...
  std::vector<StoredTensor> tensors;            // in file order
};

// What one node of a plan does; for inspect, bench and verify.
struct NodeInfo {
  std::string name;
  std::string op;
  std::string kernel;               // row of kernels/registry.def
  std::string attributes;           // "stride=2 padding=3 activation=relu"
  std::vector<std::string> inputs;  // value names, "" for an absent one
  std::vector<std::string> outputs;
  Shape shape;        // of the first output
  std::string count;  // the value that holds its rows in use, in units of count_scale; "": all of dim 0
  int64_t count_scale = 1;
  std::vector<std::pair<std::string, std::string>> refusals;  // kernel, reason
  double flops = 0, bytes = 0;                                // at full capacity
  int64_t packed_bytes = 0, scratch_bytes = 0;
  bool constant = false;     // depends on shapes only and ran once when the engine was opened
  DType half = DType::none;  // the 16-bit float type that it reads or writes, if any
};

// Of the card on cuda, of the host otherwise. All but the weights is there once for each lane.
struct MemoryPlan {
  int64_t arena = 0;      // activations of the largest plan; all plans of a lane share one arena
  int64_t live_peak = 0;  // lower bound: most bytes live at one node
  int64_t io = 0;         // inputs and outputs of the graphs
  int64_t weights = 0;    // packed and plain constants
  int64_t scratch = 0;
  int64_t device = 0;  // memory of the card; 0: the plan lies in host memory
  int64_t total() const { return arena + io + weights + scratch; }
};

// Lets a caller stop a run between two nodes.
struct RunControl {
  const std::atomic<int>* cancel = nullptr;  // non-zero: stop with E_CANCELLED
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();  // E_TIMEOUT

  // E_CANCELLED or E_TIMEOUT if the run must end now; the caller adds where.
  Status check() const;
};

class Plan {
 public:
  virtual ~Plan() = default;

  // Inputs and outputs of the graph by name; data stays valid while the engine lives. Absent if there is no such value.
  virtual Tensor tensor(std::string_view name) const = 0;
  // Runs all nodes. Outputs are undefined after an error.
  virtual Status run(const RunControl& control = {}) = 0;

  // For tools: the nodes in order, one at a time, and any value (valid only until a later node reuses its memory). On
  // cuda a value is a host copy of what the card holds when value() is called, in f32 if it is of a half type; what the
  // caller writes there reaches the next run_node() that reads the value.
  virtual const std::vector<NodeInfo>& nodes() const = 0;
  virtual Status run_node(size_t index) = 0;
  virtual Tensor value(std::string_view name) const = 0;
  // The largest difference a fast kernel may show at this node for the data now in its inputs (see Tolerance).
  virtual double tolerance(size_t index, double& relative) const = 0;
};

class ChainedPlan;
struct ChainSpec;

class Engine {
 public:
  // Reads, checks and packs the model: format rules, metadata and data hashes, finite weights, shapes against the
  // graph.
  static Result<std::unique_ptr<Engine>> open(const std::string& path, const EngineOptions& options = {});
  virtual ~Engine() = default;

  virtual const ModelInfo& model() const = 0;
  virtual const DeviceInfo& device() const = 0;
  virtual const MemoryPlan& memory() const = 0;
  // Null if the model has no such graph.
  virtual Plan* plan(std::string_view graph) = 0;
  virtual std::vector<std::string> graphs() const = 0;
  // The plan of a graph of EngineOptions::size_steps for a picture of that height and width: multiples of the step, or
  // the whole extent. All sizes share weights and memory: asking for a plan, here or by plan(), ends the use of the one
  // of another size, and its tensors. A plan of a new size takes about a millisecond to make; the last few are kept.
  // E_USAGE for a graph or size that is not among them.
  virtual Result<Plan*> sized_plan(std::string_view graph, int64_t height, int64_t width) = 0;
  // On cuda: two graphs as one (runtime/chained_plan.h), which must not outlive the engine. E_DEVICE elsewhere.
  virtual Result<std::unique_ptr<ChainedPlan>> chain(const ChainSpec& spec) = 0;
  // SHA-256 of the whole file. Computed on a thread of its own from open() on; waits for it. E_MODEL_HASH if the file
  // changed after it was read.
  virtual Result<std::string> file_sha256() = 0;
};

// The version, compiler and flags of this build, for reports: keys version, commit, compiler, flags.
std::map<std::string, std::string> build_info();

}  // namespace spinert
