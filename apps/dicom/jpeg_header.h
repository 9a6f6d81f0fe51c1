// jpeg_header.h - what a JPEG or JPEG-LS code stream says about itself, read before a decoder sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace spinert {

struct JpegHeader {
  int precision = 0;  // bits per value
  int rows = 0, columns = 0, components = 0;
};

// The first frame header (SOFn), or nothing if the markers do not lead to one.
std::optional<JpegHeader> read_jpeg_header(std::span<const uint8_t> stream);

}  // namespace spinert
