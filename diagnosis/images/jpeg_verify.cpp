// jpeg_verify.cpp - the marker walk (whole file, nothing interpreted), then the segments in order.
#include "diagnosis/images/jpeg_verify.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "diagnosis/images/jpeg_scan.h"
#include "diagnosis/images/limits.h"
#include "kernels/base/checked.h"

namespace spinert {
namespace {

// Marker codes of ITU T.81, table B.1.
enum Marker : int {
  kTem = 0x01,
  kSof0 = 0xc0,
  kDht = 0xc4,
  kDac = 0xcc,
  kRst0 = 0xd0,
  kRst7 = 0xd7,
  kSoi = 0xd8,
  kEoi = 0xd9,
  kSos = 0xda,
  kDqt = 0xdb,
  kDnl = 0xdc,
  kDri = 0xdd,
  kDhp = 0xde,
  kExp = 0xdf,
  kApp0 = 0xe0,
  kApp15 = 0xef,
  kSof55 = 0xf7,  // JPEG-LS
  kCom = 0xfe,
};

constexpr size_t kFrameHead = 6, kFrameComponent = 3;
constexpr uint32_t kMaxSampling = 4, kMaxBlocksPerMcu = 10;
constexpr uint8_t kMaxDcSymbol = 15;
constexpr uint32_t kTables = 4, kBaselineHuffmanTables = 2;

using Bytes = std::span<const uint8_t>;

Status jpeg_error(std::string what, std::string where = {}) {
  return error(ErrorId::E_JPEG, std::move(what), std::move(where));
}

Status not_baseline(std::string what) {
  return error(ErrorId::E_IMAGE_FORMAT, "JP-02: " + std::move(what) + " JPEG is not read")
      .expected("8-bit baseline, grey or three components", "another process")
      .hint("Convert it to PNG, for example with ImageMagick: convert FILE slice.png.");
}

uint32_t big_endian16(Bytes bytes, size_t at) {
  return static_cast<uint32_t>(bytes[at] << 8 | bytes[at + 1]);
}

// What the walk finds. Spans point into the file; nothing is copied.
struct Segment {
  size_t offset;  // of the marker's 0xff
  int marker;
  Bytes body;  // without marker and length
  Bytes scan;  // SOS only: the entropy-coded bytes behind it
  std::string where() const { return "segment at byte " + std::to_string(offset); }
};

bool is_frame(int marker) {
  return marker >= kSof0 && marker <= 0xcf && marker != kDht && marker != kDac && marker != 0xc8;
}

// The end of the entropy-coded bytes that begin at `at`: the 0xff (or the first of several) of the next real marker.
Result<size_t> scan_end(Bytes bytes, size_t at) {
  size_t i = at;
  while (i < bytes.size()) {
    if (bytes[i] != 0xff) {
      ++i;
      continue;
    }
    // Any number of 0xff may stand before a marker as filling; they belong to the marker, not to the scan.
    const size_t fill = i;
    while (i < bytes.size() && bytes[i] == 0xff) ++i;
    if (i == bytes.size()) break;
    const int code = bytes[i];
    if (code == 0 && i - fill > 1) return jpeg_error("JP-01: fill bytes inside a code", "byte " + std::to_string(fill));
    if (code != 0 && (code < kRst0 || code > kRst7)) return fill;
    ++i;
  }
  return jpeg_error("JP-01: file ends inside a scan, without EOI").hint("Copy or export the file again.");
}

Result<std::vector<Segment>> walk_markers(Bytes bytes) {
  std::vector<Segment> segments;
  size_t at = 2;  // behind SOI
  for (;;) {
    const size_t offset = at;
    while (at < bytes.size() && bytes[at] == 0xff) ++at;
    if (at == bytes.size()) return jpeg_error("JP-01: file ends without EOI").hint("Copy or export the file again.");
    const int marker = bytes[at++];
    // A byte that is not 0xff where a marker is due means that the segment before it had a wrong length.
    if (at - offset < 2) return jpeg_error("JP-01: no marker where one is due", "byte " + std::to_string(offset));
    if (marker == kEoi) break;
    if (marker <= kTem || (marker >= kRst0 && marker <= kSoi)) {
      return jpeg_error("JP-01: marker out of place", "byte " + std::to_string(offset));
    }
    // Without this limit a file of empty comments would make the list larger than the file.
    if (segments.size() == kMaxJpegSegments) {
      return jpeg_error("JP-01: too many segments").expected("at most " + std::to_string(kMaxJpegSegments), "more");
    }
    if (!range_inside<size_t>(at, 2, bytes.size())) return jpeg_error("JP-01: file ends inside a segment");
    const size_t length = big_endian16(bytes, at);
    if (length < 2 || !range_inside(at, length, bytes.size())) {
      return jpeg_error("JP-01: segment length is wrong", "byte " + std::to_string(offset))
          .expected("2 to " + std::to_string(bytes.size() - at), std::to_string(length));
    }
    Segment segment{offset, marker, bytes.subspan(at + 2, length - 2), {}};
    at += length;
    if (marker == kSos) {
      SPINERT_ASSIGN(const size_t end, scan_end(bytes, at));
      segment.scan = bytes.subspan(at, end - at);
      at = end;
    }
    segments.push_back(segment);
  }
  // Fragments taken out of DICOM carry one zero to make their length even.
  const bool padded = at + 1 == bytes.size() && bytes[at] == 0;
  if (at != bytes.size() && !padded) {
    return jpeg_error("JP-01: data after EOI").expected(std::to_string(at) + " bytes", std::to_string(bytes.size()));
  }
  return segments;
}

// Null, or the name of the coding process that is not baseline.
// A 12-bit frame may carry either sequential marker, so its first byte is asked before the marker.
const char* foreign_process(const Segment& segment) {
  switch (segment.marker) {
    case kSof0: return segment.body.size() > 0 && segment.body[0] == 12 ? "12-bit" : nullptr;
    case 0xc1: return segment.body.size() > 0 && segment.body[0] == 12 ? "12-bit" : "extended sequential";
    case 0xc2: return "progressive";
    case 0xc3: return "lossless";
    case 0xc5:
    case 0xc6:
    case 0xc7: return "hierarchical";
    case kDhp:
    case kExp: return "hierarchical";
    case kDac: return "arithmetic-coded";
    case kSof55: return "JPEG-LS";
    case kDnl: return "delayed-height";
    default: return is_frame(segment.marker) ? "arithmetic-coded" : nullptr;
  }
}

struct Component {
  int id = 0;
  uint32_t h = 1, v = 1, quantisation = 0;
  bool scanned = false;
};

class JpegVerifier {
 public:
  Result<JpegInfo> run(const std::vector<Segment>& segments);

 private:
  Status take(const Segment& segment);
  Status take_frame(const Segment& segment);
  Status take_quantisation(const Segment& segment);
  Status take_huffman(const Segment& segment);
  Status take_scan(const Segment& segment);

  JpegInfo info_;
  std::vector<Component> components_;  // empty until SOF
  std::array<bool, kTables> quantisation_{};
  std::array<std::array<JpegHuffmanTable, kBaselineHuffmanTables>, 2> huffman_;  // [dc, ac][id]
  uint32_t restart_interval_ = 0;
};

Result<JpegInfo> JpegVerifier::run(const std::vector<Segment>& segments) {
  // What is whole but of another kind is said first: its tables would only look wrong.
  for (const Segment& segment : segments) {
    if (const char* process = foreign_process(segment)) return not_baseline(process);
  }
  for (const Segment& segment : segments) SPINERT_TRY(take(segment));
  // A component without a scan would leave memory that the decoder never wrote.
  if (components_.empty()) return jpeg_error("JP-01: no frame header");
  if (!std::all_of(components_.begin(), components_.end(), [](const Component& c) { return c.scanned; })) {
    return jpeg_error("JP-01: a component has no scan");
  }
  return info_;
}

Status JpegVerifier::take(const Segment& segment) {
  switch (segment.marker) {
    case kSof0: return take_frame(segment);
    case kDqt: return take_quantisation(segment);
    case kDht: return take_huffman(segment);
    case kSos: return take_scan(segment);
    case kDri:
      if (segment.body.size() != 2) return jpeg_error("JP-01: DRI has a wrong length", segment.where());
      restart_interval_ = big_endian16(segment.body, 0);
      return {};
    case kCom: return {};
    default:
      if (segment.marker >= kApp0 && segment.marker <= kApp15) return {};
      return jpeg_error("JP-01: reserved marker", segment.where());
  }
}

Status JpegVerifier::take_frame(const Segment& segment) {
  const Bytes body = segment.body;
  if (!components_.empty()) return jpeg_error("JP-01: second frame header", segment.where());
  if (body.size() < kFrameHead || body.size() != kFrameHead + kFrameComponent * body[5]) {
    return jpeg_error("JP-01: frame header has a wrong length", segment.where());
  }
  // 12 bits have been named by foreign_process; what is left exists in no standard for this marker.
  if (body[0] != 8) return jpeg_error("JP-01: no such sample precision").expected("8", std::to_string(body[0]));
  info_.height = big_endian16(body, 1);
  info_.width = big_endian16(body, 3);
  info_.components = body[5];
  if (info_.width < 1 || info_.height < 1 || info_.width > kMaxPictureSide || info_.height > kMaxPictureSide ||
      static_cast<uint64_t>(info_.width) * info_.height > kMaxPicturePixels) {
    return jpeg_error("JP-01: picture size outside the limits")
        .expected("sides 1 to " + std::to_string(kMaxPictureSide) + ", at most " +
                      std::to_string(kMaxPicturePixels / 1'000'000) + " Mpx",
                  std::to_string(info_.width) + " x " + std::to_string(info_.height));
  }
  if (info_.components == 4) return not_baseline("CMYK");
  if (info_.components != 1 && info_.components != 3) {
    return jpeg_error("JP-01: no such number of components").expected("1 or 3", std::to_string(info_.components));
  }
  for (size_t at = kFrameHead; at < body.size(); at += kFrameComponent) {
    const Component component{body[at], static_cast<uint32_t>(body[at + 1] >> 4),
                              static_cast<uint32_t>(body[at + 1] & 15), body[at + 2]};
    // Scans name components by id, so two with one id could not be told apart.
    const bool known_id = std::any_of(components_.begin(), components_.end(),
                                      [&](const Component& other) { return other.id == component.id; });
    if (known_id || component.h < 1 || component.h > kMaxSampling || component.v < 1 || component.v > kMaxSampling ||
        component.quantisation >= kTables) {
      return jpeg_error("JP-01: component of the frame header is invalid", segment.where());
    }
    components_.push_back(component);
  }
  return {};
}

Status JpegVerifier::take_quantisation(const Segment& segment) {
  Bytes body = segment.body;
  while (!body.empty()) {
    const uint32_t precision = body[0] >> 4, id = body[0] & 15;
    // libjpeg writes such tables only with the extended process; a baseline decoder need not know them.
    if (precision == 1) return not_baseline("16-bit quantisation");
    if (precision > 1 || id >= kTables || body.size() < 65) {
      return jpeg_error("JP-01: quantisation table is invalid", segment.where());
    }
    // A step of zero would erase a frequency: no encoder writes it.
    const Bytes steps = body.subspan(1, 64);
    if (std::find(steps.begin(), steps.end(), 0) != steps.end()) {
      return jpeg_error("JP-01: quantisation step is zero", segment.where());
    }
    quantisation_[id] = true;
    body = body.subspan(65);
  }
  return {};
}

Status JpegVerifier::take_huffman(const Segment& segment) {
  Bytes body = segment.body;
  while (!body.empty()) {
    const uint32_t kind = body[0] >> 4, id = body[0] & 15;
    if (kind > 1 || id >= kBaselineHuffmanTables || body.size() < 17) {
      return jpeg_error("JP-01: Huffman table is invalid", segment.where());
    }
    JpegHuffmanTable table;
    table.defined = true;
    uint32_t total = 0, code = 0;  // code: the first free code of the length in turn
    for (uint32_t length = 1; length <= 16; ++length) {
      const uint32_t count = body[length];
      table.counts[length - 1] = static_cast<uint8_t>(count);
      total += count;
      code = 2 * code + count;  // at most 2^17 because it was at most 2^length before
      // The code of all ones is reserved, hence also one place less than there are codes.
      if (code >= (1u << length) && count != 0) {
        return jpeg_error("JP-01: Huffman table has more codes than fit", segment.where());
      }
    }
    if (total > table.symbols.size() || body.size() < 17 + total) {
      return jpeg_error("JP-01: Huffman table has too many symbols", segment.where());
    }
    std::copy_n(body.begin() + 17, total, table.symbols.begin());
    // A DC symbol is a number of bits. Codes that no block uses are judged too: libjpeg refuses such a table.
    const bool dc_sizes = std::all_of(table.symbols.begin(), table.symbols.begin() + total,
                                      [](uint8_t symbol) { return symbol <= kMaxDcSymbol; });
    if (kind == 0 && !dc_sizes) return jpeg_error("JP-01: Huffman table has an impossible DC symbol", segment.where());
    huffman_[kind][id] = table;
    body = body.subspan(17 + total);
  }
  return {};
}

Status JpegVerifier::take_scan(const Segment& segment) {
  const Bytes body = segment.body;
  const size_t count = body.empty() ? 0 : body[0];
  if (components_.empty()) return jpeg_error("JP-01: scan before the frame header", segment.where());
  if (count < 1 || count > components_.size() || body.size() != 4 + 2 * count) {
    return jpeg_error("JP-01: scan header has a wrong length", segment.where());
  }
  // Baseline: the whole block in one scan (0 to 63), no successive approximation.
  if (body[1 + 2 * count] != 0 || body[2 + 2 * count] != 63 || body[3 + 2 * count] != 0) {
    return jpeg_error("JP-01: scan is not a baseline scan", segment.where());
  }
  // The largest factors define the MCU; every other component is a fraction of it.
  uint32_t h_max = 1, v_max = 1, blocks = 0;
  for (const Component& c : components_) {
    h_max = std::max(h_max, c.h);
    v_max = std::max(v_max, c.v);
  }
  for (const Component& c : components_) {
    // Legal, but the decoder has no resampler for it; better said here than there.
    if (h_max % c.h != 0 || v_max % c.v != 0) return not_baseline("fractionally sampled");
  }
  JpegScan scan;
  scan.restart_interval = restart_interval_;
  Component* last = nullptr;
  for (size_t i = 0; i < count; ++i) {
    const int id = body[1 + 2 * i];
    const uint32_t dc = body[2 + 2 * i] >> 4, ac = body[2 + 2 * i] & 15;
    const auto found =
        std::find_if(components_.begin(), components_.end(), [&](const Component& c) { return c.id == id; });
    if (found == components_.end() || found->scanned) {
      return jpeg_error("JP-01: scan names an unknown component, or one twice", segment.where());
    }
    if (dc >= kBaselineHuffmanTables || ac >= kBaselineHuffmanTables || !huffman_[0][dc].defined ||
        !huffman_[1][ac].defined || !quantisation_[found->quantisation]) {
      return jpeg_error("JP-01: scan uses a table that is not defined", segment.where());
    }
    // Baseline sends every block of a component in one scan; a second one would overwrite the first.
    found->scanned = true;
    last = &*found;
    blocks += found->h * found->v;
    scan.components.push_back({found->h * found->v, &huffman_[0][dc], &huffman_[1][ac]});
  }
  const auto ceil_div = [](uint32_t a, uint32_t b) { return (a + b - 1) / b; };
  if (count == 1) {
    // A scan of one component has one block per MCU and only the blocks that touch the picture.
    scan.components[0].blocks_per_mcu = 1;
    const uint32_t width = ceil_div(info_.width * last->h, h_max), height = ceil_div(info_.height * last->v, v_max);
    scan.mcus = static_cast<uint64_t>(ceil_div(width, 8)) * ceil_div(height, 8);
  } else {
    if (blocks > kMaxBlocksPerMcu) return jpeg_error("JP-01: too many blocks in an MCU", segment.where());
    scan.mcus = static_cast<uint64_t>(ceil_div(info_.width, 8 * h_max)) * ceil_div(info_.height, 8 * v_max);
  }
  return check_jpeg_scan(scan, segment.scan).at(segment.where());
}

}  // namespace

Result<JpegInfo> verify_jpeg(std::span<const uint8_t> bytes) {
  if (bytes.size() < 2 || bytes[0] != 0xff || bytes[1] != kSoi) return jpeg_error("JP-01: does not begin with SOI");
  SPINERT_ASSIGN(const std::vector<Segment> segments, walk_markers(bytes));
  return JpegVerifier().run(segments);
}

}  // namespace spinert
