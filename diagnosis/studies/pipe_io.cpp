// pipe_io.cpp - poll, then read or write as much as goes.
#include "diagnosis/studies/pipe_io.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace spinert {
namespace {

constexpr size_t kMaxTransfer = size_t{1} << 30;

// Milliseconds for poll, rounded up; -1 waits for ever.
int milliseconds_left(Deadline deadline) {
  if (deadline == kNoDeadline) return -1;
  const auto left = deadline - std::chrono::steady_clock::now();
  const int64_t milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<int64_t>(milliseconds, 0, 1'000'000));
}

// Waits until fd is ready for `events`; an end that was closed counts as ready, the call that follows tells.
PipeEnd wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    pollfd entry{fd, events, 0};
    const int timeout = milliseconds_left(deadline);
    const int ready = poll(&entry, 1, timeout);
    if (ready > 0) return PipeEnd::done;
    if (ready < 0 && errno != EINTR) return PipeEnd::failed;
    if (ready == 0 && milliseconds_left(deadline) == 0) return PipeEnd::timeout;
  }
}

bool try_again() {
  return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
}

}  // namespace

PipeEnd read_pipe(int fd, void* to, size_t bytes, Deadline deadline) {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    if (const PipeEnd end = wait_for(fd, POLLIN, deadline); end != PipeEnd::done) return end;
    const ssize_t got = ::read(fd, at, std::min(bytes, kMaxTransfer));
    if (got == 0) return PipeEnd::closed;
    if (got < 0 && !try_again()) return PipeEnd::failed;
    if (got < 0) continue;
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return PipeEnd::done;
}

PipeEnd write_pipe(int fd, const void* from, size_t bytes, Deadline deadline) {
  const auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    if (const PipeEnd end = wait_for(fd, POLLOUT, deadline); end != PipeEnd::done) return end;
    const ssize_t put = ::write(fd, at, std::min(bytes, kMaxTransfer));
    if (put < 0 && errno == EPIPE) return PipeEnd::closed;
    if (put < 0 && !try_again()) return PipeEnd::failed;
    if (put < 0) continue;
    at += put;
    bytes -= static_cast<size_t>(put);
  }
  return PipeEnd::done;
}

SigpipeGuard::SigpipeGuard() {
  sigset_t pending, only, before;
  sigemptyset(&only);
  sigaddset(&only, SIGPIPE);
  // A SIGPIPE that waits already belongs to somebody else and must stay.
  if (sigpending(&pending) != 0 || sigismember(&pending, SIGPIPE) != 0) return;
  if (pthread_sigmask(SIG_BLOCK, &only, &before) != 0) return;
  blocked_here_ = sigismember(&before, SIGPIPE) == 0;
}

SigpipeGuard::~SigpipeGuard() {
  if (!blocked_here_) return;
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, SIGPIPE);
  const timespec at_once{0, 0};
  while (sigtimedwait(&only, nullptr, &at_once) < 0 && errno == EINTR) {
  }
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
}

}  // namespace spinert
