// tensor_map_card.cu - tensor maps made by the driver. Its functions are asked for by name, so that a program does not
// link libcuda and starts on a machine without it.
#include <cuda.h>
#include <cuda_runtime.h>

#include <cstring>

#include "kernels/base/tensor_map.h"

namespace spinert {
namespace {

[[maybe_unused]] constexpr unsigned int kDriverVersion = 12000;  // the first with tensor maps

static_assert(sizeof(CUtensorMap) == sizeof(ptx::TensorMap) && alignof(CUtensorMap) <= alignof(ptx::TensorMap));

template <class Function>
Result<Function> driver_function(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
  const cudaError_t code = cudaGetDriverEntryPointByVersion(name, &function, kDriverVersion, cudaEnableDefault, &found);
#else
  const cudaError_t code = cudaGetDriverEntryPoint(name, &function, cudaEnableDefault, &found);
#endif
  if (code != cudaSuccess || found != cudaDriverEntryPointSuccess || function == nullptr) {
    return error(ErrorId::E_DEVICE, std::string("the CUDA driver has no ") + name)
        .hint("Install a driver for CUDA 12.0 or newer.");
  }
  return reinterpret_cast<Function>(function);
}

CUtensorMapDataType to_driver(DType dtype) {
  switch (dtype) {
    case DType::f16: return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
    case DType::bf16: return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    default: return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  }
}
CUtensorMapSwizzle to_driver(ptx::Swizzle swizzle) {
  switch (swizzle) {
    case ptx::Swizzle::bytes32: return CU_TENSOR_MAP_SWIZZLE_32B;
    case ptx::Swizzle::bytes64: return CU_TENSOR_MAP_SWIZZLE_64B;
    case ptx::Swizzle::bytes128: return CU_TENSOR_MAP_SWIZZLE_128B;
    case ptx::Swizzle::none: break;
  }
  return CU_TENSOR_MAP_SWIZZLE_NONE;
}

Result<ptx::TensorMap> finish(CUresult code, const CUtensorMap& made) {
  if (code != CUDA_SUCCESS) {
    return error(ErrorId::E_DEVICE, "the CUDA driver refuses a tensor map")
        .expected("0", std::to_string(static_cast<int>(code)));
  }
  ptx::TensorMap map;
  std::memcpy(map.opaque, &made, sizeof made);
  return map;
}

}  // namespace

Result<ptx::TensorMap> make_tile_map(const TileMap& map) {
  SPINERT_TRY(check_tile_map(map));
  SPINERT_ASSIGN(const auto encode, driver_function<decltype(&cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled"));
  cuuint64_t dims[5], strides[4];
  cuuint32_t box[5], steps[5];
  for (int d = 0; d < map.rank; ++d) {
    const auto i = static_cast<size_t>(d);
    dims[d] = static_cast<cuuint64_t>(map.dims[i]);
    if (d > 0) strides[d - 1] = static_cast<cuuint64_t>(map.strides[i - 1]);
    box[d] = static_cast<cuuint32_t>(map.box[i]);
    steps[d] = static_cast<cuuint32_t>(map.steps[i]);
  }
  CUtensorMap made;
  const CUresult code =
      encode(&made, to_driver(map.dtype), static_cast<cuuint32_t>(map.rank), const_cast<void*>(map.base), dims, strides,
             box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, to_driver(map.swizzle), CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return finish(code, made);
}

Result<ptx::TensorMap> make_im2col_map(const Im2colMap& map) {
  SPINERT_TRY(check_im2col_map(map));
  SPINERT_ASSIGN(const auto encode, driver_function<decltype(&cuTensorMapEncodeIm2col)>("cuTensorMapEncodeIm2col"));
  cuuint64_t dims[4], strides[3];
  for (size_t d = 0; d < 4; ++d) dims[d] = static_cast<cuuint64_t>(map.dims[d]);
  for (size_t d = 0; d < 3; ++d) strides[d] = static_cast<cuuint64_t>(map.strides[d]);
  const cuuint32_t steps[4] = {1, static_cast<cuuint32_t>(map.steps[0]), static_cast<cuuint32_t>(map.steps[1]), 1};
  CUtensorMap made;
  const CUresult code = encode(
      &made, to_driver(map.dtype), 4, const_cast<void*>(map.base), dims, strides, map.lower.data(), map.upper.data(),
      static_cast<cuuint32_t>(map.channels), static_cast<cuuint32_t>(map.pixels), steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
      to_driver(map.swizzle), CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return finish(code, made);
}

}  // namespace spinert
