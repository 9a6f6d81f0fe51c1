#include "bench/op_bench.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "bench/timing.h"
#include "tests/ops/op_case.h"

namespace spinert::bench {
namespace {

constexpr int64_t kMostBytes = 512ll << 20;  // of all copies together
constexpr int kMostCopies = 64;
constexpr int kLeastRepeats = 5, kMostRepeats = 200;
constexpr double kSeconds = 0.2;     // per measurement
constexpr double kLargeFlops = 4e9;  // the reference computes this in about a second

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// A case with everything that its kernel needs: packed weights, scratch memory.
struct Bound {
  cases::PreparedCase prepared;
  std::unique_ptr<void, Free> packed, scratch;
  RunContext context;
};

std::unique_ptr<void, Free> allocate(int64_t bytes) {
  const size_t rounded = (static_cast<size_t>(bytes) + 127) / 64 * 64;
  void* memory = std::aligned_alloc(64, rounded);
  if (!memory) throw std::bad_alloc();  // caught in main: the bench is a program, not the library
  return std::unique_ptr<void, Free>(memory);
}

Result<Bound> bind(const cases::CaseLine& line, const Kernel& kernel, ThreadPool& pool) {
  Bound bound;
  SPINERT_ASSIGN(bound.prepared, cases::prepare(line));
  const OpCall call = bound.prepared.call();
  bound.context.pool = &pool;
  if (kernel.packed_bytes) {
    bound.packed = allocate(kernel.packed_bytes(call));
    kernel.pack(call, bound.packed.get(), pool);
    bound.context.packed = bound.packed.get();
  }
  if (kernel.scratch_bytes) {
    bound.scratch = allocate(kernel.scratch_bytes(call, pool.size()));
    bound.context.scratch = bound.scratch.get();
  }
  return bound;
}

Times time_kernel(const Kernel& kernel, std::vector<Bound>& copies, bool rotate) {
  size_t next = 0;
  return repeat(kLeastRepeats, kMostRepeats, kSeconds, [&] {
    Bound& bound = copies[next];
    kernel.run(bound.prepared.call(), bound.context);
    if (rotate) next = (next + 1) % copies.size();
  });
}

Status measure(const KernelInfo& info, const cases::CaseLine& line, const Roof& roof, ThreadPool& pool, OpRow& row) {
  const Kernel& kernel = *info.kernel;
  std::vector<Bound> copies;
  SPINERT_ASSIGN(Bound first, bind(line, kernel, pool));
  const Cost cost = op_info(info.op).cost(first.prepared.call());
  row.flops = cost.flops;
  row.bytes = cost.bytes;
  const auto bytes = std::max<int64_t>(1, static_cast<int64_t>(cost.bytes));
  row.copies =
      static_cast<int>(std::clamp<int64_t>(std::min(2 * last_level_cache(), kMostBytes) / bytes + 1, 1, kMostCopies));
  copies.push_back(std::move(first));
  for (int i = 1; i < row.copies; ++i) {
    SPINERT_ASSIGN(Bound copy, bind(line, kernel, pool));
    copies.push_back(std::move(copy));
  }
  kernel.run(copies[0].prepared.call(), copies[0].context);  // faults its pages in
  const double warm = time_kernel(kernel, copies, false).median(), cold = time_kernel(kernel, copies, true).median();
  row.warm_us = warm * 1e6;
  row.cold_us = cold * 1e6;
  row.gflops = cost.flops / warm * 1e-9;
  row.gbytes = cost.bytes / cold * 1e-9;
  row.roof_percent = 100 * roof_seconds(cost, roof) / warm;
  return {};
}

// Seconds of the reference on a case, once; 0 if the case is large.
Result<double> time_reference(OpId op, const cases::CaseLine& line) {
  ThreadPool alone(1);
  SPINERT_ASSIGN(cases::PreparedCase prepared, cases::prepare(line));
  const KernelInfo* reference = choose_kernel(op, Backend::reference, Level::any, prepared.call());
  if (!reference || op_info(op).cost(prepared.call()).flops > kLargeFlops) return 0.0;
  SPINERT_ASSIGN(const Bound bound, bind(line, *reference->kernel, alone));
  return repeat(1, 5, 0.1, [&] { reference->kernel->run(bound.prepared.call(), bound.context); }).median();
}

}  // namespace

Result<std::vector<OpRow>> bench_op(const OpBenchOptions& options, const Roof& roof, ThreadPool& pool,
                                    const std::function<void(const OpRow&)>& done) {
  const OpInfo* op = find_op(options.op);
  if (!op) return error(ErrorId::E_USAGE, "no operator named " + options.op, "--op");
  const std::vector<std::string>& lines = options.cases.empty() ? cases::suite(op->id).cases : options.cases;
  std::vector<OpRow> rows;
  for (const std::string& text : lines) {
    SPINERT_ASSIGN(const cases::CaseLine line, cases::CaseLine::parse(text));
    if (line.op() != options.op) {
      return error(ErrorId::E_USAGE, "the case is of another operator", "--case").expected(options.op, line.op());
    }
    double reference = 0;
    if (options.reference) {
      SPINERT_ASSIGN(reference, time_reference(op->id, line));
    }
    for (const KernelInfo& info : all_kernels()) {
      if (info.op != op->id || info.backend != Backend::cpu) continue;
      if (info.level > std::min(options.limit, cpu_features().best)) continue;
      if (!options.kernel.empty() && options.kernel != info.name) continue;
      OpRow row;
      row.op = options.op;
      row.case_line = text;
      row.kernel = info.name;
      row.level = level_name(info.level);
      const cases::CaseResult check = cases::check_case(text, info, pool);
      SPINERT_TRY(check.status);
      row.max_difference = check.max_difference;
      if (check.skipped) {
        row.refused = check.skipped;
      } else {
        SPINERT_TRY(measure(info, line, roof, pool, row));
        row.times_reference = row.warm_us > 0 ? reference * 1e6 / row.warm_us : 0;
      }
      if (done) done(row);
      const bool taken = row.refused.empty();
      rows.push_back(std::move(row));
      if (options.best_only && taken) break;
    }
  }
  if (rows.empty()) {
    return error(ErrorId::E_USAGE, "no kernel of " + options.op + " to time",
                 options.kernel.empty() ? "--op" : "--kernel")
        .hint("spinert inspect MODEL names the kernels.");
  }
  return rows;
}

}  // namespace spinert::bench
