// spill.h - text that waits on the disk until it is copied into a file: a nameless temporary file, gone with the object
// or the process. Errors: E_OUTPUT with the system's reason.
#pragma once

#include <string>

#include "diagnosis/report/parts.h"

namespace spinert {

class Spill {
 public:
  Spill() = default;
  ~Spill();
  Spill(Spill&& other) noexcept;
  Spill& operator=(Spill&& other) noexcept;

  // On the file system of that folder.
  static Result<Spill> create(const std::string& folder);

  Status append(std::string_view text);
  // Everything appended so far, in parts.
  Status copy(const Put& put) const;

 private:
  int file_ = -1;
  std::string folder_;  // for messages
};

}  // namespace spinert
