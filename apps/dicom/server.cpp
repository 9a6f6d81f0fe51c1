// server.cpp - fork, do the task, answer. The child writes its answer itself; what the loop itself has to say is how a
// child ended that gave none.
#include "apps/dicom/server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <new>
#include <vector>

#include "apps/dicom/sandbox.h"
#include "diagnosis/studies/pipe_io.h"

namespace spinert {
namespace {

constexpr size_t kKeptBytes = size_t{16} << 20;  // of the buffer between two files
constexpr int kNoSandbox = 3;                    // exit code of a child

// Seen by the loop and its children: set when a child begins to write its answer. A child that dies later has left a
// part of it in the pipe.
class AnswerMark {
 public:
  AnswerMark() {
    void* page = mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) mark_ = new (page) std::atomic<int>(0);
  }
  ~AnswerMark() {
    if (mark_) munmap(mark_, sizeof *mark_);
  }
  AnswerMark(const AnswerMark&) = delete;
  AnswerMark& operator=(const AnswerMark&) = delete;
  bool good() const { return mark_ != nullptr; }
  void clear() { mark_->store(0); }
  void begin() { mark_->store(1); }
  bool begun() const { return mark_->load() != 0; }

 private:
  std::atomic<int>* mark_ = nullptr;
};

bool send(int out, const DicomReply& reply, const std::string& text) {
  return write_pipe(out, &reply, sizeof reply, kNoDeadline) == PipeEnd::done &&
         write_pipe(out, text.data(), text.size(), kNoDeadline) == PipeEnd::done;
}

bool send_made(int out, uint64_t nonce, const std::string& file) {
  DicomReply reply;
  reply.nonce = nonce;
  reply.data_bytes = file.size();
  return send(out, reply, {}) && write_pipe(out, file.data(), file.size(), kNoDeadline) == PipeEnd::done;
}

bool send_file(int out, uint64_t nonce, const DicomFile& file) {
  const std::string text = encode_facts(file.facts);
  const size_t each = stored_value_bytes(file.facts);
  DicomReply reply;
  reply.nonce = nonce;
  reply.text_bytes = static_cast<uint32_t>(text.size());
  reply.data_bytes = file.stored.size() * each;
  if (!send(out, reply, text)) return false;
  const std::span<const int32_t> values(file.stored);
  if (each == sizeof(int32_t)) {
    return write_pipe(out, values.data(), values.size_bytes(), kNoDeadline) == PipeEnd::done;
  }
  uint16_t piece[1 << 15];  // a buffer for all would be memory that the child has to be given first
  for (size_t begin = 0; begin < values.size(); begin += std::size(piece)) {
    const auto part = values.subspan(begin, std::min(std::size(piece), values.size() - begin));
    std::ranges::transform(part, piece, [](int32_t value) { return static_cast<uint16_t>(value); });
    if (write_pipe(out, piece, part.size() * each, kNoDeadline) != PipeEnd::done) return false;
  }
  return true;
}

bool send_error(int out, uint64_t nonce, const Status& status) {
  const std::string text = encode_error(status);
  DicomReply reply;
  reply.error = static_cast<uint32_t>(status.id());
  reply.nonce = nonce;
  reply.text_bytes = static_cast<uint32_t>(text.size());
  return send(out, reply, text);
}

// The result of a task, or that the memory was not enough for it.
template <class Task>
auto do_or_out_of_memory(const Task& task, const DicomLimits& limits) -> decltype(task()) {
  try {
    return task();
  } catch (const std::bad_alloc&) {
    return error(ErrorId::E_SLICE_DECODE, "decoding needs more memory than allowed")
        .expected("at most " + std::to_string(limits.memory_bytes >> 20) + " MiB", "more");
  }
}

// In the child. Returns only through _exit: destructors and buffers are the loop's.
[[noreturn]] void do_and_answer(int out, const DicomServer& server, const DicomRequest& request,
                                std::span<const uint8_t> bytes, const DicomLimits& limits, pid_t parent,
                                AnswerMark& mark) {
  if (!enter_sandbox(limits, parent)) _exit(kNoSandbox);
  bool sent = false;
  if (request.task == DicomTask::write) {
    const auto file = do_or_out_of_memory([&] { return server.write(bytes); }, limits);
    mark.begin();
    sent = file.ok() ? send_made(out, request.nonce, file.value()) : send_error(out, request.nonce, file.status());
  } else {
    const bool pixels = request.task == DicomTask::pixels;
    const auto file = do_or_out_of_memory([&] { return server.decode(bytes, pixels); }, limits);
    mark.begin();
    sent = file.ok() ? send_file(out, request.nonce, file.value()) : send_error(out, request.nonce, file.status());
  }
  _exit(sent ? 0 : 1);
}

enum class Wait : unsigned char { ended, too_long, nobody_asks };

// Until the child has closed its end of `done`, that is until it has ended.
Wait wait_for_end(int done, int in, int seconds) {
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return Wait::too_long;
    // No events: only that the program has closed its end, which is reported always.
    pollfd entries[2] = {{done, POLLIN, 0}, {in, 0, 0}};
    const int ready = poll(entries, 2, static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return Wait::too_long;
    if (ready <= 0) continue;
    if (entries[0].revents != 0) return Wait::ended;
    if ((entries[1].revents & (POLLHUP | POLLERR)) != 0) return Wait::nobody_asks;
  }
}

Status how_it_ended(Wait wait, int status, const DicomLimits& limits) {
  if (wait == Wait::too_long) {
    return error(ErrorId::E_SLICE_DECODE, "decoding took too long")
        .expected("at most " + std::to_string(limits.wall_seconds) + " s", "more");
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
    return error(ErrorId::E_SLICE_DECODE, "decoding took too much processor time")
        .expected("at most " + std::to_string(limits.cpu_seconds) + " s", "more");
  }
  if (WIFSIGNALED(status)) {
    return error(ErrorId::E_SLICE_DECODE,
                 "the decoder crashed on this file (signal " + std::to_string(WTERMSIG(status)) + ")")
        .hint("The file is damaged, or this is an error of the decoder; please report it.");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoSandbox) {
    return error(ErrorId::E_SLICE_DECODE, "the decoder's process could not be limited, so nothing was decoded");
  }
  return error(ErrorId::E_SLICE_DECODE, "the decoder ended without an answer");
}

// One request; false if the loop must end.
bool serve_one(int in, int out, const DicomServer& server, const DicomRequest& request, std::span<const uint8_t> bytes,
               AnswerMark& mark) {
  const DicomLimits limits = server.limits(request.bytes);
  mark.clear();
  int done[2];
  if (pipe2(done, O_CLOEXEC) != 0) return false;
  const pid_t self = getpid();
  const pid_t child = fork();
  if (child == 0) {
    close(done[0]);
    // The requests that follow are not for the child. The number stays taken, so that it can open nothing under it.
    dup2(out, in);
    do_and_answer(out, server, request, bytes, limits, self, mark);
  }
  close(done[1]);
  if (child < 0) {
    close(done[0]);
    return send_error(
        out, request.nonce,
        error(ErrorId::E_SLICE_DECODE, std::string("cannot start a process to decode in: ") + std::strerror(errno)));
  }
  const Wait wait = wait_for_end(done[0], in, limits.wall_seconds);
  close(done[0]);
  if (wait != Wait::ended) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (wait == Wait::nobody_asks) return false;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && mark.begun()) return true;
  if (mark.begun()) return false;  // nobody knows how much of the answer is in the pipe
  return send_error(out, request.nonce, how_it_ended(wait, status, limits));
}

}  // namespace

int serve_dicom(int in, int out, const DicomServer& server) {
  // The program decides when this ends, by closing the pipe; Ctrl-C in a terminal reaches every process of the group.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
  AnswerMark mark;
  DicomHello hello;
  hello.error_ids = count_of_error_ids();
  hello.text_bytes = static_cast<uint32_t>(server.libraries.size());
  if (!mark.good() || write_pipe(out, &hello, sizeof hello, kNoDeadline) != PipeEnd::done ||
      write_pipe(out, server.libraries.data(), server.libraries.size(), kNoDeadline) != PipeEnd::done) {
    return 1;
  }
  std::vector<uint8_t> bytes;
  for (;;) {
    DicomRequest request;
    const PipeEnd end = read_pipe(in, &request, sizeof request, kNoDeadline);
    if (end != PipeEnd::done) return end == PipeEnd::closed ? 0 : 1;
    if (request.protocol != kDicomProtocol || static_cast<uint32_t>(request.task) >= kDicomTasks ||
        (request.task == DicomTask::write && !server.write) || request.bytes > kMaxDicomFileBytes) {
      return 1;
    }
    if (bytes.capacity() > kKeptBytes) std::vector<uint8_t>().swap(bytes);
    try {
      bytes.resize(static_cast<size_t>(request.bytes));
    } catch (const std::bad_alloc&) {
      return 1;
    }
    if (read_pipe(in, bytes.data(), bytes.size(), kNoDeadline) != PipeEnd::done) return 1;
    if (!serve_one(in, out, server, request, bytes, mark)) return 1;
  }
}

}  // namespace spinert
