// picture.cpp - sniff, verify, decode, reduce to grey.
#include "diagnosis/images/picture.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <new>

#include "diagnosis/images/input_file.h"
#include "diagnosis/images/jpeg_verify.h"
#include "diagnosis/images/limits.h"
#include "diagnosis/images/png_verify.h"
#include "diagnosis/images/sniff.h"
#include "diagnosis/images/stb_decode.h"

namespace spinert {
namespace {

std::string sha256_hex(std::span<const uint8_t> bytes) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(bytes.data(), bytes.size(), digest.data());
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// The extension in ASCII lower case without its dot; empty if there is none.
std::string extension(std::string_view name) {
  name.remove_prefix(std::min(name.size(), name.find_last_of('/') + 1));  // npos + 1 is 0
  const size_t dot = name.find_last_of('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  std::string text(name.substr(dot + 1));
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

void warn_of_extension(std::string_view name, ContentKind kind, Picture& picture) {
  const std::string ending = extension(name);
  if (ending.empty()) return;
  const bool fits = kind == ContentKind::png
                        ? ending == "png"
                        : ending == "jpg" || ending == "jpeg" || ending == "jpe" || ending == "jfif";
  if (fits) return;
  picture.warnings.push_back("W_EXTENSION: content is " + std::string(kind == ContentKind::png ? "PNG" : "JPEG") +
                             ", the name ends in ." + ending);
}

Status check_smallest_side(uint32_t width, uint32_t height) {
  if (std::min(width, height) >= static_cast<uint32_t>(kMinPictureSide)) return {};
  return error(ErrorId::E_IMAGE_SIZE, "picture is too small")
      .expected("sides of at least " + std::to_string(kMinPictureSide),
                std::to_string(width) + " x " + std::to_string(height))
      .hint("Give the slice in its original size.");
}

// Copies the grey values out of interleaved samples, or says which pixel is not grey and opaque.
template <class Sample>
Status take_grey(const StbPixels& pixels, Picture& picture) {
  const auto* sample = static_cast<const Sample*>(pixels.samples.get());
  const auto channels = static_cast<size_t>(pixels.channels);
  const bool colour = channels >= 3, alpha = channels == 2 || channels == 4;
  // Alpha of any value below full would let something else shine through: there is no background to show.
  constexpr Sample kOpaque = static_cast<Sample>(~Sample{0});
  picture.value.resize(static_cast<size_t>(pixels.width) * static_cast<size_t>(pixels.height));
  for (size_t i = 0; i < picture.value.size(); ++i, sample += channels) {
    const bool grey = !colour || (sample[0] == sample[1] && sample[0] == sample[2]);
    const bool opaque = !alpha || sample[channels - 1] == kOpaque;
    if (!grey || !opaque) {
      const size_t width = static_cast<size_t>(pixels.width);
      return error(ErrorId::E_IMAGE_COLOUR, grey ? "picture has transparent pixels" : "picture has colours",
                   "pixel x " + std::to_string(i % width) + ", y " + std::to_string(i / width))
          .hint("Export the slice in grey, without drawings or annotations.");
    }
    picture.value[i] = sample[0];
  }
  return {};
}

Result<Picture> decode_verified(std::span<const uint8_t> bytes, uint32_t width, uint32_t height, int bits,
                                ErrorId refused) {
  // After the verifier and before the decoder: a damaged file is called damaged even if it is tiny.
  SPINERT_TRY(check_smallest_side(width, height));
  // PN-06: the path is chosen by the stored depth, so no decoder ever narrows 16 bits to 8.
  SPINERT_ASSIGN(const StbPixels pixels, bits == 16 ? stb_decode16(bytes, refused) : stb_decode8(bytes, refused));
  if (static_cast<uint32_t>(pixels.width) != width || static_cast<uint32_t>(pixels.height) != height ||
      pixels.channels < 1 || pixels.channels > 4) {
    return error(ErrorId::E_INTERNAL, "decoder and verifier disagree about the picture size");
  }
  Picture picture;
  picture.width = pixels.width;
  picture.height = pixels.height;
  picture.bits = bits;
  SPINERT_TRY(bits == 16 ? take_grey<uint16_t>(pixels, picture) : take_grey<uint8_t>(pixels, picture));
  return picture;
}

Result<Picture> decode(std::span<const uint8_t> bytes, std::string_view name) {
  // The name plays no part in what is read; it is compared at the end, for the warning only.
  const Content content = sniff(bytes);
  Picture picture;
  switch (content.kind) {
    case ContentKind::png: {
      SPINERT_ASSIGN(const PngInfo info, verify_png(bytes));
      SPINERT_ASSIGN(picture,
                     decode_verified(bytes, info.width, info.height, info.bit_depth == 16 ? 16 : 8, ErrorId::E_PNG));
      break;
    }
    case ContentKind::jpeg: {
      SPINERT_ASSIGN(const JpegInfo info, verify_jpeg(bytes));
      SPINERT_ASSIGN(picture, decode_verified(bytes, info.width, info.height, 8, ErrorId::E_JPEG));
      picture.lossy = true;
      picture.warnings.push_back("W_LOSSY: lossy input (JPEG); small damage inside the file cannot be seen");
      break;
    }
    case ContentKind::dicom:
    case ContentKind::nifti:
    case ContentKind::other_picture:
    case ContentKind::gzip:
    case ContentKind::zip:
    case ContentKind::unknown: {
      const bool picture_of_other_kind =
          content.kind != ContentKind::unknown && content.kind != ContentKind::gzip && content.kind != ContentKind::zip;
      return error(picture_of_other_kind ? ErrorId::E_IMAGE_FORMAT : ErrorId::E_IMAGE_UNKNOWN,
                   std::string(picture_of_other_kind ? "picture format is not read: looks like "
                                                     : "not a picture: looks like ") +
                       std::string(content.name))
          .hint(std::string(content.hint));
    }
  }
  warn_of_extension(name, content.kind, picture);
  // Of the bytes that were decoded, not of a second reading of the file.
  picture.sha256 = sha256_hex(bytes);
  return picture;
}

}  // namespace

Result<Picture> decode_picture(std::span<const uint8_t> bytes, std::string_view name) {
  try {
    Result<Picture> picture = decode(bytes, name);
    if (!picture.ok()) return picture.status().at(name);
    return picture;
  } catch (const std::bad_alloc&) {
    return error(ErrorId::E_OOM_HOST, "no memory to decode the picture", std::string(name));
  }
}

Result<Picture> read_picture(const std::string& path) {
  SPINERT_ASSIGN(const std::vector<uint8_t> bytes, read_input_file(path, kMaxPictureFileBytes));
  return decode_picture(bytes, path);
}

std::vector<float> to_grey(const Picture& picture, const std::optional<HuWindow>& window) {
  std::vector<float> grey(picture.value.size());
  if (window) {
    const double low = window->level - window->width / 2;
    for (size_t i = 0; i < grey.size(); ++i) {
      const double hu = picture.value[i] - window->offset;
      // nearbyint rounds half to even: the default rounding mode, which nothing here changes.
      const double rounded = std::nearbyint((hu - low) / window->width * 255);
      grey[i] = static_cast<float>(std::clamp(rounded, 0.0, 255.0));
    }
  } else if (picture.bits == 16) {
    // v * 255 is below 2^24 and so exact; the division is the only rounding.
    for (size_t i = 0; i < grey.size(); ++i) grey[i] = static_cast<float>(picture.value[i]) * 255.0f / 65535.0f;
  } else {
    for (size_t i = 0; i < grey.size(); ++i) grey[i] = picture.value[i];
  }
  return grey;
}

}  // namespace spinert
