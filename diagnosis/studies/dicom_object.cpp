#include "diagnosis/studies/dicom_object.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "diagnosis/studies/dicom_fields.h"
#include "kernels/base/checked.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

// In front of the three parts of a job.
struct JobHeader {
  uint64_t object_bytes = 0, source_bytes = 0, pixel_bytes = 0;
};

template <class Io>
bool code(Io& io, DicomCode& c) {
  return io.text(c.value) && io.text(c.scheme) && io.text(c.meaning);
}

template <class Io>
bool instance(Io& io, DicomInstance& i) {
  return io.text(i.sop_class) && io.text(i.sop_instance);
}

// A number of an enumeration whose last value is `last`.
template <class Io, class E>
bool choice(Io& io, E& value, E last) {
  auto number = static_cast<uint8_t>(value);
  if (!io.number(number) || number > static_cast<uint8_t>(last)) return false;
  value = static_cast<E>(number);
  return true;
}

template <class Io>
bool item(Io& io, SrItem& i) {
  return io.number(i.depth) && i.depth <= kMaxSrDepth && choice(io, i.relation, SrRelation::acquisition_context) &&
         choice(io, i.kind, SrKind::image) && code(io, i.name) && io.text(i.text) && code(io, i.code) &&
         dicom_list(io, i.points, kMaxSrPoints, [&io](float& point) { return io.number(point); }) &&
         instance(io, i.image) && io.text(i.template_id);
}

template <class Io>
bool fields(Io& io, DicomObject& o) {
  return io.flag(o.is_report) && io.text(o.instance_uid) && io.text(o.series_uid) && io.text(o.device_uid) &&
         io.number(o.series_number) && io.number(o.instance_number) && io.text(o.manufacturer) &&
         io.text(o.model_name) && io.text(o.serial_number) && io.text(o.software) && io.text(o.series_description) &&
         io.text(o.time) && io.text(o.source_series_uid) &&
         dicom_list(io, o.sources, kMaxDicomSources, [&io](DicomInstance& i) { return instance(io, i); }) &&
         io.number(o.columns) && io.number(o.rows) && io.text(o.comments) && io.text(o.derivation) &&
         io.flag(o.reformatted) && io.flag(o.complete) && io.text(o.completion) &&
         dicom_list(io, o.items, kMaxSrItems, [&io](SrItem& i) { return item(io, i); }) && io.complete();
}

Status nonsense() {
  return error(ErrorId::E_SLICE_DECODE, "the description of a DICOM result makes no sense")
      .hint("Install spinert and spinert-dicom of one build.");
}

// Sixteen bytes as a decimal number, by long division.
std::string decimal(std::array<uint8_t, 16> number) {
  std::string digits;
  while (std::ranges::any_of(number, [](uint8_t byte) { return byte != 0; })) {
    unsigned rest = 0;
    for (uint8_t& byte : number) {
      const unsigned value = rest * 256 + byte;
      byte = static_cast<uint8_t>(value / 10);
      rest = value % 10;
    }
    digits += static_cast<char>('0' + rest);
  }
  std::ranges::reverse(digits);
  return digits.empty() ? "0" : digits;
}

std::string uid_of_bytes(std::array<uint8_t, 16> bytes) {
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x80);  // version 8
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);  // the variant of RFC 9562
  return "2.25." + decimal(bytes);
}

int hex_digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

Result<std::string> encode_dicom_object(const DicomObject& object) {
  DicomFieldWriter writer;
  DicomObject copy = object;
  if (!fields(writer, copy)) {
    return error(ErrorId::E_INTERNAL, "a DICOM result has more items than are allowed")
        .expected("at most " + std::to_string(kMaxSrItems) + " items and " + std::to_string(kMaxDicomSources) +
                      " source files",
                  std::to_string(object.items.size()) + " and " + std::to_string(object.sources.size()));
  }
  return writer.take();
}

Result<std::string> encode_dicom_job(const std::string& encoded_object, std::span<const uint8_t> source,
                                     std::span<const uint8_t> pixels) {
  const JobHeader header{encoded_object.size(), source.size(), pixels.size()};
  const auto total = sizeof header + encoded_object.size() + source.size() + pixels.size();
  if (total > kMaxDicomFileBytes) {
    return error(ErrorId::E_DICOM_LENGTH, "a DICOM result does not fit beside the file that it is made for")
        .expected("at most " + std::to_string(kMaxDicomFileBytes) + " bytes", std::to_string(total));
  }
  std::string job(reinterpret_cast<const char*>(&header), sizeof header);
  job.reserve(total);
  job += encoded_object;
  job.append(reinterpret_cast<const char*>(source.data()), source.size());
  job.append(reinterpret_cast<const char*>(pixels.data()), pixels.size());
  return job;
}

Result<DicomJob> decode_dicom_job(std::span<const uint8_t> bytes) {
  JobHeader header;
  if (bytes.size() < sizeof header) return nonsense();
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes = bytes.subspan(sizeof header);
  const auto two = checked_add(header.object_bytes, header.source_bytes);
  const auto all = two ? checked_add(*two, header.pixel_bytes) : two;
  if (!all || *all != bytes.size()) return nonsense();
  const auto text = bytes.first(header.object_bytes);
  DicomFieldReader reader({reinterpret_cast<const char*>(text.data()), text.size()});
  DicomJob job;
  if (!fields(reader, job.object)) return nonsense();
  job.source = bytes.subspan(header.object_bytes, header.source_bytes);
  job.pixels = bytes.last(header.pixel_bytes);
  const DicomObject& object = job.object;
  if (object.columns < 0 || object.rows < 0 || object.columns > 65535 || object.rows > 65535) return nonsense();
  const auto samples = uint64_t{3} * static_cast<uint64_t>(object.columns) * static_cast<uint64_t>(object.rows);
  if (samples != header.pixel_bytes || (samples == 0) != object.is_report) return nonsense();
  return job;
}

std::string ascii_text(std::string_view text, size_t most) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte < 0x7F) {
      plain += byte == '\\' ? '/' : text[i];
    } else if (byte == 0xC3 && i + 1 < text.size()) {
      // U+00C0 to U+00FF in UTF-8.
      switch (static_cast<unsigned char>(text[++i])) {
        case 0x84: plain += "Ae"; break;
        case 0x96: plain += "Oe"; break;
        case 0x9C: plain += "Ue"; break;
        case 0xA4: plain += "ae"; break;
        case 0xB6: plain += "oe"; break;
        case 0xBC: plain += "ue"; break;
        default: plain += '?';
      }
    } else if ((byte & 0xC0) != 0x80) {
      plain += '?';
    }
  }
  if (plain.size() > most) plain = plain.substr(0, most - std::min<size_t>(most, 3)) + "...";
  return plain;
}

std::string uid_of_text(std::string_view text) {
  const Sha256Digest digest = sha256(text.data(), text.size());
  std::array<uint8_t, 16> bytes{};
  std::copy_n(digest.begin(), bytes.size(), bytes.begin());
  return uid_of_bytes(bytes);
}

std::string uid_of_hex(std::string_view hex) {
  std::array<uint8_t, 16> bytes{};
  if (hex.size() < 2 * bytes.size()) return {};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return {};
    bytes[i] = static_cast<uint8_t>(16 * high + low);
  }
  return uid_of_bytes(bytes);
}

}  // namespace spinert
