// border.h - what every function of spinert.h does at the border: no exception leaves, the caller's thread is left as
// it was, structs of any version are read and written.
#pragma once

#include <fenv.h>
#include <signal.h>

#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "api/spinert.h"
#include "kernels/base/status.h"

namespace spinert::api {

// Makes *error, if wanted, and returns the exit code.
spinert_status report(const Status& status, spinert_error** error) noexcept;
Status no_memory();
Status misuse(std::string what);

// A thread of somebody else: it may have another rounding mode or flush small numbers to zero, and no idea that a pipe
// can break. Standard arithmetic, and neither SIGPIPE nor SIGXFSZ, until the call ends.
class HostThread {
 public:
  HostThread();
  ~HostThread();
  HostThread(const HostThread&) = delete;
  HostThread& operator=(const HostThread&) = delete;

 private:
  fenv_t arithmetic_;
  sigset_t mask_, quiet_, pending_;
};

// Runs call(), which gives a Status.
template <class Call>
spinert_status at_border(spinert_error** error, Call&& call) noexcept {
  if (error) *error = nullptr;
  try {
    const HostThread host;
    return report(call(), error);
  } catch (const std::bad_alloc&) {
    return report(no_memory(), error);
  } catch (const std::exception& failure) {
    return report(Status(ErrorId::E_INTERNAL, failure.what()), error);
  } catch (...) {
    return report(Status(ErrorId::E_INTERNAL, "unknown exception"), error);
  }
}

// What the caller's struct says of its own size.
template <class T>
Result<size_t> struct_size_of(const T* given, const char* name) {
  if (!given) return misuse(std::string(name) + " is null");
  size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  constexpr size_t kLargest = 4096;  // beyond: it was never set
  if (size < sizeof size || size % alignof(T) != 0 || size > kLargest) {
    return misuse(std::string(name) + ".struct_size is " + std::to_string(size) + ", set it with SPINERT_INIT");
  }
  return size;
}

// The caller's struct in the version of this library: what it does not have is zero. What it has beyond this version
// must be zero, else it asks for something that this library would pass over in silence.
template <class T>
Status read_struct(const T* given, T& out, const char* name) {
  SPINERT_ASSIGN(const size_t size, struct_size_of(given, name));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) return misuse(std::string(name) + " uses a field that this version of the library lacks");
  }
  out = T();
  std::memcpy(&out, given, size < sizeof(T) ? size : sizeof(T));
  return {};
}

// Fills the caller's struct as far as it goes; `value` without struct_size.
template <class T>
Status write_struct(T value, T* out, const char* name) {
  SPINERT_ASSIGN(const size_t size, struct_size_of(out, name));
  value.struct_size = size;
  std::memset(static_cast<void*>(out), 0, size);
  std::memcpy(static_cast<void*>(out), &value, size < sizeof(T) ? size : sizeof(T));
  return {};
}

// Memory that spinert_free gives back. Null if there is none.
void* copy_for_caller(const void* bytes, size_t size) noexcept;

inline std::string text_of(const char* text) {
  return text ? text : "";
}

}  // namespace spinert::api
