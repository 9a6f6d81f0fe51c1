// child_process.h - one program started with a pipe to its standard input and one from its standard output.
//
// The only place of the libraries that starts a program (tests/gates.sh), and it starts what find_dicom_program names.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

class ChildProcess {
 public:
  ChildProcess() = default;
  ~ChildProcess() { stop(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Signals are as for a new program; no descriptor but 0, 1 and 2 is passed on, and 2 goes nowhere, because texts of a
  // decoder may name a patient. Errors: E_NO_DICOM.
  Status start(const std::string& program, const std::vector<std::string>& arguments);
  // Closes the pipes, kills the process and waits for it: no zombie stays.
  void stop();

  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  int input() const { return input_; }    // written here, non-blocking
  int output() const { return output_; }  // read here, non-blocking

 private:
  pid_t pid_ = -1;
  int input_ = -1, output_ = -1;
};

}  // namespace spinert
