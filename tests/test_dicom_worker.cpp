// test_dicom_worker.cpp - the process that decodes: what happens when it crashes, hangs, lies, dies, or is not there.
// This program is its own worker: started with --worker=KIND it serves with a decoder that misbehaves on purpose.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "apps/dicom/server.h"
#include "diagnosis/studies/dicom_protocol.h"
#include "diagnosis/studies/dicom_worker.h"
#include "diagnosis/studies/pipe_io.h"
#include "tests/support/dicom_writer.h"
#include "tests/support/files.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;

// ---- the worker's side ---------------------------------------------------------------------------------------------

DicomFile small_file() {
  DicomFile file;
  file.facts.modality = "CT";
  file.facts.rows = 2;
  file.facts.columns = 3;
  file.facts.bits_allocated = file.facts.bits_stored = 16;
  file.facts.high_bit = 15;
  file.facts.is_signed = true;
  file.stored = {1, -2, 3, -4, 5, -6};
  return file;
}

// The last byte of a file says what the decoder does.
Result<DicomFile> misbehave(std::span<const uint8_t> bytes, bool) {
  volatile uint64_t turns = 0;
  volatile uintptr_t nowhere = 8;  // unknown to the compiler
  switch (bytes.back()) {
    case 'c':
      signal(SIGSEGV, SIG_DFL);  // the sanitizers would turn it into a report
      raise(SIGSEGV);
      *reinterpret_cast<volatile int*>(nowhere) = 1;  // the sandbox sends no signals
      break;
    case 'l':
      for (;;) turns = turns + 1;
    case 'w':
      for (;;) poll(nullptr, 0, 1000);
    case 'x': _exit(0);
    case 'e': return error(ErrorId::E_DICOM_VALUE, "planted").expected("a", "b\x1b[31m").hint("Do this.");
    case 'm': {
#if defined(__SANITIZE_ADDRESS__)
      throw std::bad_alloc();  // there is no limit then
#else
      const std::vector<char> large(size_t{3} << 30);
      return error(ErrorId::E_INTERNAL, "so much memory was given: " + std::to_string(large.size()));
#endif
    }
    case 'f': {  // a sandbox has no files: not even one that is there may be opened
      FILE* file = std::fopen("/proc/self/status", "r");
      if (file) return error(ErrorId::E_INTERNAL, "a file was opened");
      return small_file();
    }
    default: break;
  }
  return small_file();
}

// The last byte of a job, which is one of its pixels, says what the writer does.
Result<std::string> miswrite(std::span<const uint8_t> job) {
  const std::string file = std::string(128, '\0') + "DICM";
  switch (job.back()) {
    case 'n': return std::string("no DICOM file");
    case 'h': return file + std::string(8 * job.size() + (size_t{1} << 20), 'h');
    case 'o': return file;
    default: {
      const auto decoded = misbehave(job, false);
      if (!decoded.ok()) return decoded.status();
      return file;
    }
  }
}

// A busy machine may take long for one second of a processor; a decoder that only waits is recognised at once.
constexpr size_t kImpatientFrom = 5000;  // bytes of the file
DicomLimits short_limits(uint64_t bytes) {
  return {uint64_t{1} << 30, 1, bytes >= kImpatientFrom ? 1 : 60};
}

// Greets like a worker and then answers with bytes that are wrong in one way.
int lie(const std::string& kind) {
  DicomHello hello;
  hello.error_ids = count_of_error_ids() + (kind == "other-build" ? 1 : 0);
  if (kind == "long-hello") hello.text_bytes = 1u << 30;
  write_pipe(STDOUT_FILENO, &hello, sizeof hello, kNoDeadline);
  DicomRequest request;
  if (read_pipe(STDIN_FILENO, &request, sizeof request, kNoDeadline) != PipeEnd::done) return 0;
  std::string bytes(request.bytes, '\0');
  if (read_pipe(STDIN_FILENO, bytes.data(), bytes.size(), kNoDeadline) != PipeEnd::done) return 0;
  if (kind == "silent") {
    char byte = 0;
    return read_pipe(STDIN_FILENO, &byte, 1, kNoDeadline) == PipeEnd::closed ? 0 : 1;
  }
  DicomFile file = small_file();
  DicomReply reply;
  reply.nonce = request.nonce;
  if (kind == "huge-picture") file.facts.rows = file.facts.columns = 60000;
  if (kind == "colour") file.facts.samples = 3;
  if (kind == "not-finite") file.facts.rescale_slope = 1.0 / 0.0;
  std::string text = encode_facts(file.facts);
  if (kind == "cut-facts") text.resize(text.size() / 2);
  if (kind == "more-facts") text += '\0';
  reply.text_bytes = static_cast<uint32_t>(text.size());
  const std::vector<int16_t> pixels(file.stored.begin(), file.stored.end());
  reply.data_bytes = pixels.size() * sizeof(int16_t);
  if (kind == "nonce") ++reply.nonce;
  if (kind == "magic") reply.protocol = 7;
  if (kind == "error-id") reply.error = 250;
  if (kind == "error-with-pixels") reply.error = static_cast<uint32_t>(ErrorId::E_DICOM);
  if (kind == "long-text") reply.text_bytes = 1u << 31;
  if (kind == "more-pixels") reply.data_bytes += 4;
  if (kind == "many-pixels") reply.data_bytes = uint64_t{1} << 62;
  write_pipe(STDOUT_FILENO, &reply, sizeof reply, kNoDeadline);
  write_pipe(STDOUT_FILENO, text.data(), text.size(), kNoDeadline);
  if (kind == "half-pixels") return write_pipe(STDOUT_FILENO, pixels.data(), 8, kNoDeadline) == PipeEnd::done;
  write_pipe(STDOUT_FILENO, pixels.data(), pixels.size() * sizeof(int16_t), kNoDeadline);
  return 0;
}

int be_worker(const std::string& kind) {
  if (kind == "misbehave")
    return serve_dicom(STDIN_FILENO, STDOUT_FILENO, {misbehave, "planted", short_limits, miswrite});
  if (kind == "dies") return 0;
  return lie(kind);
}

// ---- the program's side --------------------------------------------------------------------------------------------

DicomWorkerOptions worker_of(const std::string& kind) {
  DicomWorkerOptions options;
  options.program = fs::read_symlink("/proc/self/exe").string();
  options.arguments = {"--worker=" + kind};
  return options;
}

class DicomWorkers : public testing::Test {
 protected:
  std::string file(char kind) {
    const std::string path = folder_.file(std::string("file-") + kind);
    write_file(path, test::DicomForge().file() + std::string(kind == 'w' ? kImpatientFrom : 0, 'w') + kind);
    return path;
  }
  TempDir folder_;
};

// Processes that this one started and that are not yet waited for.
std::vector<pid_t> children() {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (std::atoi(entry.path().filename().c_str()) == 0) continue;
    // "pid (name) state parent ..."; other processes may end while this looks.
    const std::string stat = read_file(entry.path().string() + "/stat");
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || std::atoi(stat.c_str() + name_end + 4) != getpid()) continue;
    found.push_back(std::atoi(stat.c_str()));
  }
  return found;
}

TEST_F(DicomWorkers, ACrashIsAnErrorOfOneFile) {
  auto worker = DicomWorker::start(worker_of("misbehave"));
  ASSERT_TRUE(worker.ok()) << worker.status().to_string();
  EXPECT_EQ(worker.value()->libraries(), "planted");
  struct Row {
    char kind;
    ErrorId id;
    const char* text;
  };
  for (const Row& row :
       {Row{'c', ErrorId::E_SLICE_DECODE, "crashed"}, Row{'l', ErrorId::E_SLICE_DECODE, "processor time"},
        Row{'w', ErrorId::E_SLICE_DECODE, "took too long"}, Row{'x', ErrorId::E_SLICE_DECODE, "without an answer"},
        Row{'m', ErrorId::E_SLICE_DECODE, "more memory"}, Row{'e', ErrorId::E_DICOM_VALUE, "planted"}}) {
    const Status status = worker.value()->read(file(row.kind)).status();
    EXPECT_EQ(status.id(), row.id) << row.kind << ": " << status.to_string();
    EXPECT_NE(status.message().find(row.text), std::string::npos) << row.kind << ": " << status.to_string();
    EXPECT_NE(status.message().find(file(row.kind)), std::string::npos) << status.to_string();
    EXPECT_EQ(status.message().find('\x1b'), std::string::npos) << "control characters of a file reach the terminal";
    const auto next = worker.value()->read(file('n'));
    ASSERT_TRUE(next.ok()) << row.kind << ": " << next.status().to_string();
    EXPECT_EQ(next.value().stored, small_file().stored);
    EXPECT_EQ(next.value().facts.path, file('n'));
    EXPECT_EQ(next.value().facts.sha256.size(), 64u);
  }
}

TEST_F(DicomWorkers, AnAnswerOfTheWriterIsChecked) {
  auto worker = DicomWorker::start(worker_of("misbehave"));
  ASSERT_TRUE(worker.ok()) << worker.status().to_string();
  const DicomFacts source = worker.value()->read(file('s')).value().facts;
  DicomObject object;
  object.columns = object.rows = 1;
  const auto write = [&](char kind) {
    const uint8_t pixels[3] = {0, 0, static_cast<uint8_t>(kind)};
    return worker.value()->write(source, object, pixels);
  };
  for (const char kind : {'n', 'h', 'c', 'x', 'm'}) {
    EXPECT_EQ(write(kind).status().id(), ErrorId::E_SLICE_DECODE) << kind;
    ASSERT_TRUE(write('o').ok()) << kind;
  }
  EXPECT_EQ(write('e').status().id(), ErrorId::E_DICOM_VALUE);
  EXPECT_EQ(write('o').value().size(), 132u);
  // A file that is no longer the one of the study names another patient, perhaps.
  write_file(source.path, test::DicomForge().file());
  EXPECT_EQ(write('o').status().id(), ErrorId::E_INPUT_CHANGED);
}

TEST_F(DicomWorkers, FactsAreNoFinishedFile) {
  auto worker = DicomWorker::start(worker_of("misbehave"));
  const DicomFacts source = worker.value()->read(file('s')).value().facts;
  auto liar = DicomWorker::start(worker_of("honest"));
  ASSERT_TRUE(liar.ok());
  DicomObject object;
  object.is_report = true;
  const Status status = liar.value()->write(source, object, {}).status();
  EXPECT_EQ(status.id(), ErrorId::E_SLICE_DECODE) << status.to_string();
}

// FS-17: however often it is given, the poison costs its own result and nothing else.
TEST_F(DicomWorkers, PoisonRepeated) {
  auto worker = DicomWorker::start(worker_of("misbehave"));
  ASSERT_TRUE(worker.ok());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(worker.value()->read(file('c')).status().id(), ErrorId::E_SLICE_DECODE);
  }
  EXPECT_TRUE(worker.value()->read(file('n')).ok());
}

TEST_F(DicomWorkers, TheSandboxOpensNoFile) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizers open files themselves";
#endif
  auto worker = DicomWorker::start(worker_of("misbehave"));
  ASSERT_TRUE(worker.ok());
  const auto file_read = worker.value()->read(file('f'));
  EXPECT_TRUE(file_read.ok()) << file_read.status().to_string();
}

TEST_F(DicomWorkers, AKilledWorkerIsStartedAgain) {
  const size_t before = children().size();
  {
    auto worker = DicomWorker::start(worker_of("misbehave"));
    ASSERT_TRUE(worker.ok());
    EXPECT_EQ(children().size(), before + 1);
    for (int i = 0; i < 5; ++i) {
      for (const pid_t child : children()) kill(child, SIGKILL);
      const auto killed = worker.value()->read(file('n'));
      // Whether the bytes were taken before it died or not: an error of this file, not a signal to this program.
      EXPECT_EQ(killed.status().id(), ErrorId::E_SLICE_DECODE) << killed.status().to_string();
      const auto next = worker.value()->read(file('n'));
      EXPECT_TRUE(next.ok()) << next.status().to_string();
    }
  }
  EXPECT_EQ(children().size(), before) << "a zombie stays";
}

// Nothing that a worker says is believed.
TEST_F(DicomWorkers, LiesAreErrorsOfTheFile) {
  const size_t before = children().size();
  for (const char* kind : {"nonce", "magic", "error-id", "error-with-pixels", "long-text", "more-pixels", "many-pixels",
                           "half-pixels", "huge-picture", "colour", "not-finite", "cut-facts", "more-facts"}) {
    auto worker = DicomWorker::start(worker_of(kind));
    ASSERT_TRUE(worker.ok()) << kind << worker.status().to_string();
    for (int i = 0; i < 2; ++i) {
      const Status status = worker.value()->read(file('n')).status();
      EXPECT_EQ(status.id(), ErrorId::E_SLICE_DECODE) << kind << ": " << status.to_string();
    }
  }
  EXPECT_EQ(children().size(), before);
}

TEST_F(DicomWorkers, AnHonestAnswerOfTheSameKindIsTaken) {
  auto worker = DicomWorker::start(worker_of("honest"));
  ASSERT_TRUE(worker.ok());
  const auto answer = worker.value()->read(file('n'));
  ASSERT_TRUE(answer.ok()) << answer.status().to_string();
  EXPECT_EQ(answer.value().stored, small_file().stored);
}

TEST_F(DicomWorkers, ThreeStrikes) {
  auto worker = DicomWorker::start(worker_of("nonce"));
  ASSERT_TRUE(worker.ok());
  Status status;
  for (int i = 0; i < 6; ++i) status = worker.value()->read(file('n')).status();
  EXPECT_EQ(status.id(), ErrorId::E_SLICE_DECODE);
  EXPECT_EQ(exit_code(status.id()), 4);
  EXPECT_NE(status.message().find("not started again"), std::string::npos) << status.to_string();
}

TEST_F(DicomWorkers, SilenceEnds) {
  DicomWorkerOptions options = worker_of("silent");
  options.patience_seconds = 0.5;
  auto worker = DicomWorker::start(options);
  ASSERT_TRUE(worker.ok());
  const auto begin = std::chrono::steady_clock::now();
  const Status status = worker.value()->read(file('n')).status();
  EXPECT_EQ(status.id(), ErrorId::E_SLICE_DECODE);
  EXPECT_NE(status.message().find("did not answer"), std::string::npos) << status.to_string();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST_F(DicomWorkers, NoProgramIsNoDicom) {
  const auto id_of = [](const DicomWorkerOptions& options) { return DicomWorker::start(options).status().id(); };
  DicomWorkerOptions missing;
  missing.program = folder_.file("spinert-dicom");
  EXPECT_EQ(id_of(missing), ErrorId::E_NO_DICOM);
  EXPECT_EQ(exit_code(ErrorId::E_NO_DICOM), 5);
  write_file(missing.program, "no program");
  EXPECT_EQ(id_of(missing), ErrorId::E_NO_DICOM);
  fs::permissions(missing.program, fs::perms::owner_all);
  EXPECT_EQ(id_of(missing), ErrorId::E_NO_DICOM);
  EXPECT_EQ(id_of(worker_of("dies")), ErrorId::E_NO_DICOM);
  EXPECT_EQ(id_of(worker_of("other-build")), ErrorId::E_NO_DICOM);
  EXPECT_EQ(id_of(worker_of("long-hello")), ErrorId::E_NO_DICOM);
}

// A file is read and checked before the worker sees it.
TEST_F(DicomWorkers, WhatIsNoFileIsNotSent) {
  auto worker = DicomWorker::start(worker_of("misbehave"));
  ASSERT_TRUE(worker.ok());
  const auto id_of = [&](const std::string& path) { return worker.value()->read_facts(path).status().id(); };
  EXPECT_EQ(id_of(folder_.file("missing")), ErrorId::E_INPUT_EMPTY);
  EXPECT_EQ(id_of(folder_.file("")), ErrorId::E_INPUT_EMPTY);
  write_file(folder_.file("empty.dcm"), "");
  EXPECT_EQ(id_of(folder_.file("empty.dcm")), ErrorId::E_DICOM);
  write_file(folder_.file("picture.dcm"), "\x89PNG\r\n\x1a\n");
  const Status picture = worker.value()->read_facts(folder_.file("picture.dcm")).status();
  EXPECT_EQ(picture.id(), ErrorId::E_DICOM);
  EXPECT_NE(picture.message().find("PNG"), std::string::npos) << picture.to_string();
  {
    std::ofstream(folder_.file("large.dcm"));
    fs::resize_file(folder_.file("large.dcm"), kMaxDicomFileBytes + 1);
    EXPECT_EQ(id_of(folder_.file("large.dcm")), ErrorId::E_DICOM);
  }
}

// Two workers at a time, as a study of many files uses them.
TEST_F(DicomWorkers, TwoInParallel) {
  const std::string good = file('n'), bad = file('c');
  const auto work = [&](int& read) {
    auto worker = DicomWorker::start(worker_of("misbehave"));
    for (int i = 0; worker.ok() && i < 50; ++i) {
      if (worker.value()->read(i % 10 == 9 ? bad : good).ok()) ++read;
    }
  };
  int first = 0, second = 0;
  std::thread other(work, std::ref(second));
  work(first);
  other.join();
  EXPECT_EQ(first, 45);
  EXPECT_EQ(second, 45);
}

// Ctrl-C reaches the whole group; the worker must not die before the program has decided what to do.
TEST_F(DicomWorkers, SignalsOfTheTerminalDoNotEndTheWorker) {
  const size_t before = children().size();
  auto worker = DicomWorker::start(worker_of("misbehave"));
  ASSERT_TRUE(worker.ok());
  for (const pid_t child : children()) {
    kill(child, SIGINT);
    kill(child, SIGTERM);
  }
  EXPECT_TRUE(worker.value()->read(file('n')).ok());
  EXPECT_EQ(children().size(), before + 1);
}

}  // namespace
}  // namespace spinert

int main(int count, char** arguments) {
  constexpr std::string_view kWorker = "--worker=";
  if (count == 2 && std::string_view(arguments[1]).starts_with(kWorker)) {
    return spinert::be_worker(arguments[1] + kWorker.size());
  }
  testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
