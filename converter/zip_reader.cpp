#include "converter/zip_reader.h"

#include <zlib.h>

#include <algorithm>
#include <unordered_set>

#include "config/json.h"
#include "kernels/base/checked.h"

namespace spinert {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50, kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50, kDescriptorSignature = 0x08074b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr uint64_t kMaxEntries = 1'000'000;
constexpr uint64_t kMaxDirectory = uint64_t{256} << 20;
constexpr uint64_t kMaxRatio = 1000;
constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr uint16_t kDescriptorFlag = 0x0008;
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

Result<std::string> read_bytes(const FileReader& file, uint64_t offset, uint64_t bytes) {
  if (!range_inside(offset, bytes, file.size())) {
    return error(ErrorId::E_MODEL_TRUNCATED, "PT-01: a zip record lies outside the file", file.path());
  }
  std::string out(bytes, '\0');
  SPINERT_TRY(file.read(offset, out.data(), out.size()));
  return out;
}

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

Status ZipReader::broken(const char* rule, const std::string& what, std::string_view entry) const {
  std::string where = file_->path();
  if (!entry.empty()) where += ": entry \"" + printable(entry) + "\"";
  return error(ErrorId::E_MODEL_FORMAT, std::string(rule) + ": " + what, where);
}

// Where the end record begins: exactly at the end of the file unless trailing bytes are allowed.
Result<uint64_t> ZipReader::find_end() const {
  if (file_->size() < kEndBytes) {
    return error(ErrorId::E_MODEL_TRUNCATED, "PT-01: the file is too short for a zip archive", file_->path());
  }
  const uint64_t window = std::min<uint64_t>(file_->size(), options_.allow_trailing ? kEndBytes + 0xFFFF : kEndBytes);
  const uint64_t start = file_->size() - window;
  SPINERT_ASSIGN(const std::string tail, read_bytes(*file_, start, window));
  for (size_t i = tail.size() - kEndBytes + 1; i-- > 0;) {
    Fields f(tail, i);
    if (f.u32() == kEndSignature) return start + i;
  }
  return error(ErrorId::E_MODEL_TRUNCATED, "PT-01: the file does not end with a zip end record", file_->path())
      .hint("The file is incomplete or has bytes behind the archive (--allow-trailing).");
}

Result<ZipReader::Directory> ZipReader::read_end() const {
  SPINERT_ASSIGN(const uint64_t end, find_end());
  SPINERT_ASSIGN(const std::string record, read_bytes(*file_, end, kEndBytes));
  Fields f(record, 4);
  const uint32_t disks = f.u32();
  const uint64_t entries_here = f.u16(), entries = f.u16(), bytes = f.u32(), offset = f.u32();
  const uint64_t comment = f.u16();
  if (disks != 0 || entries_here != entries) return broken("PT-01", "archive of several disks");
  if (comment != 0 && !options_.allow_trailing) return broken("PT-01", "archive comment (--allow-trailing)");

  Directory directory{offset, bytes, entries};
  uint64_t directory_end = end;
  std::string locator;
  if (end >= kLocatorBytes) {
    SPINERT_ASSIGN(locator, read_bytes(*file_, end - kLocatorBytes, kLocatorBytes));
  }
  Fields l(locator);
  if (!locator.empty() && l.u32() == kLocator64Signature) {
    const uint32_t disk = l.u32();
    const uint64_t end64 = l.u64();
    const uint32_t disk_count = l.u32();
    // The record lies directly before the locator: nothing may hide between them.
    const auto after = checked_add(end64, kEnd64Bytes);
    if (disk != 0 || disk_count > 1 || after != end - kLocatorBytes) {
      return broken("PT-02", "the zip64 locator does not point at the record before it");
    }
    SPINERT_ASSIGN(const std::string record64, read_bytes(*file_, end64, kEnd64Bytes));
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
      return broken("PT-02", "the zip64 end record disagrees with the plain one");
    }
    directory_end = end64;
  }
  if (directory.entries > kMaxEntries || directory.bytes > kMaxDirectory) {
    return broken("PT-03", "the directory is too large");
  }
  if (checked_add(directory.offset, directory.bytes) != directory_end) {
    return broken("PT-01", "the directory does not end where the end record begins");
  }
  return directory;
}

Status ZipReader::read_directory(const Directory& directory) {
  SPINERT_ASSIGN(const std::string text, read_bytes(*file_, directory.offset, directory.bytes));
  Fields f(text);
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (f.left() < kCentralBytes) return broken("PT-01", "the directory is shorter than its entries");
    ZipEntry entry;
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
      return broken("PT-01", "broken directory entry");
    }
    entry.name = f.text(name_bytes);
    const std::string extra = f.text(extra_bytes);
    f.skip(comment_bytes);
    if (!apply_zip64(extra, {&entry.size, &entry.compressed, &entry.header})) {
      return broken("PT-02", "zip64 sizes are missing", entry.name);
    }
    if ((entry.flags & ~kKnownFlags) != 0) return broken("PT-02", "encrypted or unknown entry flags", entry.name);
    if (entry.method == kStored) {
      if (entry.compressed != entry.size) return broken("PT-02", "stored entry with two sizes", entry.name);
    } else if (entry.method == kDeflated) {
      const auto most = checked_mul(entry.compressed, kMaxRatio);
      if (!most || entry.size > *most) return broken("PT-02", "entry is packed more than 1000:1", entry.name);
    } else {
      return broken("PT-02", "unknown packing method", entry.name);
    }
    if (entry.crc == 0 && entry.size > 0 && !options_.allow_missing_crc) {
      return broken("PT-04", "entry has no CRC (--allow-missing-crc)", entry.name);
    }
    entries_.push_back(std::move(entry));
  }
  if (f.left() != 0) return broken("PT-01", "the directory is longer than its entries");
  return {};
}

Status ZipReader::check_names() const {
  std::unordered_set<std::string_view> seen;
  for (const ZipEntry& entry : entries_) {
    if (!plain_name(entry.name)) return broken("PT-03", "entry name is no plain path", entry.name);
    if (!seen.insert(entry.name).second) return broken("PT-03", "two entries of one name", entry.name);
  }
  return {};
}

// Compares the local header with the directory. end: the first byte behind everything that belongs to the entry.
Status ZipReader::check_local(ZipEntry& entry, uint64_t directory, uint64_t& end) const {
  if (!range_inside(entry.header, kLocalBytes, directory)) return broken("PT-01", "entry outside the file", entry.name);
  SPINERT_ASSIGN(const std::string head, read_bytes(*file_, entry.header, kLocalBytes));
  Fields f(head);
  const uint32_t signature = f.u32();
  f.skip(2);
  const uint16_t flags = f.u16(), method = f.u16();
  f.skip(4);
  const uint32_t crc = f.u32();
  uint64_t compressed = f.u32(), size = f.u32();
  const uint64_t name_bytes = f.u16(), extra_bytes = f.u16();
  SPINERT_ASSIGN(const std::string rest, read_bytes(*file_, entry.header + kLocalBytes, name_bytes + extra_bytes));
  if (signature != kLocalSignature || flags != entry.flags || method != entry.method ||
      rest.compare(0, name_bytes, entry.name) != 0) {
    return broken("PT-02", "local header and directory disagree", entry.name);
  }
  entry.data = entry.header + kLocalBytes + name_bytes + extra_bytes;
  if (!range_inside(entry.data, entry.compressed, directory)) {
    return broken("PT-01", "entry outside the file", entry.name);
  }
  end = entry.data + entry.compressed;
  if ((flags & kDescriptorFlag) == 0) {
    const bool sized = apply_zip64(rest.substr(name_bytes), {&size, &compressed});
    if (!sized || crc != entry.crc || compressed != entry.compressed || size != entry.size) {
      return broken("PT-02", "local header and directory disagree", entry.name);
    }
    return {};
  }
  // The descriptor has 32- or 64-bit sizes; which one only its content tells.
  const uint64_t room = std::min<uint64_t>(24, directory - end);
  SPINERT_ASSIGN(const std::string tail, read_bytes(*file_, end, room));
  const bool head_ok =
      tail.size() >= 16 && Fields(tail).u32() == kDescriptorSignature && Fields(tail, 4).u32() == entry.crc;
  Fields narrow(tail, 8), wide(tail, 8);
  if (head_ok && tail.size() >= 24 && wide.u64() == entry.compressed && wide.u64() == entry.size) {
    end += 24;
  } else if (head_ok && narrow.u32() == entry.compressed && narrow.u32() == entry.size) {
    end += 16;
  } else {
    return broken("PT-02", "data descriptor and directory disagree", entry.name);
  }
  return {};
}

Result<ZipReader> ZipReader::open(const FileReader& file, const ZipOptions& options) {
  ZipReader zip(file, options);
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
    if (ranges[i].first < ranges[i - 1].second) return zip.broken("PT-02", "entries overlap");
  }
  return zip;
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  const auto it = std::ranges::find(entries_, name, &ZipEntry::name);
  return it == entries_.end() ? nullptr : &*it;
}

Result<std::vector<std::byte>> ZipReader::read(const ZipEntry& entry, uint64_t limit) const {
  if (entry.size > limit) {
    return broken("PT-06", "entry is too large", entry.name)
        .expected("at most " + std::to_string(limit) + " bytes", std::to_string(entry.size));
  }
  std::vector<std::byte> packed(entry.compressed);
  SPINERT_TRY(file_->read(entry.data, packed.data(), packed.size()));
  std::vector<std::byte> out;
  if (entry.method == kStored) {
    out = std::move(packed);
  } else {
    out.resize(entry.size);
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return error(ErrorId::E_OOM_HOST, "no memory to unpack", entry.name);
    // zlib counts in 32 bits: hand over at most 1 GiB at a time.
    constexpr uint64_t kStep = uint64_t{1} << 30;
    uint64_t in_done = 0, out_done = 0;
    int code = Z_OK;
    while (code == Z_OK) {
      const uint64_t in_step = std::min(kStep, packed.size() - in_done);
      const uint64_t out_step = std::min(kStep, out.size() - out_done);
      stream.next_in = reinterpret_cast<Bytef*>(packed.data() + in_done);
      stream.avail_in = static_cast<uInt>(in_step);
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + out_done);
      stream.avail_out = static_cast<uInt>(out_step);
      code = inflate(&stream, Z_NO_FLUSH);
      in_done += in_step - stream.avail_in;
      out_done += out_step - stream.avail_out;
    }
    inflateEnd(&stream);
    if (code != Z_STREAM_END || in_done != packed.size() || out_done != out.size()) {
      return broken("PT-02", "packed data is broken or has another size", entry.name);
    }
  }
  if (entry.crc != 0 || !options_.allow_missing_crc) {
    const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size());
    if (crc != entry.crc) return broken("PT-04", "CRC-32 is wrong: the data is damaged", entry.name);
  }
  return out;
}

}  // namespace spinert
