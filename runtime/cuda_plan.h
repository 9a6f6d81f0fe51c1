// cuda_plan.h - runs a planned graph on a card. What the caller sees are mirrors in pinned host memory: run() is one
// captured graph of the upload of the inputs, every node, and the download of the results, and one synchronisation.
#pragma once

#include "kernels/base/cuda_device.h"
#include "runtime/plan_impl.h"
#include "runtime/value_copies.h"

namespace spinert {

class CudaPlan : public PlanImpl {
 public:
  CudaPlan(Graph graph, CudaDevice& device) : PlanImpl(std::move(graph)), device_(device) {}
  // The same kernels with the same constants, once those are loaded, for bind() with memory of its own.
  std::unique_ptr<CudaPlan> twin() const { return std::unique_ptr<CudaPlan>(new CudaPlan(*this)); }

  // Views of the mirrors; those of outputs, counts and flags are up to date after run().
  Tensor tensor(std::string_view name) const override;
  Status run(const RunControl& control) override;
  // For tools, slow: every call copies between mirrors and card and waits.
  Status run_node(size_t index) override;
  Tensor value(std::string_view name) const override;
  Status bind(void* arena, void* scratch) override;

  // For a capture that holds more than this plan (chained_plan.h): the nodes alone, and values as kernels see them.
  void enqueue();
  Tensor on_device(std::string_view name) const;
  // Something else than this object has run the nodes: host copies of values are out of date.
  void forget_copies();
  // The part of io() that the caller reads, on the card; offset of a value in it, -1 if it lies elsewhere.
  const void* results() const;
  const unsigned char* results_mirror() const { return mirror_ + io().inputs; }
  int64_t offset_in_results(std::string_view name) const;
  Status stopped(const RunControl& control) const { return check_control(control, 0); }

 private:
  CudaPlan(const CudaPlan& other);

  void enqueue_node(size_t index);
  Tensor mirror_of(int number) const;
  bool mirrored(int number) const;
  void upload_mirrors(const PlannedNode& planned);

  CudaDevice& device_;
  unsigned char* io_memory_ = nullptr;  // on the card
  unsigned char* mirror_ = nullptr;     // pinned: inputs and results
  void* scratch_ = nullptr;
  std::unique_ptr<CudaGraph> recorded_;
  mutable ValueCopies copies_;                 // of values without a mirror
  mutable std::vector<unsigned char> narrow_;  // a half value on its way
};

}  // namespace spinert
