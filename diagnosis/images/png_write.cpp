// png_write.cpp - filter, deflate, chunks.
#include "diagnosis/images/png_write.h"

#include <zlib.h>

#include <algorithm>
#include <new>
#include <string_view>

namespace spinert {
namespace {

// On previews of slices (5 of ../shared/phantom) level 6 takes 65 ms for 288 KB, 3 takes 21 ms for 289 KB and 1 takes
// 14 ms for 318 KB: beyond 3 the longer search finds nothing in a picture filtered by "up".
constexpr int kDeflateLevel = 3;
// "Up" on every row: close to the best single filter on smooth CT slices, and without a choice per row that would have
// to be kept stable.
constexpr uint8_t kFilterUp = 2;
constexpr uint8_t kGrey = 0, kRgb = 2;

void put32(std::vector<uint8_t>& to, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<uint8_t>(value >> shift));
}

void put_chunk(std::vector<uint8_t>& to, std::string_view type, std::span<const uint8_t> data) {
  put32(to, static_cast<uint32_t>(data.size()));
  const size_t begin = to.size();
  to.insert(to.end(), type.begin(), type.end());
  to.insert(to.end(), data.begin(), data.end());
  put32(to, static_cast<uint32_t>(crc32_z(0, to.data() + begin, to.size() - begin)));
}

bool valid_text(const PngText& text) {
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  return text.keyword.size() >= 1 && text.keyword.size() <= 79 &&
         std::all_of(text.keyword.begin(), text.keyword.end(), printable) &&
         std::all_of(text.text.begin(), text.text.end(), [&](char c) { return printable(c) || c == '\n'; });
}

// Far beyond what is read: the preview of a slice grows with its vertebrae, and one with a hundred false boxes must be
// shown as well. With it the bytes of a picture stay countable in 64 bits; that a chunk's length has 31 is checked
// below.
constexpr int kMaxWrittenSide = 1 << 20;
constexpr size_t kMaxChunkBytes = (size_t{1} << 31) - 1;

struct Format {
  uint8_t depth, colour;
  size_t pixel_bytes;
};
constexpr Format kGrey8{8, kGrey, 1}, kGrey16{16, kGrey, 2}, kRgb8{8, kRgb, 3};

Result<std::vector<uint8_t>> encode(int width, int height, const Format& format, std::span<const uint8_t> pixels,
                                    const PngText* text) {
  if (width < 1 || height < 1 || width > kMaxWrittenSide || height > kMaxWrittenSide ||
      pixels.size() != static_cast<size_t>(width) * static_cast<size_t>(height) * format.pixel_bytes) {
    return error(ErrorId::E_INTERNAL, "cannot encode PNG: size and pixels do not match")
        .expected(std::to_string(width) + " x " + std::to_string(height) + " x " + std::to_string(format.pixel_bytes),
                  std::to_string(pixels.size()) + " bytes");
  }
  if (text != nullptr && !valid_text(*text)) return error(ErrorId::E_INTERNAL, "cannot encode PNG: text is not ASCII");

  const size_t row_bytes = static_cast<size_t>(width) * format.pixel_bytes;
  std::vector<uint8_t> filtered;
  filtered.reserve((row_bytes + 1) * static_cast<size_t>(height));
  for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
    const uint8_t* row = pixels.data() + y * row_bytes;
    filtered.push_back(kFilterUp);
    for (size_t i = 0; i < row_bytes; ++i) {
      filtered.push_back(static_cast<uint8_t>(row[i] - (y == 0 ? 0 : row[i - row_bytes])));
    }
  }
  uLongf packed_size = compressBound(static_cast<uLong>(filtered.size()));
  std::vector<uint8_t> packed(packed_size);
  if (compress2(packed.data(), &packed_size, filtered.data(), static_cast<uLong>(filtered.size()), kDeflateLevel) !=
      Z_OK) {
    return error(ErrorId::E_OOM_HOST, "no memory to compress a PNG");
  }
  packed.resize(packed_size);
  if (packed_size > kMaxChunkBytes) return error(ErrorId::E_INTERNAL, "cannot encode PNG: the picture is too large");

  std::vector<uint8_t> png = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  std::vector<uint8_t> header;
  put32(header, static_cast<uint32_t>(width));
  put32(header, static_cast<uint32_t>(height));
  // Bit depth, colour type, compression, filter and interlace methods.
  header.insert(header.end(), {format.depth, format.colour, 0, 0, 0});
  put_chunk(png, "IHDR", header);
  if (text != nullptr) {
    std::vector<uint8_t> body(text->keyword.begin(), text->keyword.end());
    body.push_back(0);
    body.insert(body.end(), text->text.begin(), text->text.end());
    put_chunk(png, "tEXt", body);
  }
  put_chunk(png, "IDAT", packed);
  put_chunk(png, "IEND", {});
  return png;
}

Result<std::vector<uint8_t>> encode_or_oom(int width, int height, const Format& format, std::span<const uint8_t> pixels,
                                           const PngText* text) {
  try {
    return encode(width, height, format, pixels, text);
  } catch (const std::bad_alloc&) {
    return error(ErrorId::E_OOM_HOST, "no memory to encode a PNG");
  }
}

}  // namespace

Result<std::vector<uint8_t>> encode_png_grey(int width, int height, std::span<const uint8_t> pixels,
                                             const PngText* text) {
  return encode_or_oom(width, height, kGrey8, pixels, text);
}

Result<std::vector<uint8_t>> encode_png_rgb(int width, int height, std::span<const uint8_t> pixels,
                                            const PngText* text) {
  return encode_or_oom(width, height, kRgb8, pixels, text);
}

Result<std::vector<uint8_t>> encode_png_grey16(int width, int height, std::span<const uint16_t> pixels) {
  try {
    std::vector<uint8_t> bytes;
    bytes.reserve(pixels.size() * 2);
    for (const uint16_t value : pixels) {
      bytes.push_back(static_cast<uint8_t>(value >> 8));
      bytes.push_back(static_cast<uint8_t>(value & 0xff));
    }
    return encode(width, height, kGrey16, bytes, nullptr);
  } catch (const std::bad_alloc&) {
    return error(ErrorId::E_OOM_HOST, "no memory to encode a PNG");
  }
}

}  // namespace spinert
