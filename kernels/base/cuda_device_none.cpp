// cuda_device_none.cpp - a build without CUDA refuses every card.
#include "kernels/base/chunks.h"
#include "kernels/base/cuda_device.h"

namespace spinert {

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(int index) {
  return error(ErrorId::E_DEVICE, "this build has no CUDA backend", "cuda:" + std::to_string(index))
      .hint("Use --device cpu, or build with the CUDA toolkit 12.4 or newer.");
}

// Unreachable without a stream; here so that the runtime links.
void enqueue_chunks_begin(CudaStream&, const ChunkState&) {}
void enqueue_chunk_take(CudaStream&, const ChunkState&, const RowCopies&) {}
void enqueue_chunk_give(CudaStream&, const ChunkState&, const RowCopies&) {}

}  // namespace spinert
