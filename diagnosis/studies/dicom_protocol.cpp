// dicom_protocol.cpp - facts and errors as bytes and back: one description of the fields serves both directions.
#include "diagnosis/studies/dicom_protocol.h"

#include <algorithm>

#include "diagnosis/studies/dicom_fields.h"

namespace spinert {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr int kSlowdown = 10;  // of a decoder under the sanitizers
#else
constexpr int kSlowdown = 1;
#endif

// A flag, then the value if there is one; `transfer` reads or writes it.
template <class Io, class T, class Transfer>
bool optional(Io& io, std::optional<T>& value, const Transfer& transfer) {
  bool present = value.has_value();
  if (!io.flag(present)) return false;
  if (!present) {
    value.reset();
    return true;
  }
  T one = value.value_or(T{});
  if (!transfer(one)) return false;
  value = one;
  return true;
}

template <class Io, class T>
bool optional_number(Io& io, std::optional<T>& value) {
  return optional(io, value, [&io](T& number) { return io.number(number); });
}

template <class Io>
bool optional_vector(Io& io, std::optional<Vec3>& value) {
  return optional(io, value, [&io](Vec3& v) { return io.number(v.x) && io.number(v.y) && io.number(v.z); });
}

template <class Io>
bool image_type(Io& io, std::vector<std::string>& parts) {
  auto count = static_cast<uint16_t>(std::min(parts.size(), kMaxDicomImageTypeParts));
  if (!io.count(count) || count > kMaxDicomImageTypeParts) return false;
  parts.resize(count);
  return std::all_of(parts.begin(), parts.end(), [&](std::string& part) { return io.text(part); });
}

template <class Io>
bool fields(Io& io, DicomFacts& f) {
  return io.text(f.transfer_syntax) && io.text(f.sop_class) && io.text(f.sop_instance) && io.text(f.study) &&
         io.text(f.series) && io.text(f.frame_of_reference) && io.text(f.modality) && image_type(io, f.image_type) &&
         io.text(f.photometric) && io.text(f.patient_position) && io.text(f.series_description) &&
         io.number(f.columns) && io.number(f.rows) && io.number(f.frames) && io.number(f.samples) &&
         io.number(f.bits_allocated) && io.number(f.bits_stored) && io.number(f.high_bit) && io.flag(f.is_signed) &&
         io.flag(f.lossy) && io.flag(f.burned_in_text) && optional_number(io, f.rescale_slope) &&
         optional_number(io, f.rescale_intercept) && optional_number(io, f.padding_value) &&
         optional_number(io, f.padding_limit) && optional_vector(io, f.position) &&
         optional_vector(io, f.row_direction) && optional_vector(io, f.column_direction) &&
         optional_number(io, f.row_spacing) && optional_number(io, f.column_spacing) && io.complete();
}

Status nonsense() {
  return error(ErrorId::E_SLICE_DECODE, "spinert-dicom sent an answer that makes no sense");
}

}  // namespace

uint32_t count_of_error_ids() {
  uint32_t count = 0;
#define ERROR(id, exit_code) ++count;
#include "kernels/base/error_ids.def"
#undef ERROR
  return count;
}

DicomLimits dicom_limits(uint64_t file_bytes) {
  const auto mebibytes = static_cast<int>(std::min(file_bytes, kMaxDicomFileBytes) >> 20);
  DicomLimits limits;
  limits.memory_bytes = (uint64_t{2} << 30) + 3 * std::min(file_bytes, kMaxDicomFileBytes);
  limits.cpu_seconds = kSlowdown * (4 + 2 * mebibytes);
  // A decoder does not wait for anything; a busy machine may give it a quarter of a core.
  limits.wall_seconds = 10 + 4 * limits.cpu_seconds;
  return limits;
}

std::string encode_facts(const DicomFacts& facts) {
  DicomFieldWriter writer;
  DicomFacts copy = facts;
  fields(writer, copy);
  return writer.take();
}

Result<DicomFacts> decode_facts(std::string_view bytes) {
  DicomFieldReader reader(bytes);
  DicomFacts facts;
  if (!fields(reader, facts)) return nonsense();
  return facts;
}

std::string encode_error(const Status& status) {
  DicomFieldWriter writer;
  if (const Status::Detail* detail = status.detail()) {
    for (std::string part : {detail->what, detail->expected, detail->got, detail->hint}) writer.text(part);
  }
  return writer.take();
}

Status decode_error(uint32_t id, std::string_view bytes) {
  DicomFieldReader reader(bytes);
  std::string what, expected, got, hint;
  if (id == 0 || id >= count_of_error_ids() || !reader.text(what) || !reader.text(expected) || !reader.text(got) ||
      !reader.text(hint) || !reader.complete()) {
    return nonsense();
  }
  return error(static_cast<ErrorId>(id), what).expected(expected, got).hint(hint);
}

}  // namespace spinert
