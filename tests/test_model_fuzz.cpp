// Hostile models with right hashes: seeded mutations of the graph and config of the reduced model, and of its tensor
// shapes, so that the graph reader, inference, rewrites, planner, weight loader and kernels see what no converter
// writes. Every outcome is a clean run or one of the errors of a model; never a crash, a hang or much memory.
//
// SPINERT_FUZZ_SECONDS lengthens the loop (default 4), SPINERT_FUZZ_SEED starts it elsewhere.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "config/json.h"
#include "diagnosis/pipeline.h"
#include "tests/ops/op_case.h"
#include "tests/support/files.h"
#include "tests/support/reduced_model.h"
#include "weights/model_file.h"

namespace spinert {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int64_t kMemoryLimit = int64_t{128} << 20;  // of the engine; the process stays below 1 GiB
constexpr long kMaxResidentKilobytes = 1 << 20;
constexpr double kMaxFlops = 3e8;  // a plan above this is opened but not run: it would only be slow

// Random choices of one round.
class Dice {
 public:
  explicit Dice(uint64_t seed) : seed_(seed) {}
  uint64_t below(uint64_t n) { return cases::random_bits(seed_, next_++) % n; }
  template <class List>
  const auto& pick(const List& list) {
    return list[below(std::size(list))];
  }

 private:
  uint64_t seed_, next_ = 0;
};

struct Model {
  std::map<std::string, std::string> metadata;
  std::vector<TensorInfo> table;
  std::vector<std::vector<float>> values;  // by entry of the table; F32 only
};

Model load_reduced(const std::string& folder) {
  Model model;
  const auto path = reduced::make(folder);
  EXPECT_TRUE(path.ok()) << path.status().to_string();
  const auto file = ModelFile::open(path.value());
  EXPECT_TRUE(file.ok()) << file.status().to_string();
  model.metadata = file.value().header().metadata;
  ThreadPool pool(1);
  WeightStream stream(file.value(), pool);
  for (const Weight& weight : file.value().weights()) {
    model.table.push_back(file.value().header().tensors[weight.tensor]);
    model.values.emplace_back(weight.elements);
    const Status status = stream.read_f32(weight, model.values.back());
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  return model;
}

// Every place in a JSON tree, so that a mutation can hit any of them.
void collect(json& node, std::vector<json*>& out) {
  out.push_back(&node);
  for (json& child : node) {
    if (child.is_structured() || node.is_structured()) collect(child, out);
  }
}

json hostile_number(Dice& dice) {
  static const json kNumbers[] = {0,
                                  1,
                                  -1,
                                  2,
                                  3,
                                  5,
                                  7,
                                  8,
                                  16,
                                  31,
                                  63,
                                  64,
                                  65,
                                  100,
                                  127,
                                  128,
                                  129,
                                  255,
                                  256,
                                  1024,
                                  4096,
                                  4097,
                                  65535,
                                  1 << 24,
                                  (1 << 24) + 1,
                                  int64_t{1} << 31,
                                  int64_t{1} << 40,
                                  std::numeric_limits<int64_t>::max(),
                                  std::numeric_limits<int64_t>::min(),
                                  std::numeric_limits<uint64_t>::max(),
                                  0.5,
                                  -0.5,
                                  1e-30,
                                  1e30,
                                  1e300,
                                  -1e300};
  return dice.pick(kNumbers);
}

// A name that is already in the graph: inputs, outputs and constants get mixed up.
std::string some_name(json& graph, Dice& dice) {
  std::vector<std::string> names = {"", "w", "canvas", "count"};
  for (const json& input : graph["inputs"]) {
    if (input.is_object() && input.value("name", json()).is_string()) names.push_back(input["name"]);
  }
  for (const json& node : graph["nodes"]) {
    if (!node.is_object()) continue;
    for (const char* list : {"inputs", "outputs"}) {
      if (!node.contains(list) || !node[list].is_array()) continue;
      for (const json& name : node[list]) {
        if (name.is_string()) names.push_back(name);
      }
    }
  }
  return dice.pick(names);
}

bool is_graph(const json& graph) {
  return graph.is_object() && graph.contains("inputs") && graph["inputs"].is_array() && graph.contains("nodes") &&
         graph["nodes"].is_array() && graph.contains("outputs") && graph["outputs"].is_array();
}

// A change that knows what a graph is: most of them pass the reader and go on to inference and kernels.
void mutate_graph(json& graph, Dice& dice) {
  if (!is_graph(graph) || graph["nodes"].empty()) return;
  json& nodes = graph["nodes"];
  json& node = nodes[dice.below(nodes.size())];
  if (!node.is_object() || !node.contains("inputs") || !node["inputs"].is_array() || !node.contains("attributes")) {
    return;
  }
  static constexpr const char* kOps[] = {"conv2d",
                                         "conv2d_stem",
                                         "linear",
                                         "normalise",
                                         "relu",
                                         "sigmoid",
                                         "add",
                                         "softmax",
                                         "max_pool2d",
                                         "global_average_pool",
                                         "upsample_nearest2d",
                                         "anchors",
                                         "topk",
                                         "box_decode",
                                         "nms",
                                         "count_above",
                                         "roi_align",
                                         "place",
                                         "crop_resize",
                                         "fpn_merge",
                                         "rpn_head"};
  switch (dice.below(11)) {
    case 0:  // another attribute value
      if (json& a = node["attributes"]; a.is_object() && !a.empty()) {
        auto it = a.begin();
        std::advance(it, static_cast<int>(dice.below(a.size())));
        if (it->is_array() && !it->empty()) {
          (*it)[dice.below(it->size())] = hostile_number(dice);
        } else if (it->is_boolean()) {
          *it = !it->get<bool>();
        } else {
          *it = hostile_number(dice);
        }
      }
      break;
    case 1:  // read something else
      if (!node["inputs"].empty()) node["inputs"][dice.below(node["inputs"].size())] = some_name(graph, dice);
      break;
    case 2: node["op"] = dice.pick(kOps); break;
    case 3:
      if (dice.below(8) == 0) nodes.erase(dice.below(nodes.size()));
      break;
    case 4: std::swap(nodes[dice.below(nodes.size())], nodes[dice.below(nodes.size())]); break;
    case 5: graph["outputs"].push_back(some_name(graph, dice)); break;
    case 6:  // another extent of an input
      if (json& input = graph["inputs"][dice.below(std::max<size_t>(1, graph["inputs"].size()))];
          input.is_object() && input.contains("shape") && input["shape"].is_array() && !input["shape"].empty()) {
        input["shape"][dice.below(input["shape"].size())] = hostile_number(dice);
      }
      break;
    case 7:  // a new node over existing values
      nodes.insert(nodes.begin() + static_cast<std::ptrdiff_t>(dice.below(nodes.size() + 1)),
                   json{{"name", "new"},
                        {"op", dice.pick(kOps)},
                        {"inputs", {some_name(graph, dice), some_name(graph, dice)}},
                        {"outputs", {"new"}},
                        {"attributes", json::object()}});
      break;
    case 8:  // an input becomes a constant's name, or loses or gains a count
      if (json& input = graph["inputs"][dice.below(std::max<size_t>(1, graph["inputs"].size()))]; input.is_object()) {
        if (dice.below(2) == 0) {
          input["count"] = some_name(graph, dice);
        } else {
          input.erase("count");
        }
      }
      break;
    case 9:  // a sum behind a node, as the rewrites look for
      nodes.push_back(json{{"name", "sum"},
                           {"op", dice.below(2) == 0 ? "add" : "upsample_nearest2d"},
                           {"inputs", {node["name"], some_name(graph, dice)}},
                           {"outputs", {"sum"}},
                           {"attributes", json::object()}});
      break;
    default: graph["outputs"] = json::array({some_name(graph, dice)}); break;
  }
}

// A change anywhere in the tree, of any type.
void mutate_anything(json& root, Dice& dice) {
  std::vector<json*> places;
  collect(root, places);
  json& place = *places[dice.below(places.size())];
  switch (dice.below(5)) {
    case 0: place = hostile_number(dice); break;
    case 1: place = nullptr; break;
    case 2: place = json::object(); break;
    case 3: place = std::string(dice.below(300), 'a'); break;
    default:
      if (place.is_array() && !place.empty()) {
        place.push_back(json(place[dice.below(place.size())]));
      } else if (place.is_number()) {
        place = hostile_number(dice);
      }
      break;
  }
}

// Another shape of the same number of elements, a constant that becomes an input, a tensor more that bears the name of
// something else.
void mutate_tensor(Model& model, json& graphs, Dice& dice) {
  const size_t index = dice.below(model.table.size());
  TensorInfo& tensor = model.table[index];
  const size_t dot = tensor.name.find('.');
  const std::string graph_name = tensor.name.substr(0, dot);
  json& graph = graphs[graph_name];
  switch (dice.below(5)) {
    case 0: std::reverse(tensor.shape.begin(), tensor.shape.end()); break;
    case 1: tensor.shape = {1, 1, 1, tensor.elements}; break;
    case 2: tensor.shape.insert(tensor.shape.begin(), 1); break;
    case 3:
      if (!is_graph(graph)) break;
      graph["inputs"].push_back({{"name", tensor.name.substr(dot + 1)}, {"dtype", "f32"}, {"shape", tensor.shape}});
      model.table.erase(model.table.begin() + static_cast<std::ptrdiff_t>(index));
      model.values.erase(model.values.begin() + static_cast<std::ptrdiff_t>(index));
      break;
    default: {
      const std::string value = is_graph(graph) ? some_name(graph, dice) : "";
      TensorInfo more = tensor;
      more.name = graph_name + "." + value + (dice.below(2) == 0 ? ".stem_weight" : ".stem_border");
      std::vector<float> copy = model.values[index];
      model.table.push_back(std::move(more));
      model.values.push_back(std::move(copy));
      break;
    }
  }
}

Status write(const Model& model, const std::string& path) {
  std::vector<TensorData> data;
  for (size_t i = 0; i < model.table.size(); ++i) {
    data.push_back(
        {model.table[i].name, StorageType::F32, model.table[i].shape, std::as_bytes(std::span(model.values[i]))});
  }
  return write_model(path, model.metadata, data, AtomicFile::Existing::replace);
}

// Opens and runs; returns the error of opening. Counts in `ran` plans that ran.
Status exercise(const std::string& path, Dice& dice, int& ran) {
  static constexpr const char* kDevices[] = {"cpu", "cpu", "reference"};
  static constexpr const char* kIsas[] = {"", "scalar"};
  EngineOptions options{.device = dice.pick(kDevices), .memory_limit = kMemoryLimit};
  options.threads = static_cast<int>(1 + dice.below(2));
  options.fuse = dice.below(4) != 0;
  if (options.device == "cpu") options.isa = dice.pick(kIsas);
  if (dice.below(3) == 0) {
    auto pipeline = Pipeline::open({.model = path, .engine = options});
    if (!pipeline.ok()) return pipeline.status();
    double flops = 0;
    for (const std::string& name : pipeline.value()->engine().graphs()) {
      for (const NodeInfo& node : pipeline.value()->engine().plan(name)->nodes()) flops += node.flops;
    }
    if (flops > kMaxFlops) return {};
    ++ran;
    const SliceResult slice = pipeline.value()->diagnose(reduced::picture(90, 140, 3), "slice");
    EXPECT_TRUE(slice.status == "completed" || slice.error != ErrorId::OK);
    return {};
  }
  auto engine = Engine::open(path, options);
  if (!engine.ok()) return engine.status();
  for (const std::string& name : engine.value()->graphs()) {
    Plan& plan = *engine.value()->plan(name);
    double flops = 0;
    for (const NodeInfo& node : plan.nodes()) flops += node.flops;
    if (flops > kMaxFlops) continue;
    // Inputs keep their zeros, but counts lie.
    for (const char* input : {"canvas", "boxes", "count"}) {
      const Tensor tensor = plan.tensor(input);
      if (!tensor.data || tensor.elements() == 0) continue;
      if (tensor.dtype == DType::i32) tensor.i32()[0] = static_cast<int32_t>(dice.below(3) * 1000000) - 1;
      if (tensor.dtype == DType::f32) tensor.f32()[0] = 1e30f;
    }
    ++ran;
    EXPECT_TRUE(plan.run().ok());
    for (const NodeInfo& node : plan.nodes()) {
      for (const std::string& output : node.outputs) {
        const Tensor value = plan.value(output);
        EXPECT_TRUE(value.data || value.bytes() == 0) << output;
        EXPECT_LE(value.rows(), value.shape.rank == 0 ? 1 : value.shape[0]);
      }
    }
  }
  return {};
}

bool is_model_error(ErrorId id) {
  switch (id) {
    case ErrorId::E_MODEL_FORMAT:
    case ErrorId::E_MODEL_ARCH:
    case ErrorId::E_MODEL_VALUE:
    case ErrorId::E_CONFIG:
    case ErrorId::E_OOM_HOST: return true;
    default: return false;
  }
}

double setting(const char* name, double fallback) {
  const char* text = std::getenv(name);
  return text ? std::strtod(text, nullptr) : fallback;
}

TEST(ModelFuzz, HashValidMutationsRunOrAreRefused) {
  const TempDir folder;
  const Model original = load_reduced(folder.file("reduced"));
  const auto end = Clock::now() + std::chrono::duration<double>(setting("SPINERT_FUZZ_SECONDS", 4));
  const auto first = static_cast<uint64_t>(setting("SPINERT_FUZZ_SEED", 1));
  std::map<std::string, int> outcomes;
  int ran = 0;
  uint64_t seed = first;
  for (; Clock::now() < end; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    Model model = original;
    JsonProblem problem;
    json graphs = *parse_json(model.metadata[kKeyGraph], {}, problem);
    const uint64_t changes = dice.below(4) == 0 ? 3 : 1;
    for (uint64_t c = 0; c < changes; ++c) {
      const uint64_t kind = dice.below(20);
      if (kind < 13) {
        mutate_graph(graphs[dice.below(2) == 0 ? "detector" : "classifier"], dice);
      } else if (kind < 15) {
        mutate_anything(graphs, dice);
      } else if (kind < 16) {
        json config = *parse_json(model.metadata[kKeyConfig], {}, problem);
        mutate_anything(config, dice);
        model.metadata[kKeyConfig] = config.dump();
      } else {
        mutate_tensor(model, graphs, dice);
      }
      if (!graphs.is_object()) break;
    }
    model.metadata[kKeyGraph] = graphs.dump();
    const std::string path = folder.file("model");
    if (!write(model, path).ok()) continue;  // two tensors of one name
    const auto begin = Clock::now();
    const Status status = exercise(path, dice, ran);
    EXPECT_LT(std::chrono::duration<double>(Clock::now() - begin).count(), 20) << "a hang";
    EXPECT_TRUE(status.ok() || is_model_error(status.id())) << status.to_string();
    EXPECT_EQ(status.to_string().find('\n'), std::string::npos) << status.to_string();
    ++outcomes[std::string(error_name(status.id()))];
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, kMaxResidentKilobytes);
  for (const auto& [name, count] : outcomes) std::printf("%s %d\n", name.c_str(), count);
  std::printf("seeds %llu to %llu, %d plans ran, peak %ld MB\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(seed), ran, usage.ru_maxrss / 1024);
  // A fuzzer whose models are all refused at the door proves nothing.
  EXPECT_GT(outcomes["OK"], 0);
  EXPECT_GT(ran, 0);
}

}  // namespace
}  // namespace spinert
