#include "diagnosis/report/model_json.h"

#include "diagnosis/report/json_text.h"

namespace spinert {
namespace {

constexpr auto kInline = JsonText::Layout::inline_;

void memory_json(JsonText& json, const MemoryPlan& memory) {
  json.key("memory").begin_object(kInline).key("weights").integer(memory.weights).key("arena").integer(memory.arena);
  json.key("live_peak").integer(memory.live_peak).key("io").integer(memory.io).key("scratch").integer(memory.scratch);
  json.key("total").integer(memory.total());
  if (memory.device > 0) json.key("device").integer(memory.device);
  json.end();
}

void node_json(JsonText& json, const NodeInfo& node) {
  json.begin_object(kInline).key("name").text(node.name).key("op").text(node.op).key("kernel").text(node.kernel);
  json.key("attributes").text(node.attributes).key("inputs").texts(node.inputs).key("outputs").texts(node.outputs);
  json.key("flops").number(node.flops).key("bytes").number(node.bytes).key("packed_bytes").integer(node.packed_bytes);
  json.key("scratch_bytes").integer(node.scratch_bytes).key("constant").boolean(node.constant);
  json.key("refused").begin_array(kInline);
  for (const auto& [kernel, reason] : node.refusals) {
    json.begin_object(kInline).key("kernel").text(kernel).key("reason").text(reason).end();
  }
  json.end().end();
}

}  // namespace

std::string model_json(Engine& engine, const std::string& sha256) {
  const ModelInfo& model = engine.model();
  const DeviceInfo& device = engine.device();
  JsonText json;
  json.begin_object().key("kind").text("model").key("path").text(model.path);
  json.key("bytes").integer(model.file_bytes).key("sha256").text(sha256);
  json.key("metadata").begin_object();
  for (const auto& [key, value] : model.metadata) json.key(key).text(value);
  json.end();
  json.key("device").begin_object(kInline).key("name").text(device.name).key("isa").text(device.isa);
  json.key("precision").text(device.precision).key("threads").integer(device.threads);
  if (const CalibrationInfo& calibration = device.calibration; !calibration.sha256.empty()) {
    json.key("calibration_sha256").text(calibration.sha256).key("calibration_method").text(calibration.method);
    json.key("calibration_slices").integer(calibration.slices);
  }
  json.end();
  memory_json(json, engine.memory());
  json.key("tensors").begin_array();
  for (const StoredTensor& tensor : model.tensors) {
    json.begin_object(kInline).key("name").text(tensor.name).key("dtype").text(tensor.dtype);
    json.key("shape").text(to_string(tensor.shape)).key("bytes").integer(tensor.bytes).end();
  }
  json.end();
  json.key("graphs").begin_object();
  for (const std::string& name : engine.graphs()) {
    json.key(name).begin_array();
    for (const NodeInfo& node : engine.plan(name)->nodes()) node_json(json, node);
    json.end();
  }
  json.end().end();
  return json.str();
}

}  // namespace spinert
