// The graph in its JSON form: every malformed or misfit text is refused with its error and nothing else happens; the
// graphs of all architectures survive writing and reading; and models whose hashes are right but whose graphs lie are
// refused when they are opened.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/json.h"
#include "converter/architectures/architectures.h"
#include "runtime/engine.h"
#include "tests/support/files.h"
#include "tests/support/graph_model.h"
#include "tests/support/reduced_model.h"

namespace spinert {
namespace {

constexpr ErrorId kFormat = ErrorId::E_MODEL_FORMAT, kArch = ErrorId::E_MODEL_ARCH;

std::optional<Shape> constants(const std::string& name) {
  if (name == "w") return Shape{3, 3, 1, 4};
  if (name == "b") return Shape{4};
  if (name == "long") return Shape{1, 1, int64_t{1} << 22, 1};
  if (name == "none") return Shape{3, 3, 1, 0};
  return std::nullopt;
}

Result<Graph> read(const std::string& text, const std::string& name = "g") {
  JsonProblem problem;
  const auto json = parse_json(text, {}, problem);
  if (!json) return error(ErrorId::E_INTERNAL, "the test's JSON is broken: " + problem.what, text);
  return graph_from_json(name, *json, constants);
}

constexpr const char* kGood =
    R"({"inputs":[{"name":"n","dtype":"i32","shape":[1]},{"name":"x","dtype":"f32","shape":[2,8,8,1],"count":"n"}],
"nodes":[{"name":"c","op":"conv2d","inputs":["x","w","b"],"outputs":["c"],"attributes":{"padding":1}},
{"name":"r","op":"relu","inputs":["c"],"outputs":["r"],"attributes":{}}],"outputs":["r"]})";

// kGood with one part replaced.
struct Change {
  const char *from, *to;
  ErrorId id;
  const char* message;  // part of it
};

const Change kChanges[] = {
    {R"("outputs":["r"]})", R"("outputs":["r"],"more":1})", kFormat, "exactly inputs, nodes and outputs"},
    {R"("outputs":["r"]})", R"("outputs":{}})", kFormat, "exactly"},
    {R"("inputs":[{"name":"n","dtype":"i32","shape":[1]},)", R"("inputs":[7,)", kFormat, "an input needs"},
    {R"({"name":"n",)", R"({)", kFormat, "an input needs"},
    {R"({"name":"n",)", R"({"name":"",)", kFormat, "an input needs"},
    {R"({"name":"n",)", R"({"name":"n\n",)", kFormat, "an input needs"},
    {R"({"name":"n",)", R"({"name":"n","size":1,)", kFormat, "unknown key size"},
    {R"("i32")", R"("i64")", kFormat, "dtype"},
    {R"("i32")", R"(32)", kFormat, "dtype"},
    {"[2,8,8,1]", "[2,8,8,1,1,1]", kFormat, "at most 5 extents"},
    {"[2,8,8,1]", "[2,-8,8,1]", kFormat, "extent"},
    {"[2,8,8,1]", "[2,8.0,8,1]", kFormat, "extent"},
    {"[2,8,8,1]", "[2,8,16777217,1]", kFormat, "extent"},
    {"[2,8,8,1]", "[2,8,18446744073709551615,1]", kFormat, "extent"},
    {"[2,8,8,1]", "[2,16777216,16777216,1]", kArch, "too large"},
    {"[2,8,8,1]", "[16777216,16777216,16777216,16777216]", kArch, "too large"},
    {R"("dtype":"f32","shape":[2,8,8,1])", R"("dtype":"i32","shape":[2,8,8,1])", kArch, "f32"},
    {R"("name":"x")", R"("name":"n")", kArch, "defined twice"},
    {R"("count":"n")", R"("count":"x")", kArch, "count of input x"},
    {R"("count":"n")", R"("count":"m")", kArch, "count of input x"},
    {R"("count":"n")", R"("count":1)", kArch, "count of input x"},
    {R"("shape":[1]})", R"("shape":[2]})", kArch, "count of input x"},
    {R"("shape":[1]})", R"("shape":[1],"count":"n"})", kArch, "count of input n"},
    {R"("nodes":[)", R"("nodes":[null,)", kFormat, "a node needs"},
    {R"("op":"conv2d",)", R"()", kFormat, "a node needs"},
    {R"("op":"conv2d",)", R"("op":"conv2d","op2":"",)", kFormat, "a node needs"},
    {R"("op":"conv2d")", R"("op":"conv3d")", kArch, "unknown operator conv3d"},
    {R"("op":"conv2d")", R"("op":"")", kArch, "unknown operator"},
    {R"("outputs":["c"])", R"("outputs":[])", kFormat, "a node needs"},
    {R"("outputs":["c"])", R"("outputs":[""])", kFormat, "output that is no name"},
    {R"("outputs":["c"])", R"("outputs":["c","d"])", kArch, "1 output"},
    {R"("outputs":["c"])", R"("outputs":["c","c"])", kArch, "defined twice"},
    {R"("outputs":["c"])", R"("outputs":["x"])", kArch, "defined twice"},
    {R"("outputs":["c"])", R"("outputs":["w"])", kArch, "defined twice"},
    {R"("outputs":["c"])", R"("outputs":["d"])", kArch, "named after its first output"},
    {R"(["x","w","b"])", R"(["x","w",5])", kFormat, "input that is no name"},
    {R"(["x","w","b"])", R"(["x"])", kArch, "2 to 4 inputs"},
    {R"(["x","w","b"])", R"(["x","w","b","","x"])", kArch, "2 to 4 inputs"},
    {R"(["x","w","b"])", R"(["","w","b"])", kArch, "rank 4"},
    {R"(["x","w","b"])", R"(["x","","b"])", kArch, "rank 4"},
    {R"(["x","w","b"])", R"(["x","v","b"])", kArch, "reads v"},
    {R"(["x","w","b"])", R"(["x","r","b"])", kArch, "reads r"},
    {R"(["x","w","b"])", R"(["x","c","b"])", kArch, "reads c"},
    {R"(["x","w","b"])", R"(["x","none","b"])", kArch, "no elements"},
    {R"(["x","w","b"])", R"(["x","x","b"])", kArch, "a weight must be a constant"},
    {R"(["x","w","b"])", R"(["w","x","b"])", kArch, "a weight must be a constant"},
    {R"(["x","w","b"])", R"(["x","w","n"])", kArch, "f32"},
    {R"(["x","w","b"])", R"(["x","w","w"])", kArch, "bias"},
    {R"("padding":1)", R"("pading":1)", kArch, "unknown attribute pading"},
    {R"("padding":1)", R"("padding":1.0)", kArch, "wrong type"},
    {R"("padding":1)", R"("padding":"1")", kArch, "wrong type"},
    {R"("padding":1)", R"("padding":-1)", kArch, "out of range"},
    {R"("padding":1)", R"("padding":18446744073709551615)", kArch, "wrong type"},
    {R"("padding":1)", R"("padding":9223372036854775807)", kArch, "out of range"},
    {R"("padding":1)", R"("stride":0)", kArch, "out of range"},
    {R"("padding":1)", R"("dilation":9223372036854775807)", kArch, "out of range"},
    {R"("padding":1)", R"("groups":3)", kArch, "channels"},
    {R"("padding":1)", R"("groups":0)", kArch, "out of range"},
    {R"("padding":1)", R"("activation":"gelu")", kArch, "out of range"},
    {R"("padding":1)", R"("residual_upsample":3)", kArch, "out of range"},
    {R"("attributes":{}}])", R"("attributes":{"max":7}}])", kArch, "max 0 or 6"},
    {R"("attributes":{}}])", R"("attributes":[]}])", kFormat, "a node needs"},
    {R"("outputs":["r"]})", R"("outputs":["x"]})", kArch, "not computed"},
    {R"("outputs":["r"]})", R"("outputs":["w"]})", kArch, "not computed"},
    {R"("outputs":["r"]})", R"("outputs":["z"]})", kArch, "not computed"},
    {R"("outputs":["r"]})", R"("outputs":[1]})", kArch, "not computed"},
};

TEST(GraphJson, RefusesEveryChange) {
  ASSERT_TRUE(read(kGood).ok()) << read(kGood).status().to_string();
  for (const Change& change : kChanges) {
    std::string text = kGood;
    const size_t at = text.rfind(change.from);
    ASSERT_NE(at, std::string::npos) << change.from;
    text.replace(at, std::string(change.from).size(), change.to);
    const auto graph = read(text);
    ASSERT_FALSE(graph.ok()) << change.to;
    EXPECT_EQ(graph.status().id(), change.id) << change.to << ": " << graph.status().to_string();
    EXPECT_NE(graph.status().to_string().find(change.message), std::string::npos)
        << change.to << ": " << graph.status().to_string();
  }
}

// One node after the inputs: operators whose own checks meet extreme numbers.
struct OneNode {
  const char *inputs, *node;
};

TEST(GraphJson, RefusesExtremeNumbersOfOperators) {
  const OneNode rows[] = {
      // 2^64 elements go in, 2^30 come out: the input's size must be checked, not only the output's.
      {R"({"name":"x","dtype":"f32","shape":[1,2097152,2097152,4194304]})",
       R"("op":"conv2d","inputs":["x","long"],"outputs":["y"],"attributes":{"stride":64})"},
      {R"({"name":"x","dtype":"f32","shape":[1,16777216,16777216,0]})",
       R"("op":"anchors","inputs":["x","x"],"outputs":["y"],"attributes":{"sizes":[8]})"},
      {R"({"name":"x","dtype":"f32","shape":[3,4]},{"name":"f","dtype":"f32","shape":[1,8,8,2]})",
       R"("op":"roi_align","inputs":["x","f"],"outputs":["y"],"attributes":{"min_level":-9223372036854775808})"},
      {R"({"name":"x","dtype":"f32","shape":[3,4]},{"name":"f","dtype":"f32","shape":[1,8,8,2]})",
       R"("op":"roi_align","inputs":["x","f"],"outputs":["y"],"attributes":{"canonical_level":-9223372036854775808})"},
      {R"({"name":"x","dtype":"f32","shape":[1,8,8,2]})",
       R"("op":"max_pool2d","inputs":["x"],"outputs":["y"],"attributes":{"padding":9223372036854775807})"},
      {R"({"name":"x","dtype":"f32","shape":[1,8,8,2]})",
       R"("op":"topk","inputs":["x"],"outputs":["y","s","n","i"],"attributes":{"k":9223372036854775807})"},
      {R"({"name":"x","dtype":"f32","shape":[1,8,8,1]})",
       R"("op":"place","inputs":["x"],"outputs":["y"],"attributes":{"size":-9223372036854775808})"},
  };
  for (const OneNode& row : rows) {
    const auto graph = read(std::string(R"({"inputs":[)") + row.inputs + R"(],"nodes":[{"name":"y",)" + row.node +
                            R"(}],"outputs":["y"]})");
    ASSERT_FALSE(graph.ok()) << row.node;
    EXPECT_EQ(graph.status().id(), kArch) << graph.status().to_string();
  }
}

// Patches of patches of patches, none at all: 64 to the power of the depth is no row count.
TEST(GraphJson, RefusesAChainThatMultipliesRowsBeyond64Bits) {
  std::string table = "1,0,0";
  for (int i = 1; i < 64; ++i) table += ",1,0,0";
  std::string nodes;
  for (int i = 0; i < 12; ++i) {
    const std::string boxes = i == 0 ? "b0" : "f" + std::to_string(i), n = std::to_string(i + 1);
    nodes += (i == 0 ? "" : ",") + (R"({"name":"p)" + n + R"(","op":"crop_resize","inputs":["x",")") + boxes +
             R"("],"outputs":["p)" + n + R"("],"attributes":{"size":2,"table":[)" + table + "]}}" + R"(,{"name":"f)" +
             n + R"(","op":"linear","inputs":["p)" + n + R"(","m"],"outputs":["f)" + n + R"("],"attributes":{}})";
  }
  const std::string text =
      R"({"inputs":[{"name":"n","dtype":"i32","shape":[1]},{"name":"b0","dtype":"f32","shape":[0,4],"count":"n"},
{"name":"x","dtype":"f32","shape":[1,8,8,1]}],"nodes":[)" +
      nodes + R"(],"outputs":["f12"]})";
  JsonProblem problem;
  const auto json = parse_json(text, {}, problem);
  ASSERT_TRUE(json) << problem.what;
  const auto graph = graph_from_json("g", *json, [](const std::string& name) -> std::optional<Shape> {
    return name == "m" ? std::optional<Shape>(Shape{4, 4}) : std::nullopt;
  });
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().id(), kArch) << graph.status().to_string();
}

TEST(GraphJson, RefusesNamesOfGraphs) {
  for (const char* name : {"", "a.b", ".", "a\nb"}) {
    const auto graph = read(kGood, name);
    ASSERT_FALSE(graph.ok()) << name;
    EXPECT_EQ(graph.status().id(), kFormat);
  }
}

// A chain long enough that anything with the square of its length would be felt.
TEST(GraphJson, ReadsTheLargestGraphAndRefusesALargerOne) {
  for (const int nodes : {4096, 4097}) {
    std::string text = R"({"inputs":[{"name":"v0","dtype":"f32","shape":[4]}],"nodes":[)";
    for (int i = 1; i <= nodes; ++i) {
      const std::string n = std::to_string(i);
      text += (i == 1 ? "" : ",") + (R"({"name":"v)" + n + R"(","op":"relu","inputs":["v)" + std::to_string(i - 1)) +
              R"("],"outputs":["v)" + n + R"("],"attributes":{}})";
    }
    const auto graph = read(text + R"(],"outputs":["v1"]})");
    EXPECT_EQ(graph.ok(), nodes == 4096) << graph.status().to_string();
    EXPECT_EQ(graph.status().id(), nodes == 4096 ? ErrorId::OK : kFormat);
  }
}

PipelineConfig full_size_config() {
  auto config = parse_pipeline_config(read_file(SPINERT_SOURCE_DIR "/converter/configs/fasterrcnn_resnet18_fpn.json"));
  EXPECT_TRUE(config.ok()) << config.status().to_string();
  return config.ok() ? config.value() : PipelineConfig{};
}

// Every architecture at full size: JSON -> graph -> JSON gives the same text and the same types of all values.
TEST(GraphJson, ArchitecturesSurviveWritingAndReading) {
  for (const Architecture& architecture : architectures()) {
    SCOPED_TRACE(std::string(architecture.name));
    const bool reduced = architecture.name.find("reduced") != std::string_view::npos;
    const bool detector = architecture.role == Architecture::Role::detector;
    const auto small =
        parse_pipeline_config(detector ? reduced::config_text(std::string(architecture.name)) : reduced::config_text());
    ASSERT_TRUE(small.ok()) << small.status().to_string();
    PipelineConfig large = full_size_config();
    // On one map every cell has the anchors of all sizes.
    if (detector && !architecture.name.ends_with("_fpn")) large.detector.anchors.sizes = {{32, 64, 128, 256, 512}};
    // Without a checkpoint the constants have shapes but no values, which is all that a graph holds of them.
    NetworkBuilder builder("g", SourceTensors(Checkpoint{}, ""), 0);
    const Status built = architecture.build(builder, reduced ? small.value() : large);
    ASSERT_TRUE(built.ok()) << built.to_string();
    const Graph& graph = builder.graph();
    ASSERT_GT(graph.nodes.size(), 20u);
    const auto lookup = [&](const std::string& name) -> std::optional<Shape> {
      const int number = graph.find_stored(name);
      return number == kAbsent ? std::nullopt : std::optional<Shape>(graph.value(number).type.shape);
    };
    const std::string text = graph_to_json(graph).dump();
    JsonProblem problem;
    const auto json = parse_json(text, {}, problem);
    ASSERT_TRUE(json) << problem.what;
    const auto again = graph_from_json("g", *json, lookup);
    ASSERT_TRUE(again.ok()) << again.status().to_string();
    EXPECT_EQ(graph_to_json(again.value()).dump(), text);
    ASSERT_EQ(again.value().values.size(), graph.values.size());
    for (const Value& value : graph.values) {
      const Value& other = again.value().value(again.value().find(value.name));
      EXPECT_EQ(other.kind, value.kind) << value.name;
      EXPECT_EQ(other.type.dtype, value.type.dtype) << value.name;
      EXPECT_EQ(other.type.shape, value.type.shape) << value.name;
      EXPECT_EQ(other.type.count_scale, value.type.count_scale) << value.name;
      EXPECT_EQ(other.type.count == kAbsent, value.type.count == kAbsent) << value.name;
    }
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      EXPECT_EQ(attributes_text(again.value().nodes[n]), attributes_text(graph.nodes[n]));
    }
  }
}

Status open(const std::string& path, const EngineOptions& options = {.threads = 1}) {
  return Engine::open(path, options).status();
}

// The name of a graph ends at the first point of a tensor's name: two readings must not exist.
TEST(HostileModel, GraphNamesWithPoints) {
  const TempDir folder;
  const std::string node = R"("op":"relu","inputs":[")",
                    rest = R"("],"outputs":["y"],"attributes":{}}],"outputs":["y"]})";
  const std::string a = R"({"inputs":[],"nodes":[{"name":"y",)" + node + "b.w" + rest;
  const std::string ab = R"({"inputs":[],"nodes":[{"name":"y",)" + node + "w" + rest;
  const std::string graphs = R"({"a":)" + a + R"(,"a.b":)" + ab + "}";
  ASSERT_TRUE(graph_model::write(folder.file("m"), graphs, {{"a.b.w", {4, 4}}}).ok());
  EXPECT_EQ(open(folder.file("m")).id(), kFormat);
}

// A rewrite makes constants of its own; a tensor of the file with their name would be written over their memory.
TEST(HostileModel, TensorNamedLikeAConstantOfARewrite) {
  const TempDir folder;
  const std::string graph =
      R"({"g":{"inputs":[{"name":"x","dtype":"f32","shape":[1,8,8,1]}],
"nodes":[{"name":"v","op":"normalise","inputs":["x"],"outputs":["v"],"attributes":{"mean":[0,0,0],"std":[1,1,1]}},
{"name":"c","op":"conv2d","inputs":["v","w"],"outputs":["c"],"attributes":{}}],"outputs":["c"]}})";
  ASSERT_TRUE(graph_model::write(folder.file("good"), graph, {{"g.w", {3, 3, 3, 4}}}).ok());
  EXPECT_TRUE(open(folder.file("good")).ok());
  for (const char* name : {"g.c.stem_weight", "g.c.stem_border"}) {
    ASSERT_TRUE(graph_model::write(folder.file("bad"), graph, {{"g.w", {3, 3, 3, 4}}, {name, {100000}}}).ok());
    const Status status = open(folder.file("bad"));
    EXPECT_EQ(status.id(), kArch) << status.to_string();
    EXPECT_NE(status.to_string().find("ST-23"), std::string::npos) << status.to_string();
  }
}

// Some kilobytes of text that ask for terabytes, each graph for less than the system would refuse at once: no memory is
// taken, limit or not.
TEST(HostileModel, TerabytesAreRefused) {
  const TempDir folder;
  std::string graphs;
  for (int g = 0; g < 1000; ++g) {
    graphs += (g == 0 ? "" : ",") + ("\"g" + std::to_string(g)) +
              R"(":{"inputs":[{"name":"x","dtype":"f32","shape":[64,16777216]}],
"nodes":[{"name":"y","op":"relu","inputs":["x"],"outputs":["y"],"attributes":{}}],"outputs":["y"]})";
  }
  ASSERT_TRUE(graph_model::write(folder.file("m"), "{" + graphs + "}", {}).ok());
  EXPECT_EQ(open(folder.file("m")).id(), ErrorId::E_OOM_HOST);
  EXPECT_EQ(open(folder.file("m"), {.memory_limit = 1 << 30}).id(), ErrorId::E_OOM_HOST);
}

// A chain of convolutions that would run for hours is refused before its memory is looked at; half of it is not.
TEST(HostileModel, MoreWorkThanAnyDiagnosisNeeds) {
  const TempDir folder;
  const auto refusal = [&](int nodes) {
    std::string chain;
    for (int n = 1; n <= nodes; ++n) {
      const std::string from = n == 1 ? "x" : "c" + std::to_string(n - 1), to = "c" + std::to_string(n);
      chain += (n == 1 ? "" : ",") + (R"({"name":")" + to + R"(","op":"conv2d","inputs":[")" + from) +
               R"(","w"],"outputs":[")" + to + R"("],"attributes":{"padding":1}})";
    }
    const std::string graph = R"({"g":{"inputs":[{"name":"x","dtype":"f32","shape":[1,4096,4096,64]}],"nodes":[)" +
                              chain + R"(],"outputs":["c)" + std::to_string(nodes) + R"("]}})";
    EXPECT_TRUE(graph_model::write(folder.file("m"), graph, {{"g.w", {3, 3, 64, 64}}}).ok());
    return open(folder.file("m"), {.threads = 1, .memory_limit = 1 << 30});
  };
  EXPECT_EQ(refusal(50).id(), ErrorId::E_OOM_HOST) << "62 TFLOP";
  const Status status = refusal(100);
  EXPECT_EQ(status.id(), kArch);
  EXPECT_NE(status.to_string().find("at most 100.0 TFLOP, got 123.7"), std::string::npos) << status.to_string();
}

}  // namespace
}  // namespace spinert
