#include "weights/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "weights/sha256.h"

namespace spinert {

std::string system_error(int code) {
  return std::generic_category().message(code);
}

FileReader::~FileReader() {
  if (fd_ >= 0) ::close(fd_);
}

void FileReader::swap(FileReader& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(size_, other.size_);
  std::swap(modified_, other.modified_);
}

Result<FileReader> FileReader::open(const std::string& path) {
  FileReader file;
  file.path_ = path;
  // O_NONBLOCK: opening a pipe that nobody writes to must not hang; it has no effect on regular files.
  file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.fd_ < 0) return error(ErrorId::E_INPUT_EMPTY, "cannot open file: " + system_error(errno), path);
  struct stat info {};
  if (::fstat(file.fd_, &info) != 0 || !S_ISREG(info.st_mode)) {
    return error(ErrorId::E_INPUT_EMPTY, "not a regular file", path);
  }
  file.size_ = static_cast<uint64_t>(info.st_size);
  file.modified_ = info.st_mtim;
  return file;
}

Status FileReader::read(uint64_t offset, void* out, size_t bytes) const {
  char* p = static_cast<char*>(out);
  while (bytes > 0) {
    const ssize_t got = ::pread(fd_, p, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error(ErrorId::E_INPUT_READ, "cannot read: " + system_error(errno), path_);
    if (got == 0) return error(ErrorId::E_MODEL_TRUNCATED, "the file became shorter while it was read", path_);
    p += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
  return {};
}

Status FileReader::check_unchanged() const {
  struct stat info {};
  const bool same = ::fstat(fd_, &info) == 0 && static_cast<uint64_t>(info.st_size) == size_ &&
                    info.st_mtim.tv_sec == modified_.tv_sec && info.st_mtim.tv_nsec == modified_.tv_nsec;
  if (same) return {};
  return error(ErrorId::E_MODEL_HASH, "the file was changed while it was in use", path_).hint("Run again.");
}

Result<std::string> whole_file_sha256(const FileReader& file) {
  std::vector<char> buffer(kPieceBytes);
  Sha256 hash;
  for (uint64_t offset = 0; offset < file.size();) {
    const auto take = static_cast<size_t>(std::min<uint64_t>(kPieceBytes, file.size() - offset));
    SPINERT_TRY(file.read(offset, buffer.data(), take));
    hash.update(buffer.data(), take);
    offset += take;
  }
  SPINERT_TRY(file.check_unchanged());
  return to_hex(hash.finish());
}

}  // namespace spinert
