// atomic_file.h - a file that appears whole or not at all: temporary file beside the target, fsync, rename, fsync of
// the directory. Until commit() the target is untouched; without commit() the temporary file is removed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace spinert {

class AtomicFile {
 public:
  AtomicFile() = default;
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept { swap(other); }
  AtomicFile& operator=(AtomicFile&& other) noexcept {
    swap(other);
    return *this;
  }

  enum class Existing : unsigned char { replace, refuse };

  // The directory must exist. Errors of all functions: E_OUTPUT with the system's reason.
  static Result<AtomicFile> create(const std::string& path, Existing existing);

  Status write(const void* data, size_t bytes);
  Status write(std::string_view text) { return write(text.data(), text.size()); }
  // Makes the file durable under its name. With Existing::refuse a target that appeared meanwhile stays and is an
  // error.
  Status commit();

 private:
  void swap(AtomicFile& other) noexcept;

  int fd_ = -1;
  std::string path_, temporary_;
  Existing existing_ = Existing::refuse;
};

}  // namespace spinert
