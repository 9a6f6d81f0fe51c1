#include "kernels/base/tensor.h"

namespace spinert {

std::string_view dtype_name(DType type) {
  switch (type) {
    case DType::f32: return "f32";
    case DType::f16: return "f16";
    case DType::bf16: return "bf16";
    case DType::i8: return "i8";
    case DType::i32: return "i32";
    case DType::u8: return "u8";
    case DType::none: break;
  }
  return "none";
}

std::string to_string(const Shape& shape) {
  std::string text;
  for (int i = 0; i < shape.rank; ++i) {
    if (i > 0) text += 'x';
    text += std::to_string(shape[i]);
  }
  return text.empty() ? "scalar" : text;
}

}  // namespace spinert
