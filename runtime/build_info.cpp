// build_info.cpp - what this binary was built from; the values come from CMake.
#include "runtime/engine.h"

namespace spinert {

std::map<std::string, std::string> build_info() {
  return {{"version", SPINERT_VERSION},
          {"commit", SPINERT_COMMIT},
          {"compiler", SPINERT_COMPILER},
          {"flags", SPINERT_BUILD_FLAGS}};
}

}  // namespace spinert
