#include "weights/zip_reader.h"

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "config/json.h"
#include "kernels/base/checked.h"

namespace spinert {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50, kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50, kDescriptorSignature = 0x08074b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr uint64_t kMaxRatio = 1000;
constexpr uint64_t kPackedStep = uint64_t{1} << 20;    // of a file at a time
constexpr uint64_t kUnpackedStep = uint64_t{1} << 30;  // zlib counts in 32 bits
constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr uint16_t kDescriptorFlag = 0x0008, kEncryptedFlags = 0x2041;
// Descriptor, UTF-8 names, and the two bits in which deflate notes its effort. Encryption and patches are not read.
constexpr uint16_t kKnownFlags = kDescriptorFlag | 0x0800 | 0x0006;

// Little-endian fields of a record that has been read whole. The caller has checked that the record is long enough.
class Fields {
 public:
  explicit Fields(const std::string& bytes, size_t position = 0) : bytes_(bytes), position_(position) {}
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  void skip(size_t count) { position_ += count; }
  std::string text(size_t count) {
    std::string out = bytes_.substr(position_, count);
    position_ += count;
    return out;
  }
  size_t left() const { return bytes_.size() - position_; }

 private:
  uint64_t number(size_t count) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; ++i) value |= uint64_t{static_cast<uint8_t>(bytes_[position_ + i])} << (8 * i);
    position_ += count;
    return value;
  }
  const std::string& bytes_;
  size_t position_;
};

// Replaces the saturated 32-bit values by those of the zip64 extra field, in their fixed order. False if one is
// missing.
bool apply_zip64(const std::string& extra, std::vector<uint64_t*> values) {
  std::erase_if(values, [](const uint64_t* v) { return *v != 0xFFFFFFFFu; });
  if (values.empty()) return true;
  for (Fields f(extra); f.left() >= 4;) {
    const uint16_t id = f.u16();
    const size_t bytes = f.u16();
    if (bytes > f.left()) return false;
    if (id != 1) {
      f.skip(bytes);
      continue;
    }
    if (bytes < 8 * values.size()) return false;
    for (uint64_t* value : values) *value = f.u64();
    return true;
  }
  return false;
}

bool plain_name(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.find('\\') != std::string::npos ||
      name.find('\0') != std::string::npos || !valid_utf8(name)) {
    return false;
  }
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    if (name.compare(begin, end - begin, "..") == 0) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

const ZipDialect kTorchZip = {.prefix = "PT-",
                              .kind_rule = nullptr,
                              .truncated = ErrorId::E_MODEL_TRUNCATED,
                              .broken = ErrorId::E_MODEL_FORMAT,
                              .kind = ErrorId::E_MODEL_FORMAT,
                              .max_entries = 1'000'000,
                              .max_directory = uint64_t{256} << 20,
                              .plain_names = true,
                              .comment = false,
                              .has_options = true};
const ZipDialect kExaminationZip = {.prefix = "ZP-",
                                    .kind_rule = "05",
                                    .truncated = ErrorId::E_DICOM,
                                    .broken = ErrorId::E_DICOM,
                                    .kind = ErrorId::E_IMAGE_FORMAT,
                                    .max_entries = 100'000,
                                    .max_directory = uint64_t{64} << 20,
                                    .plain_names = false,
                                    .comment = true,
                                    .has_options = false};

std::string ZipReader::place(const std::string& path, const ZipDialect& dialect, const ZipEntry& entry) {
  std::string name = entry.name;
  if (!dialect.plain_names) name.erase(0, name.find_last_of("/\\") + 1);
  return path + ": entry " + std::to_string(entry.number) + " '" + printable(name) + "'";
}

Status ZipReader::refused(ErrorId id, const char* rule, const std::string& what, const ZipEntry* entry) const {
  return error(id, std::string(dialect_->prefix) + rule + ": " + what,
               entry ? place(file_->path(), *dialect_, *entry) : file_->path());
}

Status ZipReader::broken(const char* rule, const std::string& what, const ZipEntry* entry) const {
  return refused(dialect_->broken, rule, what, entry);
}

// Sound, as far as one can see, but not read here.
Status ZipReader::unread(const char* rule, const std::string& what, const ZipEntry* entry) const {
  return refused(dialect_->kind, dialect_->kind_rule ? dialect_->kind_rule : rule, what, entry);
}

std::string ZipReader::option(const char* name) const {
  return dialect_->has_options ? std::string(" (") + name + ")" : std::string();
}

Result<std::string> ZipReader::read_bytes(uint64_t offset, uint64_t bytes) const {
  if (!range_inside(offset, bytes, file_->size())) {
    return refused(dialect_->truncated, "01", "a zip record lies outside the file", nullptr);
  }
  std::string out(bytes, '\0');
  SPINERT_TRY(file_->read(offset, out.data(), out.size()));
  return out;
}

// Where the end record begins: with its comment, if one is allowed, it reaches exactly to the end of the file unless
// trailing bytes are allowed.
Result<uint64_t> ZipReader::find_end() const {
  if (file_->size() < kEndBytes) {
    return refused(dialect_->truncated, "01", "the file is too short for a zip archive", nullptr);
  }
  const bool search = options_.allow_trailing || dialect_->comment;
  const uint64_t window = std::min<uint64_t>(file_->size(), search ? kEndBytes + 0xFFFF : kEndBytes);
  const uint64_t start = file_->size() - window;
  SPINERT_ASSIGN(const std::string tail, read_bytes(start, window));
  for (size_t i = tail.size() - kEndBytes + 1; i-- > 0;) {
    Fields f(tail, i), comment(tail, i + kEndBytes - 2);
    if (f.u32() != kEndSignature) continue;
    if (!dialect_->comment || comment.u16() == tail.size() - i - kEndBytes) return start + i;
  }
  return refused(dialect_->truncated, "01", "the file does not end with a zip end record", nullptr)
      .hint("The file is incomplete or has bytes behind the archive" + option("--allow-trailing") + ".");
}

Result<ZipReader::Directory> ZipReader::read_end() const {
  SPINERT_ASSIGN(const uint64_t end, find_end());
  SPINERT_ASSIGN(const std::string record, read_bytes(end, kEndBytes));
  Fields f(record, 4);
  const uint32_t disks = f.u32();
  const uint64_t entries_here = f.u16(), entries = f.u16(), bytes = f.u32(), offset = f.u32();
  const uint64_t comment = f.u16();
  if (disks != 0 || entries_here != entries) return unread("01", "archive of several disks");
  if (comment != 0 && !options_.allow_trailing && !dialect_->comment) {
    return broken("01", "archive comment" + option("--allow-trailing"));
  }

  Directory directory{offset, bytes, entries};
  uint64_t directory_end = end;
  std::string locator;
  if (end >= kLocatorBytes) {
    SPINERT_ASSIGN(locator, read_bytes(end - kLocatorBytes, kLocatorBytes));
  }
  Fields l(locator);
  if (!locator.empty() && l.u32() == kLocator64Signature) {
    const uint32_t disk = l.u32();
    const uint64_t end64 = l.u64();
    const uint32_t disk_count = l.u32();
    // The record lies directly before the locator: nothing may hide between them.
    const auto after = checked_add(end64, kEnd64Bytes);
    if (disk != 0 || disk_count > 1 || after != end - kLocatorBytes) {
      return broken("02", "the zip64 locator does not point at the record before it");
    }
    SPINERT_ASSIGN(const std::string record64, read_bytes(end64, kEnd64Bytes));
    Fields r(record64);
    const bool known = r.u32() == kEnd64Signature && r.u64() == kEnd64Bytes - 12;
    r.skip(4);
    const uint64_t disks64 = r.u64(), here64 = r.u64();
    directory.entries = r.u64();
    directory.bytes = r.u64();
    directory.offset = r.u64();
    const auto agrees = [](uint64_t plain, uint64_t full, uint64_t saturated) {
      return plain == full || plain == saturated;
    };
    if (!known || disks64 != 0 || here64 != directory.entries || !agrees(entries, directory.entries, 0xFFFF) ||
        !agrees(bytes, directory.bytes, 0xFFFFFFFF) || !agrees(offset, directory.offset, 0xFFFFFFFF)) {
      return broken("02", "the zip64 end record disagrees with the plain one");
    }
    directory_end = end64;
  }
  if (directory.entries > dialect_->max_entries || directory.bytes > dialect_->max_directory) {
    return broken("03", "the directory is too large");
  }
  if (checked_add(directory.offset, directory.bytes) != directory_end) {
    return broken("01", "the directory does not end where the end record begins");
  }
  return directory;
}

Status ZipReader::read_directory(const Directory& directory) {
  SPINERT_ASSIGN(const std::string text, read_bytes(directory.offset, directory.bytes));
  Fields f(text);
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (f.left() < kCentralBytes) return broken("01", "the directory is shorter than its entries");
    ZipEntry entry;
    entry.number = i + 1;
    const uint32_t signature = f.u32();
    f.skip(4);  // versions
    entry.flags = f.u16();
    entry.method = f.u16();
    f.skip(4);  // time
    entry.crc = f.u32();
    entry.compressed = f.u32();
    entry.size = f.u32();
    const size_t name_bytes = f.u16(), extra_bytes = f.u16(), comment_bytes = f.u16();
    const uint16_t disk = f.u16();
    f.skip(6);  // attributes
    entry.header = f.u32();
    if (signature != kCentralSignature || disk != 0 || f.left() < name_bytes + extra_bytes + comment_bytes) {
      return broken("01", "broken directory entry");
    }
    entry.name = f.text(name_bytes);
    const std::string extra = f.text(extra_bytes);
    f.skip(comment_bytes);
    if (!apply_zip64(extra, {&entry.size, &entry.compressed, &entry.header})) {
      return broken("02", "zip64 sizes are missing", &entry);
    }
    if ((entry.flags & kEncryptedFlags) != 0) return unread("02", "the entry is encrypted", &entry);
    if ((entry.flags & ~kKnownFlags) != 0) return unread("02", "unknown entry flags", &entry);
    if (entry.method == kStored) {
      if (entry.compressed != entry.size) return broken("02", "stored entry with two sizes", &entry);
    } else if (entry.method == kDeflated) {
      const auto most = checked_mul(entry.compressed, kMaxRatio);
      if (!most || entry.size > *most) return broken("02", "entry is packed more than 1000:1", &entry);
    } else {
      return unread("02", "packing method " + std::to_string(entry.method) + " is not read", &entry);
    }
    if (entry.crc == 0 && entry.size > 0 && !options_.allow_missing_crc) {
      return broken("04", "entry has no CRC" + option("--allow-missing-crc"), &entry);
    }
    entries_.push_back(std::move(entry));
  }
  if (f.left() != 0) return broken("01", "the directory is longer than its entries");
  return {};
}

Status ZipReader::check_names() const {
  std::unordered_set<std::string_view> seen;
  for (const ZipEntry& entry : entries_) {
    if (dialect_->plain_names && !plain_name(entry.name)) return broken("03", "entry name is no plain path", &entry);
    if (!seen.insert(entry.name).second) return broken("03", "two entries of one name", &entry);
  }
  return {};
}

// Compares the local header with the directory. end: the first byte behind everything that belongs to the entry.
Status ZipReader::check_local(ZipEntry& entry, uint64_t directory, uint64_t& end) const {
  if (!range_inside(entry.header, kLocalBytes, directory)) return broken("01", "entry outside the file", &entry);
  SPINERT_ASSIGN(const std::string head, read_bytes(entry.header, kLocalBytes));
  Fields f(head);
  const uint32_t signature = f.u32();
  f.skip(2);
  const uint16_t flags = f.u16(), method = f.u16();
  f.skip(4);
  const uint32_t crc = f.u32();
  uint64_t compressed = f.u32(), size = f.u32();
  const uint64_t name_bytes = f.u16(), extra_bytes = f.u16();
  SPINERT_ASSIGN(const std::string rest, read_bytes(entry.header + kLocalBytes, name_bytes + extra_bytes));
  if (signature != kLocalSignature || flags != entry.flags || method != entry.method ||
      rest.compare(0, name_bytes, entry.name) != 0) {
    return broken("02", "local header and directory disagree", &entry);
  }
  entry.data = entry.header + kLocalBytes + name_bytes + extra_bytes;
  if (!range_inside(entry.data, entry.compressed, directory)) {
    return broken("01", "entry outside the file", &entry);
  }
  end = entry.data + entry.compressed;
  if ((flags & kDescriptorFlag) == 0) {
    const bool sized = apply_zip64(rest.substr(name_bytes), {&size, &compressed});
    if (!sized || crc != entry.crc || compressed != entry.compressed || size != entry.size) {
      return broken("02", "local header and directory disagree", &entry);
    }
    return {};
  }
  // The descriptor has 32- or 64-bit sizes; which one only its content tells.
  const uint64_t room = std::min<uint64_t>(24, directory - end);
  SPINERT_ASSIGN(const std::string tail, read_bytes(end, room));
  const bool head_ok =
      tail.size() >= 16 && Fields(tail).u32() == kDescriptorSignature && Fields(tail, 4).u32() == entry.crc;
  Fields narrow(tail, 8), wide(tail, 8);
  if (head_ok && tail.size() >= 24 && wide.u64() == entry.compressed && wide.u64() == entry.size) {
    end += 24;
  } else if (head_ok && narrow.u32() == entry.compressed && narrow.u32() == entry.size) {
    end += 16;
  } else {
    return broken("02", "data descriptor and directory disagree", &entry);
  }
  return {};
}

Result<ZipReader> ZipReader::open(const FileReader& file, const ZipDialect& dialect, const ZipOptions& options) {
  ZipReader zip(file, dialect, options);
  SPINERT_ASSIGN(const Directory directory, zip.read_end());
  SPINERT_TRY(zip.read_directory(directory));
  SPINERT_TRY(zip.check_names());
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (ZipEntry& entry : zip.entries_) {
    uint64_t end = 0;
    SPINERT_TRY(zip.check_local(entry, directory.offset, end));
    ranges.emplace_back(entry.header, end);
  }
  // One payload used by many entries is how a small archive unpacks to a huge one.
  std::ranges::sort(ranges);
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) return zip.broken("02", "entries overlap");
  }
  return zip;
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  const auto it = std::ranges::find(entries_, name, &ZipEntry::name);
  return it == entries_.end() ? nullptr : &*it;
}

// Fills `out` with the entry's bytes. whole: they must be all there are, and the packed ones must end with them.
Status ZipReader::unpack(const ZipEntry& entry, std::span<std::byte> out, bool whole) const {
  if (entry.method == kStored) return file_->read(entry.data, out.data(), out.size());
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    return error(ErrorId::E_OOM_HOST, "no memory to unpack", file_->path());
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> guard(&stream, &inflateEnd);
  std::vector<std::byte> packed(static_cast<size_t>(std::min(kPackedStep, entry.compressed)));
  Bytef nowhere = 0;  // zlib wants an address even where there is nothing to write
  uint64_t in_done = 0, out_done = 0;
  int code = Z_OK;
  while (code == Z_OK && (whole || out_done < out.size())) {
    if (stream.avail_in == 0 && in_done < entry.compressed) {
      const uint64_t step = std::min(kPackedStep, entry.compressed - in_done);
      SPINERT_TRY(file_->read(entry.data + in_done, packed.data(), static_cast<size_t>(step)));
      stream.next_in = reinterpret_cast<Bytef*>(packed.data());
      stream.avail_in = static_cast<uInt>(step);
      in_done += step;
    }
    const uint64_t room = std::min(kUnpackedStep, out.size() - out_done);
    stream.next_out = out.empty() ? &nowhere : reinterpret_cast<Bytef*>(out.data() + out_done);
    stream.avail_out = static_cast<uInt>(room);
    code = inflate(&stream, Z_NO_FLUSH);  // Z_BUF_ERROR when there is neither input nor room
    out_done += room - stream.avail_out;
  }
  const bool complete = code == Z_STREAM_END && in_done == entry.compressed && stream.avail_in == 0;
  if (out_done != out.size() || (whole && !complete)) {
    return broken("02", "packed data is broken or has another size", &entry);
  }
  return {};
}

Status ZipReader::read_head(const ZipEntry& entry, std::span<std::byte> out) const {
  return unpack(entry, out, false);
}

Status ZipReader::read(const ZipEntry& entry, std::span<std::byte> out) const {
  if (out.size() != entry.size) return broken("02", "the entry has another size", &entry);
  SPINERT_TRY(unpack(entry, out, true));
  if (entry.crc != 0 || !options_.allow_missing_crc) {
    const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size());
    if (crc != entry.crc) return broken("04", "CRC-32 is wrong: the data is damaged", &entry);
  }
  return {};
}

Result<std::vector<std::byte>> ZipReader::read(const ZipEntry& entry, uint64_t limit) const {
  if (entry.size > limit) {
    return broken("06", "entry is too large", &entry)
        .expected("at most " + std::to_string(limit) + " bytes", std::to_string(entry.size));
  }
  std::vector<std::byte> out(entry.size);
  SPINERT_TRY(read(entry, std::span(out)));
  return out;
}

}  // namespace spinert
