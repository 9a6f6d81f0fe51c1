// input_file.cpp - open, fstat, read, fstat again. POSIX calls, because streams hide errno and cannot tell EIO from
// EOF.
#include "diagnosis/images/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace spinert {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

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

Status changed(const std::string& path) {
  return error(ErrorId::E_INPUT_CHANGED, "file changed while it was read", path)
      .hint("Wait until it is completely written, then run again.");
}

Status no_such_input(const std::string& what, const std::string& path) {
  return error(ErrorId::E_INPUT_EMPTY, what, path).hint("Give the path of a readable picture file.");
}

}  // namespace

Result<std::vector<uint8_t>> read_input_file(const std::string& path, uint64_t max_bytes) {
  // O_NONBLOCK: opening a FIFO that has no writer would wait for ever; for regular files the flag has no effect.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return no_such_input(std::string("cannot open file: ") + std::strerror(errno), path);
  struct stat before {};
  if (fstat(file.get(), &before) != 0) {
    return error(ErrorId::E_INPUT_READ, std::string("cannot read file: ") + std::strerror(errno), path);
  }
  if (!S_ISREG(before.st_mode)) return no_such_input("not a regular file", path);
  const auto size = static_cast<uint64_t>(before.st_size);
  if (size > max_bytes) {
    return error(ErrorId::E_IMAGE_SIZE, "file too large for a picture", path)
        .expected("at most " + std::to_string(max_bytes) + " bytes", std::to_string(size));
  }

  // The size is bounded above, but even that much may be more than the process may have.
  std::vector<uint8_t> bytes;
  try {
    bytes.resize(static_cast<size_t>(size));
  } catch (const std::bad_alloc&) {
    return error(ErrorId::E_OOM_HOST, "no memory to read file", path)
        .expected(std::to_string(size) + " bytes", "less than that");
  }
  const int64_t got = read_fully(file.get(), bytes.data(), bytes.size());
  // One byte more than expected: a file that has grown since fstat answers it, a stable one ends here.
  uint8_t beyond = 0;
  const int64_t more = got < 0 ? -1 : read_fully(file.get(), &beyond, 1);
  if (more < 0) {
    return error(ErrorId::E_INPUT_READ, std::string("cannot read file: ") + std::strerror(errno), path)
        .hint("Check the disk or the network mount.");
  }
  struct stat after {};
  if (static_cast<uint64_t>(got) != size || more != 0 || fstat(file.get(), &after) != 0 || !same_state(before, after)) {
    return changed(path);
  }
  return bytes;
}

}  // namespace spinert
