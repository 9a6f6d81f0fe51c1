// zip_writer.h - a small writer of zip archives, so that tests can make good and forged ones.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace spinert {

inline void put_le(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i, value >>= 8) out += static_cast<char>(value & 0xFF);
}

// One entry; every field that a forger would change can be set apart from the content.
struct ZipItem {
  std::string name{}, content{};
  bool deflate = false;
  bool descriptor = true;  // as torch writes it: flag bit 3, sizes behind the payload
  bool zip64 = false;      // 64-bit descriptor and an extra field in the directory
  uint16_t flags = 0x0800;
  // Differences between what is there and what is said; 0: the truth.
  uint32_t crc_xor = 0, local_crc_xor = 0, descriptor_crc_xor = 0;
  uint64_t size_add = 0, descriptor_size_add = 0;
  std::string local_name{};            // if the local header names another entry
  int local_method = -1, method = -1;  // of the local header alone; of both
  bool no_crc = false;
};

class ZipWriter {
 public:
  std::string comment, trailing;
  bool zip64_end = false;
  uint16_t disk = 0;
  uint64_t zip64_entries_add = 0, entries_add = 0, directory_offset_add = 0;
  bool overlap = false;  // the last directory entry points at the first payload

  void add(ZipItem item) { items_.push_back(std::move(item)); }
  void add(const std::string& name, const std::string& content) { add(ZipItem{.name = name, .content = content}); }

  std::string bytes() const {
    std::string out, directory;
    uint64_t first_header = 0;
    for (size_t i = 0; i < items_.size(); ++i) {
      const ZipItem& item = items_[i];
      const std::string payload = item.deflate ? pack(item.content) : item.content;
      const auto crc = static_cast<uint32_t>(item.no_crc ? 0
                                                         : crc32(0, reinterpret_cast<const Bytef*>(item.content.data()),
                                                                 static_cast<uInt>(item.content.size())));
      const uint16_t flags = static_cast<uint16_t>(item.flags | (item.descriptor ? 8 : 0));
      const uint16_t method = item.method >= 0 ? static_cast<uint16_t>(item.method) : item.deflate ? 8 : 0;
      uint64_t header = out.size();
      if (overlap && i > 0)
        header = first_header;
      else
        write_entry(out, item, payload, crc, flags, method);
      const uint64_t size = item.content.size() + item.size_add;
      const uint64_t packed = item.deflate ? payload.size() : size;
      put_le(directory, 0x02014b50, 4);
      put_le(directory, 0x001e001e, 4);
      put_le(directory, flags, 2);
      put_le(directory, method, 2);
      put_le(directory, 0, 4);
      put_le(directory, crc ^ item.crc_xor, 4);
      put_le(directory, item.zip64 ? 0xFFFFFFFF : packed, 4);
      put_le(directory, item.zip64 ? 0xFFFFFFFF : size, 4);
      put_le(directory, item.name.size(), 2);
      put_le(directory, item.zip64 ? 20 : 0, 2);
      put_le(directory, 0, 10);
      put_le(directory, header, 4);
      directory += item.name;
      if (item.zip64) {
        put_le(directory, 1, 2);
        put_le(directory, 16, 2);
        put_le(directory, size, 8);
        put_le(directory, packed, 8);
      }
    }
    const uint64_t offset = out.size();
    out += directory;
    if (zip64_end) {
      const uint64_t end64 = out.size();
      put_le(out, 0x06064b50, 4);
      put_le(out, 44, 8);
      put_le(out, 0x001e001e, 4);
      put_le(out, 0, 8);
      put_le(out, items_.size() + zip64_entries_add, 8);
      put_le(out, items_.size() + zip64_entries_add, 8);
      put_le(out, directory.size(), 8);
      put_le(out, offset, 8);
      put_le(out, 0x07064b50, 4);
      put_le(out, 0, 4);
      put_le(out, end64, 8);
      put_le(out, 1, 4);
    }
    put_le(out, 0x06054b50, 4);
    put_le(out, disk, 2);
    put_le(out, disk, 2);
    put_le(out, items_.size() + entries_add, 2);
    put_le(out, items_.size() + entries_add, 2);
    put_le(out, directory.size(), 4);
    put_le(out, offset + directory_offset_add, 4);
    put_le(out, comment.size(), 2);
    return out + comment + trailing;
  }

 private:
  static std::string pack(const std::string& content) {
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
  }
  static void write_entry(std::string& out, const ZipItem& item, const std::string& payload, uint32_t crc,
                          uint16_t flags, uint16_t method) {
    const std::string& name = item.local_name.empty() ? item.name : item.local_name;
    put_le(out, 0x04034b50, 4);
    put_le(out, 0x001e, 2);
    put_le(out, flags, 2);
    put_le(out, item.local_method >= 0 ? static_cast<uint64_t>(item.local_method) : method, 2);
    put_le(out, 0, 4);
    put_le(out, item.descriptor ? 0 : crc ^ item.local_crc_xor, 4);
    put_le(out, item.descriptor ? 0 : payload.size(), 4);
    put_le(out, item.descriptor ? 0 : item.content.size(), 4);
    put_le(out, name.size(), 2);
    // torch pads with an extra field so that the payload begins at a multiple of 64.
    const size_t head = out.size() + 2 + name.size() + 4;
    const size_t padding = (64 - head % 64) % 64;
    put_le(out, padding + 4, 2);
    out += name + "FB";
    put_le(out, padding, 2);
    out += std::string(padding, 'Z') + payload;
    if (!item.descriptor) return;
    put_le(out, 0x08074b50, 4);
    put_le(out, crc ^ item.descriptor_crc_xor, 4);
    put_le(out, payload.size() + item.descriptor_size_add, item.zip64 ? 8 : 4);
    put_le(out, item.content.size(), item.zip64 ? 8 : 4);
  }

  std::vector<ZipItem> items_;
};

}  // namespace spinert
