// size_classes.h - one graph for pictures of several sizes: a plan for each size in use, all on the weights and in the
// memory of the plan for the largest one.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "runtime/host_plan.h"

namespace spinert {

class SizeClasses {
 public:
  // Sizes are the multiples of `step` up to the picture of `whole`, which must outlive this and lie in host memory.
  SizeClasses(HostPlan& whole, int64_t step, Device device, ThreadPool& pool)
      : whole_(whole), step_(step), device_(std::move(device)), pool_(pool), active_(&whole) {}

  // Plans every size once and forgets it: what the sizes need of memory, and which forms of weights besides those of
  // the whole picture, which become spare nodes of its plan. Before weights are loaded. Errors: those of resized() and
  // of planning.
  Status survey();
  // Of all sizes, the whole picture included.
  int64_t arena_bytes() const { return arena_bytes_; }
  int64_t scratch_bytes() const { return scratch_bytes_; }

  // The plan of a size, made where it is none of the last few. Its values take the place of those of the plan that was
  // asked for before. E_USAGE for a size that is no class.
  Result<HostPlan*> plan(int64_t height, int64_t width);
  // The plan of the whole picture again.
  void back();

 private:
  struct Made {
    int64_t height, width;
    std::unique_ptr<HostPlan> plan;
  };

  Result<std::unique_ptr<HostPlan>> make(int64_t height, int64_t width) const;
  std::vector<int64_t> extents(int64_t whole) const;
  void note_spare_nodes(HostPlan& plan);
  void activate(HostPlan& plan);
  const Shape& picture() const;

  HostPlan& whole_;
  int64_t step_;
  Device device_;
  ThreadPool& pool_;
  HostPlan* active_;
  int64_t arena_bytes_ = 0, scratch_bytes_ = 0;
  std::list<Made> made_;  // latest use first
};

}  // namespace spinert
