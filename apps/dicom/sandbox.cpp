// sandbox.cpp - rlimits, prctl, and a list of allowed system calls. The sanitizers need a huge address space,
// pipes to probe addresses and files for their reports, so their build goes without limits on these and without the
// list.
#include "apps/dicom/sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <vector>

namespace spinert {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr rlim_t kFiles = 1;  // standard input, which is taken; poll refuses to wait for more files than may be open
constexpr int kWarningSeconds = 1;  // from SIGXCPU, by which the limit is recognised, to SIGKILL

bool limit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
  const rlimit value{soft, hard};
  return setrlimit(resource, &value) == 0;
}

#if defined(__x86_64__)
// Memory, output, the end of the process, and what the C library calls for locks and time. No signal can be sent:
// abort() then ends in an invalid instruction, which is a crash as well.
constexpr long kAllowed[] = {
    SYS_write,     SYS_brk,        SYS_mmap,  SYS_munmap,       SYS_mremap,         SYS_mprotect,      SYS_madvise,
    SYS_futex,     SYS_exit_group, SYS_exit,  SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_clock_gettime, SYS_gettimeofday,
    SYS_getrandom, SYS_poll,       SYS_close, SYS_getpid,       SYS_gettid,         SYS_tgkill};

bool filter_system_calls() {
  std::vector<sock_filter> rules = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (const long number : kAllowed) {
    rules.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1 /* EPERM */));
  const sock_fprog program{static_cast<unsigned short>(rules.size()), rules.data()};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}
#else
bool filter_system_calls() {
  return true;
}
#endif

}  // namespace

bool enter_sandbox(const DicomLimits& limits, pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) return false;
  const auto seconds = static_cast<rlim_t>(limits.cpu_seconds);
  if (!limit(RLIMIT_CORE, 0, 0) || !limit(RLIMIT_FSIZE, 0, 0) ||
      !limit(RLIMIT_CPU, seconds, seconds + kWarningSeconds)) {
    return false;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (kSanitized) return true;
  if (!limit(RLIMIT_NOFILE, kFiles, kFiles) || !limit(RLIMIT_AS, limits.memory_bytes, limits.memory_bytes))
    return false;
  // A kernel without filters still has the limits above.
  filter_system_calls();
  return true;
}

}  // namespace spinert
