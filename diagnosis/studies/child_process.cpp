// child_process.cpp - posix_spawn with two pipes. Pipes and not a socket pair: the program opens no socket (P-5).
#include "diagnosis/studies/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

extern char** environ;

namespace spinert {
namespace {

constexpr int kFirstPrivate = 3;
constexpr int kPipeBytes = 1 << 20;  // what an ordinary user may ask for: a slice goes through in one or two turns

// A pipe whose ends are above 2, so that dup2 onto 0 and 1 cannot hit one of them, and closed in other children.
bool make_pipe(int ends[2]) {
  int low[2];
  if (pipe2(low, O_CLOEXEC) != 0) return false;
  for (int i = 0; i < 2; ++i) {
    ends[i] = low[i] >= kFirstPrivate ? low[i] : fcntl(low[i], F_DUPFD_CLOEXEC, kFirstPrivate);
    if (ends[i] != low[i]) close(low[i]);
  }
  fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes);  // only faster: a smaller pipe works as well
  return ends[0] >= 0 && ends[1] >= 0;
}

void close_if_open(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

Status cannot(const std::string& what, const std::string& program, int code) {
  return error(ErrorId::E_NO_DICOM, what + ": " + std::strerror(code), program)
      .hint("Install spinert-dicom beside the program or in ../libexec/spinert.");
}

}  // namespace

Status ChildProcess::start(const std::string& program, const std::vector<std::string>& arguments) {
  stop();
  int to_child[2] = {-1, -1}, from_child[2] = {-1, -1};
  if (!make_pipe(to_child) || !make_pipe(from_child)) {
    const int code = errno;
    for (int* end : {to_child, to_child + 1, from_child, from_child + 1}) close_if_open(*end);
    return cannot("cannot make pipes for the DICOM decoder", program, code);
  }

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
#if !defined(__SANITIZE_ADDRESS__)  // whose reports must be seen
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
#endif
  posix_spawn_file_actions_addclosefrom_np(&actions, kFirstPrivate);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int code = posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close_if_open(to_child[0]);
  close_if_open(from_child[1]);
  if (code != 0) {
    close_if_open(to_child[1]);
    close_if_open(from_child[0]);
    return cannot("cannot start the DICOM decoder", program, code);
  }
  pid_ = pid;
  input_ = to_child[1];
  output_ = from_child[0];
  // A flag of this end alone: the other one is another open file.
  for (const int fd : {input_, output_}) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return {};
}

void ChildProcess::stop() {
  close_if_open(input_);
  close_if_open(output_);
  if (pid_ <= 0) return;
  // The processes that it forked die with it (PR_SET_PDEATHSIG).
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace spinert
