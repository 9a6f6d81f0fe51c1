// infer.h - the few checks that every <op>_infer and <op>_cost shares. All errors are E_MODEL_ARCH: a graph that does
// not fit its own shapes is a broken model, never a reason to crash.
#pragma once

#include <string>

#include "kernels/base/kernel.h"

namespace spinert {

// "topk: <what>"
Status refuse_arch(const char* op, std::string what);

// Numbers of inputs and outputs: at least min_in, at most max_in, exactly outputs.
Status check_arity(const char* op, std::span<const TensorType> in, std::span<TensorType> out, size_t min_in,
                   size_t max_in, size_t outputs);

// Input `name` must be of that type and rank, without negative extents and not above kMaxElements.
Status check_input(const char* op, const char* name, const TensorType& in, DType dtype, int rank);

// The same for an activation, which may be f32, f16, bf16 or u8.
Status check_activation(const char* op, const char* name, const TensorType& in, int rank);
// The type of an output whose parameter `output` is none (as the input) or an activation's; nothing for another type.
Status check_output_type(const char* op, DType parameter, DType input, DType& output);
// Reads and writes such a parameter by name: "", "f32", "f16", "bf16", "u8". Another name becomes i8, which is refused.
void visit_output_type(DType& output, ParamVisitor& visitor);

// Fills an output. Refuses shapes with negative extents or more than kMaxElements elements. count and count_scale as in
// TensorType.
Status set_output(const char* op, TensorType& out, DType dtype, const Shape& shape, int count = -1,
                  int64_t count_scale = 1);

// Output of the same type, shape and row count as an input.
Status set_like(const char* op, TensorType& out, const TensorType& in);

// Bytes of all inputs and outputs, once each.
double call_bytes(const OpCall& call);

// Rows in use times the elements of one row.
inline int64_t elements_in_use(const Tensor& tensor) {
  const int64_t rows = tensor.rows();
  if (tensor.shape.rank == 0 || tensor.shape[0] == 0) return tensor.elements();
  return rows * (tensor.elements() / tensor.shape[0]);
}

}  // namespace spinert
