// cuda_case.cpp - one operator case on a card: everything is copied to it, run once, and copied back.
#include <cstring>
#include <vector>

#include "tests/ops/op_case.h"

namespace spinert::cases {
namespace {

constexpr int64_t kGuardBytes = 256;
constexpr unsigned char kPoison = 0xff;

// Device memory of one case, freed with it.
class DeviceMemory {
 public:
  explicit DeviceMemory(CudaDevice& device) : device_(device) {}
  ~DeviceMemory() {
    for (void* memory : blocks_) device_.release(memory);
  }
  // A copy of `bytes` bytes with guard bands around it, or poison where from is null.
  Result<void*> copy(const void* from, int64_t bytes) {
    SPINERT_ASSIGN(void* memory, device_.allocate(bytes + 2 * kGuardBytes));
    blocks_.push_back(memory);
    device_.stream().fill(memory, kPoison, bytes + 2 * kGuardBytes);
    void* inside = static_cast<unsigned char*>(memory) + kGuardBytes;
    if (from && bytes > 0) device_.stream().upload(inside, from, bytes);
    return inside;
  }

 private:
  CudaDevice& device_;
  std::vector<void*> blocks_;
};

}  // namespace

Status run_cuda_kernel(const KernelInfo& info, PreparedCase& prepared, CudaDevice& device) {
  const Kernel& kernel = *info.kernel;
  const OpCall call = prepared.call();
  CudaStream& stream = device.stream();
  DeviceMemory memory(device);
  std::vector<Tensor> in = prepared.in, out = prepared.out;
  for (Tensor& tensor : in) {
    if (!tensor.present()) continue;
    SPINERT_ASSIGN(tensor.data, memory.copy(tensor.data, tensor.bytes()));
  }
  for (Tensor& tensor : out) {
    SPINERT_ASSIGN(tensor.data, memory.copy(nullptr, tensor.bytes()));
  }
  // A count lies in an input or an output of the case: point at the copy of it.
  const auto translate = [&](Tensor& tensor) {
    const int32_t* count = tensor.count;
    if (!count) return;
    for (size_t i = 0; i < in.size(); ++i) {
      if (prepared.in[i].present() && count == prepared.in[i].i32()) tensor.count = in[i].i32();
    }
    for (size_t i = 0; i < out.size(); ++i) {
      if (count == prepared.out[i].i32()) tensor.count = out[i].i32();
    }
  };
  for (Tensor& tensor : in) translate(tensor);
  for (Tensor& tensor : out) translate(tensor);

  RunContext context{.stream = &stream};
  std::vector<unsigned char> packed;
  if (kernel.packed_bytes) {
    packed.resize(static_cast<size_t>(kernel.packed_bytes(call)));
    ThreadPool alone(1);
    kernel.pack(call, packed.data(), alone);
    SPINERT_ASSIGN(context.packed, memory.copy(packed.data(), static_cast<int64_t>(packed.size())));
  }
  if (kernel.scratch_bytes) {
    SPINERT_ASSIGN(context.scratch, memory.copy(nullptr, kernel.scratch_bytes(call, device.card().multiprocessors)));
  }
  const OpCall on_device{call.params, std::span(in).first(in.size() - prepared.input.hidden), out};
  kernel.run(on_device, context);

  // Outputs come back with their guard bands, so that check_case sees a write beside them.
  for (size_t i = 0; i < out.size(); ++i) {
    stream.download(static_cast<unsigned char*>(prepared.out[i].data) - kGuardBytes,
                    static_cast<unsigned char*>(out[i].data) - kGuardBytes, out[i].bytes() + 2 * kGuardBytes);
  }
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i].present()) stream.download(prepared.in[i].data, in[i].data, in[i].bytes());
  }
  return stream.synchronize();
}

}  // namespace spinert::cases
