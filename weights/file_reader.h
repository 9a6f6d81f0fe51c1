// file_reader.h - positioned reads from one regular file whose descriptor stays open.
//
// Nothing is mapped: a file that shrinks under a mapping kills the process, a short pread is an ordinary error.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "kernels/base/status.h"

namespace spinert {

class FileReader {
 public:
  FileReader() = default;
  ~FileReader();
  FileReader(FileReader&& other) noexcept { swap(other); }
  FileReader& operator=(FileReader&& other) noexcept {
    swap(other);
    return *this;
  }

  // Errors: E_INPUT_EMPTY if the path cannot be opened or is no regular file.
  static Result<FileReader> open(const std::string& path);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }

  // Exactly `bytes` bytes at `offset`; safe from several threads. Errors: E_INPUT_READ, E_MODEL_TRUNCATED if the file
  // has become shorter than it was when opened.
  Status read(uint64_t offset, void* out, size_t bytes) const;
  // E_MODEL_HASH if size or modification time are no longer what they were at open.
  Status check_unchanged() const;

 private:
  void swap(FileReader& other) noexcept;

  int fd_ = -1;
  std::string path_;
  uint64_t size_ = 0;
  timespec modified_{};
};

// Lower-case hexadecimal SHA-256 of the whole file, read in pieces; meant for a thread beside other work. Ends with
// check_unchanged().
Result<std::string> whole_file_sha256(const FileReader& file);

// "message of errno", without the thread trouble of strerror.
std::string system_error(int code);

}  // namespace spinert
