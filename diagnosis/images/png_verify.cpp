// png_verify.cpp - the chunk walk and the inflate pass.
#include "diagnosis/images/png_verify.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagnosis/images/limits.h"
#include "kernels/base/checked.h"

namespace spinert {
namespace {

constexpr std::array<uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr uint64_t kChunkFrame = 12;  // length, type, CRC
constexpr uint32_t kMaxChunkLength = 0x7fffffff;
constexpr uint32_t kIhdrLength = 13;
constexpr size_t kInflatePiece = 64 << 10;

uint32_t big_endian32(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint32_t>(bytes[at]) << 24 | static_cast<uint32_t>(bytes[at + 1]) << 16 |
         static_cast<uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}

std::string hex(uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "%08x", value);
  return text;
}

Status png_error(std::string what, std::string where = {}) {
  return error(ErrorId::E_PNG, std::move(what), std::move(where));
}

struct Chunk {
  uint64_t offset;        // of the length field
  std::string_view type;  // four letters
  std::span<const uint8_t> data;
  std::string where() const { return "chunk " + std::string(type) + " at byte " + std::to_string(offset); }
};

// Inflates the IDAT chunks as one stream and hands every piece to the scan-line check; keeps nothing.
class IdatStream {
 public:
  IdatStream(const PngInfo& info, uint32_t palette_entries) : lines_(info, palette_entries), piece_(kInflatePiece) {
    usable_ = inflateInit(&stream_) == Z_OK;
  }
  ~IdatStream() {
    if (usable_) inflateEnd(&stream_);
  }
  IdatStream(const IdatStream&) = delete;
  IdatStream& operator=(const IdatStream&) = delete;

  Status feed(std::span<const uint8_t> data) {
    if (!usable_) return error(ErrorId::E_OOM_HOST, "no memory for zlib");
    if (data.empty()) return {};
    if (ended_) return png_error("PN-03: data after the end of the compressed stream");
    stream_.next_in = const_cast<Bytef*>(data.data());  // zlib's interface; it does not write there
    stream_.avail_in = static_cast<uInt>(data.size());  // a chunk is at most 2^31 - 1 bytes
    for (;;) {
      stream_.next_out = piece_.data();
      stream_.avail_out = static_cast<uInt>(piece_.size());
      const int answer = inflate(&stream_, Z_NO_FLUSH);
      const size_t produced = piece_.size() - stream_.avail_out;
      // This is the output cap: the first byte too many stops the pass, so a bomb costs no more than its header asks.
      SPINERT_TRY(lines_.consume(std::span<const uint8_t>(piece_.data(), produced)));
      if (answer == Z_STREAM_END) {
        ended_ = true;
        if (stream_.avail_in != 0) return png_error("PN-03: data after the end of the compressed stream");
        return {};
      }
      // Z_BUF_ERROR only says that nothing could be done: the input is used up.
      if (answer == Z_BUF_ERROR || (answer == Z_OK && stream_.avail_in == 0 && stream_.avail_out != 0)) return {};
      if (answer == Z_MEM_ERROR) return error(ErrorId::E_OOM_HOST, "no memory for zlib");
      if (answer != Z_OK) {
        return png_error(std::string("PN-03: picture data does not inflate: ") +
                         (stream_.msg != nullptr ? stream_.msg : "needs a dictionary"));
      }
    }
  }

  Status finish() const {
    SPINERT_TRY(lines_.finish());
    if (!ended_) return png_error("PN-03: compressed stream has no end");
    return {};
  }

 private:
  PngScanlines lines_;
  std::vector<uint8_t> piece_;
  z_stream stream_{};
  bool usable_ = false, ended_ = false;
};

class PngVerifier {
 public:
  explicit PngVerifier(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  Result<PngInfo> run();

 private:
  Result<Chunk> chunk_at(uint64_t offset) const;
  Status take(const Chunk& chunk);
  Status take_header(const Chunk& chunk);
  Status take_palette(const Chunk& chunk);
  Status take_transparency(const Chunk& chunk);
  Status take_data(const Chunk& chunk);

  std::span<const uint8_t> bytes_;
  PngInfo info_;
  uint32_t palette_entries_ = 0;
  // State of the walk. data_closed_: a chunk of another type came after IDAT, so no IDAT may follow.
  bool have_header_ = false, have_transparency_ = false, animated_ = false, data_closed_ = false, have_end_ = false;
  // Begins with the first IDAT chunk, when header and palette are known.
  std::optional<IdatStream> data_;
};

Result<PngInfo> PngVerifier::run() {
  if (bytes_.size() < kSignature.size() || !std::equal(kSignature.begin(), kSignature.end(), bytes_.begin())) {
    return png_error("PN-01: signature is damaged or cut").hint("Copy the file again, in binary mode.");
  }
  // Stops at IEND, or at the first breach. Every step moves on by at least kChunkFrame bytes, so the walk ends.
  uint64_t offset = kSignature.size();
  while (!have_end_) {
    SPINERT_ASSIGN(const Chunk chunk, chunk_at(offset));
    SPINERT_TRY(take(chunk));
    offset += kChunkFrame + chunk.data.size();  // inside the file: chunk_at has checked it
  }
  // A second file behind IEND is how one file is made to look like two different ones.
  if (offset != bytes_.size()) {
    return png_error("PN-05: data after IEND")
        .expected(std::to_string(offset) + " bytes", std::to_string(bytes_.size()));
  }
  if (!data_) return png_error("PN-03: no IDAT chunk");
  SPINERT_TRY(data_->finish());
  // Said last: a damaged APNG is damaged first of all.
  if (animated_) {
    return error(ErrorId::E_IMAGE_FORMAT, "PN-05: animated PNG (APNG) holds more than one picture")
        .hint("Export the slice as a plain PNG.");
  }
  return info_;
}

// The chunk that begins at `offset`, with its length, letters and CRC checked.
Result<Chunk> PngVerifier::chunk_at(uint64_t offset) const {
  const uint64_t size = bytes_.size();
  if (offset == size) return png_error("PN-05: file ends without IEND", "byte " + std::to_string(offset));
  if (!range_inside(offset, kChunkFrame, size)) {
    return png_error("PN-02: file ends inside a chunk", "byte " + std::to_string(offset));
  }
  const uint32_t length = big_endian32(bytes_, offset);
  const auto total = checked_add<uint64_t>(length, kChunkFrame);
  if (length > kMaxChunkLength || !total || !range_inside(offset, *total, size)) {
    return png_error("PN-02: chunk reaches beyond the end of the file", "byte " + std::to_string(offset))
        .expected("at most " + std::to_string(size - offset - kChunkFrame) + " bytes", std::to_string(length));
  }
  const auto type = bytes_.subspan(offset + 4, 4);
  // Anything but letters means that the length before it was wrong, or that this is no chunk at all.
  for (const uint8_t letter : type) {
    const uint8_t lower = letter | 0x20;
    if (lower < 'a' || lower > 'z') {
      return png_error("PN-02: chunk type is not four letters", "byte " + std::to_string(offset));
    }
  }
  const Chunk chunk{offset, std::string_view(reinterpret_cast<const char*>(type.data()), 4),
                    bytes_.subspan(offset + 8, length)};
  // The CRC covers type and data. zlib takes size_t here, so a chunk of any length goes in one call.
  const auto crc = static_cast<uint32_t>(crc32_z(0, type.data(), 4 + static_cast<size_t>(length)));
  const uint32_t stored = big_endian32(bytes_, offset + 8 + length);
  if (crc != stored) return png_error("PN-02: chunk CRC is wrong", chunk.where()).expected(hex(crc), hex(stored));
  return chunk;
}

Status PngVerifier::take(const Chunk& chunk) {
  const std::string_view type = chunk.type;
  if (!have_header_ && type != "IHDR") return png_error("PN-01: first chunk is not IHDR", chunk.where());
  // The order of chunks is judged before their content: every taker below relies on it.
  if (data_ && type != "IDAT") data_closed_ = true;
  if (type == "IHDR") return take_header(chunk);
  if (type == "PLTE") return take_palette(chunk);
  if (type == "tRNS") return take_transparency(chunk);
  if (type == "IDAT") return take_data(chunk);
  if (type == "IEND") {
    if (!chunk.data.empty()) return png_error("PN-05: IEND is not empty", chunk.where());
    have_end_ = true;
    return {};
  }
  if (type == "acTL" || type == "fcTL" || type == "fdAT") {
    animated_ = true;
    return {};
  }
  // An upper-case first letter marks a chunk that a reader must understand.
  if ((type[0] & 0x20) == 0) return png_error("PN-02: unknown critical chunk", chunk.where());
  return {};
}

Status PngVerifier::take_header(const Chunk& chunk) {
  if (have_header_) return png_error("PN-02: second IHDR", chunk.where());
  if (chunk.data.size() != kIhdrLength) {
    return png_error("PN-01: IHDR has a wrong length", chunk.where()).expected("13", std::to_string(chunk.data.size()));
  }
  have_header_ = true;
  info_.width = big_endian32(chunk.data, 0);
  info_.height = big_endian32(chunk.data, 4);
  info_.bit_depth = chunk.data[8];
  info_.colour_type = chunk.data[9];
  const int compression = chunk.data[10], filter = chunk.data[11], interlace = chunk.data[12];
  // Sizes are judged before anything is allocated or inflated: a bomb is refused here, at its 29th byte.
  const uint64_t pixels = static_cast<uint64_t>(info_.width) * info_.height;  // 32 x 32 bits always fit
  if (info_.width < 1 || info_.height < 1 || info_.width > kMaxPictureSide || info_.height > kMaxPictureSide ||
      pixels > kMaxPicturePixels) {
    return png_error("PN-01: picture size outside the limits")
        .expected("sides 1 to " + std::to_string(kMaxPictureSide) + ", at most " +
                      std::to_string(kMaxPicturePixels / 1'000'000) + " Mpx",
                  std::to_string(info_.width) + " x " + std::to_string(info_.height));
  }
  // Depths that the standard allows for each colour type; scan-line sizes below rely on it.
  const int depth = info_.bit_depth;
  const bool small = depth == 1 || depth == 2 || depth == 4, full = depth == 8, wide = depth == 16;
  bool valid = false;
  switch (info_.colour_type) {
    case kPngGrey: valid = small || full || wide; break;
    case kPngPalette: valid = small || full; break;
    case kPngRgb:
    case kPngGreyAlpha:
    case kPngRgba: valid = full || wide; break;
    default: break;
  }
  if (!valid) {
    return png_error("PN-01: no such combination of colour type and bit depth")
        .expected("one of the PNG standard", std::to_string(info_.colour_type) + " and " + std::to_string(depth));
  }
  if (compression != 0 || filter != 0 || interlace > 1)
    return png_error("PN-01: unknown method in IHDR", chunk.where());
  info_.interlaced = interlace == 1;
  return {};
}

Status PngVerifier::take_palette(const Chunk& chunk) {
  if (palette_entries_ != 0 || data_ || have_transparency_) return png_error("PN-02: PLTE out of order", chunk.where());
  if (info_.colour_type == kPngGrey || info_.colour_type == kPngGreyAlpha) {
    return png_error("PN-04: PLTE in a grey picture", chunk.where());
  }
  // In RGB pictures PLTE is only a suggestion for displays, so 256 entries are allowed there.
  const size_t most = info_.colour_type == kPngPalette ? size_t{1} << info_.bit_depth : 256;
  // More entries than the depth can name are legal in no picture; fewer are, and PN-04 then guards the indices.
  const size_t entries = chunk.data.size() / 3;
  if (chunk.data.size() % 3 != 0 || entries == 0 || entries > most) {
    return png_error("PN-04: PLTE has a wrong length", chunk.where())
        .expected("3 to " + std::to_string(3 * most) + " bytes, a multiple of 3", std::to_string(chunk.data.size()));
  }
  palette_entries_ = static_cast<uint32_t>(entries);
  return {};
}

// tRNS may stand in a picture that is opaque all the same, so only its form is judged here; whether any pixel is
// transparent is judged on the decoded alpha. A grey level above the bit depth is refused because decoders cut it
// differently.
Status PngVerifier::take_transparency(const Chunk& chunk) {
  if (have_transparency_ || data_) return png_error("PN-02: tRNS out of order", chunk.where());
  have_transparency_ = true;
  bool valid = false;
  const uint32_t limit = 1u << info_.bit_depth;
  const auto sample = [&](size_t i) { return static_cast<uint32_t>(chunk.data[2 * i] << 8 | chunk.data[2 * i + 1]); };
  switch (info_.colour_type) {
    case kPngGrey: valid = chunk.data.size() == 2 && sample(0) < limit; break;
    case kPngRgb: valid = chunk.data.size() == 6 && sample(0) < limit && sample(1) < limit && sample(2) < limit; break;
    // Without a palette yet, palette_entries_ is 0 and every length is wrong.
    case kPngPalette: valid = !chunk.data.empty() && chunk.data.size() <= palette_entries_; break;
    default: break;
  }
  if (!valid) return png_error("PN-04: tRNS does not fit the picture", chunk.where());
  return {};
}

Status PngVerifier::take_data(const Chunk& chunk) {
  if (data_closed_) return png_error("PN-02: IDAT chunks are not consecutive", chunk.where());
  if (!data_) {
    if (info_.colour_type == kPngPalette && palette_entries_ == 0) {
      return png_error("PN-04: palette picture without PLTE", chunk.where());
    }
    // The standard allows it, but stb_image 2.27 hands memcpy a null pointer then, and no encoder is known to do it.
    if (chunk.data.empty()) return png_error("PN-03: first IDAT chunk is empty", chunk.where());
    data_.emplace(info_, palette_entries_);
  }
  return data_->feed(chunk.data);
}

}  // namespace

Result<PngInfo> verify_png(std::span<const uint8_t> bytes) {
  return PngVerifier(bytes).run();
}

}  // namespace spinert
