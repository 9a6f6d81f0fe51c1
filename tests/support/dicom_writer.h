// dicom_writer.h - forges DICOM files: explicit VR little endian by hand, with every field free to lie. No library.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace spinert::test {

inline std::string u16(uint32_t value) {
  return {static_cast<char>(value & 0xff), static_cast<char>(value >> 8 & 0xff)};
}
inline std::string u32(uint32_t value) {
  return u16(value & 0xffff) + u16(value >> 16);
}

inline constexpr uint32_t kUndefinedLength = 0xffffffff;

// One attribute. `declared` is the length in its header; by default the true one.
struct DicomElement {
  std::string vr, value;
  bool has_declared = false;
  uint32_t declared = 0;
};

inline std::string element_bytes(uint32_t tag, const DicomElement& element) {
  const uint32_t length = element.has_declared ? element.declared : static_cast<uint32_t>(element.value.size());
  const bool long_form = element.vr == "OB" || element.vr == "OW" || element.vr == "SQ" || element.vr == "UN";
  return u16(tag >> 16) + u16(tag & 0xffff) + element.vr + (long_form ? u16(0) + u32(length) : u16(length & 0xffff)) +
         element.value;
}

inline constexpr char kExplicitLittle[] = "1.2.840.10008.1.2.1";
inline constexpr char kRleLossless[] = "1.2.840.10008.1.2.5";
inline constexpr char kJpegBaseline[] = "1.2.840.10008.1.2.4.50";

// A CT slice of 5 columns and 3 rows, 16 bits with sign; pixel i is 100 * i - 700.
class DicomForge {
 public:
  static constexpr uint32_t kSopClass = 0x00080016, kModality = 0x00080060, kRows = 0x00280010, kColumns = 0x00280011,
                            kSamples = 0x00280002, kPhotometric = 0x00280004, kFrames = 0x00280008,
                            kAllocated = 0x00280100, kStored = 0x00280101, kHighBit = 0x00280102,
                            kRepresentation = 0x00280103, kPadding = 0x00280120, kIntercept = 0x00281052,
                            kSlope = 0x00281053, kPosition = 0x00200032, kOrientation = 0x00200037,
                            kSpacing = 0x00280030, kDescription = 0x0008103e, kWindow = 0x00281050,
                            kPixels = 0x7fe00010;

  DicomForge() {
    text(kSopClass, "UI", "1.2.840.10008.5.1.4.1.1.2");
    text(0x00080018, "UI", "2.25.1");
    text(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL");
    text(kModality, "CS", "CT");
    text(0x0020000d, "UI", "2.25.2");
    text(0x0020000e, "UI", "2.25.3");
    text(0x00200052, "UI", "2.25.4");
    text(0x00200013, "IS", "7");
    text(0x00185100, "CS", "HFS");
    text(kPosition, "DS", "-10.5\\20\\1e1");
    text(kOrientation, "DS", "1\\0\\0\\0\\1\\0");
    text(kSpacing, "DS", "0.75\\0.5");
    text(kPhotometric, "CS", "MONOCHROME2");
    text(kSlope, "DS", "1");
    text(kIntercept, "DS", "-1024");
    number(kSamples, 1);
    number(kRows, 3);
    number(kColumns, 5);
    number(kAllocated, 16);
    number(kStored, 16);
    number(kHighBit, 15);
    number(kRepresentation, 1);
    std::string pixels;
    for (int i = 0; i < 15; ++i) pixels += u16(static_cast<uint16_t>(100 * i - 700));
    set(kPixels, "OW", pixels);
  }

  DicomForge& set(uint32_t tag, const std::string& vr, const std::string& value) {
    elements_[tag] = {vr, value};
    return *this;
  }
  // Padded to an even length as the standard wants.
  DicomForge& text(uint32_t tag, const std::string& vr, std::string value) {
    if (value.size() % 2 != 0) value += vr == "UI" ? '\0' : ' ';
    return set(tag, vr, value);
  }
  DicomForge& number(uint32_t tag, uint32_t value) { return set(tag, "US", u16(value)); }
  DicomForge& declare(uint32_t tag, uint32_t length) {
    elements_[tag].has_declared = true;
    elements_[tag].declared = length;
    return *this;
  }
  DicomForge& remove(uint32_t tag) {
    elements_.erase(tag);
    return *this;
  }
  const std::string& value(uint32_t tag) { return elements_[tag].value; }

  // Compressed pixels: the offset table and the fragments as given.
  DicomForge& fragments(const std::vector<std::string>& items) {
    std::string sequence;
    for (const std::string& item : items) {
      const std::string padded = item.size() % 2 == 0 ? item : item + '\0';
      sequence += u16(0xfffe) + u16(0xe000) + u32(static_cast<uint32_t>(padded.size())) + padded;
    }
    set(kPixels, "OB", sequence + u16(0xfffe) + u16(0xe0dd) + u32(0));
    return declare(kPixels, kUndefinedLength);
  }

  std::string dataset() const {
    std::string bytes;
    for (const auto& [tag, element] : elements_) bytes += element_bytes(tag, element);
    return bytes;
  }
  static std::string meta(std::string transfer_syntax) {
    if (transfer_syntax.size() % 2 != 0) transfer_syntax += '\0';
    const std::string rest =
        element_bytes(0x00020001, {"OB", std::string("\0\1", 2)}) + element_bytes(0x00020010, {"UI", transfer_syntax});
    return std::string(128, '\0') + "DICM" +
           element_bytes(0x00020000, {"UL", u32(static_cast<uint32_t>(rest.size()))}) + rest;
  }
  std::string file(const std::string& transfer_syntax = kExplicitLittle) const {
    return meta(transfer_syntax) + dataset();
  }

 private:
  std::map<uint32_t, DicomElement> elements_;
};

// RLE as PS3.5 Annex G has it: 16-bit values as two segments, high bytes first, in literal runs.
inline std::string rle_16(const std::string& little_endian) {
  std::string segments[2];
  const size_t count = little_endian.size() / 2;
  for (int plane = 0; plane < 2; ++plane) {
    for (size_t i = 0; i < count; i += 128) {
      const size_t run = count - i < 128 ? count - i : 128;
      segments[plane] += static_cast<char>(run - 1);
      for (size_t k = i; k < i + run; ++k) segments[plane] += little_endian[2 * k + (plane == 0 ? 1 : 0)];
    }
    if (segments[plane].size() % 2 != 0) segments[plane] += '\0';
  }
  std::string header = u32(2) + u32(64) + u32(64 + static_cast<uint32_t>(segments[0].size()));
  header.resize(64, '\0');
  return header + segments[0] + segments[1];
}

}  // namespace spinert::test
