// jpeg2000.cpp - OpenJPEG reads from memory; its handles are released by their owners.
#include "apps/dicom/jpeg2000.h"

#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace spinert {
namespace {

constexpr int kMaxPrecision = 31;  // of a value that fits in int32_t with either sign

constexpr OPJ_SIZE_T kStreamBuffer = 1 << 16;

struct Source {
  std::span<const uint8_t> bytes;
  size_t at = 0;
};

constexpr auto kEnd = static_cast<OPJ_SIZE_T>(-1);

OPJ_SIZE_T read_source(void* to, OPJ_SIZE_T wanted, void* user) {
  auto& source = *static_cast<Source*>(user);
  const size_t count = std::min<size_t>(wanted, source.bytes.size() - source.at);
  if (count == 0) return kEnd;
  std::memcpy(to, source.bytes.data() + source.at, count);
  source.at += count;
  return count;
}

OPJ_OFF_T skip_source(OPJ_OFF_T wanted, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (wanted < 0) return -1;
  const size_t count = std::min(static_cast<size_t>(wanted), source.bytes.size() - source.at);
  if (count == 0 && wanted > 0) return -1;
  source.at += count;
  return static_cast<OPJ_OFF_T>(count);
}

OPJ_BOOL seek_source(OPJ_OFF_T to, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (to < 0 || static_cast<uint64_t>(to) > source.bytes.size()) return OPJ_FALSE;
  source.at = static_cast<size_t>(to);
  return OPJ_TRUE;
}

// Keeps the first warning or error of the decoder.
void keep_message(const char* message, void* user) {
  auto& kept = *static_cast<std::string*>(user);
  if (kept.empty()) kept = message;
  while (!kept.empty() && (kept.back() == '\n' || kept.back() == ' ')) kept.pop_back();
}
void drop_message(const char*, void*) {}

template <auto release>
struct Release {
  template <class Handle>
  void operator()(Handle* handle) const {
    release(handle);
  }
};
using Codec = std::unique_ptr<opj_codec_t, Release<opj_destroy_codec>>;
using Stream = std::unique_ptr<opj_stream_t, Release<opj_stream_destroy>>;
using Image = std::unique_ptr<opj_image_t, Release<opj_image_destroy>>;

Status refused(const std::string& message) {
  return error(ErrorId::E_SLICE_DECODE,
               "JPEG 2000 decoder: " + (message.empty() ? std::string("refused the code stream") : message))
      .hint("Copy or export the file again.");
}

bool is_jp2(std::span<const uint8_t> stream) {
  constexpr uint8_t kSignature[] = {0, 0, 0, 12, 'j', 'P', ' ', ' '};
  return stream.size() >= sizeof kSignature && std::equal(std::begin(kSignature), std::end(kSignature), stream.begin());
}

Status check_header(const opj_image_t& image, int rows, int columns) {
  if (image.numcomps != 1) {
    return error(ErrorId::E_IMAGE_COLOUR, "JPEG 2000 code stream with several components")
        .expected("1", std::to_string(image.numcomps));
  }
  const opj_image_comp_t& component = image.comps[0];
  if (component.w != static_cast<OPJ_UINT32>(columns) || component.h != static_cast<OPJ_UINT32>(rows)) {
    return error(ErrorId::E_DICOM_DIM, "JPEG 2000 code stream of another size than Rows x Columns")
        .expected(std::to_string(rows) + " x " + std::to_string(columns),
                  std::to_string(component.h) + " x " + std::to_string(component.w));
  }
  if (component.prec < 1 || component.prec > kMaxPrecision) {
    return error(ErrorId::E_DICOM_VALUE, "JPEG 2000 precision out of range")
        .expected("1.." + std::to_string(kMaxPrecision), std::to_string(component.prec));
  }
  return {};
}

}  // namespace

Result<Jpeg2000Picture> decode_jpeg2000(std::span<const uint8_t> bytes, int rows, int columns) {
  Source source{bytes};
  const Stream stream(opj_stream_create(kStreamBuffer, OPJ_TRUE));
  const Codec codec(opj_create_decompress(is_jp2(bytes) ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K));
  if (!stream || !codec) return refused("no memory");
  opj_stream_set_read_function(stream.get(), read_source);
  opj_stream_set_skip_function(stream.get(), skip_source);
  opj_stream_set_seek_function(stream.get(), seek_source);
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), bytes.size());

  std::string message;
  opj_set_error_handler(codec.get(), keep_message, &message);
  opj_set_warning_handler(codec.get(), keep_message, &message);
  opj_set_info_handler(codec.get(), drop_message, nullptr);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (!opj_setup_decoder(codec.get(), &parameters)) return refused(message);

  opj_image_t* raw = nullptr;
  const bool header = opj_read_header(stream.get(), codec.get(), &raw);
  const Image image(raw);
  if (!header || !image) return refused(message);
  SPINERT_TRY(check_header(*image, rows, columns));
  if (!opj_decode(codec.get(), stream.get(), image.get()) || !opj_end_decompress(codec.get(), stream.get()) ||
      !message.empty()) {
    return refused(message);
  }
  SPINERT_TRY(check_header(*image, rows, columns));
  const opj_image_comp_t& component = image->comps[0];
  if (component.data == nullptr) return refused("no values");
  Jpeg2000Picture picture;
  picture.precision = static_cast<int>(component.prec);
  picture.is_signed = component.sgnd != 0;
  picture.values.assign(component.data, component.data + static_cast<size_t>(rows) * static_cast<size_t>(columns));
  return picture;
}

std::string openjpeg_version() {
  return opj_version();
}

}  // namespace spinert
