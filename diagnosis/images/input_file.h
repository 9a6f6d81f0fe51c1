// input_file.h - reads one input file, whole or piece by piece, or says why not.
//
// Errors: E_INPUT_EMPTY (missing, not readable, not a regular file), E_INPUT_READ (the medium failed while reading),
// E_INPUT_CHANGED (size or time changed while it was read: somebody is still writing it), `too_large`
// (larger than max_bytes; nothing is read then), E_OOM_HOST. An empty file is not an error here.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

Result<std::vector<uint8_t>> read_input_file(const std::string& path, uint64_t max_bytes,
                                             ErrorId too_large = ErrorId::E_IMAGE_SIZE);

// A file from its first byte to its last, in pieces.
class InputStream {
 public:
  static Result<InputStream> open(const std::string& path, uint64_t max_bytes,
                                  ErrorId too_large = ErrorId::E_IMAGE_SIZE);
  ~InputStream();
  InputStream(InputStream&& other) noexcept;
  InputStream& operator=(InputStream&&) = delete;

  uint64_t size() const { return static_cast<uint64_t>(before_.st_size); }
  // The next bytes, at most `bytes`; fewer only at the end of the file.
  Result<size_t> read(void* to, size_t bytes);
  // After the last byte was read: E_INPUT_CHANGED unless the file is what it was when it was opened.
  Status finish();

 private:
  InputStream(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  int fd_;
  std::string path_;
  struct stat before_ {};
  uint64_t done_ = 0;
};

}  // namespace spinert
