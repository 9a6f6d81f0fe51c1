// vendor.h - the same layers through cuDNN's graph API and cuBLASLt, the bar for our kernels. Linked by gpu_bench alone
// and only where the libraries are; without them every list of plans is empty.
//
// Both get what suits them best: NHWC f16, f32 sums, bias, residual and ReLU fused, any workspace, every plan that the
// heuristics offer. The caller times all of them and takes the fastest.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/cuda_device.h"

namespace spinert::bench {

struct VendorConv {
  int64_t n, h, w, c, o, k, stride, padding;
  bool residual, relu;
};
struct VendorMatmul {
  int64_t rows, k, o;  // y [rows][o] = relu(x [rows][k] * weight [k][o] + bias)
  bool relu;
};
// Device memory, f16 but for the bias of a convolution. Convolution: weight [O][kh][kw][C], bias [O] f32, residual like
// y. Product: weight [k][o], bias [o] f16 or null.
struct VendorData {
  const void *x, *weight, *bias, *residual;
  void* y;
};

// One plan of a library for one shape: run() enqueues it on the device's stream.
struct VendorPlan {
  std::string name;
  int64_t workspace_bytes = 0;
  std::function<Status(const VendorData&, void* workspace)> run;
};

bool vendor_has_conv();
bool vendor_has_matmul();
// "cuDNN 9.14.0", or that there is none.
std::string vendor_conv_version();
std::string vendor_matmul_version();

// Plans stay valid while the returned object lives.
class VendorPlans {
 public:
  virtual ~VendorPlans() = default;
  std::vector<VendorPlan> plans;
};
Result<std::unique_ptr<VendorPlans>> vendor_conv_plans(CudaDevice& device, const VendorConv& conv);
Result<std::unique_ptr<VendorPlans>> vendor_matmul_plans(CudaDevice& device, const VendorMatmul& matmul, bool bias);
// TFLOP/s of a product of side x side matrices of random f16 numbers, best of the plans.
Result<double> vendor_matmul_roof(CudaDevice& device, int64_t side);

}  // namespace spinert::bench
