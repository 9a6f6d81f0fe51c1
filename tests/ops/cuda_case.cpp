#include "tests/ops/cuda_case.h"

namespace spinert::cases {
namespace {

constexpr int64_t kGuardBytes = 256;  // as around every Buffer
constexpr unsigned char kPoison = 0xff;

unsigned char* before_guard(const Tensor& tensor) {
  return static_cast<unsigned char*>(tensor.data) - kGuardBytes;
}

}  // namespace

CudaCase::CudaCase(CudaCase&& other) noexcept
    : kernel_(other.kernel_),
      device_(other.device_),
      blocks_(std::move(other.blocks_)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      operator_inputs_(other.operator_inputs_),
      params_(other.params_),
      context_(other.context_) {
  other.blocks_.clear();
}

CudaCase::~CudaCase() {
  for (void* memory : blocks_) device_.release(memory);
}

// A copy of `bytes` bytes with guard bands around it, or poison where from is null.
Result<void*> CudaCase::copy(const void* from, int64_t bytes) {
  SPINERT_ASSIGN(void* memory, device_.allocate(bytes + 2 * kGuardBytes));
  blocks_.push_back(memory);
  device_.stream().fill(memory, kPoison, bytes + 2 * kGuardBytes);
  void* inside = static_cast<unsigned char*>(memory) + kGuardBytes;
  if (from && bytes > 0) device_.stream().upload(inside, from, bytes);
  return inside;
}

Result<CudaCase> CudaCase::bind(const KernelInfo& info, const PreparedCase& prepared, CudaDevice& device) {
  const Kernel& kernel = *info.kernel;
  CudaCase bound(kernel, device);
  bound.in_ = prepared.in;
  bound.out_ = prepared.out;
  bound.params_ = prepared.input.params.get();
  bound.operator_inputs_ = prepared.in.size() - prepared.input.hidden;
  for (Tensor& tensor : bound.in_) {
    if (!tensor.present()) continue;
    SPINERT_ASSIGN(tensor.data, bound.copy(tensor.data, tensor.bytes()));
  }
  for (Tensor& tensor : bound.out_) {
    SPINERT_ASSIGN(tensor.data, bound.copy(nullptr, tensor.bytes()));
  }
  // A count lies in an input or an output of the case: point at the copy of it.
  const auto translate = [&](Tensor& tensor) {
    const int32_t* count = tensor.count;
    if (!count) return;
    for (size_t i = 0; i < bound.in_.size(); ++i) {
      if (prepared.in[i].present() && count == prepared.in[i].i32()) tensor.count = bound.in_[i].i32();
    }
    for (size_t i = 0; i < bound.out_.size(); ++i) {
      if (count == prepared.out[i].i32()) tensor.count = bound.out_[i].i32();
    }
  };
  for (Tensor& tensor : bound.in_) translate(tensor);
  for (Tensor& tensor : bound.out_) translate(tensor);

  bound.context_.stream = &device.stream();
  const OpCall call = prepared.call();
  if (kernel.packed_bytes) {
    std::vector<unsigned char> packed(static_cast<size_t>(kernel.packed_bytes(call)));
    ThreadPool alone(1);
    kernel.pack(call, packed.data(), alone);
    SPINERT_ASSIGN(bound.context_.packed, bound.copy(packed.data(), static_cast<int64_t>(packed.size())));
    SPINERT_TRY(device.stream().synchronize());  // `packed` ends here
  }
  if (kernel.scratch_bytes) {
    SPINERT_ASSIGN(bound.context_.scratch,
                   bound.copy(nullptr, kernel.scratch_bytes(call, device.card().multiprocessors)));
  }
  return bound;
}

void CudaCase::run() {
  kernel_.run({params_, std::span(in_).first(operator_inputs_), out_}, context_);
}

void CudaCase::download(PreparedCase& prepared) const {
  CudaStream& stream = device_.stream();
  for (size_t i = 0; i < out_.size(); ++i) {
    stream.download(before_guard(prepared.out[i]), before_guard(out_[i]), out_[i].bytes() + 2 * kGuardBytes);
  }
  for (size_t i = 0; i < in_.size(); ++i) {
    if (in_[i].present()) stream.download(prepared.in[i].data, in_[i].data, in_[i].bytes());
  }
}

Status run_cuda_kernel(const KernelInfo& kernel, PreparedCase& prepared, CudaDevice& device) {
  SPINERT_ASSIGN(CudaCase bound, CudaCase::bind(kernel, prepared, device));
  bound.run();
  bound.download(prepared);
  return device.stream().synchronize();
}

}  // namespace spinert::cases
