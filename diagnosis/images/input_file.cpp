// input_file.cpp - open, fstat, read, fstat again. POSIX calls, because streams hide errno and cannot tell EIO from
// EOF.
#include "diagnosis/images/input_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace spinert {
namespace {

// Reads until `size` bytes are there or the file ends. Returns the count, or -1 with errno set.
int64_t read_fully(int fd, uint8_t* to, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = read(fd, to + done, std::min<size_t>(size - done, 1u << 30));
    // A signal that came in between is not a failure of the medium.
    if (got < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    // End of file; the caller knows how many bytes it wanted.
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return static_cast<int64_t>(done);
}

// Nanoseconds count: a writer that replaces bytes within one second keeps the size.
bool same_state(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

Status no_such_input(const std::string& what, const std::string& path) {
  return error(ErrorId::E_INPUT_EMPTY, what, path).hint("Give the path of a readable file.");
}

}  // namespace

InputStream::InputStream(InputStream&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), before_(other.before_), done_(other.done_) {}

InputStream::~InputStream() {
  if (fd_ >= 0) close(fd_);
}

Result<InputStream> InputStream::open(const std::string& path, uint64_t max_bytes, ErrorId too_large) {
  // O_NONBLOCK: opening a FIFO that has no writer would wait for ever; for regular files the flag has no effect.
  InputStream file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), path);
  if (file.fd_ < 0) return no_such_input(std::string("cannot open file: ") + std::strerror(errno), path);
  if (fstat(file.fd_, &file.before_) != 0) {
    return error(ErrorId::E_INPUT_READ, std::string("cannot read file: ") + std::strerror(errno), path);
  }
  if (!S_ISREG(file.before_.st_mode)) return no_such_input("not a regular file", path);
  if (file.size() > max_bytes) {
    return error(too_large, "the file is too large", path)
        .expected("at most " + std::to_string(max_bytes) + " bytes", std::to_string(file.size()));
  }
  return file;
}

Result<size_t> InputStream::read(void* to, size_t bytes) {
  const int64_t got = read_fully(fd_, static_cast<uint8_t*>(to), bytes);
  if (got < 0) {
    return error(ErrorId::E_INPUT_READ, std::string("cannot read file: ") + std::strerror(errno), path_)
        .hint("Check the disk or the network mount.");
  }
  done_ += static_cast<uint64_t>(got);
  return static_cast<size_t>(got);
}

Status InputStream::finish() {
  // One byte more than expected: a file that has grown since fstat answers it, a stable one ends here.
  uint8_t beyond = 0;
  SPINERT_ASSIGN(const size_t more, read(&beyond, 1));
  struct stat after {};
  if (more == 0 && done_ == size() && fstat(fd_, &after) == 0 && same_state(before_, after)) return {};
  return error(ErrorId::E_INPUT_CHANGED, "file changed while it was read", path_)
      .hint("Wait until it is completely written, then run again.");
}

Result<std::vector<uint8_t>> read_input_file(const std::string& path, uint64_t max_bytes, ErrorId too_large) {
  SPINERT_ASSIGN(InputStream file, InputStream::open(path, max_bytes, too_large));
  // The size is bounded above, but even that much may be more than the process may have.
  std::vector<uint8_t> bytes;
  try {
    bytes.resize(static_cast<size_t>(file.size()));
  } catch (const std::bad_alloc&) {
    return error(ErrorId::E_OOM_HOST, "no memory to read file", path)
        .expected(std::to_string(file.size()) + " bytes", "less than that");
  }
  SPINERT_TRY(file.read(bytes.data(), bytes.size()).status());
  SPINERT_TRY(file.finish());
  return bytes;
}

}  // namespace spinert
