// png_scanlines.cpp - row sizes (Adam7 included), filter undoing for palette rows, index check.
#include "diagnosis/images/png_scanlines.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

namespace spinert {
namespace {

// First pixel and distance between pixels of each interlace pass, in the order of the file.
struct Adam7Pass {
  uint32_t x, y, step_x, step_y;
};
constexpr Adam7Pass kAdam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
constexpr Adam7Pass kWhole[] = {{0, 0, 1, 1}};

constexpr int kMaxFilter = 4;

int channels(int colour_type) {
  switch (colour_type) {
    case kPngRgb: return 3;
    case kPngGreyAlpha: return 2;
    case kPngRgba: return 4;
    default: return 1;
  }
}

uint32_t count_from(uint32_t size, uint32_t first, uint32_t step) {
  return size <= first ? 0 : (size - first + step - 1) / step;
}

// The predictor of filter 4: whichever neighbour is nearest to left + up - corner, ties in that order.
uint8_t paeth(int left, int up, int corner) {
  const int estimate = left + up - corner;
  const int d_left = std::abs(estimate - left), d_up = std::abs(estimate - up), d_corner = std::abs(estimate - corner);
  if (d_left <= d_up && d_left <= d_corner) return static_cast<uint8_t>(left);
  return static_cast<uint8_t>(d_up <= d_corner ? up : corner);
}

}  // namespace

PngScanlines::PngScanlines(const PngInfo& info, uint32_t palette_entries)
    : info_(info), palette_entries_(palette_entries) {
  const auto bits = static_cast<uint64_t>(channels(info.colour_type) * info.bit_depth);
  for (const Adam7Pass& p : info.interlaced ? std::span<const Adam7Pass>(kAdam7) : std::span<const Adam7Pass>(kWhole)) {
    const uint32_t width = count_from(info.width, p.x, p.step_x), rows = count_from(info.height, p.y, p.step_y);
    if (width == 0 || rows == 0) continue;  // such a pass has no filter bytes either
    // Sides are at most 8192 and a pixel at most 64 bits, so nothing here can overflow 64 bits.
    const uint64_t row_bytes = (width * bits + 7) / 8;
    passes_.push_back({row_bytes, width, rows});
    expected_bytes_ += (row_bytes + 1) * rows;
  }
}

Status PngScanlines::consume(std::span<const uint8_t> bytes) {
  seen_bytes_ += bytes.size();
  while (!bytes.empty()) {
    if (pass_ == passes_.size()) {
      return error(ErrorId::E_PNG, "PN-03: picture data is longer than the header demands")
          .expected(std::to_string(expected_bytes_) + " bytes", "at least " + std::to_string(seen_bytes_));
    }
    // Bytes arrive in pieces of any length, so the state is: which pass, which row, how far in it.
    const Pass& pass = passes_[pass_];
    if (at_filter_byte_) {
      filter_ = bytes[0];
      if (filter_ > kMaxFilter) {
        return error(ErrorId::E_PNG, "PN-03: unknown filter type", "row " + std::to_string(row_))
            .expected("0 to 4", std::to_string(filter_));
      }
      bytes = bytes.subspan(1);
      at_filter_byte_ = false;
      row_position_ = 0;
      // Rows of a new pass have another length, and its first row has no row above it.
      if (info_.colour_type == kPngPalette) {
        line_.resize(pass.row_bytes);
        if (row_ == 0) previous_.assign(pass.row_bytes, 0);
      }
      continue;
    }
    const size_t take = std::min<size_t>(bytes.size(), pass.row_bytes - row_position_);
    if (info_.colour_type == kPngPalette) std::copy_n(bytes.begin(), take, line_.begin() + row_position_);
    bytes = bytes.subspan(take);
    row_position_ += take;
    if (row_position_ == pass.row_bytes) SPINERT_TRY(end_row());
  }
  return {};
}

Status PngScanlines::finish() const {
  if (seen_bytes_ == expected_bytes_) return {};
  return error(ErrorId::E_PNG, "PN-03: picture data is shorter than the header demands")
      .expected(std::to_string(expected_bytes_) + " bytes", std::to_string(seen_bytes_));
}

Status PngScanlines::end_row() {
  const Pass& pass = passes_[pass_];
  if (info_.colour_type == kPngPalette) {
    undo_filter();
    const auto depth = static_cast<uint32_t>(info_.bit_depth);
    // Only pixels count: the bits that fill up the last byte of a row may be anything.
    const uint32_t mask = (1u << depth) - 1;
    for (uint32_t x = 0; x < pass.width; ++x) {
      const uint32_t bit = x * depth;
      const uint32_t index = (line_[bit / 8] >> (8 - depth - bit % 8)) & mask;
      if (index >= palette_entries_) {
        return error(ErrorId::E_PNG, "PN-04: palette index out of range", "row " + std::to_string(row_))
            .expected("below " + std::to_string(palette_entries_), std::to_string(index));
      }
    }
    std::swap(line_, previous_);
  }
  at_filter_byte_ = true;
  if (++row_ == pass.rows) {
    row_ = 0;
    ++pass_;
  }
  return {};
}

// A palette pixel is at most one byte, so the byte to the left is always one back.
void PngScanlines::undo_filter() {
  uint8_t left = 0, corner = 0;
  for (size_t i = 0; i < line_.size(); ++i) {
    const uint8_t up = previous_[i];
    int add = 0;
    switch (filter_) {
      case 1: add = left; break;
      case 2: add = up; break;
      case 3: add = (left + up) / 2; break;
      case 4: add = paeth(left, up, corner); break;
      default: break;
    }
    line_[i] = static_cast<uint8_t>(line_[i] + add);
    left = line_[i];
    corner = up;
  }
}

}  // namespace spinert
