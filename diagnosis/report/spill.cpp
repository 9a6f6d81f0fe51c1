#include "diagnosis/report/spill.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "weights/file_reader.h"

namespace spinert {
namespace {

constexpr size_t kPartBytes = size_t{1} << 18;

Status spill_error(const std::string& what, const std::string& folder, int code) {
  return error(ErrorId::E_OUTPUT, what + ": " + system_error(code), folder).hint("Give another folder with -o.");
}

}  // namespace

Spill::~Spill() {
  if (file_ >= 0) ::close(file_);
}

Spill::Spill(Spill&& other) noexcept : file_(std::exchange(other.file_, -1)), folder_(std::move(other.folder_)) {}

Spill& Spill::operator=(Spill&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(folder_, other.folder_);
  return *this;
}

Result<Spill> Spill::create(const std::string& folder) {
  Spill spill;
  spill.folder_ = folder;
  std::string name = folder + "/.spill-XXXXXX";
  spill.file_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (spill.file_ < 0) return spill_error("cannot write into the output folder", folder, errno);
  ::unlink(name.c_str());
  return spill;
}

Status Spill::append(std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(file_, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return spill_error("cannot write a part of the report", folder_, errno);
    text.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

Status Spill::copy(const Put& put) const {
  std::vector<char> part(kPartBytes);
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(file_, part.data(), part.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return spill_error("cannot read a part of the report again", folder_, errno);
    if (got == 0) return {};
    SPINERT_TRY(put({part.data(), static_cast<size_t>(got)}));
    at += got;
  }
}

}  // namespace spinert
