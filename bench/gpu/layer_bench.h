// layer_bench.h - one layer on the card: our kernel and the best plan of the vendor's library on the same data, checked
// first, then timed in turns.
#pragma once

#include <string>
#include <vector>

#include "bench/gpu/gpu_timer.h"
#include "kernels/registry.h"

namespace spinert::bench {

struct LayerOptions {
  int replays = 50;  // of each measurement
  int rounds = 3;    // ours and the vendor's in turns; ratios are taken within a round
  bool vendor = true;
};

struct LayerRow {
  std::string name, case_line, kernel;
  std::string refused;  // no kernel of the cuda backend took it, or it was wrong: nothing is timed
  int64_t count = 1;    // how many such layers the network has
  double flops = 0, bytes = 0;
  double max_difference = 0;
  double hot_us = 0, cold_us = 0;  // cold: buffers rotate over more than twice the second-level cache
  double tflops = 0, gbytes = 0;   // of the hot and of the cold time
  double roof_percent = 0;         // least possible time at the measured roof / cold time
  std::string vendor_plan;         // empty: no library for this layer
  double vendor_hot_us = 0, vendor_cold_us = 0;
  double ratio_hot = 0, ratio_cold = 0;  // vendor / ours, median of the rounds
};

// kernel: a row of the cuda backend to take instead of the first that accepts; empty: the first.
Result<LayerRow> bench_layer(CudaDevice& device, ThreadPool& pool, const GpuRoof& roof, const std::string& name,
                             int64_t count, const std::string& case_line, const std::string& kernel,
                             const LayerOptions& options);

}  // namespace spinert::bench
