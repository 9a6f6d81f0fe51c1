// op_case.h - one-line cases of single operators. A line such as
//   "conv2d n=1 h=9 w=9 c=16 o=32 k=3 padding=1 seed=5"
// fixes everything: parameters, shapes, data. The same line runs in the tests and in `spinert bench --op conv2d --case
// ...`.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/compare.h"
#include "kernels/base/cuda_device.h"
#include "kernels/registry.h"

namespace spinert::cases {

// Counter-based random numbers (splitmix64 finaliser, tests/golden/README.md): value i of a stream depends on (seed, i)
// alone.
uint64_t random_bits(uint64_t seed, uint64_t index);
float random_uniform(uint64_t seed, uint64_t index);  // [-1, 1)

// Owned memory for one tensor with guard bands on both sides, 64-byte aligned.
class Buffer {
 public:
  Buffer() = default;
  Buffer(DType dtype, const Shape& shape);
  void set_quantisation(const Quantisation& q) { view_.quantisation = q; }

  Tensor view() const { return view_; }
  void poison();  // fills with the byte 0xff: NaN as float, -1 as int
  bool guards_intact() const;

 private:
  std::shared_ptr<unsigned char[]> memory_;
  Tensor view_;
};

// "key=value" pairs of a case line. Reading a key marks it as used; a key that nobody reads is an error of the case.
class CaseLine {
 public:
  static Result<CaseLine> parse(const std::string& line);

  const std::string& op() const { return op_; }
  const std::string& text() const { return text_; }
  int64_t get(const std::string& key, int64_t fallback) const;
  double real(const std::string& key, double fallback) const;
  std::string word(const std::string& key, const std::string& fallback) const;
  // "dtype=f16": the type of the activations of this case; f32 if the line does not say.
  DType activations() const;
  // "xscale=0.5 xzero=3" for the prefix x: what codes mean; scale 1 and zero 0 if the line does not say.
  Quantisation quantisation(const std::string& prefix) const;
  // Sets every parameter that the line names.
  void read_params(const OpInfo& op, void* params) const;
  std::vector<std::string> unused() const;

 private:
  std::string op_, text_;
  std::map<std::string, std::string> values_;
  mutable std::map<std::string, bool> used_;
};

// Parameters and inputs of one call. Output types follow from the operator's infer.
struct CaseInput {
  std::shared_ptr<void> params;
  std::vector<Buffer> in;
  std::vector<int> count_input;  // count_input[i] = input whose value is the row count of input i; -1: none
  size_t hidden = 0;             // trailing inputs that only hold counts and are no inputs of the operator
  size_t outputs = 1;
  bool exact = false;  // small integers: every sum is representable, so the tolerance is 0

  int add(DType dtype, const Shape& shape, const Quantisation& q = {});  // returns the input's number
  void add_absent();
  // Gives input i a row count, held in a hidden input.
  void set_count(size_t i, int32_t rows);
};

// What tests/ops/<op>.cpp defines, one constant <op>_suite per operator.
struct OpSuite {
  std::vector<std::string> cases;
  Status (*build)(const CaseLine& line, CaseInput& input);
  bool half = false;  // the operator also takes dtype=f16 and dtype=bf16 (build uses line.activations())
  // Whether this case may also run in a 16-bit type: not if it is one of codes.
  bool in_half(const std::string& line) const { return half && line.find(" dtype=") == std::string::npos; }
};
const OpSuite& suite(OpId op);

// Weights whose codes are known (kernels/base/quantise.h): integers of at most 127 in size, the first row 127, so that
// the step of every channel is 1.
void fill_codes(const Tensor& weight, uint64_t seed);

// Fills: data=int gives integers in [-range, range], data=real uniform numbers in [-1, 1).
void fill(const Tensor& tensor, const std::string& data, uint64_t seed, int64_t range = 4);

// A case that is ready to run: inputs, inferred outputs, the call.
struct PreparedCase {
  CaseInput input;
  std::vector<Tensor> in, out;
  std::vector<Buffer> out_buffers;
  OpCall call() const { return {input.params.get(), std::span(in).first(in.size() - input.hidden), out}; }
};
Result<PreparedCase> prepare(const CaseLine& line);

// Packs and runs one kernel on a prepared case; outputs are poisoned first. The kernel must accept the call.
Status run_kernel(const KernelInfo& kernel, PreparedCase& prepared, ThreadPool& pool);
// The same on a card: inputs are copied to it, and outputs back (tests/ops/cuda_case.cpp).
Status run_cuda_kernel(const KernelInfo& kernel, PreparedCase& prepared, CudaDevice& device);

// What the reference gave for the cases of one operator, by the case's line: for the kernels that are held against it,
// one after the other. Of one truth only.
struct ReferenceRun {
  PreparedCase prepared;
  const KernelInfo* kernel;
};
struct ReferenceRuns {
  OpId op{};
  std::map<std::string, std::shared_ptr<const ReferenceRun>> by_line;
};

// Runs the kernel and the reference on the case and compares: outputs within tolerance, guard bands and rows beyond the
// count untouched, inputs unchanged. A refusal by the kernel sets skipped to its reason.
struct CaseResult {
  Status status;  // E_VERIFY with coordinate, expected, got on a mismatch
  const char* skipped = nullptr;
  double max_difference = 0;
};
// A case of u8 runs as it is on both sides. A case with half-precision activations is compared with the reference on
// the same numbers in f32, weights rounded to the half type on both sides, and half a unit in the last place more for
// the rounding of the output. device: needed for rows of the cuda backend. truth: `cpu` compares with the best row of
// this machine instead of the reference, within twice the tolerance, for cases that the reference would take minutes
// for. runs: the reference's results are looked for there first, and kept there until the operator is another one.
CaseResult check_case(const std::string& line, const KernelInfo& kernel, ThreadPool& pool, CudaDevice* device = nullptr,
                      Backend truth = Backend::reference, ReferenceRuns* runs = nullptr);

}  // namespace spinert::cases
