// tensor.h - element types, shapes, and the non-owning view through which every kernel sees its data.
//
// Layout is row-major; activations are NHWC on every backend, convolution weights [kh][kw][in / groups][out], linear
// weights [in][out]. A dynamic number of rows is a value, not a shape: a view has a capacity (dim 0) and, optionally, a
// pointer to an int32 count that lives where the data lives. A kernel processes rows() rows and leaves the rest alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/base/checked.h"

namespace spinert {

enum class DType : unsigned char { none, f32, f16, bf16, i8, i32, u8 };

constexpr int64_t size_of(DType type) {
  switch (type) {
    case DType::f32:
    case DType::i32: return 4;
    case DType::f16:
    case DType::bf16: return 2;
    case DType::i8:
    case DType::u8: return 1;
    case DType::none: break;
  }
  return 0;
}

std::string_view dtype_name(DType type);

inline constexpr int kMaxRank = 5;

// Up to kMaxRank extents, outermost first. Rank 0 is a scalar with one element.
struct Shape {
  std::array<int64_t, kMaxRank> dim{};
  int rank = 0;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : rank(static_cast<int>(dims.size())) {
    std::copy(dims.begin(), dims.end(), dim.begin());
  }

  int64_t operator[](int i) const { return dim[static_cast<size_t>(i)]; }
  int64_t& operator[](int i) { return dim[static_cast<size_t>(i)]; }
  bool operator==(const Shape& o) const {
    return rank == o.rank && std::equal(dim.begin(), dim.begin() + rank, o.dim.begin());
  }
  int64_t last() const { return rank == 0 ? 1 : dim[static_cast<size_t>(rank - 1)]; }
  // Number of elements; nothing if a dimension is negative or the product does not fit.
  std::optional<int64_t> checked_elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) {
      if ((*this)[i] < 0) return std::nullopt;
      const auto product = checked_mul(n, (*this)[i]);
      if (!product) return std::nullopt;
      n = *product;
    }
    return n;
  }
  // Number of elements of a shape that has been checked.
  int64_t elements() const { return checked_elements().value_or(0); }
};

// "1x256x256x64"
std::string to_string(const Shape& shape);

// What the codes of a u8 tensor mean: real = scale * (code - zero). Of other types it means nothing.
struct Quantisation {
  float scale = 1;   // finite, above 0
  int32_t zero = 0;  // the code of 0, 0 to 255: what padding is filled with
  bool operator==(const Quantisation&) const = default;
};

// A view of somebody else's memory. data is null at planning time and for an absent optional input (dtype none).
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::none;
  Shape shape;
  const int32_t* count = nullptr;  // rows in use, in units of count_scale; null: all of dim 0
  int64_t count_scale = 1;
  Quantisation quantisation;  // of u8

  bool present() const { return dtype != DType::none; }
  int64_t elements() const { return shape.elements(); }
  int64_t bytes() const { return elements() * size_of(dtype); }
  // Rows of dim 0 to process now. A count outside [0, capacity] is clamped: it can never reach outside memory.
  int64_t rows() const {
    if (shape.rank == 0) return 1;
    if (!count) return shape[0];
    return std::clamp<int64_t>(int64_t{*count} * count_scale, 0, shape[0]);
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  float* f32() const { return static_cast<float*>(data); }
  int32_t* i32() const { return static_cast<int32_t*>(data); }
};

}  // namespace spinert
