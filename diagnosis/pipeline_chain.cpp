// pipeline_chain.cpp - slices on a card: staged into a slot, submitted together, collected in order.
#include <algorithm>
#include <new>

#include "diagnosis/pipeline_impl.h"

namespace spinert {
namespace {

Status no_memory() {
  return error(ErrorId::E_OOM_HOST, "the memory was not enough").hint("Give the process more memory.");
}

}  // namespace

// The part of the slice that lies on the canvas goes to a lane of the slot that is being filled; the rest happens on
// the card. A slice of another size starts the ones before it.
void PipelineImpl::stage(const std::vector<float>& grey, Started& started) {
  const SliceResult& slice = started.slice;
  const int64_t size = config_.detector.input.size;
  const int64_t height = std::min<int64_t>(slice.height, size), width = std::min<int64_t>(slice.width, size);
  const int64_t top = std::max<int64_t>(0, -canvas_shift(slice.height, size)),
                left = std::max<int64_t>(0, -canvas_shift(slice.width, size));
  if (staged_ > 0 && (height != staged_height_ || width != staged_width_)) submit();
  if (staged_ == 0) collect(slot_);  // differing sizes use up the slots before the lanes
  float* const pixels = chain_->picture(slot_, staged_);
  for (int64_t y = 0; y < height; ++y) {
    std::copy_n(grey.data() + (top + y) * slice.width + left, width, pixels + y * width);
  }
  staged_height_ = height;
  staged_width_ = width;
  started.slot = slot_;
  started.lane = staged_++;
}

// Starts the slices of the slot that is being filled. Like collect() it fails its slices where memory is short, so that
// each keeps its turn.
void PipelineImpl::submit() {
  Status status;
  try {
    status = chain_->submit(slot_, staged_height_, staged_width_, {}, staged_);
  } catch (const std::bad_alloc&) {
    status = no_memory();
  }
  for (Started& started : started_) {
    if (started.slot != slot_ || status.ok()) continue;
    started.slot = -1;
    started.status = status;
  }
  slot_ = (slot_ + 1) % ChainedPlan::kSlots;
  staged_ = 0;
}

// Waits for a slot and reads the results of its slices, so that it is free again.
void PipelineImpl::collect(int slot) {
  const auto in_slot = [slot](const Started& started) { return started.slot == slot; };
  if (std::ranges::none_of(started_, in_slot)) return;
  const Status waited = chain_->wait(slot);
  for (Started& started : started_) {
    if (!in_slot(started)) continue;
    started.slot = -1;
    started.status = waited;
    if (!waited.ok()) continue;
    try {
      started.status = read_chain(started.slice, slot, started.lane);
    } catch (const std::bad_alloc&) {
      started.status = no_memory();
    }
  }
}

Status PipelineImpl::read_chain(SliceResult& slice, int slot, int lane) {
  boxes_ = chain_->value(slot, "boxes", lane);
  scores_ = chain_->value(slot, "scores", lane);
  for (size_t i = 0; i < invalid_.size(); ++i) invalid_[i] = chain_->value(slot, invalid_names_[i], lane);
  SPINERT_TRY(read_detections(slice));
  const Tensor collected = chain_->collected(slot, lane);
  if (!all_finite(collected)) return non_finite("classifier");
  const int64_t row = collected.elements() / boxes_.shape[0];
  for (Vertebra& vertebra : slice.vertebrae) {
    // Both sides count the scores at or above one threshold, best first.
    if (vertebra.candidate >= chain_->fed_rows(slot, lane)) {
      return error(ErrorId::E_INTERNAL, "a vertebra was not classified",
                   "candidate " + std::to_string(vertebra.candidate));
    }
    take_probabilities(vertebra, collected.f32() + vertebra.candidate * row);
  }
  return {};
}

}  // namespace spinert
