// ptx.cuh - every PTX instruction that a kernel uses, one inline function each, in namespace spinert::ptx. Kernels hold
// no inline assembly.
//
// On the card a wrapper is the instruction. In the emulation (SPINERT_EMULATE_CUDA) it is its host twin, which does
// what the PTX documentation says of lanes, layouts and shared memory; arithmetic and layouts are the pure functions of
// emulation/ptx_model.h, which tests/cuda_card/ptx_on_card.cu holds against a real card. Asynchronous instructions are
// adversarial in the emulation: data lands as late as the rules allow, misuse stops the launch with a message.
//
//   ptx_convert.cuh  f16, bf16, tf32 conversions
//   ptx_mma.cuh      ldmatrix, mma
//   ptx_async.cuh    cp.async, named barriers, setmaxnreg, programmatic dependent launch
//   ptx_mbarrier.cuh mbarrier, fences                       9.0 only
//   ptx_tma.cuh      tensor memory accelerator              9.0 only
//   ptx_wgmma.cuh    warpgroup matrix product               9.0a only
// The families of 9.0 do not exist when device code for an older card is compiled.
#pragma once

#include "kernels/base/ptx_async.cuh"
#include "kernels/base/ptx_convert.cuh"
#include "kernels/base/ptx_mbarrier.cuh"
#include "kernels/base/ptx_mma.cuh"
#include "kernels/base/ptx_tma.cuh"
#include "kernels/base/ptx_wgmma.cuh"
