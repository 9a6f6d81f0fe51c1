// zip_reader.h - reads a zip archive and refuses everything ambiguous: local and central headers must agree, entries
// must not overlap, names must be different, every CRC-32 is verified. Stored and deflated entries, zip64. Which limits
// hold and which errors are given says the dialect: checkpoints of torch.save (docs/safety.md, PT-01 to PT-06), or
// examinations (docs/studies.md, ZP-01 to ZP-06). Nothing is ever written to disk.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "weights/file_reader.h"

namespace spinert {

// What an archive is expected to be. Its numbers are limits of ours, never the file's.
struct ZipDialect {
  const char* prefix;     // of rule ids: "PT-"
  const char* kind_rule;  // the rule of what is sound but not read; null: the rule that it was found by
  ErrorId truncated, broken, kind;
  uint64_t max_entries, max_directory;
  bool plain_names;  // relative paths in UTF-8 alone
  bool comment;      // one behind the archive is no reason to refuse it
  bool has_options;  // messages may name those of `spinert convert`
};
extern const ZipDialect kTorchZip, kExaminationZip;

struct ZipOptions {
  bool allow_trailing = false;     // a comment or bytes behind the archive
  bool allow_missing_crc = false;  // CRC field 0 on an entry that is not empty
};

struct ZipEntry {
  std::string name;
  uint64_t number = 0;  // in the order of the directory, from 1
  uint16_t flags = 0, method = 0;
  uint32_t crc = 0;
  uint64_t compressed = 0, size = 0;
  uint64_t header = 0;  // place of the local header
  uint64_t data = 0;    // place of the payload
};

class ZipReader {
 public:
  // Reads the directory and checks it against every local header.
  static Result<ZipReader> open(const FileReader& file, const ZipDialect& dialect, const ZipOptions& options = {});

  const std::vector<ZipEntry>& entries() const { return entries_; }
  // Null if there is none.
  const ZipEntry* find(std::string_view name) const;

  // The unpacked bytes; refuses entries of more than `limit` bytes before anything is allocated.
  Result<std::vector<std::byte>> read(const ZipEntry& entry, uint64_t limit) const;
  // The same to a place of exactly entry.size bytes.
  Status read(const ZipEntry& entry, std::span<std::byte> out) const;
  // The first of them, as many as there is room for, at most entry.size; no CRC is verified.
  Status read_head(const ZipEntry& entry, std::span<std::byte> out) const;
  // "study.zip: entry 12 'IM000012'", for messages. Of an examination the last part of the name: folders inside often
  // are the patient's name.
  static std::string place(const std::string& path, const ZipDialect& dialect, const ZipEntry& entry);
  // The entries of an archive that was opened before and has not changed since.
  static ZipReader reopen(const FileReader& file, const ZipDialect& dialect) { return {file, dialect, {}}; }

 private:
  struct Directory {
    uint64_t offset, bytes, entries;
  };
  ZipReader(const FileReader& file, const ZipDialect& dialect, const ZipOptions& options)
      : file_(&file), dialect_(&dialect), options_(options) {}
  Result<uint64_t> find_end() const;
  Result<Directory> read_end() const;
  Status read_directory(const Directory& directory);
  Status check_names() const;
  Status check_local(ZipEntry& entry, uint64_t directory, uint64_t& end) const;
  Result<std::string> read_bytes(uint64_t offset, uint64_t bytes) const;
  Status unpack(const ZipEntry& entry, std::span<std::byte> out, bool whole) const;
  std::string option(const char* name) const;
  Status refused(ErrorId id, const char* rule, const std::string& what, const ZipEntry* entry) const;
  Status broken(const char* rule, const std::string& what, const ZipEntry* entry = nullptr) const;
  Status unread(const char* rule, const std::string& what, const ZipEntry* entry = nullptr) const;

  const FileReader* file_;
  const ZipDialect* dialect_;
  ZipOptions options_;
  std::vector<ZipEntry> entries_;
};

}  // namespace spinert
