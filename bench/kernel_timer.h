// kernel_timer.h - times calls of kernels with GoogleBenchmark, all of a set interleaved, so that a disturbance hits
// every one alike.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/timing.h"
#include "kernels/base/status.h"

namespace spinert::bench {

struct TimedWork {
  std::string name;
  std::function<void()> run;
};

// Seconds of one call, one entry per repetition (the mean of its calls), in the order of the work. Repetitions of
// different work take turns at random. E_USAGE in a build without GoogleBenchmark.
Result<std::vector<Times>> time_interleaved(const std::vector<TimedWork>& work);

}  // namespace spinert::bench
