// verify_request.h - what `spinert verify` compares when it is not told: the levels of this machine, the pictures.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "diagnosis/verify.h"

namespace spinert {

struct VerifyLevels {
  std::vector<std::string> names;
  std::vector<std::string> skipped;  // levels that this machine lacks: named, never passed over in silence
};

// isa: one level, or "all": on the CPU those whose rows compute in that precision, on a card ("cuda", "cuda:n") those
// that it runs. Errors: those of opening the card.
Result<VerifyLevels> verify_levels(const std::string& device, const std::string& precision, const std::string& isa);

// "cuda" or "cuda:<number>".
bool names_card(const std::string& device);

// The pictures of files and folders; none named: the built-in synthetic slice. Errors: those of input.h and picture.h.
Result<std::vector<NamedPicture>> verify_pictures(std::span<const std::string> paths);

}  // namespace spinert
