// timing.h - repeats a piece of work and keeps the times.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace spinert::bench {

struct Times {
  std::vector<double> seconds;

  double median() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    const size_t middle = sorted.size() / 2;
    if (sorted.empty()) return 0;
    return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
  double best() const { return seconds.empty() ? 0 : *std::min_element(seconds.begin(), seconds.end()); }
};

template <class Work>
double time_once(Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// At least `least` repeats, then until `total_seconds` have passed, at most `most`.
template <class Work>
Times repeat(int least, int most, double total_seconds, Work&& work) {
  Times times;
  double sum = 0;
  while (static_cast<int>(times.seconds.size()) < most &&
         (static_cast<int>(times.seconds.size()) < least || sum < total_seconds)) {
    times.seconds.push_back(time_once(work));
    sum += times.seconds.back();
  }
  return times;
}

}  // namespace spinert::bench
