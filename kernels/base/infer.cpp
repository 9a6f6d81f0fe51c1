#include "kernels/base/infer.h"

#include "kernels/base/half.h"

namespace spinert {

Status refuse_arch(const char* op, std::string what) {
  return error(ErrorId::E_MODEL_ARCH, std::string(op) + ": " + std::move(what));
}

Status check_arity(const char* op, std::span<const TensorType> in, std::span<TensorType> out, size_t min_in,
                   size_t max_in, size_t outputs) {
  if (in.size() < min_in || in.size() > max_in) {
    return refuse_arch(op, "wrong number of inputs")
        .expected(std::to_string(min_in) + " to " + std::to_string(max_in), std::to_string(in.size()));
  }
  if (out.size() != outputs) {
    return refuse_arch(op, "wrong number of outputs").expected(std::to_string(outputs), std::to_string(out.size()));
  }
  return {};
}

Status check_input(const char* op, const char* name, const TensorType& in, DType dtype, int rank) {
  if (in.dtype != dtype) {
    return refuse_arch(op, std::string("type of ") + name)
        .expected(std::string(dtype_name(dtype)), std::string(dtype_name(in.dtype)));
  }
  if (in.shape.rank != rank) {
    return refuse_arch(op, std::string("rank of ") + name).expected(std::to_string(rank), to_string(in.shape));
  }
  const auto elements = in.shape.checked_elements();
  if (!elements || *elements > kMaxElements) {
    return refuse_arch(op, std::string("size of ") + name)
        .expected("at most " + std::to_string(kMaxElements) + " elements", to_string(in.shape));
  }
  return {};
}

Status check_activation(const char* op, const char* name, const TensorType& in, int rank) {
  if (!is_activation(in.dtype)) {
    return refuse_arch(op, std::string("type of ") + name)
        .expected("f32, f16, bf16 or u8", std::string(dtype_name(in.dtype)));
  }
  return check_input(op, name, in, in.dtype, rank);
}

Status check_output_type(const char* op, DType parameter, DType input, DType& output) {
  output = parameter == DType::none ? input : parameter;
  if (is_activation(output)) return {};
  return refuse_arch(op, "type of the output").expected("f32, f16, bf16 or u8", std::string(dtype_name(output)));
}

void visit_output_type(DType& output, ParamVisitor& visitor) {
  std::string name = output == DType::none ? "" : std::string(dtype_name(output));
  visitor.field("output", name);
  output = DType::none;
  if (name.empty()) return;
  output = DType::i8;
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::u8}) {
    if (name == dtype_name(type)) output = type;
  }
}

Status set_output(const char* op, TensorType& out, DType dtype, const Shape& shape, int count, int64_t count_scale) {
  const auto elements = shape.checked_elements();
  if (!elements || *elements > kMaxElements) {
    return refuse_arch(op, "size of the output")
        .expected("at most " + std::to_string(kMaxElements) + " elements", to_string(shape));
  }
  // Without rows (capacity 0) no size limits the scale: a chain of operators could multiply it beyond 64 bits.
  if (count_scale < 1 || count_scale > kMaxElements) {
    return refuse_arch(op, "rows for each counted one")
        .expected("1 to " + std::to_string(kMaxElements), std::to_string(count_scale));
  }
  out.dtype = dtype;
  out.shape = shape;
  out.count = count;
  out.count_scale = count_scale;
  return {};
}

Status set_like(const char* op, TensorType& out, const TensorType& in) {
  return set_output(op, out, in.dtype, in.shape, in.count, in.count_scale);
}

double call_bytes(const OpCall& call) {
  double bytes = 0;
  for (const Tensor& tensor : call.in) bytes += double(tensor.bytes());
  for (const Tensor& tensor : call.out) bytes += double(tensor.bytes());
  return bytes;
}

}  // namespace spinert
