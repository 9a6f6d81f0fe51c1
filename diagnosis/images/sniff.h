// sniff.h - says what a file is by its first bytes. The name of the file is never asked.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace spinert {

enum class ContentKind : unsigned char {
  png,
  jpeg,
  dicom,          // diagnosis/studies/ reads it; as a single picture E_IMAGE_FORMAT
  nifti,          // the same
  other_picture,  // a picture in a format that is not read: E_IMAGE_FORMAT
  gzip,           // E_IMAGE_UNKNOWN; a NIfTI volume if the name says so
  zip,            // the same; as an examination its DICOM files are read
  unknown,        // anything else: E_IMAGE_UNKNOWN
};

struct Content {
  ContentKind kind = ContentKind::unknown;
  std::string_view name;  // as in "looks like <name>"
  std::string_view hint;  // what to do about it; empty for PNG and JPEG
};

// A prefix of the PNG signature counts as PNG, so that a file cut after three bytes is called a damaged PNG.
Content sniff(std::span<const uint8_t> bytes);

}  // namespace spinert
