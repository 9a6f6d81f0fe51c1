#include "runtime/device.h"

#include <charconv>

namespace spinert {
namespace {

Status unavailable(const std::string& what) {
  return error(ErrorId::E_DEVICE, what).hint("Use --device cpu, or --device auto to take what there is.");
}

Result<Level> resolve_isa(const std::string& isa) {
  const Level best = cpu_features().best;
  if (isa.empty()) return best;
  for (const Level level : {Level::scalar, Level::avx2, Level::avx512}) {
    if (isa != level_name(level)) continue;
    if (level <= best) return level;
    return error(ErrorId::E_DEVICE, "this machine has no " + isa)
        .expected("one of " + cpu_features().levels, isa)
        .hint("Leave --isa out to use the best level there is.");
  }
  return error(ErrorId::E_USAGE, "unknown instruction set").expected("scalar, avx2 or avx512", isa);
}

// "cuda" or "cuda:<number>"
bool is_cuda(const std::string& name) {
  if (name == "cuda") return true;
  if (!name.starts_with("cuda:") || name.size() == 5) return false;
  int index = 0;
  const auto [end, failure] = std::from_chars(name.data() + 5, name.data() + name.size(), index);
  return failure == std::errc() && end == name.data() + name.size() && index >= 0;
}

}  // namespace

Result<Device> resolve_device(const EngineOptions& options) {
  static constexpr const char* kPrecisions[] = {"fp32", "mixed", "int8", "fp8"};
  bool known = false;
  for (const char* precision : kPrecisions) known = known || options.precision == precision;
  if (!known) {
    return error(ErrorId::E_USAGE, "unknown precision").expected("fp32, mixed, int8 or fp8", options.precision);
  }
  if (options.device == "reference" || options.device == "cpu" || options.device == "auto") {
    if (options.precision != "fp32") {
      return error(ErrorId::E_DEVICE, "precision " + options.precision + " is not available on this device")
          .expected("fp32", options.precision)
          .hint("Leave --precision out.");
    }
    if (options.device == "reference") return Device{Backend::reference, Level::any, false};
    SPINERT_ASSIGN(const Level limit, resolve_isa(options.isa));
    // auto would prefer a GPU; this build has none, so cpu is its first choice and no fallback.
    return Device{Backend::cpu, limit, false};
  }
  if (is_cuda(options.device)) return unavailable("this build has no CUDA backend, so there is no " + options.device);
  return error(ErrorId::E_USAGE, "unknown device").expected("auto, cpu, reference or cuda[:n]", options.device);
}

}  // namespace spinert
