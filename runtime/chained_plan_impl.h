// chained_plan_impl.h - makes a chain of two plans of a card; for the engine, which owns them.
#pragma once

#include <span>
#include <utility>

#include "runtime/chained_plan.h"
#include "runtime/cuda_plan.h"

namespace spinert {

using PlanPair = std::pair<CudaPlan*, CudaPlan*>;  // first, second

// lanes: the same two graphs, each time with other memory, at least once. All must outlive the chain. E_MODEL_ARCH if
// names, types or shapes do not fit; E_OOM_DEVICE, E_OOM_HOST; E_DEVICE.
Result<std::unique_ptr<ChainedPlan>> chain_plans(const ChainSpec& spec, CudaDevice& device, Level limit,
                                                 std::span<const PlanPair> lanes);

}  // namespace spinert
