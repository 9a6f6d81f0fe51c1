// weight_loader.h - streams the weights of a model once, in file order, and gives every plan its constants: packed for
// the kernels that want them packed, plain for the others. One weight is in memory at a time beside its packed form; on
// cuda the packed form itself passes through one pinned buffer to the card, so that the host never holds the model.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/aligned_buffer.h"
#include "runtime/plan_impl.h"
#include "weights/model_file.h"

namespace spinert {

class WeightLoader {
 public:
  // plans: by graph name; they must outlive the loader, and the loader must outlive their last run.
  // device: where the constants go; null: host memory.
  WeightLoader(std::map<std::string, PlanImpl*> plans, CudaDevice* device);

  // Bytes that load() will keep: packed and plain constants. Known before anything is read.
  int64_t bytes() const;
  // On the host, after load(): whether its memory came quickly in large pages.
  bool large_pages() const { return large_pages_; }

  // Reads, checks, packs and binds all constants, and compares the hash of the data. Errors: those of WeightStream and
  // of the device.
  Status load(const ModelFile& model, ThreadPool& pool);

 private:
  // Where a stored tensor goes in one graph.
  struct Target {
    PlanImpl* plan;
    int number;  // value number of the constant
  };
  // One packed form serves all nodes with this kernel and this type of input 0.
  using Form = std::pair<const Kernel*, DType>;
  static Form form(const PlannedNode& node) { return {node.kernel->kernel, node.in[0].dtype}; }

  Target target(const std::string& stored_name) const;
  bool in_rewrite(const Target& t) const { return rewritten_.at(t.plan)[static_cast<size_t>(t.number)]; }
  // Whether a constant stays in plain form where the kernels run. On the host that is also where rewrites find it.
  bool keep_plain(const Target& t) const {
    return plain_.at(t.plan)[static_cast<size_t>(t.number)] || (!device_ && in_rewrite(t));
  }
  // Whether every node that packs the constant takes it as it is stored, and nothing else reads it.
  bool packs_i8(const Target& t, const Weight& weight) const;
  // stored: if not null, where the data is instead of in `data`.
  Status pack(const Target& target, const Tensor& data, const StoredI8* stored, ThreadPool& pool);
  Status pack_one(PlannedNode& node, const Tensor& data, const StoredI8* stored, ThreadPool& pool, const void*& result);
  Status keep(const Target& target, Tensor data, bool derived);
  Status derive(PlanImpl& plan, ThreadPool& pool);

  // The next part of memory_. One block for all constants instead of hundreds of mappings.
  Result<void*> take(int64_t bytes);
  int64_t alignment() const { return device_ ? kDeviceAlignment : kTensorAlignment; }
  // On cuda: copies to the card and waits, so that the source may be used again.
  Status send(void* to, const void* from, int64_t bytes);

  std::map<std::string, PlanImpl*> plans_;
  std::map<const PlanImpl*, std::vector<bool>> plain_, rewritten_;  // by value number
  CudaDevice* device_;
  AlignedBuffer host_memory_;
  void* memory_ = nullptr;  // in host_memory_ or on the card
  bool large_pages_ = false;
  int64_t taken_ = 0, size_ = 0;
  void* packing_ = nullptr;  // pinned, on cuda: the largest packed form
  // On cuda: host copies of what the rewrites read, until they have run.
  std::map<std::pair<const PlanImpl*, int>, std::vector<float>> sources_;
};

}  // namespace spinert
