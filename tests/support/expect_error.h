// expect_error.h - an error by its id and by what its message must say.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace spinert::test {

inline void expect_error(const Status& status, ErrorId id, const std::vector<std::string>& parts) {
  EXPECT_EQ(status.id(), id) << status.to_string();
  for (const std::string& part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos) << part << " is not in: " << status.message();
  }
}

}  // namespace spinert::test
