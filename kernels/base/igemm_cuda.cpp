// igemm_cuda.cpp - host side of igemm_cuda.h: what it refuses, and the packed weight.
#include "kernels/base/igemm_cuda.h"

#include <limits>

#include "kernels/base/half.h"

namespace spinert {
namespace {

constexpr int64_t kChunk = 8;  // halves of 16 bytes

}  // namespace

const char* igemm_cuda_rejects(int64_t rows, int64_t depth) {
  // Tiles and steps reach beyond the end by less than this.
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max() - 4096;
  if (rows > kMost) return "more than 2^31 output pixels";
  if (depth > kMost) return "more than 2^31 weights per output channel";
  return nullptr;
}

int64_t igemm_half_packed_bytes(int64_t depth, int64_t columns) {
  return (depth + kGemmStep - 1) / kGemmStep * columns * kGemmStep * int64_t{sizeof(uint16_t)};
}

void igemm_half_pack(const float* weight, int64_t depth, int64_t columns, DType type, void* packed, ThreadPool& pool) {
  auto* to = static_cast<uint16_t*>(packed);
  pool.run((depth + kGemmStep - 1) / kGemmStep, [&](WorkRange range) {
    for (int64_t step = range.begin; step < range.end; ++step) {
      for (int64_t column = 0; column < columns; ++column) {
        uint16_t* row = to + (step * columns + column) * kGemmStep;
        for (int64_t i = 0; i < kGemmStep; ++i) {
          const int64_t k = step * kGemmStep + i;
          const float value = k < depth ? weight[k * columns + column] : 0.0f;
          const int64_t chunk = (i / kChunk) ^ (column / 2 % (kGemmStep / kChunk));
          row[chunk * kChunk + i % kChunk] = type == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
        }
      }
    }
  });
}

}  // namespace spinert
