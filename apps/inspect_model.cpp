#include "apps/inspect_model.h"

#include <cstdio>

#include "apps/command.h"
#include "diagnosis/report/model_json.h"
#include "diagnosis/report/text.h"

namespace spinert::cli {
namespace {

constexpr double kMiB = 1 << 20;

void print_text(Engine& engine, const std::string& hash) {
  const ModelInfo& model = engine.model();
  const DeviceInfo& device = engine.device();
  std::printf("model    %s\nbytes    %lld\nsha256   %s\n", clean_utf8(model.path).c_str(),
              static_cast<long long>(model.file_bytes), hash.c_str());
  std::printf("device   %s (%s), %s, %d threads\n", device.name.c_str(), device.isa.c_str(), device.precision.c_str(),
              device.threads);
  if (const CalibrationInfo& calibration = device.calibration; !calibration.sha256.empty()) {
    std::printf("int8     ranges of %lld slices by %s, sha256 %s\n", static_cast<long long>(calibration.slices),
                clean_utf8(calibration.method).c_str(), calibration.sha256.c_str());
  }
  std::printf("\nmetadata\n");
  for (const auto& [key, value] : model.metadata) {
    constexpr size_t kShown = 2000;  // the graph is printed below in a form for people
    const bool whole = key != "spinert.graph" && value.size() <= kShown;
    std::printf("  %s: %s\n", clean_utf8(key).c_str(),
                whole ? clean_utf8(value).c_str() : (std::to_string(value.size()) + " characters").c_str());
  }
  std::printf("\ntensors (%zu)\n", model.tensors.size());
  for (const StoredTensor& tensor : model.tensors) {
    std::printf("  %-56s %-5s %-18s %10lld bytes\n", clean_utf8(tensor.name).c_str(), tensor.dtype.c_str(),
                to_string(tensor.shape).c_str(), static_cast<long long>(tensor.bytes));
  }
  for (const std::string& name : engine.graphs()) {
    double flops = 0;
    std::printf("\ngraph %s\n", name.c_str());
    for (const NodeInfo& node : engine.plan(name)->nodes()) {
      flops += node.flops;
      std::printf("  %-36s %-34s %9.3f GFLOP  %s%s\n", clean_utf8(node.name).c_str(), node.kernel.c_str(),
                  node.flops * 1e-9, node.attributes.c_str(), node.constant ? "  (once)" : "");
      for (const auto& [kernel, reason] : node.refusals) {
        std::printf("      not %s: %s\n", kernel.c_str(), reason.c_str());
      }
    }
    std::printf("  total %.2f GFLOP at full capacity\n", flops * 1e-9);
  }
  const MemoryPlan& memory = engine.memory();
  std::printf("\nmemory%s (MiB)\n  weights  %8.1f\n  arena    %8.1f (least possible %.1f)\n  in, out  %8.1f\n",
              device.cuda ? " of the card" : "", static_cast<double>(memory.weights) / kMiB,
              static_cast<double>(memory.arena) / kMiB, static_cast<double>(memory.live_peak) / kMiB,
              static_cast<double>(memory.io) / kMiB);
  std::printf("  scratch  %8.1f\n  total    %8.1f\n", static_cast<double>(memory.scratch) / kMiB,
              static_cast<double>(memory.total()) / kMiB);
  if (memory.device > 0) std::printf("  card has %8.1f\n", static_cast<double>(memory.device) / kMiB);
}

}  // namespace

int inspect_model(const std::string& path, const EngineOptions& options, bool as_json, bool json_log) {
  const auto engine = Engine::open(path, options);
  if (!engine.ok()) return print_error(engine.status(), json_log);
  const auto hash = engine.value()->file_sha256();
  if (!hash.ok()) return print_error(hash.status(), json_log);
  as_json ? void(std::printf("%s\n", model_json(*engine.value(), hash.value()).c_str()))
          : print_text(*engine.value(), hash.value());
  return 0;
}

}  // namespace spinert::cli
