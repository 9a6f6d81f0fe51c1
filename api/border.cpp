// border.cpp - errors, the caller's thread, memory of the caller, and what the build says of itself.
#include "api/border.h"

#include <pthread.h>

#include <cstdlib>
#include <ctime>

#include "diagnosis/report/json_text.h"
#include "diagnosis/result.h"
#include "runtime/engine.h"

struct spinert_error {
  spinert_status code;
  std::string id, message;
};

namespace spinert::api {
namespace {

// For the moment when there is no memory even for an error; made when the library is loaded.
spinert_error memory_error{SPINERT_MEMORY, "E_OOM_HOST", "the memory was not enough."};

}  // namespace

Status no_memory() {
  return error(ErrorId::E_OOM_HOST, "the memory was not enough").hint("Give the process more memory.");
}

Status misuse(std::string what) {
  return error(ErrorId::E_USAGE, std::move(what), "call of the library");
}

spinert_status report(const Status& status, spinert_error** error) noexcept {
  if (status.ok()) return SPINERT_OK;
  const spinert_status code = exit_code(status.id());
  if (!error) return code;
  try {
    *error = new spinert_error{code, std::string(error_name(status.id())), status.message()};
  } catch (...) {
    *error = &memory_error;
    return memory_error.code;
  }
  return code;
}

HostThread::HostThread() {
  fegetenv(&arithmetic_);
  fesetenv(FE_DFL_ENV);
  sigemptyset(&quiet_);
  sigaddset(&quiet_, SIGPIPE);
  sigaddset(&quiet_, SIGXFSZ);
  sigpending(&pending_);
  pthread_sigmask(SIG_BLOCK, &quiet_, &mask_);
}

HostThread::~HostThread() {
  // Those that this call caused are taken away; those that waited before it are the caller's.
  for (const int number : {SIGPIPE, SIGXFSZ}) {
    if (sigismember(&pending_, number) == 1) sigdelset(&quiet_, number);
  }
  const timespec now{};
  while (sigtimedwait(&quiet_, nullptr, &now) > 0) {
  }
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  fesetenv(&arithmetic_);
}

void* copy_for_caller(const void* bytes, size_t size) noexcept {
  void* copy = std::malloc(size > 0 ? size : 1);
  if (copy && size > 0) std::memcpy(copy, bytes, size);
  return copy;
}

}  // namespace spinert::api

using namespace spinert;

const char* spinert_version(void) {
  return SPINERT_VERSION;
}

int32_t spinert_abi(void) {
  return SPINERT_ABI;
}

const char* spinert_build(void) {
  try {
    static const std::string text = [] {
      JsonText json;
      json.begin_object(JsonText::Layout::inline_);
      for (const auto& [key, value] : build_info()) json.key(key).text(value);
      return json.end().str();
    }();
    return text.c_str();
  } catch (...) {
    return "{}";
  }
}

const char* spinert_label(void) {
  return kResearchLabel;
}

spinert_status spinert_error_code(const spinert_error* error) {
  return error ? error->code : SPINERT_OK;
}

const char* spinert_error_id(const spinert_error* error) {
  return error ? error->id.c_str() : "OK";
}

const char* spinert_error_message(const spinert_error* error) {
  return error ? error->message.c_str() : "";
}

void spinert_error_free(spinert_error* error) {
  if (error != &api::memory_error) delete error;
}

void spinert_free(void* memory) {
  std::free(memory);
}
