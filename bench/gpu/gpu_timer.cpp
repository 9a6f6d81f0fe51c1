#include "bench/gpu/gpu_timer.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <memory>

#include "bench/gpu/vendor.h"

namespace spinert::bench {
namespace {

constexpr int kWarmUps = 3;

Status check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return {};
  return error(ErrorId::E_DEVICE, std::string(what) + ": " + cudaGetErrorString(code), "gpu_bench");
}

struct GraphDelete {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
struct ExecDelete {
  void operator()(cudaGraphExec_t exec) const { cudaGraphExecDestroy(exec); }
};
struct EventDelete {
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, GraphDelete>;
using Exec = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, ExecDelete>;
using Event = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, EventDelete>;

Result<Event> make_event() {
  cudaEvent_t event = nullptr;
  SPINERT_TRY(check(cudaEventCreate(&event), "no event"));
  return Event(event);
}

}  // namespace

CUstream_st* native_stream(CudaStream& stream) {
  return static_cast<CUstream_st*>(stream.native_handle());
}

double GpuTimes::median() const {
  std::vector<double> sorted = microseconds;
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  if (sorted.empty()) return 0;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

Result<GpuTimes> time_on_card(CudaStream& stream, int calls, int replays, const std::function<Status(int)>& enqueue) {
  const cudaStream_t native = native_stream(stream);
  // Once without a capture: kernels are loaded and libraries make what they need for their first call.
  SPINERT_TRY(enqueue(0));
  SPINERT_TRY(stream.synchronize());
  SPINERT_TRY(check(cudaStreamBeginCapture(native, cudaStreamCaptureModeRelaxed), "capture"));
  Status enqueued;
  for (int i = 0; i < calls && enqueued.ok(); ++i) enqueued = enqueue(i);
  cudaGraph_t captured = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(native, &captured);
  const Graph graph(captured);
  SPINERT_TRY(enqueued);
  SPINERT_TRY(stream.status());
  SPINERT_TRY(check(ended, "capture"));
  cudaGraphExec_t instance = nullptr;
  SPINERT_TRY(check(cudaGraphInstantiate(&instance, graph.get(), 0), "instantiation"));
  const Exec exec(instance);
  SPINERT_ASSIGN(const Event begin, make_event());
  SPINERT_ASSIGN(const Event end, make_event());

  GpuTimes times;
  for (int replay = -kWarmUps; replay < replays; ++replay) {
    SPINERT_TRY(check(cudaEventRecord(begin.get(), native), "event"));
    SPINERT_TRY(check(cudaGraphLaunch(exec.get(), native), "replay"));
    SPINERT_TRY(check(cudaEventRecord(end.get(), native), "event"));
    SPINERT_TRY(check(cudaEventSynchronize(end.get()), "replay"));
    float milliseconds = 0;
    SPINERT_TRY(check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "event"));
    if (replay >= 0) times.microseconds.push_back(double(milliseconds) * 1e3 / calls);
  }
  return times;
}

Result<GpuRoof> measure_gpu_roof(CudaDevice& device) {
  constexpr int64_t kBytes = int64_t{1} << 30;
  constexpr int kReplays = 20;
  GpuRoof roof;
  CudaStream& stream = device.stream();
  {
    SPINERT_ASSIGN(void* from, device.allocate(kBytes));
    SPINERT_ASSIGN(void* to, device.allocate(kBytes));
    stream.fill(from, 0x5a, kBytes);
    SPINERT_ASSIGN(const GpuTimes times, time_on_card(stream, 1, kReplays, [&](int) {
                     stream.copy(to, from, kBytes);
                     return stream.status();
                   }));
    roof.gbytes = 2.0 * double(kBytes) / times.median() * 1e-3;
    device.release(from);
    device.release(to);
  }
  if (vendor_has_matmul()) {
    constexpr int64_t kSide = 8192;
    SPINERT_ASSIGN(roof.tflops_f16, vendor_matmul_roof(device, kSide));
  }
  return roof;
}

}  // namespace spinert::bench
