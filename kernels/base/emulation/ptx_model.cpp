#include "kernels/base/emulation/ptx_model.h"

#include <bit>

#include "kernels/base/half.h"

namespace spinert::ptx_model {
namespace {

constexpr int kK = 16;  // depth of one instruction with 16-bit operands

uint16_t half_of(uint32_t packed, int i) {
  return static_cast<uint16_t>(i & 1 ? packed >> 16 : packed & 0xFFFFu);
}

// d += a b for a [16][k] and b [k][8].
template <int K>
void multiply_into(const float (&a)[16][K], const float (&b)[K][8], float (&d)[kLanes][4]) {
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const Position at = d_m16n8(lane, i);
      double sum = 0;
      for (int k = 0; k < K; ++k) sum += double{a[at.row][k]} * double{b[k][at.col]};
      d[lane][i] = static_cast<float>(double{d[lane][i]} + sum);
    }
  }
}

}  // namespace

Position a_m16n8k16(int lane, int i) {
  const int group = lane / 4, thread = lane % 4;
  const bool lower_rows = i == 2 || i == 3 || i >= 6;
  return {group + (lower_rows ? 8 : 0), thread * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
}
Position b_m16n8k16(int lane, int i) {
  return {(lane % 4) * 2 + (i & 1) + (i >= 2 ? 8 : 0), lane / 4};
}
Position a_m16n8k8(int lane, int i) {
  return {lane / 4 + (i & 1 ? 8 : 0), lane % 4 + (i >= 2 ? 4 : 0)};
}
Position b_m16n8k8(int lane, int i) {
  return {lane % 4 + 4 * i, lane / 4};
}
Position d_m16n8(int lane, int i) {
  return {lane / 4 + (i >= 2 ? 8 : 0), (lane % 4) * 2 + (i & 1)};
}
Position d_wgmma(int thread, int i) {
  const int warp = thread / 32, lane = thread % 32;
  return {16 * warp + lane / 4 + 8 * ((i / 2) % 2), 8 * (i / 4) + (lane % 4) * 2 + i % 2};
}

uint32_t to_tf32(float value) {
  constexpr uint32_t kCanonicalNan = 0x7FFFFFFF, kInfinity = 0x7F800000, kHalfUnit = 0x1000, kDropped = 0x1FFF;
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > kInfinity) return kCanonicalNan;
  return (bits + kHalfUnit) & ~kDropped;
}

float half_value(bool bf16, uint16_t bits) {
  return bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

void mma_m16n8k16(bool bf16, const uint32_t (&a)[kLanes][4], const uint32_t (&b)[kLanes][2], float (&d)[kLanes][4]) {
  float rows[16][16], columns[16][8];
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 8; ++i) {
      const Position at = a_m16n8k16(lane, i);
      rows[at.row][at.col] = half_value(bf16, half_of(a[lane][i / 2], i));
    }
    for (int i = 0; i < 4; ++i) {
      const Position at = b_m16n8k16(lane, i);
      columns[at.row][at.col] = half_value(bf16, half_of(b[lane][i / 2], i));
    }
  }
  multiply_into(rows, columns, d);
}

void mma_m16n8k8_tf32(const uint32_t (&a)[kLanes][4], const uint32_t (&b)[kLanes][2], float (&d)[kLanes][4]) {
  constexpr uint32_t kUsed = ~uint32_t{0x1FFF};
  float rows[16][8], columns[8][8];
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const Position at = a_m16n8k8(lane, i);
      rows[at.row][at.col] = std::bit_cast<float>(a[lane][i] & kUsed);
    }
    for (int i = 0; i < 2; ++i) {
      const Position at = b_m16n8k8(lane, i);
      columns[at.row][at.col] = std::bit_cast<float>(b[lane][i] & kUsed);
    }
  }
  multiply_into(rows, columns, d);
}

void ldmatrix(int matrices, bool trans, const unsigned char* const* rows, uint32_t (*out)[4]) {
  const auto element = [&](int matrix, int row, int col) -> uint32_t {
    const unsigned char* at = rows[8 * matrix + row] + 2 * col;
    return at[0] | uint32_t{at[1]} << 8;
  };
  for (int lane = 0; lane < kLanes; ++lane) {
    const int g = lane / 4, first = 2 * (lane % 4);
    for (int m = 0; m < matrices; ++m) {
      out[lane][m] = trans ? element(m, first, g) | element(m, first + 1, g) << 16
                           : element(m, g, first) | element(m, g, first + 1) << 16;
    }
  }
}

void wgmma_m64k16(bool bf16, int n, const uint16_t* a, const uint16_t* b, bool scale_d, float* const* out) {
  constexpr int kMostN = 256;
  static thread_local float rows[64][kK];  // not on the small stack of a fiber
  static thread_local double columns[kK][kMostN];
  for (int m = 0; m < 64; ++m) {
    for (int k = 0; k < kK; ++k) rows[m][k] = half_value(bf16, a[m * kK + k]);
  }
  for (int j = 0; j < n; ++j) {
    for (int k = 0; k < kK; ++k) columns[k][j] = half_value(bf16, b[j * kK + k]);
  }
  // Four threads hold a row of D between them, so a row is summed at once and handed out.
  for (int m = 0; m < 64; ++m) {
    double sums[kMostN] = {};
    for (int k = 0; k < kK; ++k) {
      const double factor = rows[m][k];
      for (int j = 0; j < n; ++j) sums[j] += factor * columns[k][j];
    }
    const int first = 32 * (m / 16) + 4 * (m % 8), half = (m % 16) / 8;
    for (int thread = first; thread < first + 4; ++thread) {
      for (int i = 2 * half; i < n / 2; i += i % 2 == 0 ? 1 : 3) {
        float& d = out[thread][i];
        d = static_cast<float>((scale_d ? double{d} : 0.0) + sums[d_wgmma(thread, i).col]);
      }
    }
  }
}

uint32_t swizzled(uint32_t address, ptx::Swizzle swizzle) {
  switch (swizzle) {
    case ptx::Swizzle::bytes128: return address ^ ((address >> 3) & 0x70u);
    case ptx::Swizzle::bytes64: return address ^ ((address >> 3) & 0x30u);
    case ptx::Swizzle::bytes32: return address ^ ((address >> 3) & 0x10u);
    case ptx::Swizzle::none: break;
  }
  return address;
}

uint64_t encode_descriptor(uint32_t shared, int leading_bytes, int stride_bytes, ptx::Swizzle swizzle) {
  constexpr uint64_t kMode[] = {0, 3, 2, 1};  // none, 32, 64, 128 bytes
  const auto field = [](uint64_t bytes) { return (bytes & 0x3FFFFu) >> 4; };
  return field(shared) | field(static_cast<uint64_t>(leading_bytes)) << 16 |
         field(static_cast<uint64_t>(stride_bytes)) << 32 | kMode[static_cast<int>(swizzle)] << 62;
}

Descriptor decode_descriptor(uint64_t bits) {
  constexpr ptx::Swizzle kMode[] = {ptx::Swizzle::none, ptx::Swizzle::bytes128, ptx::Swizzle::bytes64,
                                    ptx::Swizzle::bytes32};
  const auto field = [bits](int from) { return static_cast<uint32_t>((bits >> from) & 0x3FFFu) << 4; };
  return {field(0), static_cast<int>(field(16)), static_cast<int>(field(32)), static_cast<int>((bits >> 49) & 7u),
          kMode[bits >> 62]};
}

uint32_t operand_address(const Descriptor& descriptor, int row, int half) {
  const auto r = static_cast<uint32_t>(row), h = static_cast<uint32_t>(half);
  const uint32_t start = descriptor.start + r / 8 * static_cast<uint32_t>(descriptor.stride_bytes);
  if (descriptor.swizzle == ptx::Swizzle::none) {
    // Core matrices of 8 rows x 16 bytes, each 128 bytes in a piece.
    return start + r % 8 * 16 + h * static_cast<uint32_t>(descriptor.leading_bytes);
  }
  const auto span = static_cast<uint32_t>(ptx::swizzle_span(descriptor.swizzle));
  return swizzled(start + r % 8 * span + h * 16, descriptor.swizzle);
}

}  // namespace spinert::ptx_model
