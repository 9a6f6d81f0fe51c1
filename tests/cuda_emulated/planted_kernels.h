// planted_kernels.h - every operator as a row of the cuda backend that runs the scalar kernel of the CPU when the
// emulated stream comes to it. With these rows the runtime is tested apart from the kernels, and quickly: what is left
// are streams, memory, packing, graphs and loops. Half types are widened on the way in and rounded on the way out.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>

#include "kernels/base/emulation/emulated_device.h"
#include "kernels/base/emulation/fibers.h"
#include "kernels/base/half.h"
#include "kernels/registry.h"

namespace spinert::planted {

// The row of the CPU that stands behind a call, chosen from shapes; weights and activations as f32.
inline const Kernel& behind(OpId op, OpCall call, std::vector<Tensor>& in, std::vector<Tensor>& out) {
  in.assign(call.in.begin(), call.in.end());
  out.assign(call.out.begin(), call.out.end());
  for (std::vector<Tensor>* list : {&in, &out}) {
    for (Tensor& tensor : *list) {
      if (is_half(tensor.dtype)) tensor.dtype = DType::f32;
    }
  }
  call.in = in;
  call.out = out;
  return *choose_kernel(op, Backend::cpu, Level::scalar, call)->kernel;
}

inline void run_on_host(OpId op, const OpCall& call, const void* packed) {
  std::vector<Tensor> in, out;
  const Kernel& kernel = behind(op, call, in, out);
  std::deque<std::vector<float>> wide;
  for (std::vector<Tensor>* list : {&in, &out}) {
    const std::span<const Tensor> stored = list == &in ? call.in : call.out;
    for (size_t i = 0; i < stored.size(); ++i) {
      if (!is_half(stored[i].dtype)) continue;
      std::vector<float>& values = wide.emplace_back(static_cast<size_t>(stored[i].elements()));
      for (size_t e = 0; e < values.size(); ++e) values[e] = load_as_f32(stored[i], static_cast<int64_t>(e));
      (*list)[i].data = values.data();
    }
  }
  if (packed && !kernel.packed_bytes) in[kPackedInput].data = const_cast<void*>(packed);
  const OpCall wide_call{call.params, in, out};
  std::vector<double> scratch;  // aligned for every scalar kernel
  if (kernel.scratch_bytes)
    scratch.resize(static_cast<size_t>(kernel.scratch_bytes(wide_call, 1)) / sizeof(double) + 1);
  ThreadPool alone(1);
  kernel.run(wide_call, {.pool = &alone, .packed = packed, .scratch = scratch.data()});
  for (size_t i = 0; i < out.size(); ++i) {
    if (!is_half(call.out[i].dtype)) continue;
    for (int64_t e = 0; e < out[i].elements(); ++e) store_from_f32(call.out[i], e, out[i].f32()[e]);
  }
}

template <OpId op>
void run(const OpCall& call, const RunContext& context) {
  CudaStream& stream = *context.stream;
  const std::vector<Tensor> in(call.in.begin(), call.in.end()), out(call.out.begin(), call.out.end());
  emulation::enqueue(stream, [&stream, in, out, params = call.params, packed = context.packed] {
    if (emulation::count_launch(stream)) run_on_host(op, {params, in, out}, packed);
  });
}

template <OpId op>
int64_t packed_bytes(const OpCall& call) {
  std::vector<Tensor> in, out;
  const Kernel& kernel = behind(op, call, in, out);
  return kernel.packed_bytes ? kernel.packed_bytes({call.params, in, out}) : call.in[kPackedInput].bytes();
}

template <OpId op>
void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  std::vector<Tensor> in, out;
  const Kernel& kernel = behind(op, call, in, out);
  if (kernel.pack) return kernel.pack({call.params, in, out}, packed, pool);
  std::memcpy(packed, in[kPackedInput].data, static_cast<size_t>(in[kPackedInput].bytes()));
}

template <OpId op>
Kernel kernel_of() {
  Kernel kernel{.run = run<op>};
  constexpr OpId kWithWeight[] = {OpId::conv2d, OpId::conv2d_stem, OpId::linear, OpId::rpn_head, OpId::fpn_merge};
  if (std::ranges::find(kWithWeight, op) != std::end(kWithWeight)) {
    kernel.packed_bytes = packed_bytes<op>;
    kernel.pack = pack<op>;
  }
  return kernel;
}

// While it lives, the cuda backend has these rows before its own, but for `left_out`.
class AllOperators {
 public:
  explicit AllOperators(const char* left_out = "") {
#define SPINERT_REGISTRY_ROWS
#define OP(name, Params, source) plant<OpId::name>("planted_" #name, std::strcmp(#name, left_out) != 0);
#define KERNEL(op, backend, level, symbol)
#include "kernels/registry.def"
#undef OP
#undef KERNEL
#undef SPINERT_REGISTRY_ROWS
  }
  ~AllOperators() {
    clear_planted_kernels_for_tests();
  }
  AllOperators(const AllOperators&) = delete;
  AllOperators& operator=(const AllOperators&) = delete;

 private:
  template <OpId op>
  void plant(const char* name, bool wanted) {
    static const Kernel kernel = kernel_of<op>();
    static const KernelInfo row{op, Backend::cuda, Level::sm80, name, &kernel};
    if (wanted) plant_kernel_for_tests(&row);
  }
};

}  // namespace spinert::planted
