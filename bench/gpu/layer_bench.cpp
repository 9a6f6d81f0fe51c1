#include "bench/gpu/layer_bench.h"

#include <algorithm>
#include <cmath>

#include "bench/gpu/vendor.h"
#include "kernels/base/half.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/linear/linear.h"
#include "tests/ops/cuda_case.h"

namespace spinert::bench {
namespace {

constexpr int kMostCopies = 20;
constexpr int kQuickReplays = 5;           // to find the fastest plan of a library
constexpr double kReferenceFlops = 2e8;    // above this the best cpu row is the truth
constexpr double kVendorTolerance = 2e-2;  // of the largest output: half operands, other order of the sum

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// Device memory that goes with the object.
class Memory {
 public:
  explicit Memory(CudaDevice& device) : device_(device) {}
  ~Memory() {
    for (void* block : blocks_) device_.release(block);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Result<void*> take(int64_t bytes) {
    SPINERT_ASSIGN(void* block, device_.allocate(bytes));
    blocks_.push_back(block);
    return block;
  }
  Result<void*> take(const std::vector<uint16_t>& halves) {
    SPINERT_ASSIGN(void* block, take(static_cast<int64_t>(halves.size()) * 2));
    device_.stream().upload(block, halves.data(), static_cast<int64_t>(halves.size()) * 2);
    SPINERT_TRY(device_.stream().synchronize());
    return block;
  }

 private:
  CudaDevice& device_;
  std::vector<void*> blocks_;
};

std::vector<uint16_t> as_halves(const Tensor& tensor) {
  std::vector<uint16_t> halves(static_cast<size_t>(tensor.elements()));
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = f32_to_f16(load_as_f32(tensor, static_cast<int64_t>(i)));
  return halves;
}

// [kh][kw][C][O] to [O][kh][kw][C].
std::vector<uint16_t> as_filters(const Tensor& weight) {
  const int64_t taps = weight.shape[0] * weight.shape[1], c = weight.shape[2], o = weight.shape[3];
  std::vector<uint16_t> filters(static_cast<size_t>(weight.elements()));
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t i = 0; i < c; ++i) {
      for (int64_t j = 0; j < o; ++j) {
        filters[static_cast<size_t>((j * taps + tap) * c + i)] = f32_to_f16(weight.f32()[(tap * c + i) * o + j]);
      }
    }
  }
  return filters;
}

// A library's plans for this call, or none if it has no such layer.
Result<std::unique_ptr<VendorPlans>> vendor_plans(CudaDevice& device, OpId op, const OpCall& call) {
  const bool bias = call.has(2);
  if (op == OpId::conv2d && vendor_has_conv() && bias) {
    const auto& p = call.as<Conv2dParams>();
    const Conv2dShape s = conv2d_shape(call);
    const bool plain = p.activation == Activation::none || p.activation == Activation::relu;
    if (plain && p.groups == 1 && p.dilation == 1 && p.residual_upsample == 1 && s.kernel_h == s.kernel_w) {
      return vendor_conv_plans(device, {s.batch, s.in_h, s.in_w, s.in_c, s.out_c, s.kernel_h, p.stride, p.padding,
                                        call.has(3), p.activation == Activation::relu});
    }
  }
  if (op == OpId::linear && vendor_has_matmul() && bias) {
    const Shape &x = call.in[0].shape, &w = call.in[1].shape;
    return vendor_matmul_plans(device, {x[0], w[0], w[1], call.as<LinearParams>().activation == Activation::relu},
                               true);
  }
  return std::unique_ptr<VendorPlans>(std::make_unique<VendorPlans>());
}

// The fastest plan of a library on this layer and its buffers, one set per copy.
class VendorLane {
 public:
  VendorLane(CudaDevice& device, const cases::PreparedCase& prepared, OpId op)
      : device_(device), memory_(device), prepared_(prepared), op_(op) {}

  // Leaves best() null where no library has the layer. E_VERIFY if the best plan's result differs from ours.
  Status prepare(int copies) {
    const OpCall call = prepared_.call();
    SPINERT_ASSIGN(plans_, vendor_plans(device_, op_, call));
    if (plans_->plans.empty()) return {};
    for (int i = 0; i < copies; ++i) SPINERT_TRY(add_data(call));
    int64_t workspace = 0;
    for (const VendorPlan& plan : plans_->plans) workspace = std::max(workspace, plan.workspace_bytes);
    SPINERT_ASSIGN(workspace_, memory_.take(workspace));
    double fastest = 0;
    for (const VendorPlan& plan : plans_->plans) {
      const auto times =
          time_on_card(device_.stream(), 1, kQuickReplays, [&](int) { return plan.run(data_[0], workspace_); });
      if (!times.ok()) continue;  // a plan may refuse capture
      if (!best_ || times.value().median() < fastest) {
        best_ = &plan;
        fastest = times.value().median();
      }
    }
    return best_ ? compare() : Status();
  }

  const VendorPlan* best() const { return best_; }
  Result<double> time(int calls, int replays, bool rotate) {
    SPINERT_ASSIGN(const GpuTimes times, time_on_card(device_.stream(), calls, replays, [&](int i) {
                     return best_->run(data_[rotate ? static_cast<size_t>(i) % data_.size() : 0], workspace_);
                   }));
    return times.median();
  }

 private:
  Status add_data(const OpCall& call) {
    VendorData data{};
    SPINERT_ASSIGN(data.x, memory_.take(as_halves(call.in[0])));
    SPINERT_ASSIGN(data.weight, memory_.take(op_ == OpId::conv2d ? as_filters(call.in[1]) : as_halves(call.in[1])));
    if (op_ == OpId::conv2d) {
      SPINERT_ASSIGN(void* bias, memory_.take(call.in[2].bytes()));
      device_.stream().upload(bias, call.in[2].data, call.in[2].bytes());
      data.bias = bias;
      if (call.has(3)) {
        SPINERT_ASSIGN(data.residual, memory_.take(as_halves(call.in[3])));
      }
    } else {
      SPINERT_ASSIGN(data.bias, memory_.take(as_halves(call.in[2])));
    }
    SPINERT_ASSIGN(data.y, memory_.take(call.out[0].elements() * 2));
    data_.push_back(data);
    return {};
  }

  // `prepared` holds our outputs of the same inputs.
  Status compare() {
    const Tensor& ours = prepared_.out[0];
    std::vector<uint16_t> theirs(static_cast<size_t>(ours.elements()));
    SPINERT_TRY(best_->run(data_[0], workspace_));
    device_.stream().download(theirs.data(), data_[0].y, ours.elements() * 2);
    SPINERT_TRY(device_.stream().synchronize());
    double largest = 0, difference = 0;
    for (size_t i = 0; i < theirs.size(); ++i) {
      const double want = load_as_f32(ours, static_cast<int64_t>(i));
      largest = std::max(largest, std::abs(want));
      difference = std::max(difference, std::abs(want - double(f16_to_f32(theirs[i]))));
    }
    if (difference <= kVendorTolerance * largest) return {};
    return error(ErrorId::E_VERIFY, best_->name + " computes something else than our kernel", "gpu_bench")
        .expected("a difference of at most " + std::to_string(kVendorTolerance * largest), std::to_string(difference));
  }

  CudaDevice& device_;
  Memory memory_;
  const cases::PreparedCase& prepared_;
  OpId op_;
  std::unique_ptr<VendorPlans> plans_;
  std::vector<VendorData> data_;
  void* workspace_ = nullptr;
  const VendorPlan* best_ = nullptr;
};

const KernelInfo* find_row(OpId op, CudaDevice& device, const OpCall& call, const std::string& wanted) {
  if (wanted.empty()) return choose_kernel(op, Backend::cuda, device.card().level(), call);
  for (const KernelInfo& row : cuda_kernels()) {
    if (row.op == op && wanted == row.name && row.level <= device.card().level()) return &row;
  }
  return nullptr;
}

Result<double> time_ours(CudaDevice& device, std::vector<cases::CudaCase>& copies, int calls, int replays,
                         bool rotate) {
  SPINERT_ASSIGN(const GpuTimes times, time_on_card(device.stream(), calls, replays, [&](int i) {
                   copies[rotate ? static_cast<size_t>(i) % copies.size() : 0].run();
                   return device.stream().status();
                 }));
  return times.median();
}

}  // namespace

Result<LayerRow> bench_layer(CudaDevice& device, ThreadPool& pool, const GpuRoof& roof, const std::string& name,
                             int64_t count, const std::string& case_line, const std::string& kernel,
                             const LayerOptions& options) {
  LayerRow row;
  row.name = name;
  row.case_line = case_line;
  row.count = count;
  SPINERT_ASSIGN(const cases::CaseLine line, cases::CaseLine::parse(case_line));
  SPINERT_ASSIGN(cases::PreparedCase prepared, cases::prepare(line));
  const OpInfo& op = *find_op(line.op());
  const Cost cost = op.cost(prepared.call());
  row.flops = cost.flops;
  row.bytes = cost.bytes;
  const KernelInfo* info = find_row(op.id, device, prepared.call(), kernel);
  if (!info) {
    row.refused = kernel.empty() ? "no kernel of the cuda backend takes it" : "no such kernel on this card";
    return row;
  }
  row.kernel = info->name;
  const Backend truth = cost.flops > kReferenceFlops ? Backend::cpu : Backend::reference;
  const cases::CaseResult checked = cases::check_case(case_line, *info, pool, &device, truth);
  if (!checked.status.ok() || checked.skipped) {
    row.refused = checked.skipped ? checked.skipped : checked.status.to_string();
    return row;
  }
  row.max_difference = checked.max_difference;
  SPINERT_TRY(cases::run_cuda_kernel(*info, prepared, device));  // our outputs, for the comparison with the library

  const auto bytes = std::max<int64_t>(1, static_cast<int64_t>(cost.bytes));
  const int copies = static_cast<int>(std::clamp<int64_t>(2 * device.card().l2_bytes / bytes + 2, 2, kMostCopies));
  std::vector<cases::CudaCase> bound;
  for (int i = 0; i < copies; ++i) {
    SPINERT_ASSIGN(cases::CudaCase one, cases::CudaCase::bind(*info, prepared, device));
    bound.push_back(std::move(one));
  }
  VendorLane vendor(device, prepared, op.id);
  if (options.vendor && prepared.call().in[0].dtype == DType::f16) SPINERT_TRY(vendor.prepare(copies));

  const int calls = kMostCopies;
  std::vector<double> hot, cold, vendor_hot, vendor_cold, ratio_hot, ratio_cold;
  for (int round = 0; round < options.rounds; ++round) {
    SPINERT_ASSIGN(const double ours_hot, time_ours(device, bound, calls, options.replays, false));
    SPINERT_ASSIGN(const double ours_cold, time_ours(device, bound, calls, options.replays, true));
    hot.push_back(ours_hot);
    cold.push_back(ours_cold);
    if (!vendor.best()) continue;
    SPINERT_ASSIGN(const double theirs_hot, vendor.time(calls, options.replays, false));
    SPINERT_ASSIGN(const double theirs_cold, vendor.time(calls, options.replays, true));
    vendor_hot.push_back(theirs_hot);
    vendor_cold.push_back(theirs_cold);
    ratio_hot.push_back(theirs_hot / ours_hot);
    ratio_cold.push_back(theirs_cold / ours_cold);
  }
  row.hot_us = median(hot);
  row.cold_us = median(cold);
  row.tflops = cost.flops / row.hot_us * 1e-6;
  row.gbytes = cost.bytes / row.cold_us * 1e-3;
  const double least_us = std::max(roof.tflops_f16 > 0 ? cost.flops / roof.tflops_f16 * 1e-6 : 0,
                                   roof.gbytes > 0 ? cost.bytes / roof.gbytes * 1e-3 : 0);
  row.roof_percent = 100 * least_us / row.cold_us;
  if (vendor.best()) {
    row.vendor_plan = vendor.best()->name;
    row.vendor_hot_us = median(vendor_hot);
    row.vendor_cold_us = median(vendor_cold);
    row.ratio_hot = median(ratio_hot);
    row.ratio_cold = median(ratio_cold);
  }
  return row;
}

}  // namespace spinert::bench
