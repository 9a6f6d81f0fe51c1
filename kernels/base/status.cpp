#include "kernels/base/status.h"

namespace spinert {

std::string_view error_name(ErrorId id) {
  static constexpr std::string_view kNames[] = {
#define ERROR(id, exit_code) #id,
#include "kernels/base/error_ids.def"
#undef ERROR
  };
  return kNames[static_cast<unsigned>(id)];
}

int exit_code(ErrorId id) {
  static constexpr int kCodes[] = {
#define ERROR(id, exit_code) exit_code,
#include "kernels/base/error_ids.def"
#undef ERROR
  };
  return kCodes[static_cast<unsigned>(id)];
}

Status::Status(ErrorId id, std::string what, std::string where)
    : detail_(std::make_shared<Detail>(Detail{id, std::move(what), std::move(where), {}, {}, {}})) {}

Status& Status::expected(std::string expected, std::string got) {
  if (detail_) {
    detail_->expected = std::move(expected);
    detail_->got = std::move(got);
  }
  return *this;
}

Status& Status::hint(std::string what_to_do) {
  if (detail_) detail_->hint = std::move(what_to_do);
  return *this;
}

Status& Status::at(std::string_view where) {
  if (detail_) {
    std::string place(where);
    if (!detail_->where.empty()) place += ": " + detail_->where;
    detail_->where = std::move(place);
  }
  return *this;
}

const std::string& Status::where() const {
  static const std::string empty;
  return detail_ ? detail_->where : empty;
}

std::string Status::message() const {
  if (!detail_) return {};
  std::string text = detail_->what;
  if (!detail_->where.empty()) text += ", " + detail_->where;
  if (!detail_->expected.empty() || !detail_->got.empty()) {
    text += " (expected " + detail_->expected + ", got " + detail_->got + ")";
  }
  text += '.';
  if (!detail_->hint.empty()) text += " " + detail_->hint;
  return text;
}

std::string Status::to_string() const {
  if (!detail_) return "OK";
  return std::string(error_name(detail_->id)) + ": " + message();
}

}  // namespace spinert
