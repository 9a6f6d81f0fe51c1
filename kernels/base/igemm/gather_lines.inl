// gather_lines.inl - the gathered block of A. Included inside an unnamed namespace by the file of an engine.
//
// Copies lines [q_begin, q_end) of `count` rows from row `first` on to block, as [tile][line][row of tile][64 bytes]:
// the order in which a tile of kTileRows rows reads them. Taps outside the image are the code of 0, the rest of a tap's
// last line and rows beyond count are zero.
//
// Where a row stands is worked out once per tile, not per tap, and a tap is copied for all rows of a tile before the
// next one: on 64 channels of bf16 that made the copies several times as fast as divisions per row and tap.
#pragma once

// The place of a row's first tap, which may lie outside: in bytes of x, and as pixel.
struct GatheredRow {
  int64_t at, y, x;
};

// The rows [m, m + count), one after the other through the images.
inline void gathered_rows(const IgemmCall& p, int64_t m, int64_t count, GatheredRow* rows) {
  const int64_t pixel = p.pixel_bytes();
  int64_t ox = m % p.out_w, oy = m / p.out_w % p.out_h, n = m / (p.out_w * p.out_h);
  for (int64_t r = 0; r < count; ++r) {
    const int64_t y = oy * p.stride - p.padding, x = ox * p.stride - p.padding;
    rows[r] = {((n * p.in_h + y) * p.in_w + x) * pixel, y, x};
    if (++ox < p.out_w) continue;
    ox = 0;
    if (++oy < p.out_h) continue;
    oy = 0;
    ++n;
  }
}

template <int64_t kTileRows>
void gather_lines(const IgemmCall& p, int64_t first, int64_t count, int64_t q_begin, int64_t q_end, void* block) {
  constexpr int64_t kTileLine = kTileRows * kLineBytes;  // bytes from one line of a row to its next
  const int64_t per_tap = p.lines_per_tap(), pixel = p.pixel_bytes();
  const int outside = p.x.dtype == DType::u8 ? p.x.quantisation.zero : 0;
  auto* tile = static_cast<unsigned char*>(block);
  for (int64_t t = 0; t < count; t += kTileRows) {
    GatheredRow rows[kTileRows];
    const int64_t present = std::min(kTileRows, count - t);
    gathered_rows(p, first + t, present, rows);
    for (int64_t q = q_begin; q < q_end;) {
      const int64_t tap = q / per_tap, q_stop = std::min(q_end, (tap + 1) * per_tap);
      const int64_t dy = tap / p.kernel_w * p.dilation, dx = tap % p.kernel_w * p.dilation;
      const int64_t offset = q % per_tap * kLineBytes, from_at = (dy * p.in_w + dx) * pixel + offset;
      const int64_t whole = std::min(q_stop - q, (pixel - offset) / kLineBytes), rest = (pixel - offset) % kLineBytes;
      for (int64_t r = 0; r < kTileRows; ++r) {
        unsigned char* to = tile + r * kLineBytes;
        if (r >= present) {
          for (int64_t i = q; i < q_stop; ++i, to += kTileLine) std::memset(to, 0, kLineBytes);
          continue;
        }
        const auto y = static_cast<uint64_t>(rows[r].y + dy), x = static_cast<uint64_t>(rows[r].x + dx);
        if (y >= static_cast<uint64_t>(p.in_h) || x >= static_cast<uint64_t>(p.in_w)) {
          for (int64_t i = q; i < q_stop; ++i, to += kTileLine) std::memset(to, outside, kLineBytes);
          continue;
        }
        const unsigned char* from = p.x.as<const unsigned char>() + (rows[r].at + from_at);
        for (int64_t i = 0; i < whole; ++i, to += kTileLine, from += kLineBytes) std::memcpy(to, from, kLineBytes);
        if (whole == q_stop - q) continue;
        std::memcpy(to, from, static_cast<size_t>(rest));
        std::memset(to + rest, 0, static_cast<size_t>(kLineBytes - rest));
      }
      tile += (q_stop - q) * kTileLine;
      q = q_stop;
    }
  }
}
