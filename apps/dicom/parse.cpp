// parse.cpp - DCMTK reads from a stream of ours over the bytes, which notes by how much a read fell short.
#include "apps/dicom/parse.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcistrma.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace spinert {
namespace {

constexpr std::string_view kDeflated = "1.2.840.10008.1.2.1.99";

class MemoryProducer final : public DcmProducer {
 public:
  explicit MemoryProducer(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  OFBool good() const override { return status_.good(); }
  OFCondition status() const override { return status_; }
  OFBool eos() override { return at_ == bytes_.size(); }
  offile_off_t avail() override { return static_cast<offile_off_t>(bytes_.size() - at_); }
  offile_off_t read(void* to, offile_off_t wanted) override {
    const size_t count = take(wanted);
    if (count > 0) std::memcpy(to, bytes_.data() + at_ - count, count);
    return static_cast<offile_off_t>(count);
  }
  offile_off_t skip(offile_off_t wanted) override { return static_cast<offile_off_t>(take(wanted)); }
  void putback(offile_off_t count) override {
    if (count < 0 || static_cast<size_t>(count) > at_) {
      status_ = EC_PutbackFailed;
    } else {
      at_ -= static_cast<size_t>(count);
    }
  }
  // How many bytes of the last value were not there.
  uint64_t missing() const { return missing_; }

 private:
  // Moves on and returns by how much.
  size_t take(offile_off_t wanted) {
    if (!status_.good() || wanted <= 0) return 0;
    const auto count = std::min(static_cast<size_t>(wanted), bytes_.size() - at_);
    at_ += count;
    if (count < static_cast<size_t>(wanted)) missing_ = static_cast<uint64_t>(wanted) - count;
    return count;
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  uint64_t missing_ = 0;
  OFCondition status_ = EC_Normal;
};

class MemoryStream final : public DcmInputStream {
 public:
  explicit MemoryStream(std::span<const uint8_t> bytes) : DcmInputStream(&producer_), producer_(bytes) {}
  // Values are loaded at once, not later from a second stream.
  DcmInputStreamFactory* newFactory() const override { return nullptr; }
  uint64_t missing() const { return producer_.missing(); }

 private:
  MemoryProducer producer_;
};

// UIDs end with a zero byte where their length is odd; DCMTK has removed it, but not spaces.
std::string trimmed(const OFString& text) {
  std::string result(text.c_str(), text.length());
  while (!result.empty() && (result.back() == ' ' || result.back() == '\0')) result.pop_back();
  return result;
}

Status truncated(const DcmFileFormat& file, const MemoryStream& stream, bool deflated, size_t file_bytes) {
  DcmElement* pixels = nullptr;
  auto& dataset = *const_cast<DcmFileFormat&>(file).getDataset();
  const bool inside_pixels = dataset.findAndGetElement(DCM_PixelData, pixels).good() && pixels != nullptr;
  Status status = error(ErrorId::E_DICOM_TRUNCATED,
                        inside_pixels ? "the file ends inside PixelData" : "the file ends inside its data set");
  const uint64_t missing = stream.missing();
  const uint64_t declared = inside_pixels ? pixels->getLengthField() : 0;
  if (!deflated && inside_pixels && declared != DCM_UndefinedLength && missing > 0 && missing <= declared) {
    status.expected(std::to_string(declared) + " bytes of PixelData", std::to_string(declared - missing));
  } else if (!deflated && missing > 0) {
    status.expected("a file of at least " + std::to_string(file_bytes + missing) + " bytes",
                    std::to_string(file_bytes));
  }
  return status.hint("Copy or export the file again.");
}

}  // namespace

ParsedFile::ParsedFile() = default;
ParsedFile::~ParsedFile() = default;
ParsedFile::ParsedFile(ParsedFile&&) noexcept = default;
ParsedFile& ParsedFile::operator=(ParsedFile&&) noexcept = default;

DcmDataset& ParsedFile::dataset() const {
  return *file_->getDataset();
}

Result<ParsedFile> parse_dicom(std::span<const uint8_t> bytes) {
  ParsedFile parsed;
  parsed.file_ = std::make_unique<DcmFileFormat>();
  MemoryStream stream(bytes);
  parsed.file_->transferInit();
  const OFCondition condition = parsed.file_->read(stream, EXS_Unknown, EGL_noChange);
  parsed.file_->transferEnd();

  const bool cut = condition == EC_StreamNotifyClient || condition == EC_EndOfStream ||
                   condition == EC_SequDelimitationItemMissing || stream.missing() > 0;
  // The value at which a file ends holds whatever memory held: the meta header counts only if something follows it.
  if (parsed.dataset().card() == 0 && (condition.good() || cut))
    return truncated(*parsed.file_, stream, false, bytes.size());

  // The transfer syntax before any other damage: a data set in one that DCMTK does not know may have been misread.
  OFString uid;
  if (parsed.file_->getMetaInfo()->findAndGetOFString(DCM_TransferSyntaxUID, uid).bad() || uid.empty()) {
    uid = DcmXfer(parsed.dataset().getOriginalXfer()).getXferID();
  }
  if (!uid.empty() || condition.good()) {
    SPINERT_ASSIGN(parsed.syntax, find_transfer_syntax(trimmed(uid)));
  }
  if (condition.good()) return parsed;
  const bool deflated = parsed.syntax.uid == kDeflated;
  if (cut) return truncated(*parsed.file_, stream, deflated, bytes.size());
  if (condition == EC_MemoryExhausted && deflated) {
    return error(ErrorId::E_SLICE_DECODE, "the data set inflates to more than a slice can need");
  }
  // A file fits in memory, so a value that does not is longer than the file.
  if (condition == EC_MemoryExhausted) {
    return error(ErrorId::E_DICOM_TRUNCATED, "a value is declared longer than the file")
        .expected("at most " + std::to_string(bytes.size()) + " bytes", "more")
        .hint("Copy or export the file again.");
  }
  return error(ErrorId::E_DICOM, std::string("damaged DICOM file: ") + condition.text())
      .hint("Copy or export the file again.");
}

}  // namespace spinert
