// dicom_fields.h - texts and numbers as bytes and back, for the messages between the program and `spinert-dicom`. One
// function template over both classes describes a message for both directions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "diagnosis/report/text.h"
#include "diagnosis/studies/dicom_protocol.h"

namespace spinert {

class DicomFieldWriter {
 public:
  bool text(std::string& value) {
    const auto length = static_cast<uint16_t>(std::min(value.size(), kMaxDicomStringBytes));
    put(&length, sizeof length);
    put(value.data(), length);
    return true;
  }
  template <class T>
  bool number(T& value) {
    put(&value, sizeof value);
    return true;
  }
  bool flag(bool& value) {
    const uint8_t byte = value ? 1 : 0;
    put(&byte, 1);
    return true;
  }
  // How many items follow.
  bool count(uint16_t& value) { return number(value); }
  bool complete() const { return true; }
  std::string take() { return std::move(bytes_); }

 private:
  void put(const void* from, size_t count) { bytes_.append(static_cast<const char*>(from), count); }
  std::string bytes_;
};

class DicomFieldReader {
 public:
  explicit DicomFieldReader(std::string_view bytes) : rest_(bytes) {}

  bool text(std::string& value) {
    uint16_t length = 0;
    if (!number(length) || length > kMaxDicomStringBytes || length > rest_.size()) return false;
    value = clean_utf8(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return true;
  }
  template <class T>
  bool number(T& value) {
    if (rest_.size() < sizeof value) return false;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    if constexpr (std::is_floating_point_v<T>) return std::isfinite(value);
    return true;
  }
  // Any other byte than 0 or 1 would be no bool.
  bool flag(bool& value) {
    uint8_t byte = 0;
    if (!number(byte) || byte > 1) return false;
    value = byte == 1;
    return true;
  }
  bool count(uint16_t& value) { return number(value); }
  bool complete() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// The items of a list, each by `transfer`. More than `most` are refused: nothing is left out in silence.
template <class Io, class T, class Transfer>
bool dicom_list(Io& io, std::vector<T>& items, uint16_t most, const Transfer& transfer) {
  if (items.size() > most) return false;
  auto count = static_cast<uint16_t>(items.size());
  if (!io.count(count) || count > most) return false;
  items.resize(count);
  return std::all_of(items.begin(), items.end(), transfer);
}

}  // namespace spinert
