// vendor_cublaslt.cpp - matrix products with bias and ReLU through cuBLASLt, up to 32 plans of its heuristics. Our
// row-major y = x w is its column-major y^T = w^T x^T: no operand is transposed.
#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <vector>

#include "bench/gpu/gpu_timer.h"
#include "bench/gpu/vendor.h"
#include "kernels/base/half.h"
#include "tests/ops/op_case.h"

namespace spinert::bench {
namespace {

constexpr int kPlans = 32;
constexpr size_t kMostWorkspace = size_t{256} << 20;

Status check(cublasStatus_t code, const char* what) {
  if (code == CUBLAS_STATUS_SUCCESS) return {};
  return error(ErrorId::E_DEVICE, std::string("cuBLASLt, ") + what + ": " + cublasLtGetStatusString(code), "gpu_bench");
}

class LtPlans : public VendorPlans {
 public:
  ~LtPlans() override {
    plans.clear();
    if (preference_) cublasLtMatmulPreferenceDestroy(preference_);
    for (cublasLtMatrixLayout_t layout : {a_, b_, d_}) {
      if (layout) cublasLtMatrixLayoutDestroy(layout);
    }
    if (operation_) cublasLtMatmulDescDestroy(operation_);
    if (handle_) cublasLtDestroy(handle_);
  }

  Status build(CudaDevice& device, const VendorMatmul& m, bool bias) {
    SPINERT_TRY(check(cublasLtCreate(&handle_), "handle"));
    SPINERT_TRY(check(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "operation"));
    if (bias) {
      const cublasLtEpilogue_t epilogue = m.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
      SPINERT_TRY(
          check(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue),
                "epilogue"));
    }
    const auto o = static_cast<uint64_t>(m.o), k = static_cast<uint64_t>(m.k), rows = static_cast<uint64_t>(m.rows);
    SPINERT_TRY(check(cublasLtMatrixLayoutCreate(&a_, CUDA_R_16F, o, k, m.o), "layout"));
    SPINERT_TRY(check(cublasLtMatrixLayoutCreate(&b_, CUDA_R_16F, k, rows, m.k), "layout"));
    SPINERT_TRY(check(cublasLtMatrixLayoutCreate(&d_, CUDA_R_16F, o, rows, m.o), "layout"));
    SPINERT_TRY(check(cublasLtMatmulPreferenceCreate(&preference_), "preference"));
    SPINERT_TRY(check(cublasLtMatmulPreferenceSetAttribute(preference_, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                           &kMostWorkspace, sizeof kMostWorkspace),
                      "preference"));
    int found = 0;
    results_.resize(kPlans);
    SPINERT_TRY(check(cublasLtMatmulAlgoGetHeuristic(handle_, operation_, a_, b_, d_, d_, preference_, kPlans,
                                                     results_.data(), &found),
                      "heuristics"));
    const cudaStream_t stream = native_stream(device.stream());
    for (int i = 0; i < found; ++i) {
      const cublasLtMatmulHeuristicResult_t& result = results_[static_cast<size_t>(i)];
      if (result.state != CUBLAS_STATUS_SUCCESS) continue;
      plans.push_back(
          {"cuBLASLt " + std::to_string(i), static_cast<int64_t>(result.workspaceSize),
           [this, &result, bias, stream](const VendorData& data, void* memory) -> Status {
             const float one = 1, zero = 0;
             if (bias) {
               SPINERT_TRY(check(cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                                &data.bias, sizeof data.bias),
                                 "bias"));
             }
             return check(cublasLtMatmul(handle_, operation_, &one, data.weight, a_, data.x, b_, &zero, data.y, d_,
                                         data.y, d_, &result.algo, memory, result.workspaceSize, stream),
                          "product");
           }});
    }
    return {};
  }

 private:
  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, d_ = nullptr;
  cublasLtMatmulPreference_t preference_ = nullptr;
  std::vector<cublasLtMatmulHeuristicResult_t> results_;
};

}  // namespace

bool vendor_has_matmul() {
  return true;
}

std::string vendor_matmul_version() {
  const size_t v = cublasLtGetVersion();
  return "cuBLASLt " + std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

Result<std::unique_ptr<VendorPlans>> vendor_matmul_plans(CudaDevice& device, const VendorMatmul& matmul, bool bias) {
  auto plans = std::make_unique<LtPlans>();
  SPINERT_TRY(plans->build(device, matmul, bias));
  return std::unique_ptr<VendorPlans>(std::move(plans));
}

Result<double> vendor_matmul_roof(CudaDevice& device, int64_t side) {
  // Random numbers, never zeros: a card runs faster on zeros.
  const int64_t bytes = side * side * 2;
  std::vector<uint16_t> random(static_cast<size_t>(side * side));
  for (size_t i = 0; i < random.size(); ++i) random[i] = f32_to_f16(cases::random_uniform(1, i));
  SPINERT_ASSIGN(void* x, device.allocate(bytes));
  SPINERT_ASSIGN(void* w, device.allocate(bytes));
  SPINERT_ASSIGN(void* y, device.allocate(bytes));
  SPINERT_ASSIGN(void* workspace, device.allocate(static_cast<int64_t>(kMostWorkspace)));
  device.stream().upload(x, random.data(), bytes);
  device.stream().upload(w, random.data(), bytes);
  SPINERT_TRY(device.stream().synchronize());
  SPINERT_ASSIGN(const auto plans, vendor_matmul_plans(device, {side, side, side, false}, false));
  const VendorData data{x, w, nullptr, nullptr, y};
  double best = 0;
  for (const VendorPlan& plan : plans->plans) {
    const auto times = time_on_card(device.stream(), 1, 5, [&](int) { return plan.run(data, workspace); });
    if (times.ok()) best = std::max(best, 2e-6 * double(side) * double(side) * double(side) / times.value().median());
  }
  for (void* memory : {x, w, y, workspace}) device.release(memory);
  return best;
}

}  // namespace spinert::bench
