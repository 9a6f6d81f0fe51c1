// engine.cpp - opens a model: checks, plans, loads, binds. The order matters: everything that can be refused from the
// header alone is refused before memory is taken, and no result can be computed before both inner hashes are compared.
#include "runtime/engine.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <future>
#include <set>

#include "config/json.h"
#include "graph/fusion.h"
#include "graph/precision.h"
#include "graph/quantisation.h"
#include "kernels/crop_resize/crop_resize.h"
#include "runtime/calibration.h"
#include "runtime/chained_plan_impl.h"
#include "runtime/size_classes.h"
#include "runtime/weight_loader.h"
#include "weights/model_file.h"

namespace spinert {
namespace {

class EngineImpl : public Engine {
 public:
  explicit EngineImpl(int threads) : pool_(threads) {}

  const ModelInfo& model() const override { return info_; }
  const DeviceInfo& device() const override { return device_; }
  const MemoryPlan& memory() const override { return memory_; }
  std::vector<std::string> graphs() const override {
    std::vector<std::string> names;
    for (const auto& [name, plan] : plans_) names.push_back(name);
    return names;
  }
  Plan* plan(std::string_view graph) override {
    const auto it = plans_.find(std::string(graph));
    if (it == plans_.end()) return nullptr;
    if (const auto sizes = sizes_.find(it->first); sizes != sizes_.end()) sizes->second.back();
    return it->second.get();
  }
  Result<Plan*> sized_plan(std::string_view graph, int64_t height, int64_t width) override;
  Result<std::unique_ptr<ChainedPlan>> chain(const ChainSpec& spec) override;
  Result<std::string> file_sha256() override {
    SPINERT_TRY(file_->file().check_unchanged());
    return file_hash_.get();
  }

  Status open(const std::string& path, const EngineOptions& options);

 private:
  Status check_tensors() const;
  Status plan_graphs(const EngineOptions& options, const Device& device);
  Status plan_sizes(const EngineOptions& options, const Device& device);
  Result<Graph> rewrite(const std::function<Result<Graph>()>& read, const EngineOptions& options, const Device& device);
  Status check_work() const;
  Status check_memory(const EngineOptions& options) const;
  std::string figures() const;
  std::string to_lower() const { return device_.lanes > 1 ? "--lanes or --batch" : "--batch"; }
  Status load(const EngineOptions& options);
  void describe(const Device& device);

  ThreadPool pool_;
  std::optional<ModelFile> file_;
  Calibration calibration_;  // in int8
  ModelInfo info_;
  DeviceInfo device_;
  MemoryPlan memory_;
  std::shared_ptr<CudaDevice> cuda_;  // before everything that lies on it
  Level limit_ = Level::any;
  AlignedBuffer arena_, scratch_;  // on the host
  std::unique_ptr<WeightLoader> weights_;
  std::map<std::string, std::unique_ptr<PlanImpl>> plans_;
  std::map<std::string, SizeClasses> sizes_;  // of some of them
  // The plans of the lanes besides the first, on cuda.
  std::vector<std::map<std::string, std::unique_ptr<CudaPlan>>> lanes_;
  std::shared_future<Result<std::string>> file_hash_;  // last: its thread reads file_
};

Result<std::unique_ptr<ChainedPlan>> EngineImpl::chain(const ChainSpec& spec) {
  if (!cuda_) return error(ErrorId::E_DEVICE, "only a card runs chained graphs", device_.name);
  const auto first = plans_.find(spec.first), second = plans_.find(spec.second);
  if (first == plans_.end() || second == plans_.end()) {
    return error(ErrorId::E_MODEL_ARCH, "no such graphs to chain", spec.first + ", " + spec.second);
  }
  std::vector<PlanPair> lanes{
      {static_cast<CudaPlan*>(first->second.get()), static_cast<CudaPlan*>(second->second.get())}};
  for (const auto& plans : lanes_) lanes.emplace_back(plans.at(spec.first).get(), plans.at(spec.second).get());
  SPINERT_ASSIGN(auto chained, chain_plans(spec, *cuda_, limit_, lanes));
  memory_.io += chained->device_bytes();
  return chained;
}

Result<Plan*> EngineImpl::sized_plan(std::string_view graph, int64_t height, int64_t width) {
  const auto it = sizes_.find(std::string(graph));
  if (it == sizes_.end()) return error(ErrorId::E_USAGE, "the graph runs on one size only", std::string(graph));
  SPINERT_ASSIGN(HostPlan * plan, it->second.plan(height, width));
  return static_cast<Plan*>(plan);
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::optional<Shape> to_shape(const std::vector<uint64_t>& dims) {
  if (dims.size() > kMaxRank) return std::nullopt;
  Shape shape;
  for (const uint64_t dim : dims) {
    if (dim > static_cast<uint64_t>(kMaxElements)) return std::nullopt;
    shape[shape.rank++] = static_cast<int64_t>(dim);
  }
  return shape;
}

// Sets the capacity of counted inputs and infers all shapes again.
Status set_rows(Graph& graph, int64_t rows) {
  for (const int input : graph.inputs) {
    Value& value = graph.values[static_cast<size_t>(input)];
    if (value.type.count != kAbsent && value.type.shape.rank > 0) value.type.shape[0] = rows;
  }
  return graph.infer();
}

// Shortens the patch tables; see EngineOptions::crop_entries.
Status shorten_crop_tables(Graph& graph, int64_t entries) {
  for (Node& node : graph.nodes) {
    if (node.op->id != OpId::crop_resize) continue;
    std::vector<double>& table = static_cast<CropResizeParams*>(node.params.get())->table;
    table.resize(std::min(table.size(), static_cast<size_t>(entries) * 3));
  }
  return graph.infer();
}

Status EngineImpl::open(const std::string& path, const EngineOptions& options) {
  constexpr int kMostLanes = 8;
  if (options.lanes < 1 || options.lanes > kMostLanes) {
    return error(ErrorId::E_USAGE, "lanes out of range")
        .expected("1 to " + std::to_string(kMostLanes), std::to_string(options.lanes));
  }
  SPINERT_ASSIGN(const Device device, resolve_device(options));
  cuda_ = device.cuda;
  limit_ = device.limit;
  if (cuda_) device_.lanes = options.lanes;
  SPINERT_ASSIGN(file_, ModelFile::open(path));
  if (!options.model_sha256.empty()) {
    SPINERT_ASSIGN(const std::string hash, whole_file_sha256(file_->file()));
    if (hash != options.model_sha256) {
      return error(ErrorId::E_MODEL_HASH, "the model is not the pinned one", path)
          .expected("SHA-256 " + options.model_sha256, hash)
          .hint("Use the file that the hash was taken from, or pin the new hash.");
    }
  }
  if (device.precision == "int8") {
    const std::string named = options.calibration.empty() ? calibration_beside(path) : options.calibration;
    SPINERT_ASSIGN(calibration_, read_calibration(named, file_->data_sha256()));
    device_.calibration = {calibration_.sha256, calibration_.method, calibration_.slices};
  }
  SPINERT_TRY(plan_graphs(options, device).at(path));
  SPINERT_TRY(check_tensors().at(path));
  SPINERT_TRY(check_work().at(path));
  // Beside the loading, so that the first run does not share the cores with it. Where the system refuses a thread, the
  // hash is computed by the call that asks for it.
  constexpr auto kThreadIfPossible = std::launch::async | std::launch::deferred;
  file_hash_ = std::async(kThreadIfPossible, [this] { return whole_file_sha256(file_->file()); }).share();
  Status loaded = load(options);
  if (loaded.id() == ErrorId::E_OOM_DEVICE) {
    loaded.hint("The plan takes " + figures() + ". Lower " + to_lower() +
                ", free memory of the card, or use --device cpu.");
  }
  SPINERT_TRY(loaded.at(path));
  describe(device);
  return {};
}

Status EngineImpl::plan_graphs(const EngineOptions& options, const Device& device) {
  SPINERT_ASSIGN(const nlohmann::json graphs, parse_json(file_->graph(), ErrorId::E_MODEL_FORMAT, kKeyGraph));
  if (!graphs.is_object() || graphs.empty()) {
    return error(ErrorId::E_MODEL_FORMAT, "ST-21: the metadata holds no graph", kKeyGraph);
  }
  for (const auto& [name, text] : graphs.items()) {
    const std::string prefix = name + ".";
    const auto lookup = [&](const std::string& constant) -> std::optional<Shape> {
      const Weight* weight = file_->find(prefix + constant);
      return weight ? to_shape(weight->shape) : std::nullopt;
    };
    const auto read = [&]() -> Result<Graph> {
      SPINERT_ASSIGN(Graph graph, graph_from_json(name, text, lookup));
      const auto on_cuda = options.rows_on_cuda.find(name), rows = options.rows.find(name);
      if (device.cuda && on_cuda != options.rows_on_cuda.end()) {
        SPINERT_TRY(set_rows(graph, on_cuda->second));
      } else if (rows != options.rows.end()) {
        SPINERT_TRY(set_rows(graph, rows->second));
      }
      if (options.crop_entries > 0) SPINERT_TRY(shorten_crop_tables(graph, options.crop_entries));
      return graph;
    };
    SPINERT_ASSIGN(Graph graph, rewrite(read, options, device));
    SPINERT_ASSIGN(plans_[name], PlanImpl::create(std::move(graph), device, pool_));
  }
  return plan_sizes(options, device);
}

Status EngineImpl::plan_sizes(const EngineOptions& options, const Device& device) {
  for (const auto& [name, step] : options.size_steps) {
    if (device.cuda) {
      return error(ErrorId::E_DEVICE, "a card runs graphs on one size only", name)
          .hint("Use the fixed canvas, or --device cpu.");
    }
    const auto it = plans_.find(name);
    if (it == plans_.end()) return error(ErrorId::E_MODEL_ARCH, "the model has no such graph", name);
    if (step < 1) return error(ErrorId::E_USAGE, "step out of range").expected("at least 1", std::to_string(step));
    auto& whole = static_cast<HostPlan&>(*it->second);
    SPINERT_TRY(sizes_.try_emplace(name, whole, step, device, pool_).first->second.survey());
  }
  return {};
}

// The graph with all rewrites that the device has kernels for, in the precision where they pay. What a kernel takes
// depends on the shapes and types after all rewrites, so that a rewrite whose node nobody takes is left out in another
// attempt.
Result<Graph> EngineImpl::rewrite(const std::function<Result<Graph>()>& read, const EngineOptions& options,
                                  const Device& device) {
  constexpr OpId kOptional[] = {OpId::fpn_merge, OpId::rpn_head};
  std::set<OpId> left_out;
  for (;;) {
    SPINERT_ASSIGN(Graph graph, read());
    const auto name_of = [&](OpId op) { return graph.name + "." + op_info(op).name; };
    const auto wanted = [&](OpId op) {
      if (!options.fuse || left_out.contains(op)) return false;
      if (options.rewrites) return options.rewrites->contains(name_of(op));
      if (device.cuda) return device.precision == "mixed";  // in fp32 only slow rows take such nodes
      // fpn_merge does more work than Winograd; in int8 the head's convolutions are integer products.
      return op == OpId::rpn_head && device.backend == Backend::cpu && !calibration_.ranges.contains(graph.name);
    };
    if (options.fuse)
      SPINERT_TRY(fuse(graph, {.fpn_merge = wanted(OpId::fpn_merge), .rpn_head = wanted(OpId::rpn_head)}));
    if (device.precision == "mixed" && (device.cuda || !picks_by_score(graph))) {
      SPINERT_TRY(set_half_activations(graph, device.cuda ? DType::f16 : DType::bf16));
    }
    if (const auto codes = calibration_.ranges.find(graph.name); codes != calibration_.ranges.end()) {
      SPINERT_TRY(set_quantised_activations(graph, codes->second, calibration_.keep[graph.name]));
    }
    // On the cpu the plain loops take every node, but do not make up for the nodes that they replace.
    const Level least = device.backend == Backend::cpu && !options.rewrites ? Level::avx2 : Level::any;
    const auto refused = std::ranges::find_if(
        kOptional, [&](OpId op) { return wanted(op) && !PlanImpl::has_kernels(graph, op, device, least); });
    if (refused != std::end(kOptional)) {
      left_out.insert(*refused);
      continue;
    }
    for (const Node& node : graph.nodes) {
      if (std::ranges::find(kOptional, node.op->id) != std::end(kOptional))
        device_.rewrites.insert(name_of(node.op->id));
    }
    return graph;
  }
}

// Every stored tensor must be a constant of some graph: a tensor that nothing reads means a wrong file (ST-23).
Status EngineImpl::check_tensors() const {
  std::string unknown;
  int count = 0;
  constexpr int kListed = 20;
  for (const Weight& weight : file_->weights()) {
    const size_t dot = weight.name.find('.');
    const auto it = plans_.find(weight.name.substr(0, dot));
    const int number = dot == std::string::npos || it == plans_.end()
                           ? kAbsent
                           : it->second->graph().find_stored(weight.name.substr(dot + 1));
    if (number != kAbsent) continue;
    if (++count <= kListed) unknown += (count > 1 ? ", " : "") + printable(weight.name);
  }
  if (count == 0) return {};
  return error(ErrorId::E_MODEL_ARCH, "ST-23: " + std::to_string(count) + " tensors that no graph reads: " + unknown)
      .hint("Convert the model again.");
}

// Time is held against a table: a graph of a hundred lines can ask for days. The demo model plans 0.3 TFLOP for its
// detector and 33 for its classifier at the largest --batch; a hundred take minutes on two cores.
Status EngineImpl::check_work() const {
  constexpr double kMostTflop = 100;
  for (const auto& [name, plan] : plans_) {
    double tflop = 0;
    for (const NodeInfo& node : plan->nodes()) tflop += node.flops * 1e-12;
    if (tflop <= kMostTflop) continue;
    return error(ErrorId::E_MODEL_ARCH, "one run of the graph is more work than any diagnosis needs", "graph " + name)
        .expected("at most " + number(kMostTflop) + " TFLOP", number(tflop))
        .hint("Lower --batch, or convert the model again: its sizes are wrong.");
  }
  return {};
}

// A plan is held against the limit of the caller, or against what the machine or card has: a graph of a few lines can
// ask for terabytes.
Status EngineImpl::check_memory(const EngineOptions& options) const {
  const bool own_limit = options.memory_limit > 0;
  const int64_t there = cuda_ ? cuda_->card().memory_bytes : usable_memory();
  const int64_t limit = own_limit ? options.memory_limit : there;
  if (memory_.total() <= limit) return {};
  return error(cuda_ ? ErrorId::E_OOM_DEVICE : ErrorId::E_OOM_HOST,
               own_limit ? "the plan exceeds the memory limit"
               : cuda_   ? "the plan needs more memory than the card has"
                         : "the plan needs more memory than this process may use")
      .expected("at most " + std::to_string(limit) + " bytes", figures())
      .hint(own_limit ? "Raise --memory-limit or lower " + to_lower() + "."
                      : "Lower " + to_lower() + " or use a larger machine.");
}

std::string EngineImpl::figures() const {
  return std::to_string(memory_.total()) + " bytes (weights " + std::to_string(memory_.weights) + ", activations " +
         std::to_string(memory_.arena) + ")";
}

Status EngineImpl::load(const EngineOptions& options) {
  std::map<std::string, PlanImpl*> plans;
  for (auto& [name, plan] : plans_) {
    plans[name] = plan.get();
    memory_.arena = std::max(memory_.arena, plan->arena_size().bytes);
    memory_.live_peak = std::max(memory_.live_peak, plan->arena_size().live_peak);
    memory_.io += plan->io().total;
    memory_.scratch = std::max(memory_.scratch, plan->scratch_bytes());
  }
  for (const auto& [name, sizes] : sizes_) {
    memory_.arena = std::max(memory_.arena, sizes.arena_bytes());
    memory_.scratch = std::max(memory_.scratch, sizes.scratch_bytes());
  }
  const int64_t lane_arena = memory_.arena, lane_scratch = memory_.scratch;
  for (int64_t* part : {&memory_.arena, &memory_.live_peak, &memory_.io, &memory_.scratch}) *part *= device_.lanes;
  weights_ = std::make_unique<WeightLoader>(plans, cuda_.get());
  memory_.weights = weights_->bytes();
  if (cuda_) memory_.device = cuda_->card().memory_bytes;
  SPINERT_TRY(check_memory(options));
  void *arena = nullptr, *scratch = nullptr;
  if (cuda_) {
    SPINERT_ASSIGN(arena, cuda_->allocate(lane_arena));
    SPINERT_ASSIGN(scratch, cuda_->allocate(lane_scratch));
  } else {
    SPINERT_ASSIGN(arena_, AlignedBuffer::allocate(lane_arena));
    SPINERT_ASSIGN(scratch_, AlignedBuffer::allocate(lane_scratch));
    arena = arena_.data();
    scratch = scratch_.data();
  }
  SPINERT_TRY(weights_->load(*file_, pool_));
  // What the system gave for the weights tells what it can give for activations, which are not touched before they run.
  if (weights_->large_pages()) arena_.prefer_large_pages();
  for (auto& [name, plan] : plans_) SPINERT_TRY(plan->bind(arena, scratch));
  for (int lane = 1; lane < device_.lanes; ++lane) {
    SPINERT_ASSIGN(arena, cuda_->allocate(lane_arena));
    SPINERT_ASSIGN(scratch, cuda_->allocate(lane_scratch));
    auto& twins = lanes_.emplace_back();
    for (auto& [name, plan] : plans_) {
      twins[name] = static_cast<CudaPlan&>(*plan).twin();
      SPINERT_TRY(twins[name]->bind(arena, scratch));
    }
  }
  return {};
}

void EngineImpl::describe(const Device& device) {
  info_.path = file_->file().path();
  info_.file_bytes = static_cast<int64_t>(file_->file().size());
  info_.metadata = file_->header().metadata;
  for (const TensorInfo& tensor : file_->header().tensors) {
    info_.tensors.push_back({tensor.name, std::string(storage_name(tensor.type)),
                             to_shape(tensor.shape).value_or(Shape{}), static_cast<int64_t>(tensor.bytes())});
  }
  std::set<Level> levels;
  for (auto& [name, plan] : plans_) {
    for (const PlannedNode& node : plan->planned()) levels.insert(node.kernel->level);
  }
  for (const Level level : levels) device_.isa += (device_.isa.empty() ? "" : " ") + std::string(level_name(level));
  device_.name = cuda_ ? cuda_->card().name : backend_name(device.backend);
  device_.cuda = cuda_ != nullptr;
  device_.precision = device.precision;
  device_.fallback = device.fallback;
  device_.fallback_reason = device.fallback_reason;
  device_.threads = pool_.size();
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(const std::string& path, const EngineOptions& options) {
  const int threads = options.device == "reference" ? 1 : options.threads > 0 ? options.threads : usable_threads();
  auto engine = std::make_unique<EngineImpl>(threads);
  SPINERT_TRY(engine->open(path, options));
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace spinert
