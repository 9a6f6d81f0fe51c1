// jpeg_header.cpp - walks the markers of ITU-T T.81 (and T.87, which shares them) up to the frame header.
#include "apps/dicom/jpeg_header.h"

namespace spinert {
namespace {

constexpr int kStartOfImage = 0xD8, kEndOfImage = 0xD9, kStartOfScan = 0xDA;
constexpr int kFrameJpegLs = 0xF7;

// C0 to CF without C4 (Huffman tables), C8 (reserved) and CC (arithmetic conditioning).
bool is_frame_header(int marker) {
  return marker == kFrameJpegLs ||
         (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC);
}

}  // namespace

std::optional<JpegHeader> read_jpeg_header(std::span<const uint8_t> stream) {
  const auto u16 = [&](size_t at) { return stream[at] << 8 | stream[at + 1]; };
  if (stream.size() < 4 || stream[0] != 0xFF || stream[1] != kStartOfImage) return {};
  size_t at = 2;
  while (at < stream.size() && stream.size() - at >= 4) {
    if (stream[at] != 0xFF) return {};
    const int marker = stream[at + 1];
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    if (marker == kEndOfImage || marker == kStartOfScan) return {};
    const auto length = static_cast<size_t>(u16(at + 2));
    if (length < 2 || length > stream.size() - at - 2) return {};
    if (is_frame_header(marker)) {
      if (length < 8) return {};
      return JpegHeader{stream[at + 4], u16(at + 5), u16(at + 7), stream[at + 9]};
    }
    at += 2 + length;
  }
  return {};
}

}  // namespace spinert
