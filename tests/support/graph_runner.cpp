#include "tests/support/graph_runner.h"

#include "config/json.h"

namespace spinert {

Result<Graph> stored_graph(const ModelFile& model, const std::string& name) {
  SPINERT_ASSIGN(const nlohmann::json graphs, parse_json(model.graph(), ErrorId::E_MODEL_FORMAT, kKeyGraph));
  const auto lookup = [&](const std::string& constant) -> std::optional<Shape> {
    const Weight* weight = model.find(name + "." + constant);
    if (!weight) return std::nullopt;
    Shape shape;
    for (const uint64_t extent : weight->shape) shape[shape.rank++] = static_cast<int64_t>(extent);
    return shape;
  };
  return graph_from_json(name, graphs.at(name), lookup);
}

Result<GraphRunner> GraphRunner::create(const ModelFile& model, Graph graph) {
  GraphRunner runner;
  runner.graph_ = std::move(graph);
  for (const Value& value : runner.graph_.values) {
    runner.memory_.emplace_back(value.type.dtype, value.type.shape);
    runner.values_.push_back(runner.memory_.back().view());
  }
  for (size_t v = 0; v < runner.values_.size(); ++v) {
    const TensorType& type = runner.graph_.values[v].type;
    if (type.count == kAbsent) continue;
    runner.values_[v].count = runner.values_[static_cast<size_t>(type.count)].i32();
    runner.values_[v].count_scale = type.count_scale;
  }
  ThreadPool alone(1);
  WeightStream stream(model, alone);
  const std::string prefix = runner.graph_.name + ".";
  for (const Weight& weight : model.weights()) {
    if (!weight.name.starts_with(prefix)) continue;
    const int number = runner.graph_.find_stored(weight.name.substr(prefix.size()));
    if (number == kAbsent) return error(ErrorId::E_MODEL_ARCH, "the graph lacks a stored constant", weight.name);
    float* data = runner.values_[static_cast<size_t>(number)].f32();
    SPINERT_TRY(stream.read_f32(weight, {data, static_cast<size_t>(weight.elements)}));
  }
  for (const DerivedConstant& derived : runner.graph_.derived) {
    std::vector<Tensor> sources, results;
    for (const int number : derived.sources) sources.push_back(runner.values_[static_cast<size_t>(number)]);
    for (const int number : derived.results) results.push_back(runner.values_[static_cast<size_t>(number)]);
    derived.compute(sources, results);
  }
  return runner;
}

Tensor GraphRunner::value(std::string_view name) const {
  const int number = graph_.find(name);
  return number == kAbsent ? Tensor{} : values_[static_cast<size_t>(number)];
}

Status GraphRunner::run() {
  for (const Node& node : graph_.nodes) {
    std::vector<Tensor> in, out;
    for (const int i : node.in) in.push_back(i == kAbsent ? Tensor{} : values_[static_cast<size_t>(i)]);
    for (const int o : node.out) out.push_back(values_[static_cast<size_t>(o)]);
    const OpCall call{node.params.get(), in, out};
    const KernelInfo* kernel = choose_kernel(node.op->id, Backend::reference, Level::any, call);
    if (!kernel) return error(ErrorId::E_DEVICE, "no reference kernel", node.name);
    kernel->kernel->run(call, {});
  }
  return {};
}

}  // namespace spinert
