// ptx_model_tma.cpp - boxes of the tensor memory accelerator: which element lies where.
#include <cstring>

#include "kernels/base/emulation/ptx_model.h"

namespace spinert::ptx_model {
namespace {

// Positions that an im2col walk takes along a dimension: lower, lower + step, ... up to extent - 1 + upper.
int64_t positions(const MapFields& map, int spatial) {
  const auto i = static_cast<size_t>(spatial);
  const int64_t last = int64_t{map.dims[i + 1]} - 1 + map.upper[i];
  return (last - map.lower[i]) / map.steps[i + 1] + 1;
}

MapFields common(DType dtype, const void* base, ptx::Swizzle swizzle) {
  MapFields result{};
  result.magic = kMapMagic;
  result.swizzle = swizzle;
  result.element_bytes = static_cast<unsigned char>(size_of(dtype));
  result.base = static_cast<const unsigned char*>(base);
  return result;
}

}  // namespace

MapFields fields(const TileMap& map) {
  MapFields result = common(map.dtype, map.base, map.swizzle);
  result.rank = static_cast<unsigned char>(map.rank);
  for (size_t d = 0; d < static_cast<size_t>(map.rank); ++d) {
    result.dims[d] = static_cast<uint32_t>(map.dims[d]);
    if (d > 0) result.strides[d - 1] = static_cast<uint64_t>(map.strides[d - 1]);
    result.steps[d] = static_cast<unsigned char>(map.steps[d]);
    result.box[d] = static_cast<uint16_t>((map.box[d] + map.steps[d] - 1) / map.steps[d]);
  }
  return result;
}

MapFields fields(const Im2colMap& map) {
  MapFields result = common(map.dtype, map.base, map.swizzle);
  result.im2col = true;
  result.rank = 4;
  for (size_t d = 0; d < 4; ++d) result.dims[d] = static_cast<uint32_t>(map.dims[d]);
  for (size_t d = 0; d < 3; ++d) result.strides[d] = static_cast<uint64_t>(map.strides[d]);
  for (size_t d = 0; d < 2; ++d) {
    result.steps[d + 1] = static_cast<unsigned char>(map.steps[d]);
    result.lower[d] = static_cast<signed char>(map.lower[d]);
    result.upper[d] = static_cast<signed char>(map.upper[d]);
  }
  result.box[0] = static_cast<uint16_t>(map.channels);
  result.box[1] = static_cast<uint16_t>(map.pixels);
  return result;
}

ptx::TensorMap to_map(const MapFields& fields) {
  ptx::TensorMap map{};
  std::memcpy(map.opaque, &fields, sizeof fields);
  return map;
}
MapFields from_map(const ptx::TensorMap& map) {
  MapFields fields;
  std::memcpy(&fields, map.opaque, sizeof fields);
  return fields;
}

int64_t tile_rows(const MapFields& fields) {
  int64_t rows = 1;
  for (int d = 1; d < fields.rank; ++d) rows *= fields.box[d];
  return rows;
}
int64_t box_bytes(const MapFields& fields) {
  const int64_t rows = fields.im2col ? fields.box[1] : tile_rows(fields);
  return rows * fields.box[0] * fields.element_bytes;
}

BoxRow tile_row(const MapFields& fields, const std::array<int, 5>& coordinates, int64_t row) {
  BoxRow result{row * fields.box[0] * fields.element_bytes, coordinates[0], fields.base};
  for (size_t d = 1; d < fields.rank; ++d) {
    const int64_t at = coordinates[d] + row % fields.box[d] * fields.steps[d];
    row /= fields.box[d];
    if (at < 0 || at >= int64_t{fields.dims[d]}) result.base = nullptr;
    if (result.base) result.base += static_cast<uint64_t>(at) * fields.strides[d - 1];
  }
  return result;
}

BoxRow im2col_row(const MapFields& fields, const std::array<int, 4>& coordinates, std::array<int, 2> offsets,
                  int64_t index) {
  const int64_t wide = positions(fields, 0), high = positions(fields, 1);
  const int64_t first_w = (coordinates[1] - fields.lower[0]) / fields.steps[1];
  const int64_t first_h = (coordinates[2] - fields.lower[1]) / fields.steps[2];
  const int64_t linear = (coordinates[3] * high + first_h) * wide + first_w + index;
  const int64_t w = fields.lower[0] + linear % wide * fields.steps[1] + offsets[0];
  const int64_t h = fields.lower[1] + linear / wide % high * fields.steps[2] + offsets[1];
  const int64_t n = linear / wide / high;
  BoxRow result{index * fields.box[0] * fields.element_bytes, coordinates[0], nullptr};
  if (w >= 0 && w < int64_t{fields.dims[1]} && h >= 0 && h < int64_t{fields.dims[2]} && n >= 0 &&
      n < int64_t{fields.dims[3]}) {
    result.base = fields.base + static_cast<uint64_t>(w) * fields.strides[0] +
                  static_cast<uint64_t>(h) * fields.strides[1] + static_cast<uint64_t>(n) * fields.strides[2];
  }
  return result;
}

}  // namespace spinert::ptx_model
