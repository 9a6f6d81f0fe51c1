// gather_lines.inl - the gathered block of A. Included inside an unnamed namespace by the file of an engine.
//
// Copies lines [q_begin, q_end) of `count` rows from row `first` on to block, as [tile][line][row of tile][64 bytes]:
// the order in which a tile of kTileRows rows reads them. Taps outside the image are the code of 0, the rest of a tap's
// last line and rows beyond count are zero.
#pragma once

template <int64_t kTileRows>
void gather_lines(const IgemmCall& p, int64_t first, int64_t count, int64_t q_begin, int64_t q_end, void* block) {
  constexpr int64_t kTileLine = kTileRows * kLineBytes;  // bytes from one line of a row to its next
  const int64_t per_tap = p.lines_per_tap(), pixel = p.pixel_bytes();
  const int outside = p.x.dtype == DType::u8 ? p.x.quantisation.zero : 0;
  for (int64_t r = 0; r < divide_up(count, kTileRows) * kTileRows; ++r) {
    auto* to = static_cast<unsigned char*>(block) + r / kTileRows * kTileLine * (q_end - q_begin);
    to += r % kTileRows * kLineBytes;
    if (r >= count) {
      for (int64_t q = q_begin; q < q_end; ++q, to += kTileLine) std::memset(to, 0, kLineBytes);
      continue;
    }
    const int64_t m = first + r, ox = m % p.out_w, oy = m / p.out_w % p.out_h, n = m / (p.out_w * p.out_h);
    const auto* image = static_cast<const unsigned char*>(p.x.data) + n * p.in_h * p.in_w * pixel;
    for (int64_t q = q_begin; q < q_end;) {
      const int64_t tap = q / per_tap, offset = q % per_tap * kLineBytes, q_stop = std::min(q_end, (tap + 1) * per_tap);
      const int64_t y = oy * p.stride + tap / p.kernel_w * p.dilation - p.padding;
      const int64_t x = ox * p.stride + tap % p.kernel_w * p.dilation - p.padding;
      if (y < 0 || y >= p.in_h || x < 0 || x >= p.in_w) {
        for (; q < q_stop; ++q, to += kTileLine) std::memset(to, outside, kLineBytes);
        continue;
      }
      const unsigned char* from = image + (y * p.in_w + x) * pixel + offset;
      int64_t left = pixel - offset;
      for (; q < q_stop; ++q, to += kTileLine, from += kLineBytes, left -= kLineBytes) {
        if (left >= kLineBytes) {
          std::memcpy(to, from, kLineBytes);
        } else {
          std::memcpy(to, from, static_cast<size_t>(left));
          std::memset(to + left, 0, static_cast<size_t>(kLineBytes - left));
        }
      }
    }
  }
}
