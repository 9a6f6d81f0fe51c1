// vendor_cudnn.cpp - convolution + bias + residual + ReLU as one cuDNN 9 graph, every plan of heuristics A, B and the
// fallback list. Layout NHWC throughout: dimensions are given in cuDNN's order N, C, H, W with the strides of NHWC.
#include <cudnn.h>

#include <array>
#include <set>

#include "bench/gpu/gpu_timer.h"
#include "bench/gpu/vendor.h"

namespace spinert::bench {
namespace {

constexpr int64_t kAlignment = 16;
enum Uid : int64_t { kX = 1, kWeight, kBias, kResidual, kY, kVirtual };

Status check(cudnnStatus_t code, const char* what) {
  if (code == CUDNN_STATUS_SUCCESS) return {};
  return error(ErrorId::E_DEVICE, std::string("cuDNN, ") + what + ": " + cudnnGetErrorString(code), "gpu_bench");
}

// Owns one backend descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(cudnnBackendDescriptor_t handle) : handle_(handle, cudnnBackendDestroyDescriptor) {}
  static Result<Descriptor> create(cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t handle = nullptr;
    SPINERT_TRY(check(cudnnBackendCreateDescriptor(type, &handle), "descriptor"));
    return Descriptor(handle);
  }
  cudnnBackendDescriptor_t get() const { return handle_.get(); }

  // Setters collect the first failure; finalize() reports it.
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                  const void* value) {
    if (code_ == CUDNN_STATUS_SUCCESS) code_ = cudnnBackendSetAttribute(get(), name, type, count, value);
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& other) {
    const cudnnBackendDescriptor_t handle = other.get();
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &handle);
  }
  cudnnStatus_t finalize() { return code_ == CUDNN_STATUS_SUCCESS ? cudnnBackendFinalize(get()) : code_; }

 private:
  std::shared_ptr<void> handle_;
  cudnnStatus_t code_ = CUDNN_STATUS_SUCCESS;
};

Result<Descriptor> tensor(int64_t uid, cudnnDataType_t type, const std::array<int64_t, 4>& nchw, bool is_virtual) {
  SPINERT_ASSIGN(Descriptor d, Descriptor::create(CUDNN_BACKEND_TENSOR_DESCRIPTOR));
  const std::array<int64_t, 4> strides = {nchw[1] * nchw[2] * nchw[3], 1, nchw[3] * nchw[1], nchw[1]};
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid)
      .set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, nchw.data())
      .set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides.data())
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &kAlignment)
      .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
  SPINERT_TRY(check(d.finalize(), "tensor"));
  return d;
}

Result<Descriptor> pointwise(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor* b, const Descriptor& y) {
  SPINERT_ASSIGN(Descriptor rule, Descriptor::create(CUDNN_BACKEND_POINTWISE_DESCRIPTOR));
  const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
  rule.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode)
      .set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision);
  SPINERT_TRY(check(rule.finalize(), "pointwise rule"));
  SPINERT_ASSIGN(Descriptor op, Descriptor::create(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, rule).set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b) op.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  SPINERT_TRY(check(op.finalize(), "pointwise operation"));
  return op;
}

class CudnnPlans : public VendorPlans {
 public:
  ~CudnnPlans() override {
    plans.clear();
    if (handle_) cudnnDestroy(handle_);
  }

  Status build(CudaDevice& device, const VendorConv& conv) {
    SPINERT_TRY(check(cudnnCreate(&handle_), "handle"));
    SPINERT_TRY(check(cudnnSetStream(handle_, native_stream(device.stream())), "stream"));
    SPINERT_ASSIGN(const Descriptor graph, operation_graph(conv));
    for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B, CUDNN_HEUR_MODE_FALLBACK}) {
      add_plans(graph, mode, conv);
    }
    if (plans.empty()) return error(ErrorId::E_DEVICE, "cuDNN has no plan for this convolution", "gpu_bench");
    return {};
  }

 private:
  Result<Descriptor> operation_graph(const VendorConv& conv) {
    const int64_t oh = (conv.h + 2 * conv.padding - conv.k) / conv.stride + 1;
    const int64_t ow = (conv.w + 2 * conv.padding - conv.k) / conv.stride + 1;
    const std::array<int64_t, 4> out = {conv.n, conv.o, oh, ow};
    int64_t next = kVirtual;
    SPINERT_ASSIGN(const Descriptor x, tensor(kX, CUDNN_DATA_HALF, {conv.n, conv.c, conv.h, conv.w}, false));
    SPINERT_ASSIGN(const Descriptor w, tensor(kWeight, CUDNN_DATA_HALF, {conv.o, conv.c, conv.k, conv.k}, false));
    SPINERT_ASSIGN(const Descriptor bias, tensor(kBias, CUDNN_DATA_FLOAT, {1, conv.o, 1, 1}, false));
    SPINERT_ASSIGN(const Descriptor y, tensor(kY, CUDNN_DATA_HALF, out, false));
    SPINERT_ASSIGN(Descriptor sum, tensor(next++, CUDNN_DATA_FLOAT, out, true));
    std::vector<Descriptor> operations;
    {
      SPINERT_ASSIGN(Descriptor rule, Descriptor::create(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR));
      const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
      const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
      const int64_t spatial = 2, pads[] = {conv.padding, conv.padding}, strides[] = {conv.stride, conv.stride},
                    dilations[] = {1, 1};
      rule.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision)
          .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode)
          .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &spatial)
          .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pads)
          .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pads)
          .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, strides)
          .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilations);
      SPINERT_TRY(check(rule.finalize(), "convolution"));
      SPINERT_ASSIGN(Descriptor op, Descriptor::create(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR));
      const float one = 1, zero = 0;
      op.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, rule)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, sum)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &one)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
      SPINERT_TRY(check(op.finalize(), "convolution operation"));
      operations.push_back(op);
    }
    const auto append = [&](cudnnPointwiseMode_t mode, const Descriptor* b, bool last) -> Status {
      Descriptor to = y;
      if (!last) {
        SPINERT_ASSIGN(to, tensor(next++, CUDNN_DATA_FLOAT, out, true));
      }
      SPINERT_ASSIGN(Descriptor op, pointwise(mode, sum, b, to));
      operations.push_back(op);
      sum = to;
      return {};
    };
    SPINERT_TRY(append(CUDNN_POINTWISE_ADD, &bias, !conv.residual && !conv.relu));
    if (conv.residual) {
      SPINERT_ASSIGN(const Descriptor residual, tensor(kResidual, CUDNN_DATA_HALF, out, false));
      SPINERT_TRY(append(CUDNN_POINTWISE_ADD, &residual, !conv.relu));
    }
    if (conv.relu) SPINERT_TRY(append(CUDNN_POINTWISE_RELU_FWD, nullptr, true));

    SPINERT_ASSIGN(Descriptor graph, Descriptor::create(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR));
    std::vector<cudnnBackendDescriptor_t> handles;
    for (const Descriptor& op : operations) handles.push_back(op.get());
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle_)
        .set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(handles.size()),
             handles.data());
    SPINERT_TRY(check(graph.finalize(), "operation graph"));
    return graph;
  }

  // Engines that refuse the shape are passed over.
  void add_plans(const Descriptor& graph, cudnnBackendHeurMode_t mode, const VendorConv& conv) {
    auto heuristic = Descriptor::create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    if (!heuristic.ok()) return;
    Descriptor& search = heuristic.value();
    search.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (search.finalize() != CUDNN_STATUS_SUCCESS) return;
    int64_t count = 0;
    cudnnBackendGetAttribute(search.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count,
                             nullptr);
    std::vector<Descriptor> configs;
    std::vector<cudnnBackendDescriptor_t> handles;
    for (int64_t i = 0; i < count; ++i) {
      auto config = Descriptor::create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
      if (!config.ok()) return;
      configs.push_back(config.value());
      handles.push_back(configs.back().get());
    }
    int64_t got = 0;
    cudnnBackendGetAttribute(search.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &got,
                             handles.data());
    for (int64_t i = 0; i < got; ++i) add_plan(configs[static_cast<size_t>(i)], mode, i, conv);
  }

  void add_plan(const Descriptor& config, cudnnBackendHeurMode_t mode, int64_t number, const VendorConv& conv) {
    auto created = Descriptor::create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    if (!created.ok()) return;
    Descriptor plan = created.value();
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle_)
        .set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (plan.finalize() != CUDNN_STATUS_SUCCESS) return;
    int64_t workspace = 0, got = 0;
    cudnnBackendGetAttribute(plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &got,
                             &workspace);
    static constexpr const char* kModes[] = {"fallback", "A", "B"};
    const char* mode_name = kModes[mode == CUDNN_HEUR_MODE_A ? 1 : mode == CUDNN_HEUR_MODE_B ? 2 : 0];
    const cudnnHandle_t handle = handle_;
    const int64_t size = conv.residual ? 5 : 4;
    plans.push_back({std::string("cuDNN ") + mode_name + std::to_string(number), workspace,
                     [handle, plan, size](const VendorData& data, void* memory) -> Status {
                       const int64_t uids[] = {kX, kWeight, kBias, kY, kResidual};
                       const void* pointers[] = {data.x, data.weight, data.bias, data.y, data.residual};
                       SPINERT_ASSIGN(Descriptor pack, Descriptor::create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR));
                       pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, size, uids)
                           .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, size, pointers)
                           .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &memory);
                       SPINERT_TRY(check(pack.finalize(), "variant pack"));
                       return check(cudnnBackendExecute(handle, plan.get(), pack.get()), "execution");
                     }});
  }

  cudnnHandle_t handle_ = nullptr;
};

}  // namespace

bool vendor_has_conv() {
  return true;
}

std::string vendor_conv_version() {
  const size_t v = cudnnGetVersion();
  return "cuDNN " + std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

Result<std::unique_ptr<VendorPlans>> vendor_conv_plans(CudaDevice& device, const VendorConv& conv) {
  auto plans = std::make_unique<CudnnPlans>();
  SPINERT_TRY(plans->build(device, conv));
  return std::unique_ptr<VendorPlans>(std::move(plans));
}

}  // namespace spinert::bench
