#include "runtime/weight_loader.h"

#include <algorithm>
#include <set>

namespace spinert {
namespace {

bool packs(const PlannedNode& node, int number) {
  return node.packs() && node.node->in[kPackedInput] == number;
}

// All nodes that want weights: those that run, then those that stand for plans of other sizes.
template <class Visit>
void for_each_node(PlanImpl& plan, Visit&& visit) {
  for (std::vector<PlannedNode>* list : {&plan.planned(), &plan.spare()}) {
    for (PlannedNode& node : *list) visit(node);
  }
}

// Values that a node reads as they are: all that it does not pack.
std::vector<bool> read_plain(PlanImpl& plan) {
  std::vector<bool> plain(plan.graph().values.size(), false);
  for_each_node(plan, [&](const PlannedNode& node) {
    for (size_t i = 0; i < node.node->in.size(); ++i) {
      const int number = node.node->in[i];
      if (number != kAbsent && !(i == kPackedInput && packs(node, number))) plain[static_cast<size_t>(number)] = true;
    }
  });
  return plain;
}

// Values that the rewrites read or write, in host memory.
std::vector<bool> in_rewrites(PlanImpl& plan) {
  std::vector<bool> used(plan.graph().values.size(), false);
  const auto mark = [&](int number) { used[static_cast<size_t>(number)] = true; };
  for (const DerivedConstant& derived : plan.graph().derived) {
    std::ranges::for_each(derived.sources, mark);
    std::ranges::for_each(derived.results, mark);
  }
  return used;
}

}  // namespace

WeightLoader::WeightLoader(std::map<std::string, PlanImpl*> plans, CudaDevice* device)
    : plans_(std::move(plans)), device_(device) {
  for (const auto& [name, plan] : plans_) {
    plain_[plan] = read_plain(*plan);
    rewritten_[plan] = in_rewrites(*plan);
  }
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
    std::set<std::pair<int, Form>> counted;
    for_each_node(*plan, [&](const PlannedNode& node) {
      if (node.packs() && counted.insert({node.node->in[kPackedInput], form(node)}).second) {
        total += aligned(node.packed_bytes, alignment());
      }
    });
    for (const Value& value : plan->graph().values) {
      const Target t{plan, value.type.self};
      if (value.kind == Value::Kind::constant && keep_plain(t)) {
        total += aligned(plan->constant(t.number).bytes(), alignment());
      }
    }
  }
  return total;
}

bool WeightLoader::packs_i8(const Target& t, const Weight& weight) const {
  if (weight.storage != StorageType::I8 || keep_plain(t) || in_rewrite(t)) return false;
  bool all = true;
  for_each_node(*t.plan, [&](const PlannedNode& node) {
    if (packs(node, t.number) && !node.kernel->kernel->pack_i8) all = false;
  });
  return all;
}

// Packs `data` (host memory) once per form and hands the result to all nodes of that form.
Status WeightLoader::pack(const Target& t, const Tensor& data, const StoredI8* stored, ThreadPool& pool) {
  std::map<Form, const void*> done;
  Status status;
  for_each_node(*t.plan, [&](PlannedNode& node) {
    if (!status.ok() || !packs(node, t.number)) return;
    const void*& packed = done[form(node)];
    if (!packed) status = pack_one(node, data, stored, pool, packed);
    node.packed = packed;
  });
  return status;
}

Status WeightLoader::pack_one(PlannedNode& node, const Tensor& data, const StoredI8* stored, ThreadPool& pool,
                              const void*& result) {
  node.in[kPackedInput] = data;
  SPINERT_ASSIGN(void* packed, take(node.packed_bytes));
  void* const to = device_ ? packing_ : packed;
  if (stored) {
    node.kernel->kernel->pack_i8(node.call(), *stored, to, pool);
  } else {
    node.kernel->kernel->pack(node.call(), to, pool);
  }
  if (device_) SPINERT_TRY(send(packed, packing_, node.packed_bytes));
  result = packed;
  return {};
}

// On cuda: a constant that nodes read as it is goes to the card, one that rewrites read stays here until they have run.
Status WeightLoader::keep(const Target& t, Tensor data, bool derived) {
  if (in_rewrite(t) && !derived) {
    sources_[{t.plan, t.number}].assign(data.f32(), data.f32() + data.elements());
  }
  if (!keep_plain(t)) return {};
  SPINERT_ASSIGN(void* kept, take(data.bytes()));
  SPINERT_TRY(send(kept, data.data, data.bytes()));
  data.data = kept;
  t.plan->set_constant(t.number, data);
  return {};
}

Status WeightLoader::derive(PlanImpl& plan, ThreadPool& pool) {
  for (const DerivedConstant& derived : plan.graph().derived) {
    std::vector<Tensor> sources, results;
    for (const int number : derived.sources) {
      sources.push_back(plan.constant(number));
      if (device_) sources.back().data = sources_.at({&plan, number}).data();
    }
    for (const int number : derived.results) {
      Tensor view = plan.constant(number);
      if (device_) {
        // A result may be a source of the next rewrite.
        std::vector<float>& values = sources_[{&plan, number}];
        values.resize(static_cast<size_t>(view.elements()));
        view.data = values.data();
      } else {
        SPINERT_ASSIGN(view.data, take(view.bytes()));
        plan.set_constant(number, view);
      }
      results.push_back(view);
    }
    derived.compute(sources, results);
    for (size_t i = 0; i < results.size(); ++i) {
      const Target t{&plan, derived.results[i]};
      SPINERT_TRY(pack(t, results[i], nullptr, pool));
      if (device_) SPINERT_TRY(keep(t, results[i], true));
    }
  }
  return {};
}

Result<void*> WeightLoader::take(int64_t bytes) {
  const int64_t part = aligned(bytes, alignment());
  if (taken_ + part > size_) {
    return error(ErrorId::E_INTERNAL, "the constants need more memory than was planned");
  }
  void* memory = static_cast<unsigned char*>(memory_) + taken_;
  taken_ += part;
  return memory;
}

Status WeightLoader::send(void* to, const void* from, int64_t bytes) {
  device_->stream().upload(to, from, bytes);
  return device_->stream().synchronize();
}

Status WeightLoader::load(const ModelFile& model, ThreadPool& pool) {
  WeightStream stream(model, pool);
  size_ = bytes();
  int64_t largest = 0, largest_packed = 0;
  for (const Weight& weight : model.weights()) {
    // On the host a plain constant is read where it stays.
    const Target t = target(weight.name);
    if (!packs_i8(t, weight) && (device_ || !keep_plain(t))) {
      largest = std::max(largest, static_cast<int64_t>(weight.elements));
    }
  }
  SPINERT_ASSIGN(AlignedBuffer staging, AlignedBuffer::allocate(largest * int64_t{sizeof(float)}));
  if (device_) {
    for (const auto& [name, plan] : plans_) {
      for (const PlannedNode& node : plan->planned()) largest_packed = std::max(largest_packed, node.packed_bytes);
    }
    SPINERT_ASSIGN(memory_, device_->allocate(size_));
    SPINERT_ASSIGN(packing_, device_->allocate_pinned(largest_packed));
  } else {
    SPINERT_ASSIGN(host_memory_, AlignedBuffer::allocate(size_));
    memory_ = host_memory_.data();
    large_pages_ = host_memory_.take_large_pages(pool);
  }
  for (const Weight& weight : model.weights()) {
    const Target t = target(weight.name);
    Tensor view = t.plan->constant(t.number);
    if (packs_i8(t, weight)) {
      StoredI8 stored;
      SPINERT_TRY(stream.read_i8(weight, stored));
      SPINERT_TRY(pack(t, view, &stored, pool));
      continue;
    }
    view.data = staging.data();
    if (keep_plain(t) && !device_) {
      SPINERT_ASSIGN(view.data, take(view.bytes()));
      t.plan->set_constant(t.number, view);
    }
    SPINERT_TRY(stream.read_f32(weight, {view.f32(), static_cast<size_t>(weight.elements)}));
    SPINERT_TRY(pack(t, view, nullptr, pool));
    if (device_) SPINERT_TRY(keep(t, view, false));
  }
  SPINERT_TRY(stream.finish());
  for (const auto& [name, plan] : plans_) SPINERT_TRY(derive(*plan, pool));
  sources_.clear();
  if (device_) device_->release(packing_);
  return {};
}

}  // namespace spinert
