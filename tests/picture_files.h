// picture_files.h - test helper: builds PNG and JPEG files byte by byte, right ones and wrong ones. It shares no code
// with the readers and writers under test, so an error in those cannot hide here.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

namespace spinert::test {

using Bytes = std::vector<uint8_t>;

inline void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}
inline void put(Bytes& to, uint32_t value, int count) {
  for (int i = count - 1; i >= 0; --i) to.push_back(static_cast<uint8_t>(value >> (8 * i)));
}
inline Bytes bytes_of(const std::string& text) {
  return Bytes(text.begin(), text.end());
}

// ---- PNG -----------------------------------------------------------------------------------------------------------

struct PngSpec {
  uint32_t width = 64, height = 64;
  int depth = 8, colour = 0;  // colour type of IHDR
  bool interlaced = false;
  int filter = 0;  // 0: none on every row; otherwise types 1 to 4 in turn
  std::function<uint32_t(uint32_t x, uint32_t y, int channel)> sample = [](uint32_t, uint32_t, int) { return 0u; };
};

struct PngChunk {
  std::string type;
  Bytes data;
};

inline int png_channels(int colour) {
  return colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1;
}

inline Bytes deflated(const Bytes& raw) {
  uLongf size = compressBound(static_cast<uLong>(raw.size()));
  Bytes packed(size);
  compress2(packed.data(), &size, raw.data(), static_cast<uLong>(raw.size()), 9);
  packed.resize(size);
  return packed;
}

inline PngChunk png_header(const PngSpec& spec) {
  PngChunk chunk{"IHDR", {}};
  put(chunk.data, spec.width, 4);
  put(chunk.data, spec.height, 4);
  append(chunk.data, {static_cast<uint8_t>(spec.depth), static_cast<uint8_t>(spec.colour), 0, 0,
                      static_cast<uint8_t>(spec.interlaced ? 1 : 0)});
  return chunk;
}

// The filtered scan lines: what a decoder must find inside IDAT.
inline Bytes png_lines(const PngSpec& spec) {
  static constexpr uint32_t kPasses[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                             {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  const int channels = png_channels(spec.colour);
  const size_t back = static_cast<size_t>(std::max(1, channels * spec.depth / 8));
  Bytes lines;
  for (int pass = 0; pass < (spec.interlaced ? 7 : 1); ++pass) {
    const uint32_t x0 = spec.interlaced ? kPasses[pass][0] : 0, y0 = spec.interlaced ? kPasses[pass][1] : 0;
    const uint32_t dx = spec.interlaced ? kPasses[pass][2] : 1, dy = spec.interlaced ? kPasses[pass][3] : 1;
    if (x0 >= spec.width) continue;
    Bytes previous;
    int row_number = 0;
    for (uint32_t y = y0; y < spec.height; y += dy, ++row_number) {
      Bytes row;
      uint32_t window = 0;
      int bits = 0;
      for (uint32_t x = x0; x < spec.width; x += dx) {
        for (int c = 0; c < channels; ++c) {
          const uint32_t value = spec.sample(x, y, c);
          if (spec.depth >= 8) {
            put(row, value, spec.depth / 8);
            continue;
          }
          for (int bit = spec.depth - 1; bit >= 0; --bit) {
            window = window << 1 | (value >> bit & 1);
            if (++bits == 8) {
              row.push_back(static_cast<uint8_t>(window));
              window = 0;
              bits = 0;
            }
          }
        }
      }
      if (bits != 0) row.push_back(static_cast<uint8_t>(window << (8 - bits)));
      const int filter = spec.filter == 0 ? 0 : 1 + row_number % 4;
      lines.push_back(static_cast<uint8_t>(filter));
      for (size_t i = 0; i < row.size(); ++i) {
        const int left = i >= back ? row[i - back] : 0, up = previous.empty() ? 0 : previous[i];
        const int corner = i >= back && !previous.empty() ? previous[i - back] : 0;
        int guess = 0;
        if (filter == 1) guess = left;
        if (filter == 2) guess = up;
        if (filter == 3) guess = (left + up) / 2;
        if (filter == 4) {
          const int p = left + up - corner;
          const int a = std::abs(p - left), b = std::abs(p - up), c = std::abs(p - corner);
          guess = a <= b && a <= c ? left : b <= c ? up : corner;
        }
        lines.push_back(static_cast<uint8_t>(row[i] - guess));
      }
      previous = row;
    }
  }
  return lines;
}

inline Bytes png_file(const std::vector<PngChunk>& chunks) {
  Bytes file = {0x89, 'P', 'N', 'G', 13, 10, 26, 10};
  for (const PngChunk& chunk : chunks) {
    put(file, static_cast<uint32_t>(chunk.data.size()), 4);
    Bytes body = bytes_of(chunk.type);
    append(body, chunk.data);
    append(file, body);
    put(file, static_cast<uint32_t>(crc32(0, body.data(), static_cast<uInt>(body.size()))), 4);
  }
  return file;
}

inline std::vector<PngChunk> png_chunks(const PngSpec& spec) {
  return {png_header(spec), {"IDAT", deflated(png_lines(spec))}, {"IEND", {}}};
}
inline Bytes png_file(const PngSpec& spec) {
  return png_file(png_chunks(spec));
}
// Header, then `between`, then IDAT with these scan lines.
inline Bytes png_file(const PngSpec& spec, const std::vector<PngChunk>& between, const Bytes& idat) {
  std::vector<PngChunk> chunks = {png_header(spec)};
  chunks.insert(chunks.end(), between.begin(), between.end());
  chunks.push_back({"IDAT", idat});
  chunks.push_back({"IEND", {}});
  return png_file(chunks);
}

// ---- JPEG ----------------------------------------------------------------------------------------------------------

struct JpegSpec {
  uint32_t width = 64, height = 64;
  int components = 1;
  int luma_sampling = 1;  // 2: chroma planes of half size (4:2:0)
  uint32_t restart_interval = 0;
  bool separate_scans = false;
  uint8_t step = 1;  // of every quantiser
  std::function<double(uint32_t x, uint32_t y, int component)> sample = [](uint32_t, uint32_t, int) { return 128.0; };
};

// One segment: marker, length, body.
inline void jpeg_segment(Bytes& file, int marker, const Bytes& body) {
  append(file, {0xff, static_cast<uint8_t>(marker)});
  put(file, static_cast<uint32_t>(body.size() + 2), 2);
  append(file, body);
}

// Huffman codes of one length each: DC sizes 0 to 11 in 4 bits, AC symbols in 8. Not short, but plain.
struct JpegCodes {
  std::vector<uint8_t> dc, ac;
  JpegCodes() {
    for (int s = 0; s <= 11; ++s) dc.push_back(static_cast<uint8_t>(s));
    ac = {0x00, 0xf0};
    for (int run = 0; run < 16; ++run) {
      for (int size = 1; size <= 10; ++size) ac.push_back(static_cast<uint8_t>(run << 4 | size));
    }
  }
  Bytes dht(bool is_ac) const {
    const auto& symbols = is_ac ? ac : dc;
    Bytes body(17);
    body[0] = is_ac ? 0x10 : 0x00;
    body[is_ac ? 8 : 4] = static_cast<uint8_t>(symbols.size());
    append(body, symbols);
    return body;
  }
};

class JpegBits {
 public:
  explicit JpegBits(Bytes& to) : to_(to) {}
  void put_bits(uint32_t value, int count) {
    for (int i = count - 1; i >= 0; --i) {
      window_ = static_cast<uint8_t>(window_ << 1 | (value >> i & 1));
      if (++bits_ == 8) flush_byte();
    }
  }
  void pad() {
    while (bits_ != 0) put_bits(1, 1);
  }

 private:
  void flush_byte() {
    to_.push_back(window_);
    if (window_ == 0xff) to_.push_back(0);
    window_ = 0;
    bits_ = 0;
  }
  Bytes& to_;
  uint8_t window_ = 0;
  int bits_ = 0;
};

class JpegEncoder {
 public:
  explicit JpegEncoder(const JpegSpec& spec) : spec_(spec) {}

  Bytes file() const {
    Bytes out = {0xff, 0xd8};
    jpeg_segment(out, 0xdb, dqt());
    jpeg_segment(out, 0xc0, frame());
    jpeg_segment(out, 0xc4, codes_.dht(false));
    jpeg_segment(out, 0xc4, codes_.dht(true));
    if (spec_.restart_interval != 0) {
      jpeg_segment(out, 0xdd,
                   {static_cast<uint8_t>(spec_.restart_interval >> 8), static_cast<uint8_t>(spec_.restart_interval)});
    }
    if (spec_.separate_scans) {
      for (int c = 0; c < spec_.components; ++c) scan(out, {c});
    } else {
      std::vector<int> all;
      for (int c = 0; c < spec_.components; ++c) all.push_back(c);
      scan(out, all);
    }
    append(out, {0xff, 0xd9});
    return out;
  }

 private:
  Bytes dqt() const {
    Bytes body(65, spec_.step);
    body[0] = 0;
    return body;
  }
  int sampling(int component) const { return component == 0 ? spec_.luma_sampling : 1; }
  Bytes frame() const {
    Bytes body = {8};
    put(body, spec_.height, 2);
    put(body, spec_.width, 2);
    body.push_back(static_cast<uint8_t>(spec_.components));
    for (int c = 0; c < spec_.components; ++c) {
      append(body, {static_cast<uint8_t>(c + 1), static_cast<uint8_t>(sampling(c) * 17), 0});
    }
    return body;
  }

  void scan(Bytes& out, const std::vector<int>& components) const {
    Bytes header = {static_cast<uint8_t>(components.size())};
    for (const int c : components) append(header, {static_cast<uint8_t>(c + 1), 0});
    append(header, {0, 63, 0});
    jpeg_segment(out, 0xda, header);

    const auto blocks = [](uint32_t pixels) { return (pixels + 7) / 8; };
    const uint32_t max = static_cast<uint32_t>(spec_.components == 1 ? 1 : spec_.luma_sampling);
    // One component: its own blocks. Several: MCUs of sampling x sampling blocks.
    const bool single = components.size() == 1;
    const uint32_t shrink = single ? max / static_cast<uint32_t>(sampling(components[0])) : max;
    const uint32_t across =
        single ? blocks((spec_.width + shrink - 1) / shrink) : (spec_.width + 8 * max - 1) / (8 * max);
    const uint32_t down =
        single ? blocks((spec_.height + shrink - 1) / shrink) : (spec_.height + 8 * max - 1) / (8 * max);
    JpegBits bits(out);
    std::vector<int> dc(3, 0);
    for (uint32_t mcu = 0; mcu < across * down; ++mcu) {
      if (spec_.restart_interval != 0 && mcu != 0 && mcu % spec_.restart_interval == 0) {
        bits.pad();
        append(out, {0xff, static_cast<uint8_t>(0xd0 + (mcu / spec_.restart_interval - 1) % 8)});
        std::fill(dc.begin(), dc.end(), 0);
      }
      for (const int c : components) {
        const uint32_t n = single ? 1 : static_cast<uint32_t>(sampling(c));
        for (uint32_t b = 0; b < n * n; ++b) {
          block(bits, c, mcu % across * n + b % n, mcu / across * n + b / n, dc[static_cast<size_t>(c)]);
        }
      }
    }
    bits.pad();
  }

  void block(JpegBits& bits, int component, uint32_t bx, uint32_t by, int& dc) const {
    const uint32_t step = static_cast<uint32_t>(spec_.luma_sampling / sampling(component));
    double pixel[8][8];
    for (uint32_t y = 0; y < 8; ++y) {
      for (uint32_t x = 0; x < 8; ++x) {
        const uint32_t sx = std::min((8 * bx + x) * step, spec_.width - 1);
        const uint32_t sy = std::min((8 * by + y) * step, spec_.height - 1);
        pixel[y][x] = spec_.sample(sx, sy, component) - 128;
      }
    }
    int previous_zeros = 0;
    for (int k = 0; k < 64; ++k) {
      const auto [u, v] = zigzag(k);
      const int value = static_cast<int>(std::lround(dct(pixel, u, v) / spec_.step));
      if (k == 0) {
        number(bits, value - dc, codes_.dc, 4, 0);
        dc = value;
      } else if (value == 0) {
        ++previous_zeros;
      } else {
        for (; previous_zeros > 15; previous_zeros -= 16) bits.put_bits(1, 8);  // code 1 of the AC table is 0xf0
        number(bits, value, codes_.ac, 8, previous_zeros);
        previous_zeros = 0;
      }
    }
    if (previous_zeros != 0) bits.put_bits(0, 8);
  }

  static double dct(const double (&pixel)[8][8], int u, int v) {
    double sum = 0;
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) {
        sum += pixel[y][x] * std::cos((2 * x + 1) * u * std::numbers::pi / 16) *
               std::cos((2 * y + 1) * v * std::numbers::pi / 16);
      }
    }
    const double root = 1 / std::numbers::sqrt2;
    return sum / 4 * (u == 0 ? root : 1) * (v == 0 ? root : 1);
  }

  // Column and row of the k-th coefficient: diagonals, up and down in turn.
  static std::pair<int, int> zigzag(int k) {
    int diagonal = 0;
    for (;; ++diagonal) {
      const int length = diagonal < 8 ? diagonal + 1 : 15 - diagonal;
      if (k < length) break;
      k -= length;
    }
    const int first = std::max(0, diagonal - 7);
    const int a = first + k, b = diagonal - a;
    return diagonal % 2 == 0 ? std::pair(a, b) : std::pair(b, a);
  }

  static void number(JpegBits& bits, int value, const std::vector<uint8_t>& symbols, int code_bits, int run) {
    int size = 0;
    while (std::abs(value) >> size != 0) ++size;
    const auto symbol = static_cast<uint8_t>(run << 4 | size);
    const auto code = std::find(symbols.begin(), symbols.end(), symbol) - symbols.begin();
    bits.put_bits(static_cast<uint32_t>(code), code_bits);
    bits.put_bits(static_cast<uint32_t>(value < 0 ? value + (1 << size) - 1 : value), size);
  }

  const JpegSpec& spec_;
  JpegCodes codes_;
};

inline Bytes jpeg_file(const JpegSpec& spec) {
  return JpegEncoder(spec).file();
}

// Position of the first segment with this marker; the file's size if there is none. Only for files made here.
inline size_t jpeg_find(const Bytes& file, int marker) {
  for (size_t i = 2; i + 3 < file.size() && file[i] == 0xff;
       i += 2 + static_cast<size_t>(file[i + 2] << 8 | file[i + 3])) {
    if (file[i + 1] == marker) return i;
    if (file[i + 1] == 0xda) break;
  }
  return file.size();
}

// ---- Small cases
// -----------------------------------------------------------------------------------------------------

inline uint32_t ramp(uint32_t x, uint32_t y, int) {
  return (3 * x + 5 * y) & 255;
}

inline PngSpec grey8(uint32_t width = 64, uint32_t height = 64) {
  PngSpec spec;
  spec.width = width;
  spec.height = height;
  spec.sample = ramp;
  return spec;
}

inline PngSpec png(int depth, int colour, std::function<uint32_t(uint32_t, uint32_t, int)> sample) {
  PngSpec spec;
  spec.depth = depth;
  spec.colour = colour;
  spec.sample = std::move(sample);
  return spec;
}

inline Bytes changed(Bytes file, size_t from_end, uint8_t mask) {
  file[file.size() - from_end] ^= mask;
  return file;
}

inline Bytes cut(const Bytes& file, size_t bytes) {
  return Bytes(file.begin(), file.begin() + static_cast<int64_t>(bytes));
}

inline Bytes extended(Bytes file, const Bytes& more) {
  append(file, more);
  return file;
}

// Palette of `entries` grey values i * scale.
inline PngChunk grey_palette(int entries, int scale) {
  PngChunk chunk{"PLTE", {}};
  for (int i = 0; i < entries; ++i) append(chunk.data, Bytes(3, static_cast<uint8_t>(i * scale)));
  return chunk;
}

inline Bytes with_chunks(const PngSpec& spec, const std::vector<PngChunk>& between) {
  return png_file(spec, between, deflated(png_lines(spec)));
}

inline JpegSpec jpeg(uint32_t width = 64, uint32_t height = 64) {
  JpegSpec spec;
  spec.width = width;
  spec.height = height;
  spec.sample = [](uint32_t x, uint32_t y, int) { return 40.0 + 1.5 * x + 0.75 * y; };
  return spec;
}

}  // namespace spinert::test
