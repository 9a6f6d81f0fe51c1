// dicom_worker.cpp - the program's side of the protocol: sends a file's bytes, checks every number that comes back.
#include "diagnosis/studies/dicom_worker.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "diagnosis/images/sniff.h"
#include "diagnosis/own_place.h"
#include "diagnosis/report/text.h"
#include "diagnosis/studies/child_process.h"
#include "diagnosis/studies/dicom_check.h"
#include "diagnosis/studies/dicom_protocol.h"
#include "diagnosis/studies/pipe_io.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

constexpr int kMaxStrikes = 3;              // a worker that ends by itself, in a row (FS-17)
constexpr double kStartSeconds = 30;        // loading a dictionary takes milliseconds on an idle machine
constexpr double kBeyondWorkersLimit = 10;  // the worker ends its child first and says so
constexpr uint32_t kMaxLibrariesText = 256;
constexpr size_t kKeptValues = size_t{4} << 20;  // of a buffer between two files

Deadline after(double seconds) {
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
}

class Worker final : public DicomWorker {
 public:
  explicit Worker(DicomWorkerOptions options) : options_(std::move(options)) {}

  Status open() {
    SPINERT_TRY(process_.start(options_.program, options_.arguments));
    const Status status = greet();
    if (!status.ok()) process_.stop();
    return status;
  }

  Result<DicomFacts> read_facts(const InputFile& from) override {
    SPINERT_ASSIGN(DicomFile file, ask(from, false));
    return std::move(file.facts);
  }
  Result<DicomFile> read(const InputFile& from) override { return ask(from, true); }
  const std::string& libraries() const override { return libraries_; }

 private:
  Status greet() {
    const Deadline deadline = after(kStartSeconds);
    DicomHello hello;
    const bool heard = read_pipe(process_.output(), &hello, sizeof hello, deadline) == PipeEnd::done;
    if (!heard || hello.protocol != kDicomProtocol || hello.error_ids != count_of_error_ids() ||
        hello.text_bytes > kMaxLibrariesText) {
      return error(ErrorId::E_NO_DICOM, "the DICOM decoder does not start, or is not of this build", options_.program)
          .hint("Install spinert and spinert-dicom of one build.");
    }
    std::string text(hello.text_bytes, '\0');
    if (read_pipe(process_.output(), text.data(), text.size(), deadline) != PipeEnd::done) {
      return error(ErrorId::E_NO_DICOM, "the DICOM decoder ended while it started", options_.program);
    }
    libraries_ = clean_utf8(text);
    return {};
  }

  // What a task gave, up to its data: they are still in the pipe.
  struct Answer {
    std::string text;
    uint64_t data_bytes = 0;
    Deadline deadline;
    double patience = 0;
  };

  Result<DicomFile> ask(const InputFile& from, bool pixels) {
    const std::string& path = from.path;
    SPINERT_ASSIGN(const std::vector<uint8_t> bytes, from.read(kMaxDicomFileBytes));
    if (!looks_like_dicom(bytes.data(), bytes.size())) {
      return error(ErrorId::E_DICOM, "not a DICOM file; it looks like " + std::string(sniff(bytes).name), path)
          .hint("Remove it from the folder, or give it by itself if it is a picture.");
    }
    SPINERT_TRY(make_ready(path));
    bool lost = true;  // whether the worker's state is unknown after this
    Result<DicomFile> file = take_file(bytes, pixels, lost);
    settle(lost);
    if (!file.ok()) return file.status().at(path);
    file.value().facts.path = path;
    file.value().facts.archive = from.archive;
    file.value().facts.entry = from.entry;
    file.value().facts.sha256 = to_hex(sha256(bytes.data(), bytes.size()));
    return file;
  }

  Result<std::string> write(const DicomFacts& source, const DicomObject& object,
                            std::span<const uint8_t> pixels) override {
    SPINERT_ASSIGN(const std::vector<uint8_t> bytes, file_of(source).read(kMaxDicomFileBytes));
    SPINERT_TRY(check_same_file(source, to_hex(sha256(bytes.data(), bytes.size()))));
    SPINERT_ASSIGN(const std::string encoded, encode_dicom_object(object));
    SPINERT_ASSIGN(const std::string job, encode_dicom_job(encoded, bytes, pixels));
    SPINERT_TRY(make_ready(source.path));
    bool lost = true;
    Result<std::string> made = take_made({reinterpret_cast<const uint8_t*>(job.data()), job.size()}, lost);
    settle(lost);
    if (!made.ok()) return made.status().at(source.path);
    return made;
  }

  // A running process.
  Status make_ready(const std::string& path) {
    if (process_.running()) return {};
    if (strikes_ >= kMaxStrikes) {
      return error(ErrorId::E_SLICE_DECODE, "the DICOM decoder ended by itself too often and is not started again",
                   path)
          .expected("at most " + std::to_string(kMaxStrikes) + " times in a row", std::to_string(strikes_))
          .hint("Test the decoder with 'spinert-dicom --version'.");
    }
    return open();
  }

  void settle(bool lost) {
    if (lost) {
      process_.stop();
      ++strikes_;
    } else {
      strikes_ = 0;
    }
  }

  // One task and the text of its answer.
  Result<Answer> exchange(DicomTask task, std::span<const uint8_t> bytes, bool& lost) {
    Answer answer;
    answer.patience = options_.patience_seconds > 0 ? options_.patience_seconds
                                                    : dicom_limits(bytes.size()).wall_seconds + kBeyondWorkersLimit;
    answer.deadline = after(answer.patience);
    DicomRequest request;
    request.task = task;
    request.bytes = bytes.size();
    if (getrandom(&request.nonce, sizeof request.nonce, 0) != sizeof request.nonce) {
      return error(ErrorId::E_INTERNAL, "the system gives no random number");
    }
    PipeEnd end = PipeEnd::failed;
    {
      const SigpipeGuard guard;
      end = write_pipe(process_.input(), &request, sizeof request, answer.deadline);
      if (end == PipeEnd::done) end = write_pipe(process_.input(), bytes.data(), bytes.size(), answer.deadline);
    }
    if (end != PipeEnd::done) return ended(end, answer.patience);

    DicomReply reply;
    end = read_pipe(process_.output(), &reply, sizeof reply, answer.deadline);
    if (end != PipeEnd::done) return ended(end, answer.patience);
    if (reply.protocol != kDicomProtocol || reply.nonce != request.nonce || reply.text_bytes > kMaxDicomTextBytes) {
      return nonsense();
    }
    answer.text.resize(reply.text_bytes);
    end = read_pipe(process_.output(), answer.text.data(), answer.text.size(), answer.deadline);
    if (end != PipeEnd::done) return ended(end, answer.patience);
    if (reply.error != 0) {
      if (reply.data_bytes != 0) return nonsense();
      lost = false;
      return decode_error(reply.error, answer.text);
    }
    answer.data_bytes = reply.data_bytes;
    return answer;
  }

  Result<DicomFile> take_file(const std::vector<uint8_t>& bytes, bool pixels, bool& lost) {
    SPINERT_ASSIGN(const Answer answer, exchange(pixels ? DicomTask::pixels : DicomTask::facts, bytes, lost));
    DicomFile file;
    SPINERT_ASSIGN(file.facts, decode_facts(answer.text));
    if (!check_pixel_facts(file.facts).ok()) return nonsense();
    if (!pixels) {
      if (answer.data_bytes != 0) return nonsense();
      lost = false;
      return file;
    }
    if (!check_one_grey_frame(file.facts).ok()) return nonsense();
    const size_t count = static_cast<size_t>(file.facts.rows) * static_cast<size_t>(file.facts.columns);
    if (answer.data_bytes != count * stored_value_bytes(file.facts)) return nonsense();
    if (stored_value_bytes(file.facts) == sizeof(int32_t)) {
      SPINERT_TRY(take_data(answer, count, file.stored));
    } else {
      SPINERT_TRY(take_data(answer, count, narrow_));
      SPINERT_TRY(widen(file.facts.is_signed, file.stored));
    }
    lost = false;
    return file;
  }

  Status widen(bool is_signed, std::vector<int32_t>& to) {
    try {
      if (is_signed) {
        const auto* values = reinterpret_cast<const int16_t*>(narrow_.data());
        to.assign(values, values + narrow_.size());
      } else {
        to.assign(narrow_.begin(), narrow_.end());
      }
    } catch (const std::bad_alloc&) {
      return no_memory(narrow_.size() * sizeof(int32_t));
    }
    if (narrow_.size() > kKeptValues) narrow_ = {};
    return {};
  }

  Result<std::string> take_made(std::span<const uint8_t> job, bool& lost) {
    SPINERT_ASSIGN(const Answer answer, exchange(DicomTask::write, job, lost));
    // A description becomes a few times its size, with the headers of its attributes.
    if (!answer.text.empty() || answer.data_bytes > 8 * job.size() + (size_t{1} << 20)) return nonsense();
    std::string made;
    SPINERT_TRY(take_data(answer, answer.data_bytes, made));
    if (!looks_like_dicom(reinterpret_cast<const unsigned char*>(made.data()), made.size())) return nonsense();
    lost = false;
    return made;
  }

  // The data of an answer, whose length has been checked.
  template <class Container>
  Status take_data(const Answer& answer, size_t count, Container& to) {
    try {
      to.resize(count);
    } catch (const std::bad_alloc&) {
      return no_memory(answer.data_bytes);
    }
    const PipeEnd end = read_pipe(process_.output(), to.data(), answer.data_bytes, answer.deadline);
    return end == PipeEnd::done ? Status() : ended(end, answer.patience);
  }

  static Status no_memory(uint64_t bytes) {
    return error(ErrorId::E_OOM_HOST, "no memory for what the DICOM decoder gives")
        .expected(std::to_string(bytes) + " bytes", "less than that");
  }
  static Status nonsense() {
    return error(ErrorId::E_SLICE_DECODE, "the DICOM decoder sent an answer that makes no sense");
  }
  static Status ended(PipeEnd end, double patience) {
    if (end == PipeEnd::timeout) {
      return error(ErrorId::E_SLICE_DECODE, "the DICOM decoder did not answer")
          .expected("an answer within " + fixed_number(patience, 0) + " s", "none");
    }
    return error(ErrorId::E_SLICE_DECODE, "the DICOM decoder ended while it read this file");
  }

  DicomWorkerOptions options_;
  ChildProcess process_;
  std::string libraries_;
  std::vector<uint16_t> narrow_;  // pixels as they come; kept, because the next file's are as many
  int strikes_ = 0;
};

// Tag, then either a VR in capitals or (implicit VR) a length that fits the few short elements that begin a file.
bool plausible_element(const unsigned char* at, size_t count, bool big_endian) {
  if (count < 8) return false;
  const auto u16 = [&](size_t i) { return big_endian ? at[i] << 8 | at[i + 1] : at[i + 1] << 8 | at[i]; };
  const int group = u16(0), element = u16(2);
  if ((group != 2 && group != 8) || element > 0x0100) return false;
  const auto capital = [](unsigned char c) { return c >= 'A' && c <= 'Z'; };
  if (capital(at[4]) && capital(at[5])) return true;
  const unsigned length = big_endian ? 0xFFFFu : static_cast<unsigned>(u16(4)) | static_cast<unsigned>(u16(6)) << 16;
  return group == 8 && length <= 256;  // big endian is always explicit
}

}  // namespace

Result<std::unique_ptr<DicomWorker>> DicomWorker::start(const DicomWorkerOptions& options) {
  DicomWorkerOptions filled = options;
  if (filled.program.empty()) filled.program = find_dicom_program();
  if (filled.program.empty()) {
    return error(ErrorId::E_NO_DICOM, "this build reads no DICOM: there is no spinert-dicom")
        .hint(
            "Build with DCMTK and OpenJPEG (script/setup installs them), or convert the series to NIfTI, for example "
            "with dcm2niix.");
  }
  auto worker = std::make_unique<Worker>(std::move(filled));
  SPINERT_TRY(worker->open());
  return std::unique_ptr<DicomWorker>(std::move(worker));
}

std::string find_dicom_program() {
  return find_own_file("spinert-dicom", {".", "../libexec/spinert", "../../libexec/spinert", ".."});
}

bool looks_like_dicom(const unsigned char* bytes, size_t count) {
  if (count >= 132 && std::memcmp(bytes + 128, "DICM", 4) == 0) return true;
  return plausible_element(bytes, count, false) || plausible_element(bytes, count, true);
}

}  // namespace spinert
