// reduced_suite.h - a test suite that drives the built program on the reduced model, made once for the suite.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/reduced_model.h"
#include "tests/support/scratch.h"

namespace spinert {

class ReducedSuite : public Scratch {
 protected:
  static void SetUpTestSuite() {
    namespace fs = std::filesystem;
    suite_folder_ = (fs::temp_directory_path() / ("spinert-suite-" + std::to_string(::getpid()))).string();
    fs::create_directories(suite_folder_);
    auto made = reduced::make(suite_folder_);
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    model_ = made.value();
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(suite_folder_); }

  // The program with arguments as a shell takes them; its exit code. What it said is then in the files stdout and
  // stderr of the test's folder.
  int shell(const std::string& arguments, const std::string& program = SPINERT_BINARY) const {
    const std::string command = program + " " + arguments + " >" + path("stdout") + " 2>" + path("stderr");
    const int state = std::system(command.c_str());
    return WIFEXITED(state) ? WEXITSTATUS(state) : 1000;
  }
  std::string error() const { return read(path("stderr")); }

  static inline std::string suite_folder_, model_;
};

}  // namespace spinert
