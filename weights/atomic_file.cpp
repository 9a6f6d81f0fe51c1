#include "weights/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "weights/file_reader.h"

namespace spinert {
namespace {

Status output_error(const std::string& what, const std::string& path, int code) {
  return error(ErrorId::E_OUTPUT, what + ": " + system_error(code), path);
}

// rename() replaces silently; both ways here fail if the name exists. Not every file system knows the flag of
// renameat2.
Status move_without_replacing(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return output_error("cannot create", to, errno);
  if (::link(from.c_str(), to.c_str()) != 0) return output_error("cannot create", to, errno);
  ::unlink(from.c_str());
  return {};
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::swap(AtomicFile& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(existing_, other.existing_);
}

Result<AtomicFile> AtomicFile::create(const std::string& path, Existing existing) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return output_error("cannot write", path, EISDIR);
    if (existing == Existing::refuse) return output_error("will not replace", path, EEXIST);
  }
  AtomicFile file;
  file.path_ = path;
  file.existing_ = existing;
  // A hidden name of its own: no pattern for finished results matches it, and two processes never share one.
  static std::atomic<unsigned> counter{0};
  const std::string directory = directory_of(path);
  const auto slash = path.rfind('/');
  const std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string name = directory + "/." + base.substr(0, 100) + ".tmp-" + std::to_string(::getpid()) + "-" +
                           std::to_string(counter.fetch_add(1));
  file.fd_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file.fd_ < 0) return output_error("cannot create", name, errno);
  file.temporary_ = name;
  return file;
}

Status AtomicFile::write(const void* data, size_t bytes) {
  const char* p = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t put = ::write(fd_, p, bytes);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return output_error("cannot write", path_, errno);
    p += put;
    bytes -= static_cast<size_t>(put);
  }
  return {};
}

Status AtomicFile::commit() {
  if (::fsync(fd_) != 0) return output_error("cannot write", path_, errno);
  const int closed = ::close(fd_);
  fd_ = -1;
  if (closed != 0) return output_error("cannot write", path_, errno);
  if (existing_ == Existing::refuse) {
    SPINERT_TRY(move_without_replacing(temporary_, path_));
  } else if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return output_error("cannot replace", path_, errno);
  }
  temporary_.clear();
  const int directory = ::open(directory_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int synced = directory < 0 ? -1 : ::fsync(directory);
  const int code = errno;
  if (directory >= 0) ::close(directory);
  // Some file systems cannot sync a directory; the file itself is durable and whole either way.
  if (synced != 0 && code != EINVAL && code != ENOTSUP) return output_error("cannot sync directory", path_, code);
  return {};
}

}  // namespace spinert
