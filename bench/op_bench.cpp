#include "bench/op_bench.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "bench/kernel_timer.h"
#include "tests/ops/op_case.h"

namespace spinert::bench {
namespace {

constexpr int64_t kMostBytes = 512ll << 20;  // of all copies together
constexpr int kMostCopies = 64;
constexpr double kLargeFlops = 4e9;  // the reference computes this in about a second

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// A case with everything that its kernel needs: packed weights, scratch memory.
struct BoundCase {
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

Result<BoundCase> bind(const cases::CaseLine& line, const Kernel& kernel, ThreadPool& pool) {
  BoundCase bound;
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

// A row that takes the case and agrees with the reference on it, with as many sets of buffers as its times need.
struct Candidate {
  const KernelInfo* info = nullptr;
  size_t row = 0;  // in the list of results
  Cost cost;
  std::vector<BoundCase> copies;
  size_t next = 0;  // the set that the next cold call takes

  void run(bool rotate) {
    const BoundCase& bound = copies[rotate ? next : 0];
    info->kernel->run(bound.prepared.call(), bound.context);
    if (rotate) next = (next + 1) % copies.size();
  }
};

Result<Candidate> make_candidate(const KernelInfo& info, const cases::CaseLine& line, ThreadPool& pool) {
  Candidate candidate;
  candidate.info = &info;
  SPINERT_ASSIGN(BoundCase first, bind(line, *info.kernel, pool));
  candidate.cost = op_info(info.op).cost(first.prepared.call());
  const auto bytes = std::max<int64_t>(1, static_cast<int64_t>(candidate.cost.bytes));
  const int64_t copies = std::min(2 * last_level_cache(), kMostBytes) / bytes + 1;
  candidate.copies.push_back(std::move(first));
  for (int64_t i = 1; i < std::min<int64_t>(copies, kMostCopies); ++i) {
    SPINERT_ASSIGN(BoundCase copy, bind(line, *info.kernel, pool));
    candidate.copies.push_back(std::move(copy));
  }
  candidate.run(false);  // faults its pages in
  return candidate;
}

// Times all candidates of a case, interleaved, with warm and with rotating buffers.
Status measure(std::vector<Candidate>& candidates, const Roof& roof, double reference, std::vector<OpRow>& rows) {
  std::vector<TimedWork> work;
  for (Candidate& candidate : candidates) {
    work.push_back({candidate.info->name, [&candidate] { candidate.run(false); }});
    if (candidate.copies.size() == 1) continue;  // one set exceeds the cache: warm is cold
    work.push_back({std::string(candidate.info->name) + "/cold", [&candidate] { candidate.run(true); }});
  }
  SPINERT_ASSIGN(const std::vector<Times> times, time_interleaved(work));
  size_t entry = 0;
  for (const Candidate& candidate : candidates) {
    const Times& warm = times[entry++];
    const Times& cold = candidate.copies.size() == 1 ? warm : times[entry++];
    const Bound bound = least_time(candidate.cost, candidate.info->level, roof);
    OpRow& row = rows[candidate.row];
    row.copies = static_cast<int>(candidate.copies.size());
    row.flops = candidate.cost.flops;
    row.bytes = candidate.cost.bytes;
    row.warm_us = warm.median() * 1e6;
    row.warm_min_us = warm.best() * 1e6;
    row.cold_us = cold.median() * 1e6;
    row.gflops = candidate.cost.flops / warm.median() * 1e-9;
    row.gbytes = candidate.cost.bytes / cold.median() * 1e-9;
    row.memory_bound = bound.memory;
    row.roof_percent = 100 * bound.seconds / warm.median();
    row.times_reference = reference / warm.median();
  }
  return {};
}

// Seconds of the reference on a case, once; 0 if the case is large.
Result<double> time_reference(OpId op, const cases::CaseLine& line) {
  ThreadPool alone(1);
  SPINERT_ASSIGN(cases::PreparedCase prepared, cases::prepare(line));
  const KernelInfo* reference = choose_kernel(op, Backend::reference, Level::any, prepared.call());
  if (!reference || op_info(op).cost(prepared.call()).flops > kLargeFlops) return 0.0;
  SPINERT_ASSIGN(const BoundCase bound, bind(line, *reference->kernel, alone));
  return time_once([&] { reference->kernel->run(bound.prepared.call(), bound.context); });
}

}  // namespace

Result<std::vector<OpRow>> bench_op(const OpBenchOptions& options, const Roof& roof, ThreadPool& pool,
                                    const std::function<void(const OpRow&)>& done) {
  const OpInfo* op = find_op(options.op);
  if (!op) return error(ErrorId::E_USAGE, "no operator named " + options.op, "--op");
  const std::vector<std::string>& lines = options.cases.empty() ? cases::suite(op->id).cases : options.cases;
  std::vector<OpRow> all;
  for (const std::string& text : lines) {
    SPINERT_ASSIGN(const cases::CaseLine line, cases::CaseLine::parse(text));
    if (line.op() != options.op) {
      return error(ErrorId::E_USAGE, "the case is of another operator", "--case").expected(options.op, line.op());
    }
    std::vector<OpRow> rows;
    std::vector<Candidate> candidates;
    for (const KernelInfo& info : all_kernels()) {
      if (info.op != op->id || info.backend != Backend::cpu) continue;
      if (info.level > std::min(options.limit, cpu_features().best)) continue;
      if (!options.kernel.empty() && options.kernel != info.name) continue;
      OpRow& row = rows.emplace_back();
      row.op = options.op;
      row.case_line = text;
      row.kernel = info.name;
      row.level = level_name(info.level);
      const cases::CaseResult check = cases::check_case(text, info, pool);
      SPINERT_TRY(check.status);
      row.max_difference = check.max_difference;
      if (check.skipped) {
        row.refused = check.skipped;
        continue;
      }
      SPINERT_ASSIGN(Candidate candidate, make_candidate(info, line, pool));
      candidate.row = rows.size() - 1;
      candidates.push_back(std::move(candidate));
      if (options.best_only) break;
    }
    double reference = 0;
    if (options.reference) {
      SPINERT_ASSIGN(reference, time_reference(op->id, line));
    }
    do {
      SPINERT_TRY(measure(candidates, roof, reference, rows));
      if (done) std::ranges::for_each(rows, done);
    } while (options.again && options.again());
    std::ranges::move(rows, std::back_inserter(all));
  }
  if (all.empty()) {
    return error(ErrorId::E_USAGE, "no kernel of " + options.op + " to time",
                 options.kernel.empty() ? "--op" : "--kernel")
        .hint("spinert inspect MODEL names the kernels.");
  }
  return all;
}

}  // namespace spinert::bench
