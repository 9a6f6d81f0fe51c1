// weight_loader.h - streams the weights of a model once, in file order, and gives every plan its constants: packed for
// the kernels that want them packed, plain for the others. One weight is in memory at a time beside its packed form.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/plan_impl.h"
#include "weights/model_file.h"

namespace spinert {

class WeightLoader {
 public:
  // plans: by graph name; they must outlive the loader, and the loader must outlive their last run.
  explicit WeightLoader(std::map<std::string, PlanImpl*> plans);

  // Bytes that load() will keep: packed and plain constants. Known before anything is read.
  int64_t bytes() const;

  // Reads, checks, packs and binds all constants, and compares the hash of the data. Errors: those of WeightStream.
  Status load(const ModelFile& model, ThreadPool& pool);

 private:
  // Where a stored tensor goes in one graph.
  struct Target {
    PlanImpl* plan;
    int number;  // value number of the constant
  };
  Target target(const std::string& stored_name) const;
  bool keep_plain(const Target& target) const { return plain_.at(target.plan)[static_cast<size_t>(target.number)]; }
  Status pack(const Target& target, const Tensor& data, ThreadPool& pool);
  Status derive(PlanImpl& plan, ThreadPool& pool);

  // The next part of memory_. One block for all constants instead of hundreds of mappings.
  void* take(int64_t bytes);

  std::map<std::string, PlanImpl*> plans_;
  std::map<const PlanImpl*, std::vector<bool>> plain_;  // by value number: needed in plain form
  AlignedBuffer memory_;
  int64_t taken_ = 0;
};

}  // namespace spinert
