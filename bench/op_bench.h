// op_bench.h - times single kernels on the cases of tests/ops. A kernel is compared with the reference on the case
// before it is timed; one that differs is never timed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/roof.h"
#include "kernels/registry.h"

namespace spinert::bench {

struct OpBenchOptions {
  std::string op;
  std::vector<std::string> cases;  // case lines; empty: all cases of the operator
  std::string kernel;              // only this row; empty: every cpu row that the machine and `limit` allow
  Level limit = Level::amx_bf16;
  bool best_only = false;       // of each case only the first row that takes it
  bool reference = true;        // time the reference too, once, unless the case is large
  std::function<bool()> again;  // asked after each timing of a case: true times it again
};

struct OpRow {
  std::string op, case_line, kernel, level;
  std::string refused;  // why the kernel does not take the case; nothing is timed then
  double max_difference = 0;
  double warm_us = 0, cold_us = 0;  // medians; cold: buffers rotate over twice the last-level cache
  double warm_min_us = 0;
  double gflops = 0, gbytes = 0;  // of the warm and of the cold median
  double roof_percent = 0;        // least possible time / warm median
  bool memory_bound = false;      // that least time is the one of a copy
  double times_reference = 0;     // reference / warm median; 0: not timed
  double flops = 0, bytes = 0;
  int copies = 1;  // sets of buffers that rotate
};

// Errors: E_USAGE (no such operator, kernel or case), E_VERIFY (a kernel differs from the reference), E_OOM_HOST.
Result<std::vector<OpRow>> bench_op(const OpBenchOptions& options, const Roof& roof, ThreadPool& pool,
                                    const std::function<void(const OpRow&)>& done);

}  // namespace spinert::bench
