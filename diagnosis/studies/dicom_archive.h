// dicom_archive.h - a zip archive of DICOM files. Entries are unpacked into memory, one at a time, whenever they are
// asked for; nothing is written to disk, and no name in the archive becomes a path.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/status.h"
#include "weights/zip_reader.h"

namespace spinert {

struct DicomFacts;

// Together with the limits of kExaminationZip and of a DICOM file all that an archive may ask for.
inline constexpr uint64_t kMaxUnpackedBytes = uint64_t{64} << 30;  // of all entries, by what they declare

class DicomArchive {
 public:
  // Reads and checks the directory. Errors: E_DICOM (damaged, contradictory, too large) and E_IMAGE_FORMAT (encrypted,
  // split, packed in another way), with rules ZP-01 to ZP-06 of docs/studies.md; those of FileReader.
  static Result<std::shared_ptr<const DicomArchive>> open(const std::string& path,
                                                          uint64_t max_unpacked = kMaxUnpackedBytes);

  const std::string& path() const { return path_; }
  size_t size() const { return entries_.size(); }
  const std::string& entry_name(size_t index) const { return entries_[index].name; }
  // How messages name an entry (ZipReader::place).
  std::string shown(size_t index) const { return ZipReader::place(path_, kExaminationZip, entries_[index]); }

  // The first bytes of an entry, at most `bytes`. Errors: those of read().
  Result<std::vector<uint8_t>> head(size_t index, size_t bytes) const;
  // All of it. Errors: E_DICOM (damaged, more than `max_bytes`), E_INPUT_CHANGED if the archive is not the file that
  // was opened, E_INPUT_READ, E_OOM_HOST. Safe from several threads.
  Result<std::vector<uint8_t>> read(size_t index, uint64_t max_bytes) const;

 private:
  Result<std::vector<uint8_t>> unpack(size_t index, uint64_t size, bool whole) const;

  // What tells one state of the file from another.
  struct FileState {
    off_t size = -1;
    ino_t inode = 0;
    time_t seconds = 0;
    long nanoseconds = 0;
    bool operator==(const FileState&) const = default;
  };
  static FileState state_of(const std::string& path);

  // The file is opened again for each entry: a folder may hold more archives than a process may have open files.
  std::string path_;
  FileState state_{};
  std::vector<ZipEntry> entries_;
};

// One file of an examination.
struct InputFile {
  std::string path;                                  // as messages name it
  std::shared_ptr<const DicomArchive> archive = {};  // that holds it; none: it is the file at `path`
  size_t entry = 0;

  InputFile(std::string name) : path(std::move(name)) {}
  InputFile(const char* name) : path(name) {}
  InputFile(std::string name, std::shared_ptr<const DicomArchive> in, size_t index)
      : path(std::move(name)), archive(std::move(in)), entry(index) {}

  Result<std::vector<uint8_t>> read(uint64_t max_bytes) const;
};

// Where the file lies that was read.
InputFile file_of(const DicomFacts& facts);

}  // namespace spinert
