// chain_lane.h - one lane of a chained plan: two plans with activations of their own, what goes from one to the other,
// and for every slot a picture and its results. runtime/chained_plan.cpp records one lane, or several beside each
// other.
#pragma once

#include "kernels/base/chunks.h"
#include "kernels/count_above/count_above.h"
#include "runtime/chained_plan.h"
#include "runtime/cuda_plan.h"

namespace spinert {

class ChainLane {
 public:
  // All must outlive the lane and the graphs that hold it.
  ChainLane(const ChainSpec& spec, CudaDevice& device, Level limit, CudaPlan& first, CudaPlan& second)
      : spec_(spec),
        threshold_{.threshold = spec.threshold},
        device_(device),
        limit_(limit),
        first_(first),
        second_(second) {}

  // E_MODEL_ARCH if names, types or shapes do not fit; E_OOM_DEVICE, E_OOM_HOST. The caller waits for the stream.
  Status open();

  float* picture(int slot) { return slots_[slot].pixels; }
  bool fits(int64_t height, int64_t width) const {
    return height >= 1 && width >= 1 && height <= opened_.shape[1] && width <= opened_.shape[2];
  }
  Status stopped(const RunControl& control) const { return first_.stopped(control); }
  // The picture of a slot to the card.
  void upload(CudaStream& uploads, int slot, int64_t height, int64_t width);
  // For a capture: everything from the picture on the card to the results on the host. E_DEVICE if no kernel takes an
  // operator between the graphs.
  Status enqueue(int slot, int64_t height, int64_t width);

  // See ChainedPlan.
  Tensor value(int slot, std::string_view name) const;
  Tensor collected(int slot) const;
  int64_t fed_rows(int slot) const;
  int64_t device_bytes() const { return block_bytes_ + ChainedPlan::kSlots * opened_.bytes(); }

 private:
  // The integers at the end of the block, each on a line of its own.
  enum Integer { kTotal, kNext, kMore, kIntegers };

  struct Slot {
    float* pixels = nullptr;           // pinned
    void* on_card = nullptr;           // the same there
    unsigned char* results = nullptr;  // pinned: results of the first plan, then the block
  };

  Status find_values();
  Status find_kernel(OpId op, const OpCall& call, const KernelInfo*& kernel) const;
  int64_t first_bytes() const { return aligned(first_.io().results - first_.io().inputs, kDeviceAlignment); }
  int64_t integer_offset(Integer which) const { return collected_bytes_ + which * kDeviceAlignment; }
  int32_t* integer_on_card(Integer which) const {
    return reinterpret_cast<int32_t*>(static_cast<unsigned char*>(block_) + integer_offset(which));
  }
  const int32_t* integer(int slot, Integer which) const {
    return reinterpret_cast<const int32_t*>(slots_[slot].results + first_bytes() + integer_offset(which));
  }

  const ChainSpec& spec_;
  const CountAboveParams threshold_;
  CudaDevice& device_;
  const Level limit_;
  CudaPlan &first_, &second_;
  Tensor opened_, scores_, collected_;  // on the card
  RowCopies take_{}, give_{};
  ChunkState state_;
  void* block_ = nullptr;  // on the card: collected rows, then the integers
  int64_t collected_bytes_ = 0, block_bytes_ = 0;
  Slot slots_[ChainedPlan::kSlots];
};

}  // namespace spinert
