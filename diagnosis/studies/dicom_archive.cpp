#include "diagnosis/studies/dicom_archive.h"

#include <sys/stat.h>

#include <algorithm>
#include <new>
#include <span>

#include "diagnosis/images/input_file.h"
#include "diagnosis/studies/dicom_file.h"
#include "kernels/base/checked.h"

namespace spinert {
namespace {

Status changed(const std::string& path) {
  return error(ErrorId::E_INPUT_CHANGED, "the archive changed while it was read", path)
      .hint("Wait until it is completely written, then run again.");
}

}  // namespace

DicomArchive::FileState DicomArchive::state_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_size, info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

Result<std::shared_ptr<const DicomArchive>> DicomArchive::open(const std::string& path, uint64_t max_unpacked) {
  const FileState state = state_of(path);
  SPINERT_ASSIGN(const FileReader file, FileReader::open(path));
  SPINERT_ASSIGN(const ZipReader zip, ZipReader::open(file, kExaminationZip));
  if (!file.check_unchanged().ok() || state_of(path) != state) return changed(path);
  auto archive = std::make_shared<DicomArchive>();
  archive->path_ = path;
  archive->state_ = state;
  archive->entries_ = zip.entries();
  uint64_t all = 0;
  for (const ZipEntry& entry : archive->entries_) {
    const auto sum = checked_add(all, entry.size);
    if (!sum || *sum > max_unpacked) {
      return error(ErrorId::E_DICOM, "ZP-06: the archive unpacks to too much", path)
          .expected("at most " + std::to_string(max_unpacked) + " bytes", "more")
          .hint("Unpack it and give the folder.");
    }
    all = *sum;
  }
  return std::shared_ptr<const DicomArchive>(std::move(archive));
}

Result<std::vector<uint8_t>> DicomArchive::head(size_t index, size_t bytes) const {
  return unpack(index, std::min<uint64_t>(bytes, entries_[index].size), false);
}

Result<std::vector<uint8_t>> DicomArchive::read(size_t index, uint64_t max_bytes) const {
  const uint64_t size = entries_[index].size;
  if (size > max_bytes) {
    return error(ErrorId::E_DICOM, "ZP-06: the entry is too large", shown(index))
        .expected("at most " + std::to_string(max_bytes) + " bytes", std::to_string(size));
  }
  return unpack(index, size, true);
}

// The first `size` bytes; whole: that is all of them.
Result<std::vector<uint8_t>> DicomArchive::unpack(size_t index, uint64_t size, bool whole) const {
  SPINERT_ASSIGN(const FileReader file, FileReader::open(path_));
  std::vector<uint8_t> bytes;
  try {
    bytes.resize(static_cast<size_t>(size));
  } catch (const std::bad_alloc&) {
    return error(ErrorId::E_OOM_HOST, "no memory to unpack", shown(index))
        .expected(std::to_string(size) + " bytes", "less than that");
  }
  const ZipReader zip = ZipReader::reopen(file, kExaminationZip);
  const auto out = std::as_writable_bytes(std::span(bytes));
  const Status status = whole ? zip.read(entries_[index], out) : zip.read_head(entries_[index], out);
  // A file that became shorter is a changed one too, whatever the reader makes of it.
  if (!file.check_unchanged().ok() || state_of(path_) != state_) return changed(path_);
  if (!status.ok()) return status;
  return bytes;
}

InputFile file_of(const DicomFacts& facts) {
  return {facts.path, facts.archive, facts.entry};
}

Result<std::vector<uint8_t>> InputFile::read(uint64_t max_bytes) const {
  return archive ? archive->read(entry, max_bytes) : read_input_file(path, max_bytes, ErrorId::E_DICOM);
}

}  // namespace spinert
