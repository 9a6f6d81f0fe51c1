// write_faults.cpp - a library to preload: of the calls by which a program writes into one folder, the k-th fails as on
// a full disk, or kills the program. SPINERT_FAULT_FOLDER, SPINERT_FAULT_AT, SPINERT_FAULT_KIND (full, kill).
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

bool inside(const char* path) {
  static const char* const folder = std::getenv("SPINERT_FAULT_FOLDER");
  return folder && path && std::strncmp(path, folder, std::strlen(folder)) == 0;
}

bool inside(int file) {
  char link[40], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = ::readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = '\0';
  return inside(path);
}

// Whether the call that comes now fails. Does not come back if the program is to die before it.
bool strikes() {
  static const char* const at = std::getenv("SPINERT_FAULT_AT");
  static const char* const kind = std::getenv("SPINERT_FAULT_KIND");
  static std::atomic<long> calls{0};
  if (!at || !kind || ++calls != std::atol(at)) return false;
  if (std::strcmp(kind, "kill") == 0) ::raise(SIGKILL);
  errno = ENOSPC;
  return true;
}

template <class Function>
Function real(const char* name, Function) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* bytes, size_t count) {
  static const auto next = real("write", &::write);
  return inside(file) && strikes() ? -1 : next(file, bytes, count);
}

int fsync(int file) {
  static const auto next = real("fsync", &::fsync);
  return inside(file) && strikes() ? -1 : next(file);
}

int rename(const char* from, const char* to) noexcept {
  static const auto next = real("rename", &::rename);
  return inside(to) && strikes() ? -1 : next(from, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  static const auto next = real("renameat2", &::renameat2);
  return inside(to) && strikes() ? -1 : next(from_folder, from, to_folder, to, flags);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto next = real("mkdir", &::mkdir);
  return inside(path) && strikes() ? -1 : next(path, mode);
}

char* mkdtemp(char* pattern) noexcept {
  static const auto next = real("mkdtemp", &::mkdtemp);
  return inside(pattern) && strikes() ? nullptr : next(pattern);
}

int mkostemp(char* pattern, int flags) {
  static const auto next = real("mkostemp", &::mkostemp);
  return inside(pattern) && strikes() ? -1 : next(pattern, flags);
}

int open(const char* path, int flags, ...) {
  static const auto next = real("open", &::open);
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  return (flags & O_CREAT) && inside(path) && strikes() ? -1 : next(path, flags, mode);
}

}  // extern "C"
