// status.h - how every fallible function of SpineRT answers: a Status, or a Result<T> that holds a value or a Status.
// No exception leaves a library function and none calls exit() or abort().
//
// The text of an error is one sentence pattern, so that people and scripts can rely on it:
//   "<what>, <where> (expected X, got Y). <what to do>"
// Build it with error(id, what, where).expected(x, y).hint(h); parts that do not apply are left out.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace spinert {

enum class ErrorId : unsigned char {
#define ERROR(id, exit_code) id,
#include "kernels/base/error_ids.def"
#undef ERROR
};

// The name as printed and written to reports, for example "E_PNG".
std::string_view error_name(ErrorId id);
// The process exit code that belongs to an error id.
int exit_code(ErrorId id);

class [[nodiscard]] Status {
 public:
  Status() = default;  // success, costs one null pointer
  Status(ErrorId id, std::string what, std::string where = {});

  bool ok() const { return detail_ == nullptr; }
  ErrorId id() const { return detail_ ? detail_->id : ErrorId::OK; }
  // The sentence without the leading "spinert: error E_NAME: ".
  std::string message() const;
  // "E_NAME: message", or "OK".
  std::string to_string() const;

  // Builders: each returns *this so that a return statement stays one expression.
  Status& expected(std::string expected, std::string got);
  Status& hint(std::string what_to_do);
  // Puts the file or node in front when a lower layer did not know it. An existing place is kept behind it.
  Status& at(std::string_view where);

  const std::string& where() const;

  struct Detail {
    ErrorId id;
    std::string what, where, expected, got, hint;
  };
  // The parts, for an error that goes to another process; null on success.
  const Detail* detail() const { return detail_.get(); }

 private:
  std::shared_ptr<Detail> detail_;  // shared: a Status is copied rarely and never on a hot path
};

inline Status error(ErrorId id, std::string what, std::string where = {}) {
  return Status(id, std::move(what), std::move(where));
}

// A value or the reason why there is none. Check ok() before value().
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}         // NOLINT: implicit by intent
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {}  // NOLINT: implicit by intent

  bool ok() const { return state_.index() == 0; }
  Status status() const { return ok() ? Status() : std::get<1>(state_); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }

 private:
  std::variant<T, Status> state_;
};

#define SPINERT_CONCAT_(a, b) a##b
#define SPINERT_CONCAT(a, b) SPINERT_CONCAT_(a, b)

// Returns from the enclosing function if the Status is an error.
#define SPINERT_TRY(expression)                                                                          \
  do {                                                                                                   \
    if (::spinert::Status spinert_status_ = (expression); !spinert_status_.ok()) return spinert_status_; \
  } while (false)

// SPINERT_ASSIGN(auto x, f()): declares x from a Result, or returns its Status.
#define SPINERT_ASSIGN(declaration, expression) \
  SPINERT_ASSIGN_(SPINERT_CONCAT(spinert_result_, __LINE__), declaration, expression)
#define SPINERT_ASSIGN_(temporary, declaration, expression) \
  auto temporary = (expression);                            \
  if (!temporary.ok()) return temporary.status();           \
  declaration = std::move(temporary).value()

}  // namespace spinert
