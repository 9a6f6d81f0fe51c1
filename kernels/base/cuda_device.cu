// cuda_device.cu - CudaDevice over the CUDA runtime, linked statically; the driver is found when a card is opened, so
// that a program with this backend still runs on a machine without one.
#include <cuda_runtime.h>

#include <algorithm>
#include <set>
#include <vector>

#include "kernels/base/cuda.cuh"

namespace spinert {
namespace {

constexpr int kOldestMajor = 8;
// Relaxed: while one stream records, streams and events for lanes and loops may be made. All recorded work is our own.
constexpr cudaStreamCaptureMode kCaptureMode = cudaStreamCaptureModeRelaxed;

ErrorId error_id(cudaError_t code) {
  return code == cudaErrorMemoryAllocation ? ErrorId::E_OOM_DEVICE : ErrorId::E_DEVICE;
}

Status to_status(cudaError_t code, const std::string& what, int card) {
  if (code == cudaSuccess) return {};
  return error(error_id(code), what + ": " + cudaGetErrorString(code), "cuda:" + std::to_string(card));
}

// The condition of a loop in a graph lies in device memory; only a kernel can hand it to the graph.
__global__ void set_condition(cudaGraphConditionalHandle loop, const int32_t* condition) {
  cudaGraphSetConditional(loop, *condition != 0 ? 1 : 0);
}

// What capture needs changed its signatures in CUDA 13, where edges carry data.
cudaError_t capture_position(cudaStream_t stream, cudaGraph_t& graph, std::vector<cudaGraphNode_t>& last) {
  cudaStreamCaptureStatus capturing{};
  const cudaGraphNode_t* nodes = nullptr;
  size_t count = 0;
#if CUDART_VERSION >= 13000
  const cudaError_t code = cudaStreamGetCaptureInfo(stream, &capturing, nullptr, &graph, &nodes, nullptr, &count);
#else
  const cudaError_t code = cudaStreamGetCaptureInfo_v2(stream, &capturing, nullptr, &graph, &nodes, &count);
#endif
  if (code == cudaSuccess) last.assign(nodes, nodes + count);
  return code;
}

cudaError_t append_node(cudaStream_t stream, cudaGraph_t graph, const std::vector<cudaGraphNode_t>& last,
                        cudaGraphNodeParams& params) {
  cudaGraphNode_t node = nullptr;
#if CUDART_VERSION >= 13000
  const cudaError_t code = cudaGraphAddNode(&node, graph, last.data(), nullptr, last.size(), &params);
  if (code != cudaSuccess) return code;
  return cudaStreamUpdateCaptureDependencies(stream, &node, nullptr, 1, cudaStreamSetCaptureDependencies);
#else
  const cudaError_t code = cudaGraphAddNode(&node, graph, last.data(), last.size(), &params);
  if (code != cudaSuccess) return code;
  return cudaStreamUpdateCaptureDependencies(stream, &node, 1, cudaStreamSetCaptureDependencies);
#endif
}

struct CardEvent : CudaEvent {
  ~CardEvent() override {
    if (handle) cudaEventDestroy(handle);
  }
  cudaError_t create() { return cudaEventCreateWithFlags(&handle, cudaEventDisableTiming); }

  cudaEvent_t handle = nullptr;
};

struct CardGraph : CudaGraph {
  ~CardGraph() override {
    if (handle) cudaGraphExecDestroy(handle);
  }

  cudaGraphExec_t handle = nullptr;
};

class CardStream : public CudaStream {
 public:
  explicit CardStream(const CudaCard& card) : card_(card) {}
  ~CardStream() override {
    for (const cudaStream_t stream : streams_) cudaStreamDestroy(stream);
  }
  Status create() {
    if (usable()) handle_ = new_handle();
    return status();
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
    if (bytes == 0 || !usable()) return;
    after_kernel_ = false;
    check(cudaMemsetAsync(device, value, static_cast<size_t>(bytes), handle_), "filling memory");
  }
  Status synchronize() override {
    check(cudaStreamSynchronize(handle_), "the card reported an error");
    return status();
  }

  void* native_handle() override { return handle_; }

  void record(CudaEvent& event) override {
    if (usable()) check(cudaEventRecord(static_cast<CardEvent&>(event).handle, handle_), "recording an event");
  }
  void wait(CudaEvent& event) override {
    after_kernel_ = false;
    if (usable()) check(cudaStreamWaitEvent(handle_, static_cast<CardEvent&>(event).handle), "waiting for an event");
  }
  Status synchronize(CudaEvent& event) override {
    check(cudaEventSynchronize(static_cast<CardEvent&>(event).handle), "the card reported an error");
    return status();
  }

  void begin_capture() override {
    after_kernel_ = false;
    if (usable()) check(cudaStreamBeginCapture(handle_, kCaptureMode), "starting a capture");
    capturing_ = status().ok();
  }
  Result<std::unique_ptr<CudaGraph>> end_capture() override {
    auto graph = std::make_unique<CardGraph>();
    after_kernel_ = false;
    if (!capturing_) return status();
    capturing_ = false;
    cudaGraph_t recorded = nullptr;
    // Also after an error, which would otherwise leave the stream in capture.
    check(cudaStreamEndCapture(handle_, &recorded), "ending a capture");
    if (status().ok()) check(cudaGraphInstantiate(&graph->handle, recorded, 0), "making a graph ready");
    if (recorded) cudaGraphDestroy(recorded);
    if (!status().ok()) return status();
    return std::unique_ptr<CudaGraph>(std::move(graph));
  }
  void replay(CudaGraph& graph) override {
    after_kernel_ = false;
    if (usable()) check(cudaGraphLaunch(static_cast<CardGraph&>(graph).handle, handle_), "launching a graph");
  }
  void repeat_while(const int32_t* condition, const std::function<void()>& body) override;
  void parallel(std::span<const std::function<void()>> lanes) override;

  void launch(const void* kernel, const LaunchShape& shape, void** arguments);

 private:
  void check(cudaError_t code, const char* what) { fail(to_status(code, what, card_.index)); }
  // The card in use belongs to the calling thread, which need not be the one that opened it.
  bool usable() {
    if (status().ok()) check(cudaSetDevice(card_.index), "the card cannot be used");
    return status().ok();
  }
  void transfer(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0 || !usable()) return;
    after_kernel_ = false;
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, handle_), "copying memory");
  }
  cudaStream_t new_handle() {
    cudaStream_t handle = nullptr;
    check(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking), "no stream");
    if (handle) streams_.push_back(handle);
    return handle;
  }
  // Stream number i besides the one in use; kept for the next capture.
  cudaStream_t spare(size_t i) {
    while (spares_.size() <= i && status().ok()) spares_.push_back(new_handle());
    return i < spares_.size() ? spares_[i] : nullptr;
  }

  const CudaCard& card_;
  cudaStream_t handle_ = nullptr;      // where work goes now: the stream itself, the body of a loop or a lane
  std::vector<cudaStream_t> streams_;  // all that this object owns
  std::vector<cudaStream_t> spares_;
  size_t spares_used_ = 0;  // by the loops and lanes that are being recorded
  bool capturing_ = false;
  bool after_kernel_ = false;  // the last work of handle_ was a kernel: the only thing to launch dependently on
};

void CardStream::repeat_while(const int32_t* condition, const std::function<void()>& body) {
  if (!status().ok()) return;
  cudaGraph_t graph = nullptr;
  std::vector<cudaGraphNode_t> last;
  cudaGraphConditionalHandle loop{};
  check(capture_position(handle_, graph, last), "a loop outside a capture");
  if (status().ok())
    check(cudaGraphConditionalHandleCreate(&loop, graph, 0, cudaGraphCondAssignDefault), "making a loop");
  const auto set = [&] {
    void* arguments[] = {&loop, &condition};
    launch(reinterpret_cast<const void*>(set_condition), {.block = 1}, arguments);
  };
  set();
  if (status().ok()) check(capture_position(handle_, graph, last), "making a loop");
  cudaGraphNodeParams params{};
  params.type = cudaGraphNodeTypeConditional;
  params.conditional.handle = loop;
  params.conditional.type = cudaGraphCondTypeWhile;
  params.conditional.size = 1;
  if (status().ok()) check(append_node(handle_, graph, last, params), "adding a loop");
  const cudaStream_t outer = handle_, inner = spare(spares_used_);
  if (!status().ok()) return;
  check(cudaStreamBeginCaptureToGraph(inner, params.conditional.phGraph_out[0], nullptr, nullptr, 0, kCaptureMode),
        "starting the body of a loop");
  if (!status().ok()) return;
  ++spares_used_;
  handle_ = inner;
  after_kernel_ = false;
  body();
  after_kernel_ = false;
  set();
  check(cudaStreamEndCapture(inner, &graph), "ending the body of a loop");
  handle_ = outer;
  after_kernel_ = false;
  --spares_used_;
}

void CardStream::parallel(std::span<const std::function<void()>> lanes) {
  const cudaStream_t outer = handle_;
  const size_t first = spares_used_;
  CardEvent fork;
  std::vector<CardEvent> joins(lanes.size());
  check(fork.create(), "making an event");
  for (CardEvent& join : joins) check(join.create(), "making an event");
  if (status().ok()) check(cudaEventRecord(fork.handle, outer), "recording an event");
  for (size_t i = 0; i < lanes.size() && status().ok(); ++i) {
    handle_ = spare(first + i);
    spares_used_ = first + lanes.size();
    after_kernel_ = false;
    if (status().ok()) check(cudaStreamWaitEvent(handle_, fork.handle), "starting a lane");
    lanes[i]();
    // A lane must join even after an error, or the capture could not be ended.
    check(cudaEventRecord(joins[i].handle, handle_), "recording an event");
    check(cudaStreamWaitEvent(outer, joins[i].handle), "joining a lane");
  }
  handle_ = outer;
  spares_used_ = first;
  after_kernel_ = false;
}

void CardStream::launch(const void* kernel, const LaunchShape& shape, void** arguments) {
  if (!usable() || shape.grid_x == 0 || shape.grid_y == 0 || shape.grid_z == 0) return;
  constexpr int64_t kMostYZ = 65535, kMostX = (int64_t{1} << 31) - 1;
  if (shape.shared > card_.shared_bytes || shape.grid_x > kMostX || shape.grid_y > kMostYZ || shape.grid_z > kMostYZ) {
    fail(error(ErrorId::E_DEVICE, "a kernel does not fit this card", "cuda:" + std::to_string(card_.index))
             .expected("at most " + std::to_string(card_.shared_bytes) + " bytes of shared memory",
                       std::to_string(shape.shared)));
    return;
  }
  // The question also loads the kernel, which the driver otherwise puts off until the launch. The limit only grows: a
  // recorded launch with more shared memory stays within it. Static shared memory counts too, so that it is the driver
  // who knows what is allowed without asking.
  cudaFuncAttributes attributes{};
  check(cudaFuncGetAttributes(&attributes, kernel), "loading a kernel");
  if (!status().ok()) return;
  if (shape.shared > attributes.maxDynamicSharedSizeBytes) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared)),
          "setting the shared memory of a kernel");
    if (!status().ok()) return;
  }
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(shape.grid_x), static_cast<unsigned>(shape.grid_y),
                        static_cast<unsigned>(shape.grid_z));
  config.blockDim = dim3(static_cast<unsigned>(shape.block));
  config.dynamicSmemBytes = static_cast<size_t>(shape.shared);
  config.stream = handle_;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute;
  // Only the code for 9.0 waits inside: newer cards run the PTX for 8.0, where grid_dependency_wait() is nothing.
  config.numAttrs = dependent_launch && shape.waits && after_kernel_ && card_.level() == Level::sm90a ? 1 : 0;
  check(cudaLaunchKernelExC(&config, kernel, arguments), "launching a kernel");
  after_kernel_ = true;
}

class Card : public CudaDevice {
 public:
  ~Card() override {
    stream_.reset();
    for (void* memory : blocks_) cudaFree(memory);
    for (void* memory : pinned_) cudaFreeHost(memory);
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
  Result<std::unique_ptr<CudaStream>> create_stream() override {
    auto stream = std::make_unique<CardStream>(card_);
    SPINERT_TRY(stream->create());
    return std::unique_ptr<CudaStream>(std::move(stream));
  }
  Result<std::unique_ptr<CudaEvent>> create_event() override {
    auto event = std::make_unique<CardEvent>();
    SPINERT_TRY(use());
    SPINERT_TRY(to_status(event->create(), "making an event", card_.index));
    return std::unique_ptr<CudaEvent>(std::move(event));
  }
  Result<void*> allocate(int64_t bytes) override {
    void* memory = nullptr;
    SPINERT_TRY(use());
    SPINERT_TRY(to_status(cudaMalloc(&memory, at_least_one(bytes)), what(bytes), card_.index));
    blocks_.insert(memory);
    return memory;
  }
  Result<void*> allocate_pinned(int64_t bytes) override {
    void* memory = nullptr;
    SPINERT_TRY(use());
    const cudaError_t code = cudaMallocHost(&memory, at_least_one(bytes));
    if (code == cudaErrorMemoryAllocation) return error(ErrorId::E_OOM_HOST, what(bytes) + " of pinned memory failed");
    SPINERT_TRY(to_status(code, what(bytes) + " of pinned memory", card_.index));
    pinned_.insert(memory);
    return memory;
  }
  void release(void* memory) override {
    if (blocks_.erase(memory) > 0) cudaFree(memory);
    if (pinned_.erase(memory) > 0) cudaFreeHost(memory);
  }

 private:
  // Memory and events are made on the card that the calling thread uses.
  Status use() const { return to_status(cudaSetDevice(card_.index), "the card cannot be used", card_.index); }
  static size_t at_least_one(int64_t bytes) { return static_cast<size_t>(std::max<int64_t>(bytes, 1)); }
  static std::string what(int64_t bytes) { return "allocating " + std::to_string(bytes) + " bytes"; }

  CudaCard card_;
  std::unique_ptr<CardStream> stream_;
  std::set<void*> blocks_, pinned_;
};

}  // namespace

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(int index) {
  auto card = std::make_unique<Card>();
  SPINERT_TRY(card->open(index));
  return std::unique_ptr<CudaDevice>(std::move(card));
}

void launch_on_card(CudaStream& stream, const void* kernel, const LaunchShape& shape, void** arguments) {
  static_cast<CardStream&>(stream).launch(kernel, shape, arguments);
}

}  // namespace spinert
