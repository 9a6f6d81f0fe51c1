// pipe_io.h - whole messages through pipes with a deadline, for the two ends of the DICOM protocol.
#pragma once

#include <chrono>
#include <cstddef>

namespace spinert {

using Deadline = std::chrono::steady_clock::time_point;

enum class PipeEnd : unsigned char {
  done,
  closed,   // the other end is gone, before the first byte or between two
  timeout,  // the deadline passed
  failed,   // any other error
};

// All bytes or the reason why not. Works for blocking and non-blocking descriptors; on a blocking one a deadline ends a
// read, but not a write. An interrupting signal is no reason to stop.
PipeEnd read_pipe(int fd, void* to, size_t bytes, Deadline deadline);
PipeEnd write_pipe(int fd, const void* from, size_t bytes, Deadline deadline);

inline constexpr Deadline kNoDeadline = Deadline::max();

// While it lives, writing into a pipe that nobody reads is an error (closed) instead of a signal that ends the process.
// Only this thread is affected.
class SigpipeGuard {
 public:
  SigpipeGuard();
  ~SigpipeGuard();
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  bool blocked_here_ = false;
};

}  // namespace spinert
