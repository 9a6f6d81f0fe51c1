// chained_plan.h - on a card: run one graph, then feed rows of its outputs in chunks to a second graph until all are
// done, with counts that never leave the device. From the picture to the last result it is one recorded CUDA graph:
//
//   picture -> opening operator -> input of `first` -> first -> rows that reach the threshold -> while rows remain:
//   { a chunk of rows -> inputs of `second` -> second -> collected rows } -> host
//
// No rows: no pass of the loop. One synchronisation at the end, no allocation after create() but those of CUDA for the
// graph of a picture size that is new; the graphs of the last few sizes are kept.
//
// There are kSlots slots, each with a picture and results of its own, so that a second picture is uploaded while the
// first is computed: submit() returns at once, wait() gives the results, which stay until the slot is submitted again.
//
// For throughput a slot takes several pictures of one size, up to EngineOptions::lanes: each is computed by a lane with
// activations of its own, side by side in the same recorded graph. Weights are shared, and lanes change no result.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/registry.h"
#include "runtime/engine.h"

namespace spinert {

struct ChainSpec {
  std::string first, second;  // graphs
  // Makes `opened`, an input of the first graph, f32 [1,H,W,1], from a picture f32 [1,h,w,1] with h <= H, w <= W.
  OpId opening = OpId::place;
  std::shared_ptr<void> opening_params;
  std::string opened;
  // Inputs of the first graph that go whole to inputs of the second.
  std::vector<std::pair<std::string, std::string>> whole;
  // Outputs of the first graph that go row by row to inputs of the second.
  std::vector<std::pair<std::string, std::string>> rows;
  // The rows that are fed: those before the first score, in this output of the first graph, below the threshold.
  std::string scores;
  double threshold = 0;
  std::string chunk_count;  // input of the second graph: rows of a chunk
  std::string collected;    // output of the second graph that is kept for every row
};

class ChainedPlan {
 public:
  static constexpr int kSlots = 2;
  virtual ~ChainedPlan() = default;

  virtual int lanes() const = 0;
  // Pinned memory for the pixels of a slot's next picture; not to be touched between submit() and wait().
  virtual float* picture(int slot, int lane = 0) = 0;
  // E_CANCELLED, E_TIMEOUT.
  virtual Status stopped(const RunControl& control) const = 0;
  // Starts a slot with the pictures of its first lanes, all of one size. E_INTERNAL if it was not waited for;
  // E_CANCELLED, E_TIMEOUT; E_DEVICE from a card that has failed.
  virtual Status submit(int slot, int64_t height, int64_t width, const RunControl& control = {}, int pictures = 1) = 0;
  // Waits for the results of a slot; an error leaves none.
  virtual Status wait(int slot) = 0;
  // An output, count or flag of the first graph. Absent if there is no such value.
  virtual Tensor value(int slot, std::string_view name, int lane = 0) const = 0;
  // The collected rows; in use are those of the fed rows. fed_rows: how many of the first graph's rows those are.
  virtual Tensor collected(int slot, int lane = 0) const = 0;
  virtual int64_t fed_rows(int slot, int lane = 0) const = 0;
  // Bytes on the card besides the plans', of all lanes.
  virtual int64_t device_bytes() const = 0;
};

}  // namespace spinert
