// registry.h - the one list of operators and kernels, generated from registry.def, and the choice of a kernel.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/kernel.h"

namespace spinert {

enum class OpId : unsigned char {
#define SPINERT_REGISTRY_ROWS
#define OP(name, Params, source) name,
#define KERNEL(op, backend, level, symbol)
#include "kernels/registry.def"
#undef OP
#undef KERNEL
#undef SPINERT_REGISTRY_ROWS
};

// An operator: its name and the pure functions of its contract, with parameters as void*.
struct OpInfo {
  OpId id;
  const char* name;
  const char* source;                      // paper or library whose meaning it follows
  std::shared_ptr<void> (*make_params)();  // default parameters
  void (*visit)(void* params, ParamVisitor&);
  // Checks inputs and parameters and fills dtype, shape, count of the outputs (self is set on entry).
  Status (*infer)(const void* params, std::span<const TensorType> in, std::span<TensorType> out);
  Cost (*cost)(const OpCall&);
  // Bound for float outputs of any kernel against the reference on these inputs.
  Tolerance (*tolerance)(const OpCall&);
};

// A row of registry.def.
struct KernelInfo {
  OpId op;
  Backend backend;
  Level level;
  const char* name;
  const Kernel* kernel;
};

std::span<const OpInfo> all_ops();
// Best first within an operator and backend, reference last.
std::span<const KernelInfo> all_kernels();
// The rows of the cuda backend that are linked into this program; none in a build without CUDA.
std::span<const KernelInfo> cuda_kernels();

const OpInfo& op_info(OpId id);
// Null if no operator has that name.
const OpInfo* find_op(std::string_view name);

// What the machine offers.
struct CpuFeatures {
  Level best = Level::scalar;  // highest level that CPUID, XCR0 and, for tiles, the system allow
  std::string levels;          // "scalar avx2 avx512", for reports
};
const CpuFeatures& cpu_features();
// Every level of the cpu backend, lowest first.
std::span<const Level> cpu_levels();

// Why a row does not take a call, whatever the hardware; null if it does.
const char* refusal(const KernelInfo& row, const OpCall& call);

// Why a kernel was passed over, for `spinert inspect`.
struct Refusal {
  const KernelInfo* kernel;
  const char* reason;
};

// The first kernel of the backend in registry order whose level is at most `limit` and that accepts the call, or null.
// `reference` takes only reference rows; `cpu` never falls through to them. Refusals are appended when asked for.
const KernelInfo* choose_kernel(OpId op, Backend backend, Level limit, const OpCall& call,
                                std::vector<Refusal>* refusals = nullptr);

// Test-only: rows tried before all others by choose_kernel, for planted errors. Not thread-safe.
void plant_kernel_for_tests(const KernelInfo* row);
void clear_planted_kernels_for_tests();

}  // namespace spinert
