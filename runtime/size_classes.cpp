#include "runtime/size_classes.h"

#include <algorithm>

#include "graph/resize.h"

namespace spinert {
namespace {

// Slices of one study have one size, or few; a plan holds no data, only choices and addresses.
constexpr size_t kMostPlans = 8;

}  // namespace

// resized() has found that the pictures are of one size, when the survey asked for the first class.
const Shape& SizeClasses::picture() const {
  const Graph& graph = whole_.graph();
  const auto it =
      std::ranges::find_if(graph.inputs, [&](int input) { return graph.value(input).type.shape.rank == 4; });
  static const Shape kNone{1, 0, 0, 1};
  return it == graph.inputs.end() ? kNone : graph.value(*it).type.shape;
}

Result<std::unique_ptr<HostPlan>> SizeClasses::make(int64_t height, int64_t width) const {
  SPINERT_ASSIGN(Graph graph, resized(whole_.graph(), height, width));
  SPINERT_ASSIGN(auto plan, PlanImpl::create(std::move(graph), device_, pool_));
  return std::unique_ptr<HostPlan>(static_cast<HostPlan*>(plan.release()));
}

// A kernel may suit another size better and want another form of the weight.
void SizeClasses::note_spare_nodes(HostPlan& plan) {
  for (size_t n = 0; n < plan.planned().size(); ++n) {
    const PlannedNode& node = plan.planned()[n];
    if (node.node->in.size() <= kPackedInput || node.node->in[kPackedInput] == kAbsent) continue;
    const auto has = [&](const PlannedNode& other) {
      return other.node->in.size() > kPackedInput && other.same_form(node);
    };
    if (std::ranges::any_of(whole_.planned(), has) || std::ranges::any_of(whole_.spare(), has)) continue;
    PlannedNode spare = node;
    spare.node = whole_.planned()[n].node;
    whole_.spare().push_back(std::move(spare));
  }
}

std::vector<int64_t> SizeClasses::extents(int64_t whole) const {
  std::vector<int64_t> all;
  for (int64_t extent = step_; extent < whole; extent += step_) all.push_back(extent);
  all.push_back(whole);
  return all;
}

Status SizeClasses::survey() {
  arena_bytes_ = whole_.arena_size().bytes;
  scratch_bytes_ = whole_.scratch_bytes();
  const Shape& whole = picture();
  for (const int64_t height : extents(whole[1])) {
    for (const int64_t width : extents(whole[2])) {
      if (height == whole[1] && width == whole[2]) continue;
      SPINERT_ASSIGN(const auto plan, make(height, width));
      arena_bytes_ = std::max(arena_bytes_, plan->arena_size().bytes);
      scratch_bytes_ = std::max(scratch_bytes_, plan->scratch_bytes());
      if (plan->io().total > whole_.io().total) {
        return error(ErrorId::E_MODEL_ARCH, "a smaller picture needs more memory for inputs and outputs",
                     "graph " + plan->graph().name);
      }
      note_spare_nodes(*plan);
    }
  }
  return {};
}

Result<HostPlan*> SizeClasses::plan(int64_t height, int64_t width) {
  const Shape& whole = picture();
  if (height == whole[1] && width == whole[2]) {
    back();
    return &whole_;
  }
  const auto fits = [this](int64_t extent, int64_t most) {
    return extent == most || (extent >= step_ && extent < most && extent % step_ == 0);
  };
  if (!fits(height, whole[1]) || !fits(width, whole[2])) {
    return error(ErrorId::E_USAGE, "no class of sizes has this one")
        .expected("multiples of " + std::to_string(step_) + " up to " + to_string(whole),
                  std::to_string(height) + " x " + std::to_string(width));
  }
  auto it = std::ranges::find_if(made_, [&](const Made& m) { return m.height == height && m.width == width; });
  if (it == made_.end()) {
    SPINERT_ASSIGN(auto made, make(height, width));
    made->share(whole_);
    made_.push_front({height, width, std::move(made)});
    if (made_.size() > kMostPlans) made_.pop_back();  // not the active one: it was the first before
  } else {
    made_.splice(made_.begin(), made_, it);
  }
  HostPlan& plan = *made_.front().plan;
  activate(plan);
  return &plan;
}

void SizeClasses::back() {
  activate(whole_);
}

void SizeClasses::activate(HostPlan& plan) {
  if (active_ == &plan) return;
  active_ = &plan;
  plan.compute_constants();
}

}  // namespace spinert
