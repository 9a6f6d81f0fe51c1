// zip_reader.h - reads a zip archive as torch.save writes it, and refuses everything ambiguous (docs/safety.md, PT-01
// to PT-04): local and central headers must agree, entries must not overlap, names must be plain and different, every
// CRC-32 is verified. Stored and deflated entries. Errors: E_MODEL_FORMAT PT-nn, E_MODEL_TRUNCATED.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "weights/file_reader.h"

namespace spinert {

struct ZipOptions {
  bool allow_trailing = false;     // a comment or bytes behind the archive
  bool allow_missing_crc = false;  // CRC field 0 on an entry that is not empty
};

struct ZipEntry {
  std::string name;
  uint16_t flags = 0, method = 0;
  uint32_t crc = 0;
  uint64_t compressed = 0, size = 0;
  uint64_t header = 0;  // place of the local header
  uint64_t data = 0;    // place of the payload
};

class ZipReader {
 public:
  // Reads the directory and checks it against every local header.
  static Result<ZipReader> open(const FileReader& file, const ZipOptions& options);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  // Null if there is none.
  const ZipEntry* find(std::string_view name) const;

  // The unpacked bytes; refuses entries of more than `limit` bytes before anything is allocated.
  Result<std::vector<std::byte>> read(const ZipEntry& entry, uint64_t limit) const;

 private:
  struct Directory {
    uint64_t offset, bytes, entries;
  };
  ZipReader(const FileReader& file, const ZipOptions& options) : file_(&file), options_(options) {}
  Result<uint64_t> find_end() const;
  Result<Directory> read_end() const;
  Status read_directory(const Directory& directory);
  Status check_names() const;
  Status check_local(ZipEntry& entry, uint64_t directory, uint64_t& end) const;
  Status broken(const char* rule, const std::string& what, std::string_view entry = {}) const;

  const FileReader* file_;
  ZipOptions options_;
  std::vector<ZipEntry> entries_;
};

}  // namespace spinert
