// emulated_tensor_map.cpp - tensor maps that hold their fields openly.
#include "kernels/base/emulation/ptx_model.h"

namespace spinert {

Result<ptx::TensorMap> make_tile_map(const TileMap& map) {
  SPINERT_TRY(check_tile_map(map));
  return ptx_model::to_map(ptx_model::fields(map));
}
Result<ptx::TensorMap> make_im2col_map(const Im2colMap& map) {
  SPINERT_TRY(check_im2col_map(map));
  return ptx_model::to_map(ptx_model::fields(map));
}

}  // namespace spinert
