// dicom_reader.h - reads what spinert-dicom writes: explicit VR little endian with its meta header, sequences as trees.
// No library, so that a test does not ask the writer's own one whether it was right.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace spinert::test {

struct DicomItem;

struct DicomValue {
  std::string vr, bytes;
  std::vector<DicomItem> items;  // of a sequence
};

struct DicomItem {
  std::map<uint32_t, DicomValue> elements;

  bool has(uint32_t tag) const { return elements.count(tag) != 0; }
  // Without padding; empty if it is missing.
  std::string text(uint32_t tag) const {
    const auto it = elements.find(tag);
    std::string value = it == elements.end() ? std::string() : it->second.bytes;
    while (!value.empty() && (value.back() == ' ' || value.back() == '\0')) value.pop_back();
    return value;
  }
  uint32_t number(uint32_t tag) const {
    uint16_t value = 0;
    const auto it = elements.find(tag);
    if (it != elements.end() && it->second.bytes.size() == 2) std::memcpy(&value, it->second.bytes.data(), 2);
    return value;
  }
  const std::vector<DicomItem>& items(uint32_t tag) const {
    static const std::vector<DicomItem> none;
    const auto it = elements.find(tag);
    return it == elements.end() ? none : it->second.items;
  }
  // Of a sequence with one item, else an empty item.
  const DicomItem& only(uint32_t tag) const {
    static const DicomItem none;
    return items(tag).size() == 1 ? items(tag).front() : none;
  }
};

class DicomReader {
 public:
  // False if a byte is left over or missing.
  static bool read(std::string_view bytes, DicomItem& item) {
    if (bytes.size() < 132 || bytes.substr(128, 4) != "DICM") return false;
    DicomReader reader(bytes.substr(132));
    return reader.elements(item, reader.rest_.size()) && reader.rest_.empty();
  }

 private:
  explicit DicomReader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  bool take(T& value) {
    if (rest_.size() < sizeof value) return false;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return true;
  }
  bool tag(uint32_t& value) {
    uint16_t group = 0, element = 0;
    if (!take(group) || !take(element)) return false;
    value = uint32_t{group} << 16 | element;
    return true;
  }

  bool elements(DicomItem& item, size_t length) {
    if (length > rest_.size()) return false;
    const size_t end = rest_.size() - length;
    while (rest_.size() > end) {
      uint32_t at = 0, size = 0;
      if (!tag(at) || rest_.size() < 2) return false;
      DicomValue value;
      value.vr = std::string(rest_.substr(0, 2));
      rest_.remove_prefix(2);
      uint16_t small = 0;
      if (!take(small)) return false;
      size = small;
      const bool long_form = value.vr == "SQ" || value.vr == "OB" || value.vr == "OW" || value.vr == "UT" ||
                             value.vr == "UN" || value.vr == "UC" || value.vr == "OF";
      if (long_form && !take(size)) return false;
      if (size > rest_.size()) return false;  // lengths are always written
      if (value.vr == "SQ") {
        if (!sequence(value, size)) return false;
      } else {
        value.bytes = std::string(rest_.substr(0, size));
        rest_.remove_prefix(size);
      }
      if (!item.elements.emplace(at, std::move(value)).second) return false;
    }
    return rest_.size() == end;
  }

  bool sequence(DicomValue& value, size_t length) {
    const size_t end = rest_.size() - length;
    while (rest_.size() > end) {
      uint32_t at = 0, size = 0;
      if (!tag(at) || at != 0xfffee000 || !take(size)) return false;
      value.items.emplace_back();
      if (!elements(value.items.back(), size)) return false;
    }
    return rest_.size() == end;
  }

  std::string_view rest_;
};

}  // namespace spinert::test
