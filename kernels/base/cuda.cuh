// cuda.cuh - what every .cu file includes: the CUDA language, launches, shared memory, element types. The same source
// is compiled by nvcc for the card and by the host compiler with SPINERT_EMULATE_CUDA for the emulation, where a thread
// is a fiber (cuda_emulation.h). A kernel file keeps to this vocabulary:
//
//   __global__ void __launch_bounds__(256) k(Params p)  parameters by value, trivially copyable
//   SPINERT_SHARED(float, tile, 32 * 33);     static shared memory, one dimension
//   unsigned char* shared = dynamic_shared();  dynamic shared memory, 1024-byte aligned
//   threadIdx, blockIdx, blockDim, gridDim, __syncthreads, __syncwarp, __shfl_*_sync, __ballot_sync, __any_sync,
//   __all_sync, atomicAdd / Max / Min / Or / CAS / Exch, __popc, __ffs, __clz, __ffsll, __popcll, __threadfence, __ldg,
//   min, max
//
//   ptx::...  everything that has no name in CUDA C++ (ptx.cuh)
//
//   launch(context, {.grid, .block, .shared}, kernel, arguments...)
//
// nvcc runs with --fmad=false: a * b + c is two roundings unless written fmaf(a, b, c), as everywhere in SpineRT.
#pragma once

#include <cstdint>

#include "kernels/base/cuda_device.h"
#include "kernels/base/half.h"

#if defined(SPINERT_EMULATE_CUDA)
#include "kernels/base/cuda_emulation.h"
#else
#include <cuda_runtime.h>
#endif

#include "kernels/base/ptx.cuh"

namespace spinert {

struct LaunchShape {
  int64_t grid_x = 1, grid_y = 1, grid_z = 1;
  int block = 128;     // threads
  int64_t shared = 0;  // dynamic shared memory in bytes
  // Every thread calls ptx::grid_dependency_wait() before it touches global memory: only such a kernel may be launched
  // while the one before it still runs.
  bool waits = false;
};

// The rows in use of a view, read on the device; the device twin of Tensor::rows().
struct DeviceRows {
  const int32_t* count;
  int64_t capacity, scale;

  __device__ int64_t get() const {
    if (!count) return capacity;
    const int64_t rows = int64_t{*count} * scale;
    return rows < 0 ? 0 : (rows > capacity ? capacity : rows);
  }
};
inline DeviceRows device_rows(const Tensor& tensor) {
  return {tensor.count, tensor.shape.rank == 0 ? 1 : tensor.shape[0], tensor.count_scale};
}

#if defined(SPINERT_EMULATE_CUDA)

// The key is the address of a variable that every instantiation of a template has for itself, as it has its array.
#define SPINERT_SHARED(Type, name, elements)                                                                \
  Type* const name =                                                                                        \
      static_cast<Type*>(::spinert::emulation::static_shared(sizeof(Type) * (elements), alignof(Type), [] { \
        static constinit char key = 0;                                                                      \
        return static_cast<const void*>(&key);                                                              \
      }()))

inline unsigned char* dynamic_shared() {
  return emulation::dynamic_shared();
}

// Arguments are copied now; the body runs when the stream reaches it.
template <class... Parameters, class... Arguments>
void launch(const RunContext& context, const LaunchShape& shape, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  emulation::launch(*context.stream, shape.grid_x, shape.grid_y, shape.grid_z, shape.block, shape.shared,
                    [=] { kernel(static_cast<Parameters>(arguments)...); });
}

#else

#define SPINERT_SHARED(Type, name, elements) __shared__ Type name[elements]

__device__ __forceinline__ unsigned char* dynamic_shared() {
  extern __shared__ __align__(1024) unsigned char spinert_dynamic_shared[];
  return spinert_dynamic_shared;
}

// cuda_device.cu: checks the shape against the card, sets the shared-memory limit, launches, records an error.
void launch_on_card(CudaStream& stream, const void* kernel, const LaunchShape& shape, void** arguments);

template <class... Parameters, class... Arguments>
void launch(const RunContext& context, const LaunchShape& shape, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  [&](Parameters... converted) {
    void* pointers[] = {const_cast<void*>(static_cast<const void*>(&converted))...};
    launch_on_card(*context.stream, reinterpret_cast<const void*>(kernel), shape, pointers);
  }(static_cast<Parameters>(arguments)...);
}

#endif

}  // namespace spinert
