// vendor_none.cpp - in place of the lane whose library is not there.
#include "bench/gpu/vendor.h"

namespace spinert::bench {

#if defined(SPINERT_NO_CUDNN)
bool vendor_has_conv() {
  return false;
}
std::string vendor_conv_version() {
  return "no cuDNN";
}
Result<std::unique_ptr<VendorPlans>> vendor_conv_plans(CudaDevice&, const VendorConv&) {
  return error(ErrorId::E_DEVICE, "built without cuDNN", "gpu_bench");
}
#endif

#if defined(SPINERT_NO_CUBLASLT)
bool vendor_has_matmul() {
  return false;
}
std::string vendor_matmul_version() {
  return "no cuBLASLt";
}
Result<std::unique_ptr<VendorPlans>> vendor_matmul_plans(CudaDevice&, const VendorMatmul&, bool) {
  return error(ErrorId::E_DEVICE, "built without cuBLASLt", "gpu_bench");
}
Result<double> vendor_matmul_roof(CudaDevice&, int64_t) {
  return 0.0;
}
#endif

}  // namespace spinert::bench
