#include "runtime/device.h"

#include <algorithm>
#include <charconv>

namespace spinert {
namespace {

constexpr Level kCudaLevels[] = {Level::sm80, Level::sm90a};

bool names_one_of(const std::string& isa, std::span<const Level> levels) {
  return std::ranges::any_of(levels, [&](Level level) { return isa == level_name(level); });
}

// "scalar, avx2, avx512"
std::string level_names(std::span<const Level> levels) {
  std::string names;
  for (const Level level : levels) names += (names.empty() ? "" : ", ") + std::string(level_name(level));
  return names;
}

// The named level if the device has it, its best one if none is named.
Result<Level> resolve_isa(const std::string& isa, std::span<const Level> levels, Level best) {
  if (isa.empty()) return best;
  for (const Level level : levels) {
    if (isa != level_name(level)) continue;
    if (level <= best) return level;
    return error(ErrorId::E_DEVICE, "this machine has no " + isa)
        .expected("at most " + std::string(level_name(best)), isa)
        .hint("Leave --isa out to use the best level there is.");
  }
  const bool known = names_one_of(isa, cpu_levels()) || names_one_of(isa, kCudaLevels);
  return error(ErrorId::E_USAGE, known ? "that instruction set belongs to another device" : "unknown instruction set")
      .expected(level_names(levels), isa);
}

// The number of a "cuda" or "cuda:<number>", -1 if it is neither.
int cuda_index(const std::string& name) {
  if (name == "cuda") return 0;
  if (!name.starts_with("cuda:") || name.size() == 5) return -1;
  int index = 0;
  const auto [end, failure] = std::from_chars(name.data() + 5, name.data() + name.size(), index);
  return failure == std::errc() && end == name.data() + name.size() && index >= 0 ? index : -1;
}

Status no_precision(ErrorId id, const std::string& precision, const std::string& why, const char* expected) {
  return error(id, "precision " + precision + " is not available: " + why)
      .expected(expected, precision)
      .hint("Leave --precision out.");
}

Result<Device> host_device(Backend backend, const EngineOptions& options) {
  const std::string precision = options.precision.empty() ? "fp32" : options.precision;
  const bool mixed = precision == "mixed" && backend == Backend::cpu, int8 = precision == "int8";
  if (precision != "fp32" && !mixed && !int8) {
    return no_precision(ErrorId::E_DEVICE, precision, "this device does not compute in it",
                        backend == Backend::cpu ? "fp32, mixed or int8" : "fp32 or int8");
  }
  Device device{.backend = backend, .limit = Level::any, .precision = precision};
  if (backend == Backend::cpu) {
    SPINERT_ASSIGN(device.limit, resolve_isa(options.isa, cpu_levels(), cpu_features().best));
  }
  if (mixed && device.limit < Level::avx512_bf16) {
    const bool bounded = cpu_features().best >= Level::avx512_bf16;
    return error(ErrorId::E_DEVICE, bounded ? "mixed precision needs more than --isa allows"
                                            : "this machine has no instructions for mixed precision")
        .expected(std::string(level_name(Level::avx512_bf16)), std::string(level_name(device.limit)))
        .hint(bounded ? "Leave --isa out." : "Use --precision fp32.");
  }
  if (int8 && backend == Backend::cpu && device.limit < Level::avx512_vnni) {
    const bool bounded = cpu_features().best >= Level::avx512_vnni;
    return error(ErrorId::E_DEVICE,
                 bounded ? "int8 needs more than --isa allows" : "this machine has no instructions for int8")
        .expected(std::string(level_name(Level::avx512_vnni)), std::string(level_name(device.limit)))
        .hint(bounded ? "Leave --isa out." : "Use --precision fp32.");
  }
  return device;
}

Result<Device> cuda_device(int index, const EngineOptions& options) {
  Device device{.backend = Backend::cuda};
  auto opened = CudaDevice::open(index);
  if (!opened.ok()) return opened.status().hint("Use --device cpu, or --device auto to take what there is.");
  std::unique_ptr<CudaDevice> card = std::move(opened).value();
  SPINERT_ASSIGN(device.limit, resolve_isa(options.isa, kCudaLevels, card->card().level()));
  device.precision = options.precision.empty() ? "mixed" : options.precision;
  const CudaCard& info = card->card();
  const bool has_fp8 = info.major > 8 || (info.major == 8 && info.minor >= 9);
  if (device.precision == "fp8" && !has_fp8) {
    return no_precision(ErrorId::E_DEVICE, "fp8", "this card has no fp8", "fp32 or mixed");
  }
  if (device.precision == "int8" || device.precision == "fp8") {
    return no_precision(ErrorId::E_CONFIG, device.precision, "the model holds no calibration", "fp32 or mixed");
  }
  // Kernels that can wait for their data inside may start while the one before them drains.
  card->stream().dependent_launch = true;
  device.cuda = std::move(card);
  return device;
}

}  // namespace

Result<Device> resolve_device(const EngineOptions& options) {
  static constexpr const char* kPrecisions[] = {"", "fp32", "mixed", "int8", "fp8"};
  if (std::ranges::find(kPrecisions, options.precision) == std::end(kPrecisions)) {
    return error(ErrorId::E_USAGE, "unknown precision").expected("fp32, mixed, int8 or fp8", options.precision);
  }
  if (options.device == "reference") return host_device(Backend::reference, options);
  if (options.device == "cpu") return host_device(Backend::cpu, options);
  if (options.device == "auto") {
    // A build without CUDA never had a card to prefer, so that the cpu is no fallback there.
    const bool wants_cpu = !options.auto_takes_card || names_one_of(options.isa, cpu_levels());
    if (wants_cpu || cuda_kernels().empty()) return host_device(Backend::cpu, options);
    auto card = cuda_device(0, options);
    if (card.ok() || card.status().id() != ErrorId::E_DEVICE) return card;
    auto cpu = host_device(Backend::cpu, options);
    if (!cpu.ok()) return cpu;
    Device device = std::move(cpu).value();
    device.fallback = true;
    Status reason = card.status();
    reason.hint("");  // auto has done what the hint says
    device.fallback_reason = reason.message();
    return device;
  }
  if (const int index = cuda_index(options.device); index >= 0) return cuda_device(index, options);
  return error(ErrorId::E_USAGE, "unknown device").expected("auto, cpu, reference or cuda[:n]", options.device);
}

}  // namespace spinert
