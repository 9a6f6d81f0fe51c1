#include "runtime/plan_impl.h"

#include <algorithm>
#include <iterator>

#include "kernels/base/half.h"
#include "runtime/cuda_plan.h"
#include "runtime/host_plan.h"

namespace spinert {
namespace {

// Counts and flags outlive the nodes that write them: every tensor with that count refers to them.
constexpr int64_t kSmallIntegers = 64;

// Operators whose outputs depend on the shapes of their inputs alone: run once, when the plan is bound.
bool depends_on_shapes_only(OpId op) {
  return op == OpId::anchors;
}

Tensor typed_view(const TensorType& type) {
  Tensor view;
  view.dtype = type.dtype;
  view.shape = type.shape;
  view.count_scale = type.count_scale;
  view.quantisation = type.quantisation;
  return view;
}

}  // namespace

Result<std::unique_ptr<PlanImpl>> PlanImpl::create(Graph graph, const Device& device, ThreadPool& pool) {
  std::unique_ptr<PlanImpl> plan;
  if (device.cuda) {
    plan = std::make_unique<CudaPlan>(std::move(graph), *device.cuda);
    SPINERT_TRY(plan->prepare(device, device.cuda->card().multiprocessors, kDeviceAlignment));
  } else {
    plan = std::make_unique<HostPlan>(std::move(graph), pool);
    SPINERT_TRY(plan->prepare(device, pool.size(), kTensorAlignment));
  }
  return plan;
}

bool PlanImpl::has_kernels(const Graph& graph, OpId op, const Device& device, Level least) {
  const auto view = [&](int number) { return number == kAbsent ? Tensor{} : typed_view(graph.value(number).type); };
  return std::ranges::all_of(graph.nodes, [&](const Node& node) {
    if (node.op->id != op) return true;
    std::vector<Tensor> in, out;
    std::ranges::transform(node.in, std::back_inserter(in), view);
    std::ranges::transform(node.out, std::back_inserter(out), view);
    const KernelInfo* row = choose_kernel(op, device.backend, device.limit, {node.params.get(), in, out});
    return row && row->level >= least;
  });
}

Status PlanImpl::prepare(const Device& device, int workers, int64_t alignment) {
  for (const Value& value : graph_.values) values_.push_back(typed_view(value.type));
  SPINERT_TRY(choose_kernels(device, workers));
  plan_memory(alignment);
  return {};
}

Status PlanImpl::choose_kernels(const Device& device, int workers) {
  for (const Node& node : graph_.nodes) {
    PlannedNode planned;
    planned.node = &node;
    planned.constant = depends_on_shapes_only(node.op->id);
    for (const int i : node.in) planned.in.push_back(i == kAbsent ? Tensor{} : values_[static_cast<size_t>(i)]);
    for (const int o : node.out) planned.out.push_back(values_[static_cast<size_t>(o)]);
    std::vector<Refusal> refusals;
    planned.kernel = choose_kernel(node.op->id, device.backend, device.limit, planned.call(), &refusals);
    if (!planned.kernel) {
      Status status = error(ErrorId::E_DEVICE, "no kernel takes operator " + std::string(node.op->name),
                            "graph " + graph_.name + ", node " + node.name);
      if (!refusals.empty()) status.hint(std::string(refusals.back().kernel->name) + ": " + refusals.back().reason);
      return status;
    }
    const Kernel& kernel = *planned.kernel->kernel;
    if (kernel.packed_bytes) planned.packed_bytes = kernel.packed_bytes(planned.call());
    if (kernel.scratch_bytes) planned.scratch_bytes = kernel.scratch_bytes(planned.call(), workers);
    scratch_bytes_ = std::max(scratch_bytes_, planned.scratch_bytes);

    NodeInfo info;
    info.name = node.name;
    info.op = node.op->name;
    info.kernel = planned.kernel->name;
    info.attributes = attributes_text(node);
    for (const int i : node.in) info.inputs.push_back(i == kAbsent ? "" : graph_.value(i).name);
    for (const int o : node.out) info.outputs.push_back(graph_.value(o).name);
    const TensorType& first = graph_.value(node.out[0]).type;
    info.shape = first.shape;
    if (first.count != kAbsent) info.count = graph_.value(first.count).name;
    info.count_scale = first.count_scale;
    for (const Refusal& refusal : refusals) info.refusals.emplace_back(refusal.kernel->name, refusal.reason);
    const Cost cost = node.op->cost(planned.call());
    info.flops = cost.flops;
    info.bytes = cost.bytes;
    info.packed_bytes = planned.packed_bytes;
    info.scratch_bytes = planned.scratch_bytes;
    info.constant = planned.constant;
    for (const std::vector<Tensor>* list : {&planned.in, &planned.out}) {
      for (const Tensor& tensor : *list) {
        if (is_half(tensor.dtype)) info.half = tensor.dtype;
      }
    }
    infos_.push_back(std::move(info));
    nodes_.push_back(std::move(planned));
  }
  return {};
}

// Values that keep memory of their own: what the caller sees, counts, and what is computed only once.
bool PlanImpl::persistent(const Value& value) const {
  const int number = value.type.self;
  const auto contains = [&](const std::vector<int>& list) { return std::ranges::find(list, number) != list.end(); };
  if (contains(graph_.inputs) || contains(graph_.outputs)) return true;
  if (value.type.dtype == DType::i32 && value.type.shape.elements() <= kSmallIntegers) return true;
  return std::ranges::any_of(nodes_, [&](const PlannedNode& n) {
    return n.constant && std::ranges::find(n.node->out, number) != n.node->out.end();
  });
}

void PlanImpl::plan_memory(int64_t alignment) {
  offsets_.assign(graph_.values.size(), -1);
  std::vector<Lifetime> lifetimes(graph_.values.size());
  std::vector<bool> used(graph_.values.size(), false);
  for (size_t n = 0; n < nodes_.size(); ++n) {
    const auto touch = [&](int number) {
      if (number == kAbsent) return;
      Lifetime& life = lifetimes[static_cast<size_t>(number)];
      if (!used[static_cast<size_t>(number)]) life.first = static_cast<int>(n);
      life.last = static_cast<int>(n);
      used[static_cast<size_t>(number)] = true;
    };
    // A node that depends on shapes only does not need its inputs' data.
    if (!nodes_[n].constant) std::ranges::for_each(nodes_[n].node->in, touch);
    std::ranges::for_each(nodes_[n].node->out, touch);
  }
  std::vector<Lifetime> arena;
  std::vector<size_t> arena_values;
  std::vector<size_t> parts[3];  // of io_
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const Value& value = graph_.values[v];
    const int64_t bytes = values_[v].bytes();
    if (value.kind == Value::Kind::constant || (!used[v] && value.kind != Value::Kind::input)) continue;
    if (persistent(value)) {
      const bool small = value.type.dtype == DType::i32 && value.type.shape.elements() <= kSmallIntegers;
      const bool output = std::ranges::find(graph_.outputs, value.type.self) != graph_.outputs.end();
      parts[value.kind == Value::Kind::input ? 0 : output || small ? 1 : 2].push_back(v);
    } else {
      arena.push_back({bytes, lifetimes[v].first, lifetimes[v].last});
      arena_values.push_back(v);
    }
  }
  int64_t* const ends[] = {&io_.inputs, &io_.results, &io_.total};
  for (size_t part = 0; part < std::size(parts); ++part) {
    if (part > 0) *ends[part] = *ends[part - 1];
    for (const size_t v : parts[part]) {
      offsets_[v] = *ends[part];
      *ends[part] += aligned(values_[v].bytes(), alignment);
    }
  }
  arena_size_ = plan_arena(arena, alignment);
  for (size_t i = 0; i < arena.size(); ++i) offsets_[arena_values[i]] = arena[i].offset;
}

void PlanImpl::bind_values(void* arena, void* io) {
  for (size_t v = 0; v < values_.size(); ++v) {
    if (offsets_[v] < 0) continue;
    void* base = persistent(graph_.values[v]) ? io : arena;
    values_[v].data = static_cast<unsigned char*>(base) + offsets_[v];
  }
  for (size_t v = 0; v < values_.size(); ++v) {
    const int count = graph_.values[v].type.count;
    if (count != kAbsent) values_[v].count = values_[static_cast<size_t>(count)].i32();
  }
  for (PlannedNode& planned : nodes_) {
    for (size_t i = 0; i < planned.in.size(); ++i) {
      if (planned.node->in[i] != kAbsent) planned.in[i] = values_[static_cast<size_t>(planned.node->in[i])];
    }
    for (size_t o = 0; o < planned.out.size(); ++o) planned.out[o] = values_[static_cast<size_t>(planned.node->out[o])];
  }
}

const void* PlanImpl::packed_form(const PlannedNode& node) const {
  for (const std::vector<PlannedNode>* list : {&nodes_, &spare_}) {
    for (const PlannedNode& other : *list) {
      if (other.packs() && other.same_form(node)) return other.packed;
    }
  }
  return nullptr;
}

Status RunControl::check() const {
  if (cancel && cancel->load(std::memory_order_relaxed) != 0) {
    return error(ErrorId::E_CANCELLED, "stopped on request");
  }
  if (deadline != std::chrono::steady_clock::time_point::max() && std::chrono::steady_clock::now() >= deadline) {
    return error(ErrorId::E_TIMEOUT, "the time limit was reached").hint("Raise --timeout or leave it out.");
  }
  return {};
}

Status PlanImpl::check_control(const RunControl& control, size_t node) const {
  Status status = control.check();
  if (!status.ok()) status.at("graph " + graph_.name + ", node " + nodes_[node].node->name);
  return status;
}

double PlanImpl::tolerance(size_t index, double& relative) const {
  // The bound reads the data of the inputs, so the call is made of what tools see.
  const PlannedNode& planned = nodes_[index];
  std::vector<Tensor> in;
  for (const int number : planned.node->in)
    in.push_back(number == kAbsent ? Tensor{} : value(graph_.value(number).name));
  const Tolerance tolerance = planned.node->op->tolerance({planned.node->params.get(), in, planned.out});
  relative = tolerance.relative;
  return tolerance.absolute;
}

int PlanImpl::find_io(std::string_view name) const {
  for (const std::vector<int>* list : {&graph_.inputs, &graph_.outputs}) {
    for (const int number : *list) {
      if (graph_.value(number).name == name) return number;
    }
  }
  return kAbsent;
}

}  // namespace spinert
