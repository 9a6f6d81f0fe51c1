// cuda_device.cu - CudaDevice over the CUDA runtime, linked statically; the driver is found when a card is opened, so
// that a program with this backend still runs on a machine without one.
#include <cuda_runtime.h>

#include <map>
#include <mutex>
#include <set>

#include "kernels/base/cuda.cuh"

namespace spinert {
namespace {

constexpr int kOldestMajor = 8;

ErrorId error_id(cudaError_t code) {
  return code == cudaErrorMemoryAllocation ? ErrorId::E_OOM_DEVICE : ErrorId::E_DEVICE;
}

Status to_status(cudaError_t code, const char* what, int card) {
  if (code == cudaSuccess) return {};
  return error(error_id(code), std::string(what) + ": " + cudaGetErrorString(code), "cuda:" + std::to_string(card));
}

class CardStream : public CudaStream {
 public:
  explicit CardStream(const CudaCard& card) : card_(card) {}
  ~CardStream() override {
    if (handle_) cudaStreamDestroy(handle_);
  }
  Status create() {
    return to_status(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "no stream", card_.index);
  }

  const CudaCard& card() const override { return card_; }
  void upload(void* device, const void* host, int64_t bytes) override {
    transfer(device, host, bytes, cudaMemcpyHostToDevice);
  }
  void download(void* host, const void* device, int64_t bytes) override {
    transfer(host, device, bytes, cudaMemcpyDeviceToHost);
  }
  void copy(void* to, const void* from, int64_t bytes) override { transfer(to, from, bytes, cudaMemcpyDeviceToDevice); }
  void fill(void* device, unsigned char value, int64_t bytes) override {
    if (!status().ok() || bytes == 0) return;
    fail(to_status(cudaMemsetAsync(device, value, static_cast<size_t>(bytes), handle_), "filling memory", card_.index));
  }
  Status synchronize() override {
    fail(to_status(cudaStreamSynchronize(handle_), "the device reported an error", card_.index));
    return status();
  }
  void* native_handle() override { return handle_; }
  cudaStream_t handle() const { return handle_; }

 private:
  void transfer(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind) {
    if (!status().ok() || bytes == 0) return;
    fail(
        to_status(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, handle_), "copying memory", card_.index));
  }

  const CudaCard& card_;
  cudaStream_t handle_ = nullptr;
};

class Card : public CudaDevice {
 public:
  ~Card() override {
    stream_.reset();
    for (void* memory : blocks_) cudaFree(memory);
  }
  Status open(int index) {
    int count = 0;
    const cudaError_t code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess) return to_status(code, "no usable CUDA driver", index);
    if (index < 0 || index >= count) {
      return error(ErrorId::E_DEVICE, "no such card", "cuda:" + std::to_string(index))
          .expected("0 to " + std::to_string(count - 1), std::to_string(index));
    }
    cudaDeviceProp properties{};
    SPINERT_TRY(to_status(cudaSetDevice(index), "the card cannot be used", index));
    SPINERT_TRY(to_status(cudaGetDeviceProperties(&properties, index), "the card does not answer", index));
    card_.index = index;
    card_.name = properties.name;
    card_.major = properties.major;
    card_.minor = properties.minor;
    card_.multiprocessors = properties.multiProcessorCount;
    card_.shared_bytes = static_cast<int64_t>(properties.sharedMemPerBlockOptin);
    card_.memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
    card_.l2_bytes = properties.l2CacheSize;
    if (card_.major < kOldestMajor) {
      return error(ErrorId::E_DEVICE, "the card is too old", "cuda:" + std::to_string(index) + " (" + card_.name + ")")
          .expected("compute capability 8.0 or newer", std::to_string(card_.major) + "." + std::to_string(card_.minor));
    }
    stream_ = std::make_unique<CardStream>(card_);
    return stream_->create();
  }
  const CudaCard& card() const override { return card_; }
  CudaStream& stream() override { return *stream_; }
  Result<void*> allocate(int64_t bytes) override {
    void* memory = nullptr;
    SPINERT_TRY(to_status(cudaMalloc(&memory, static_cast<size_t>(bytes > 0 ? bytes : 1)),
                          ("allocating " + std::to_string(bytes) + " bytes").c_str(), card_.index));
    blocks_.insert(memory);
    return memory;
  }
  void release(void* memory) override {
    if (blocks_.erase(memory) > 0) cudaFree(memory);
  }

 private:
  CudaCard card_;
  std::unique_ptr<CardStream> stream_;
  std::set<void*> blocks_;
};

}  // namespace

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(int index) {
  auto card = std::make_unique<Card>();
  SPINERT_TRY(card->open(index));
  return std::unique_ptr<CudaDevice>(std::move(card));
}

void launch_on_card(CudaStream& stream, const void* kernel, const LaunchShape& shape, void** arguments) {
  auto& own = static_cast<CardStream&>(stream);
  if (!own.status().ok() || shape.grid_x == 0 || shape.grid_y == 0 || shape.grid_z == 0) return;
  const int card = own.card().index;
  constexpr int64_t kDefaultShared = 48 << 10, kMostYZ = 65535, kMostX = (int64_t{1} << 31) - 1;
  if (shape.shared > own.card().shared_bytes || shape.grid_x > kMostX || shape.grid_y > kMostYZ ||
      shape.grid_z > kMostYZ) {
    own.fail(error(ErrorId::E_DEVICE, "a kernel does not fit this card", "cuda:" + std::to_string(card))
                 .expected("at most " + std::to_string(own.card().shared_bytes) + " bytes of shared memory",
                           std::to_string(shape.shared)));
    return;
  }
  if (shape.shared > kDefaultShared) {
    own.fail(to_status(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared)),
        "setting the shared memory of a kernel", card));
  }
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(shape.grid_x), static_cast<unsigned>(shape.grid_y),
                        static_cast<unsigned>(shape.grid_z));
  config.blockDim = dim3(static_cast<unsigned>(shape.block));
  config.dynamicSmemBytes = static_cast<size_t>(shape.shared);
  config.stream = own.handle();
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute;
  config.numAttrs = own.dependent_launch && own.card().major >= 9 ? 1 : 0;
  own.fail(to_status(cudaLaunchKernelExC(&config, kernel, arguments), "launching a kernel", card));
}

}  // namespace spinert
