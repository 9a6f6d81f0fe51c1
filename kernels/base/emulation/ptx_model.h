// ptx_model.h - what the matrix and copy instructions compute, as pure functions from the inputs of all lanes to the
// outputs of all lanes, after the PTX ISA documentation. The emulation runs on them; tests/cuda_card/ptx_on_card.cu
// compares them with a card.
//
// Sums: the products of one instruction are added in double in order of k, then to the accumulator, rounded to float
// once. Hardware has an order and roundings of its own, which no documentation states: operands of small integers agree
// exactly, others within the tolerance of their operator.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/base/tensor_map.h"

namespace spinert::ptx_model {

constexpr int kLanes = 32, kGroupThreads = 128;

struct Position {
  int row, col;
  bool operator==(const Position&) const = default;
};

// Element i of a lane's fragment: place in A [m][k], B [k][n], D [m][n]. Two elements to a register where they have 16
// bits, the first in the low half.
Position a_m16n8k16(int lane, int i);  // i 0 to 7
Position b_m16n8k16(int lane, int i);  // i 0 to 3
Position a_m16n8k8(int lane, int i);   // tf32, i 0 to 3
Position b_m16n8k8(int lane, int i);   // tf32, i 0 and 1
Position d_m16n8(int lane, int i);     // i 0 to 3
// Element i of thread 0 to 127 of a warpgroup in D [64][n].
Position d_wgmma(int thread, int i);

uint32_t to_tf32(float value);
// The float that a 16-bit operand stands for.
float half_value(bool bf16, uint16_t bits);

void mma_m16n8k16(bool bf16, const uint32_t (&a)[kLanes][4], const uint32_t (&b)[kLanes][2], float (&d)[kLanes][4]);
void mma_m16n8k8_tf32(const uint32_t (&a)[kLanes][4], const uint32_t (&b)[kLanes][2], float (&d)[kLanes][4]);

// rows[8 m + r]: row r of matrix m, 16 bytes; out[lane][m].
void ldmatrix(int matrices, bool trans, const unsigned char* const* rows, uint32_t (*out)[4]);

// D [64][n] of a [64][16] and b [n][16], both as 16-bit operands; out[thread][n / 2], added unless !scale_d.
void wgmma_m64k16(bool bf16, int n, const uint16_t* a, const uint16_t* b, bool scale_d, float* const* out);

// Where the hardware puts the byte that would lie at `address` without a swizzle.
uint32_t swizzled(uint32_t address, ptx::Swizzle swizzle);

// The 64-bit descriptor of a wgmma operand in shared memory.
struct Descriptor {
  uint32_t start;
  int leading_bytes, stride_bytes, base_offset;
  ptx::Swizzle swizzle;
};
uint64_t encode_descriptor(uint32_t shared, int leading_bytes, int stride_bytes, ptx::Swizzle swizzle);
Descriptor decode_descriptor(uint64_t bits);
// Shared address of the 16 bytes that hold k = 8 half .. 8 half + 7 of a row (of A, or a column of B), K-major.
uint32_t operand_address(const Descriptor& descriptor, int row, int half);

// The contents of a TensorMap in the emulation.
struct MapFields {
  uint32_t magic;
  bool im2col;
  ptx::Swizzle swizzle;
  unsigned char rank, element_bytes;
  const unsigned char* base;
  uint32_t dims[5];
  uint64_t strides[4];  // bytes, dimension 1 on
  uint16_t box[5];      // tile: elements taken; im2col: box[0] channels, box[1] pixels
  unsigned char steps[5];
  signed char lower[2], upper[2];
};
static_assert(sizeof(MapFields) <= sizeof(ptx::TensorMap));
constexpr uint32_t kMapMagic = 0x544D4150;
MapFields fields(const TileMap& map);
MapFields fields(const Im2colMap& map);
ptx::TensorMap to_map(const MapFields& fields);
MapFields from_map(const ptx::TensorMap& map);

// Bytes that one load delivers: those outside the tensor count, they arrive as zeros.
int64_t box_bytes(const MapFields& fields);
// One row of a box: `elements` innermost elements, the first at coordinate `first` of dimension 0. base is where
// coordinate 0 lies, null if the row lies outside in another dimension.
struct BoxRow {
  int64_t offset;  // in the box, before the swizzle
  int64_t first;
  const unsigned char* base;
};
// Rows of a tile in the order of shared memory; coordinates may be negative.
BoxRow tile_row(const MapFields& fields, const std::array<int, 5>& coordinates, int64_t row);
int64_t tile_rows(const MapFields& fields);
// Pixel `index` of an im2col load; coordinates c, w, h, n.
BoxRow im2col_row(const MapFields& fields, const std::array<int, 4>& coordinates, std::array<int, 2> offsets,
                  int64_t index);

}  // namespace spinert::ptx_model
