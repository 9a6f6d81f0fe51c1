// png_scanlines.h - follows the decompressed bytes of a PNG scan line by scan line, without keeping the picture.
// It checks what the decoder behind it does not: the exact length (PN-03), the filter types, and that every palette
// index is inside the palette (PN-04). Memory: two scan lines.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

struct PngInfo {
  uint32_t width = 0, height = 0;
  int bit_depth = 0;  // of a sample as stored: 1, 2, 4, 8, 16
  int colour_type = 0;
  bool interlaced = false;
};

enum PngColourType : int { kPngGrey = 0, kPngRgb = 2, kPngPalette = 3, kPngGreyAlpha = 4, kPngRgba = 6 };

class PngScanlines {
 public:
  // `info` has passed the IHDR checks. palette_entries counts only for palette pictures.
  PngScanlines(const PngInfo& info, uint32_t palette_entries);

  // Takes the next decompressed bytes. Fails at the first byte that the header does not ask for.
  Status consume(std::span<const uint8_t> bytes);
  // Fails if bytes are missing.
  Status finish() const;
  uint64_t expected_bytes() const { return expected_bytes_; }

 private:
  struct Pass {
    uint64_t row_bytes;  // without the filter byte
    uint32_t width, rows;
  };
  Status end_row();
  void undo_filter();

  PngInfo info_;
  uint32_t palette_entries_;
  std::vector<Pass> passes_;  // one, or up to seven when interlaced; empty passes are left out
  uint64_t expected_bytes_ = 0, seen_bytes_ = 0;
  size_t pass_ = 0;
  uint32_t row_ = 0;
  uint64_t row_position_ = 0;  // bytes of the row taken, the filter byte not counted
  bool at_filter_byte_ = true;
  int filter_ = 0;
  std::vector<uint8_t> line_, previous_;  // palette pictures only
};

}  // namespace spinert
