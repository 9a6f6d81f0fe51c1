// verify_json.h - the figures of verify as JSON, what `spinert verify --json` writes.
#pragma once

#include <string>

#include "diagnosis/verify.h"

namespace spinert {

std::string verify_json(const VerifyReport& report);

}  // namespace spinert
