// reason.h - why a status or alert is what it is.
#pragma once

#include <string>

namespace spinert {

// One reason of a status or alert: a stable code and a sentence.
struct Reason {
  std::string code;  // "E_NO_VERTEBRA", "cropped", "contradictory", "gap", "W_EXTENSION", ...
  std::string text;
};

}  // namespace spinert
