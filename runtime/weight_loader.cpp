#include "runtime/weight_loader.h"

#include <algorithm>
#include <set>

namespace spinert {
namespace {

int64_t aligned(int64_t bytes) {
  return (bytes + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

Status unplanned() {
  return error(ErrorId::E_INTERNAL, "the constants need more memory than was planned");
}

bool packs(const PlannedNode& node, int number) {
  return node.kernel->kernel->packed_bytes && node.node->in.size() > kPackedInput &&
         node.node->in[kPackedInput] == number;
}

// Plain data is needed by every reader that does not pack it, and by the rewrites until they have run.
std::vector<bool> plain_values(PlanImpl& plan) {
  std::vector<bool> plain(plan.graph().values.size(), false);
  const auto mark = [&](int number) {
    if (number != kAbsent) plain[static_cast<size_t>(number)] = true;
  };
  for (const PlannedNode& node : plan.planned()) {
    for (size_t i = 0; i < node.node->in.size(); ++i) {
      if (!(i == kPackedInput && packs(node, node.node->in[i]))) mark(node.node->in[i]);
    }
  }
  for (const DerivedConstant& derived : plan.graph().derived) {
    std::ranges::for_each(derived.sources, mark);
    std::ranges::for_each(derived.results, mark);
  }
  return plain;
}

}  // namespace

WeightLoader::WeightLoader(std::map<std::string, PlanImpl*> plans) : plans_(std::move(plans)) {
  for (const auto& [name, plan] : plans_) plain_[plan] = plain_values(*plan);
}

WeightLoader::Target WeightLoader::target(const std::string& stored_name) const {
  const size_t dot = stored_name.find('.');
  const auto it = plans_.find(stored_name.substr(0, dot));
  if (dot == std::string::npos || it == plans_.end()) return {nullptr, kAbsent};
  const int number = it->second->graph().find_stored(stored_name.substr(dot + 1));
  if (number == kAbsent) return {nullptr, kAbsent};
  return {it->second, number};
}

int64_t WeightLoader::bytes() const {
  int64_t total = 0;
  for (const auto& [name, plan] : plans_) {
    std::set<std::pair<int, const Kernel*>> counted;
    for (const PlannedNode& node : plan->planned()) {
      if (node.node->in.size() <= kPackedInput || !packs(node, node.node->in[kPackedInput])) continue;
      if (counted.insert({node.node->in[kPackedInput], node.kernel->kernel}).second)
        total += aligned(node.packed_bytes);
    }
    for (const Value& value : plan->graph().values) {
      const Target t{plan, value.type.self};
      if (value.kind == Value::Kind::constant && keep_plain(t)) total += aligned(plan->constant(t.number).bytes());
    }
  }
  return total;
}

// Packs `data` once per kernel that reads this constant and hands the result to all such nodes.
Status WeightLoader::pack(const Target& t, const Tensor& data, ThreadPool& pool) {
  std::map<const Kernel*, const void*> done;
  for (PlannedNode& node : t.plan->planned()) {
    if (!packs(node, t.number)) continue;
    const Kernel* kernel = node.kernel->kernel;
    if (!done.contains(kernel)) {
      node.in[kPackedInput] = data;
      void* packed = take(node.packed_bytes);
      if (!packed) return unplanned();
      kernel->pack(node.call(), packed, pool);
      done[kernel] = packed;
    }
    node.packed = done[kernel];
  }
  return {};
}

Status WeightLoader::derive(PlanImpl& plan, ThreadPool& pool) {
  for (const DerivedConstant& derived : plan.graph().derived) {
    std::vector<Tensor> sources, results;
    for (const int number : derived.sources) sources.push_back(plan.constant(number));
    for (const int number : derived.results) {
      Tensor view = plan.constant(number);
      view.data = take(view.bytes());
      if (!view.data) return unplanned();
      plan.set_constant(number, view);
      results.push_back(view);
    }
    derived.compute(sources, results);
    for (size_t i = 0; i < results.size(); ++i) SPINERT_TRY(pack({&plan, derived.results[i]}, results[i], pool));
  }
  return {};
}

void* WeightLoader::take(int64_t bytes) {
  if (taken_ + aligned(bytes) > memory_.bytes()) return nullptr;
  void* part = static_cast<unsigned char*>(memory_.data()) + taken_;
  taken_ += aligned(bytes);
  return part;
}

Status WeightLoader::load(const ModelFile& model, ThreadPool& pool) {
  WeightStream stream(model, pool);
  SPINERT_ASSIGN(memory_, AlignedBuffer::allocate(bytes()));
  int64_t largest = 0;
  for (const Weight& weight : model.weights()) {
    const Target t = target(weight.name);
    if (!keep_plain(t)) largest = std::max(largest, static_cast<int64_t>(weight.elements));
  }
  SPINERT_ASSIGN(AlignedBuffer staging, AlignedBuffer::allocate(largest * int64_t{sizeof(float)}));
  for (const Weight& weight : model.weights()) {
    const Target t = target(weight.name);
    Tensor view = t.plan->constant(t.number);
    view.data = staging.data();
    if (keep_plain(t)) {
      view.data = take(view.bytes());
      if (!view.data) return unplanned();
      t.plan->set_constant(t.number, view);
    }
    SPINERT_TRY(stream.read_f32(weight, {view.f32(), static_cast<size_t>(weight.elements)}));
    SPINERT_TRY(pack(t, view, pool));
  }
  SPINERT_TRY(stream.finish());
  for (const auto& [name, plan] : plans_) SPINERT_TRY(derive(*plan, pool));
  return {};
}

}  // namespace spinert
