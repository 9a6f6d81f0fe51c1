// kernel.h - what an operator and a kernel are. Every operator is one row and every kernel is one row of
// kernels/registry.def; the structs below are what such a row points to.
//
// An operator has typed parameters, inputs and outputs in a fixed order (documented in its <op>.h) and three pure
// functions of shapes: infer, cost, tolerance. A kernel is one implementation for one backend and level.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/base/tensor.h"
#include "kernels/base/thread_pool.h"

namespace spinert {

enum class Backend : unsigned char { reference, cpu, cuda };
// What the hardware must offer. Order matters: a higher CPU level includes the lower ones.
//   avx512       F, BW, DQ, VL       avx512_vnni  8-bit integer products      avx512_bf16  bf16 products
//   amx_int8     tiles of integers   amx_bf16     tiles of bf16
enum class Level : unsigned char {
  any,
  scalar,
  avx2,
  avx512,
  avx512_vnni,
  avx512_bf16,
  amx_int8,
  amx_bf16,
  sm80,
  sm90a
};

std::string_view backend_name(Backend backend);
std::string_view level_name(Level level);

// One value as shape inference sees it. count and self are value numbers of the graph; -1: none.
struct TensorType {
  DType dtype = DType::none;
  Shape shape;
  int self = -1;            // set by the caller for inputs and outputs before infer runs
  int count = -1;           // the value that holds the number of rows in use
  int64_t count_scale = 1;  // rows in use = *count * count_scale
  // Of u8. Of an output it is set by the caller before infer runs, and left alone but by operators that hand the codes
  // of their input on (max_pool2d).
  Quantisation quantisation;

  bool present() const { return dtype != DType::none; }
};

// Work of one call at full capacity, for the roof model of the bench.
struct Cost {
  double flops = 0;  // multiply and add count as two
  double bytes = 0;  // every input and output once
};

// How far a kernel may be from the reference, element by element: |got - want| <= absolute + relative * |want|.
// Integer outputs are always compared exactly.
struct Tolerance {
  double absolute = 0;
  double relative = 0;
};

// One call of an operator. Weights are ordinary inputs; the contract names their position.
struct OpCall {
  const void* params = nullptr;
  std::span<const Tensor> in;
  std::span<const Tensor> out;

  template <class Params>
  const Params& as() const {
    return *static_cast<const Params*>(params);
  }
  // An optional input may be absent or, at the end of the list, missing.
  bool has(size_t i) const { return i < in.size() && in[i].present(); }
};

class CudaStream;

// What a running kernel may use besides its call.
struct RunContext {
  ThreadPool* pool = nullptr;    // cpu
  CudaStream* stream = nullptr;  // cuda: where run() puts its launches; see kernels/base/cuda_device.h
  const void* packed = nullptr;  // what pack() wrote, 64-byte aligned; null if packed_bytes is null
  void* scratch = nullptr;       // scratch_bytes() bytes, 64-byte aligned, contents undefined
};

// A weight as a model stores it in 8 bits: the value of element i is values[i] * scale[i % columns], rounded to f32.
// columns is the last dimension of the weight.
struct StoredI8 {
  const int8_t* values = nullptr;
  const float* scale = nullptr;
};

// Types of activations besides f32, as bits of Kernel::also_takes.
inline constexpr unsigned kTakesF16 = 1, kTakesBf16 = 2, kTakesU8 = 4;

struct Kernel {
  // A constant sentence if this kernel does not take the call, else null. Looks at parameters and shapes only.
  const char* (*rejects)(const OpCall&) = nullptr;
  // On cuda every pointer of the call, counts included, is device memory: run() reads shapes only and enqueues launches
  // on context.stream, which keeps the first error.
  void (*run)(const OpCall&, const RunContext&) = nullptr;
  // Bytes of temporary memory for a pool of that many threads; on cuda `threads` is the number of multiprocessors.
  // Null: none.
  int64_t (*scratch_bytes)(const OpCall&, int threads) = nullptr;
  // Weight packing. The packed form depends on the weight (input kPackedInput) and on parameters alone, never on
  // activation shapes, so that nodes sharing a weight share its packed form. On cuda it may depend on the type of input
  // 0; pack() writes host memory, which is then uploaded. Null: the weight is used as it is.
  int64_t (*packed_bytes)(const OpCall&) = nullptr;
  void (*pack)(const OpCall&, void* packed, ThreadPool&) = nullptr;
  // The same from a weight that is stored in 8 bits, so that no float copy of it is made; input kPackedInput has no
  // data then. A row that computes in f32 writes the bytes that pack() writes. Null: the loader makes the floats for
  // pack().
  void (*pack_i8)(const OpCall&, const StoredI8&, void* packed, ThreadPool&) = nullptr;
  // False for an algorithm that transforms its operands: small integers do not make its sums exact, and its cases with
  // integers are held against the operator's tolerance instead of 0.
  bool exact_on_integers = true;
  // On cpu and reference: the 16-bit and 8-bit types that inputs and outputs may have. A call with another one is
  // refused before rejects() is asked; which mixtures fit is for rejects() to say. cuda rows take no 8-bit type and say
  // the rest in rejects().
  unsigned also_takes = 0;
};

// The input that holds the weight of every operator that has one: conv2d, conv2d_stem, linear.
inline constexpr size_t kPackedInput = 1;

// Largest tensor any kernel is asked to handle. Offsets are 64-bit everywhere; this bounds one tensor, so that a wrong
// shape is refused instead of allocated.
inline constexpr int64_t kMaxElements = int64_t{1} << 31;

// Reads or writes one named parameter; see visit() in each <op>.h. One visit serves the JSON parser and printer of the
// graph, the case ids of the tests and the bench.
class ParamVisitor {
 public:
  virtual ~ParamVisitor() = default;
  virtual void field(const char* name, int64_t& value) = 0;
  virtual void field(const char* name, double& value) = 0;
  virtual void field(const char* name, bool& value) = 0;
  virtual void field(const char* name, std::string& value) = 0;
  virtual void field(const char* name, std::vector<double>& value) = 0;
};

}  // namespace spinert
