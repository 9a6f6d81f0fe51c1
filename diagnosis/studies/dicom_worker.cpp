// dicom_worker.cpp - the program's side of the protocol: sends a file's bytes, checks every number that comes back.
#include "diagnosis/studies/dicom_worker.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "diagnosis/images/input_file.h"
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

  Result<DicomFacts> read_facts(const std::string& path) override {
    SPINERT_ASSIGN(DicomFile file, ask(path, false));
    return std::move(file.facts);
  }
  Result<DicomFile> read(const std::string& path) override { return ask(path, true); }
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

  Result<DicomFile> ask(const std::string& path, bool pixels) {
    SPINERT_ASSIGN(const std::vector<uint8_t> bytes, read_input_file(path, kMaxDicomFileBytes));
    if (!looks_like_dicom(bytes.data(), bytes.size())) {
      return error(ErrorId::E_DICOM, "not a DICOM file; it looks like " + std::string(sniff(bytes).name), path)
          .hint("Remove it from the folder, or give it by itself if it is a picture.");
    }
    if (!process_.running()) {
      if (strikes_ >= kMaxStrikes) {
        return error(ErrorId::E_SLICE_DECODE, "the DICOM decoder ended by itself too often and is not started again",
                     path)
            .expected("at most " + std::to_string(kMaxStrikes) + " times in a row", std::to_string(strikes_))
            .hint("Test the decoder with 'spinert-dicom --version'.");
      }
      SPINERT_TRY(open());
    }
    bool lost = true;  // whether the worker's state is unknown after this
    Result<DicomFile> file = exchange(bytes, pixels, lost);
    if (lost) {
      process_.stop();
      ++strikes_;
    } else {
      strikes_ = 0;
    }
    if (!file.ok()) return file.status().at(path);
    file.value().facts.path = path;
    file.value().facts.sha256 = to_hex(sha256(bytes.data(), bytes.size()));
    return file;
  }

  // One question and its answer.
  Result<DicomFile> exchange(const std::vector<uint8_t>& bytes, bool pixels, bool& lost) {
    const double patience = options_.patience_seconds > 0
                                ? options_.patience_seconds
                                : dicom_limits(bytes.size()).wall_seconds + kBeyondWorkersLimit;
    const Deadline deadline = after(patience);
    DicomRequest request;
    request.pixels = pixels ? 1 : 0;
    request.bytes = bytes.size();
    if (getrandom(&request.nonce, sizeof request.nonce, 0) != sizeof request.nonce) {
      return error(ErrorId::E_INTERNAL, "the system gives no random number");
    }
    PipeEnd end = PipeEnd::failed;
    {
      const SigpipeGuard guard;
      end = write_pipe(process_.input(), &request, sizeof request, deadline);
      if (end == PipeEnd::done) end = write_pipe(process_.input(), bytes.data(), bytes.size(), deadline);
    }
    if (end != PipeEnd::done) return ended(end, patience);

    DicomReply reply;
    end = read_pipe(process_.output(), &reply, sizeof reply, deadline);
    if (end != PipeEnd::done) return ended(end, patience);
    if (reply.protocol != kDicomProtocol || reply.nonce != request.nonce || reply.text_bytes > kMaxDicomTextBytes) {
      return nonsense();
    }
    std::string text(reply.text_bytes, '\0');
    end = read_pipe(process_.output(), text.data(), text.size(), deadline);
    if (end != PipeEnd::done) return ended(end, patience);
    if (reply.error != 0) {
      if (reply.pixel_bytes != 0) return nonsense();
      lost = false;
      return decode_error(reply.error, text);
    }
    return take_file(reply, text, pixels, deadline, patience, lost);
  }

  Result<DicomFile> take_file(const DicomReply& reply, const std::string& text, bool pixels, Deadline deadline,
                              double patience, bool& lost) {
    DicomFile file;
    SPINERT_ASSIGN(file.facts, decode_facts(text));
    if (!check_pixel_facts(file.facts).ok()) return nonsense();
    if (!pixels) {
      if (reply.pixel_bytes != 0) return nonsense();
      lost = false;
      return file;
    }
    if (!check_one_grey_frame(file.facts).ok()) return nonsense();
    const size_t count = static_cast<size_t>(file.facts.rows) * static_cast<size_t>(file.facts.columns);
    if (reply.pixel_bytes != count * sizeof(int32_t)) return nonsense();
    try {
      file.stored.resize(count);
    } catch (const std::bad_alloc&) {
      return error(ErrorId::E_OOM_HOST, "no memory for the pixels of a DICOM file")
          .expected(std::to_string(reply.pixel_bytes) + " bytes", "less than that");
    }
    const PipeEnd end = read_pipe(process_.output(), file.stored.data(), reply.pixel_bytes, deadline);
    if (end != PipeEnd::done) return ended(end, patience);
    lost = false;
    return file;
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
