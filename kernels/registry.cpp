#include "kernels/registry.h"

#include <algorithm>

#include "kernels/base/cpu_detect.h"

#define SPINERT_REGISTRY_INCLUDES
#include "kernels/registry.def"
#undef SPINERT_REGISTRY_INCLUDES

namespace spinert {

// Every kernel is a constant defined in the file of the same name.
#define SPINERT_REGISTRY_ROWS
#define OP(name, Params, source)
// Rows of the cuda backend live in kernels/cuda_rows.cpp: a program may be linked without them.
#define KERNEL(op, backend, level, symbol) SPINERT_DECLARE_##backend(symbol)
#define SPINERT_DECLARE_cpu(symbol) extern const Kernel symbol;
#define SPINERT_DECLARE_reference(symbol) extern const Kernel symbol;
#define SPINERT_DECLARE_cuda(symbol)
#include "kernels/registry.def"
#undef OP
#undef KERNEL

namespace {

const OpInfo kOps[] = {
#define OP(name, Params, source)                                                               \
  {OpId::name,                                                                                 \
   #name,                                                                                      \
   source,                                                                                     \
   [] { return std::shared_ptr<void>(std::make_shared<Params>()); },                           \
   [](void* params, ParamVisitor& visitor) { visit(*static_cast<Params*>(params), visitor); }, \
   [](const void* params, std::span<const TensorType> in, std::span<TensorType> out) {         \
     return name##_infer(*static_cast<const Params*>(params), in, out);                        \
   },                                                                                          \
   name##_cost,                                                                                \
   name##_tolerance},
#define KERNEL(op, backend, level, symbol)
#include "kernels/registry.def"
#undef OP
#undef KERNEL
};

const KernelInfo kKernels[] = {
#define OP(name, Params, source)
#define KERNEL(op, backend, level, symbol) SPINERT_ROW_##backend(op, backend, level, symbol)
#define SPINERT_ROW_cpu(op, backend, level, symbol) {OpId::op, Backend::backend, Level::level, #symbol, &symbol},
#define SPINERT_ROW_reference(op, backend, level, symbol) SPINERT_ROW_cpu(op, backend, level, symbol)
#define SPINERT_ROW_cuda(op, backend, level, symbol)
#include "kernels/registry.def"
#undef OP
#undef KERNEL
};

std::vector<const KernelInfo*>& planted() {
  static std::vector<const KernelInfo*> rows;
  return rows;
}

constexpr Level kCpuLevels[] = {Level::scalar,      Level::avx2,     Level::avx512,  Level::avx512_vnni,
                                Level::avx512_bf16, Level::amx_int8, Level::amx_bf16};

CpuFeatures detect() {
  CpuFeatures features{detect_cpu_level(), ""};
  for (const Level level : kCpuLevels) {
    if (level > features.best) break;
    features.levels += (features.levels.empty() ? "" : " ") + std::string(level_name(level));
  }
  return features;
}

// Bits of Kernel::also_takes that a call asks for.
unsigned asked_types(std::span<const Tensor> tensors) {
  unsigned bits = 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.dtype == DType::f16) bits |= kTakesF16;
    if (tensor.dtype == DType::bf16) bits |= kTakesBf16;
    if (tensor.dtype == DType::u8) bits |= kTakesU8;
  }
  return bits;
}

}  // namespace
#undef SPINERT_REGISTRY_ROWS

std::string_view backend_name(Backend backend) {
  static constexpr std::string_view kNames[] = {"reference", "cpu", "cuda"};
  return kNames[static_cast<unsigned>(backend)];
}

std::string_view level_name(Level level) {
  static constexpr std::string_view kNames[] = {"any",         "scalar",   "avx2",     "avx512", "avx512_vnni",
                                                "avx512_bf16", "amx_int8", "amx_bf16", "sm80",   "sm90a"};
  return kNames[static_cast<unsigned>(level)];
}

std::span<const OpInfo> all_ops() {
  return kOps;
}
std::span<const KernelInfo> all_kernels() {
  static const std::vector<KernelInfo> rows = [] {
    const std::span<const KernelInfo> cuda = cuda_kernels();
    std::vector<KernelInfo> all(cuda.begin(), cuda.end());
    all.insert(all.end(), std::begin(kKernels), std::end(kKernels));
    return all;
  }();
  return rows;
}
const OpInfo& op_info(OpId id) {
  return kOps[static_cast<unsigned>(id)];
}

const OpInfo* find_op(std::string_view name) {
  const auto it = std::ranges::find_if(kOps, [&](const OpInfo& op) { return name == op.name; });
  return it == std::end(kOps) ? nullptr : it;
}

std::span<const Level> cpu_levels() {
  return kCpuLevels;
}

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

const char* refusal(const KernelInfo& row, const OpCall& call) {
  const unsigned asked = asked_types(call.in) | asked_types(call.out);
  // Rows of cuda tell 16-bit types apart themselves.
  const unsigned told = row.backend == Backend::cuda ? kTakesU8 : kTakesF16 | kTakesBf16 | kTakesU8;
  if ((asked & told & ~row.kernel->also_takes) != 0) {
    return "does not take activations of this type";
  }
  return row.kernel->rejects ? row.kernel->rejects(call) : nullptr;
}

const KernelInfo* choose_kernel(OpId op, Backend backend, Level limit, const OpCall& call,
                                std::vector<Refusal>* refusals) {
  for (const KernelInfo* row : planted()) {
    const bool fits = row->op == op && row->backend == backend;
    if (fits && !(row->kernel->rejects && row->kernel->rejects(call))) return row;
  }
  for (const KernelInfo& row : all_kernels()) {
    if (row.op != op || row.backend != backend) continue;
    const char* reason = nullptr;
    if (backend != Backend::reference && row.level > limit) {
      reason = backend == Backend::cuda ? "needs another architecture than this card's"
                                        : "needs a higher instruction set than this machine or --isa allows";
    } else {
      reason = refusal(row, call);
    }
    if (!reason) return &row;
    if (refusals) refusals->push_back({&row, reason});
  }
  return nullptr;
}

void plant_kernel_for_tests(const KernelInfo* row) {
  planted().push_back(row);
}
void clear_planted_kernels_for_tests() {
  planted().clear();
}

}  // namespace spinert
