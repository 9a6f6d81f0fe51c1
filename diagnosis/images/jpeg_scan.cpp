// jpeg_scan.cpp - bit reader, code lookup and the walk over MCUs and restart intervals.
#include "diagnosis/images/jpeg_scan.h"

#include <algorithm>
#include <string>

namespace spinert {
namespace {

constexpr int kMaxCodeLength = 16;
constexpr int kBlockSize = 64;
constexpr int kMaxDcBits = 11, kMaxAcBits = 10;  // baseline, ITU T.81 tables F.1 and F.2
constexpr int kZeroRun16 = 0xf0, kEndOfBlock = 0x00;
// The DC value of 8-bit samples is within +-1024 quantisation steps; twice that leaves room for any rounding. It also
// keeps the sums of a decoder that adds without looking inside 32 bits.
constexpr int kMaxDcValue = 2047;

// Every 16-bit window maps to the symbol it begins with: one load per code. Built only for the tables that a scan uses.
class CodeLookup {
 public:
  explicit CodeLookup(const JpegHuffmanTable& table) : entry_(size_t{1} << kMaxCodeLength) {
    size_t at = 0, symbol = 0;
    for (int length = 1; length <= kMaxCodeLength; ++length) {
      const size_t span = size_t{1} << (kMaxCodeLength - length);
      for (int i = 0; i < table.counts[static_cast<size_t>(length - 1)]; ++i, at += span, ++symbol) {
        std::fill_n(entry_.begin() + static_cast<int64_t>(at), span,
                    static_cast<uint16_t>(table.symbols[symbol] << 8 | length));
      }
    }
  }
  // symbol << 8 | code length; 0 if no code begins like this.
  uint16_t operator[](uint32_t window) const { return entry_[window]; }

 private:
  std::vector<uint16_t> entry_;  // the table was checked at DHT: the codes fit into 2^16 windows
};

// Bits of one restart interval. Reading past the end gives zero bits and is noticed by overrun().
class BitReader {
 public:
  explicit BitReader(std::span<const uint8_t> data) : data_(data) {}

  uint32_t peek16() {
    while (bits_ < 16) {
      uint8_t byte = 0;
      if (position_ < data_.size()) {
        byte = data_[position_++];
        if (byte == 0xff) ++position_;  // the stuffed zero; the walk has made sure that it is there
      } else {
        missing_ += 8;
      }
      window_ = window_ << 8 | byte;
      bits_ += 8;
    }
    return static_cast<uint32_t>(window_ >> (bits_ - 16)) & 0xffff;
  }
  void skip(int count) { bits_ -= count; }
  int take(int count) {
    if (count == 0) return 0;
    const int value = static_cast<int>(peek16() >> (16 - count));
    skip(count);
    return value;
  }
  // More bits used than there were.
  bool overrun() const { return missing_ > bits_; }
  // Whole bytes that nobody asked for.
  uint64_t left_bytes() const { return data_.size() - position_ + static_cast<uint64_t>((bits_ - missing_) / 8); }

 private:
  std::span<const uint8_t> data_;
  size_t position_ = 0;
  uint64_t window_ = 0;
  int bits_ = 0;     // unread bits in window_, invented ones included
  int missing_ = 0;  // invented zero bits at the end of window_
};

// One pass over the scan. It holds lookups for the tables that the scan names and one DC predictor per component.
class ScanWalk {
 public:
  ScanWalk(const JpegScan& scan, std::span<const uint8_t> data) : scan_(scan), data_(data) {
    for (const JpegScanComponent& component : scan.components) {
      dc_.emplace_back(*component.dc);
      ac_.emplace_back(*component.ac);
    }
    dc_value_.resize(scan.components.size());
  }

  Status run() {
    // Interval by interval, because restart markers reset the predictors and the bit position.
    uint64_t mcu = 0;
    for (uint32_t interval = 0; mcu < scan_.mcus; ++interval) {
      SPINERT_ASSIGN(BitReader bits, next_interval(interval));
      std::fill(dc_value_.begin(), dc_value_.end(), 0);
      const uint64_t end =
          scan_.restart_interval == 0 ? scan_.mcus : std::min<uint64_t>(scan_.mcus, mcu + scan_.restart_interval);
      for (; mcu < end; ++mcu) {
        const char* fault = walk_mcu(bits);
        if (fault == nullptr && bits.overrun()) fault = "JP-01: scan ends before its last block";
        if (fault != nullptr) return place(fault, mcu);
      }
      // Up to seven padding bits may remain, of any value: encoders differ in them.
      if (bits.left_bytes() != 0) return place("JP-01: scan has more data than blocks", mcu);
    }
    if (position_ != data_.size()) return place("JP-01: restart marker after the last block", mcu);
    return {};
  }

 private:
  Status place(const char* fault, uint64_t mcu) const {
    return error(ErrorId::E_JPEG, fault, "block group " + std::to_string(mcu) + " of " + std::to_string(scan_.mcus));
  }

  // The bytes up to the next restart marker, which must be the one whose turn it is.
  Result<BitReader> next_interval(uint32_t interval) {
    if (interval != 0) {
      const uint8_t expected = static_cast<uint8_t>(0xd0 + (interval - 1) % 8);
      if (position_ >= data_.size()) return error(ErrorId::E_JPEG, "JP-01: restart marker is missing");
      if (data_[position_] != expected) return error(ErrorId::E_JPEG, "JP-01: restart marker out of order");
      ++position_;
    }
    const size_t begin = position_;
    // The walk has made sure that every 0xff has a successor, and that it is zero, a fill byte or RSTn.
    size_t end = begin;
    while (end < data_.size() && (data_[end] != 0xff || data_[end + 1] == 0)) end += data_[end] == 0xff ? 2 : 1;
    position_ = end;
    while (position_ < data_.size() && data_[position_] == 0xff) ++position_;
    return BitReader(data_.subspan(begin, end - begin));
  }

  // Null, or what is wrong.
  const char* walk_mcu(BitReader& bits) {
    for (size_t c = 0; c < scan_.components.size(); ++c) {
      for (uint32_t b = 0; b < scan_.components[c].blocks_per_mcu; ++b) {
        if (const char* fault = walk_block(bits, c)) return fault;
      }
    }
    return nullptr;
  }

  const char* walk_block(BitReader& bits, size_t c) {
    const int size = next_symbol(bits, dc_[c]);
    if (size < 0 || size > kMaxDcBits) return "JP-01: no such DC code";
    // Sign extension of T.81: a leading zero bit marks a negative number.
    int difference = bits.take(size);
    if (size != 0 && difference < 1 << (size - 1)) difference -= (1 << size) - 1;
    dc_value_[c] += difference;
    if (dc_value_[c] < -kMaxDcValue || dc_value_[c] > kMaxDcValue) return "JP-01: DC value out of range";
    for (int k = 1; k < kBlockSize; ++k) {
      const int symbol = next_symbol(bits, ac_[c]);
      if (symbol < 0) return "JP-01: no such AC code";
      if (symbol == kEndOfBlock) break;
      const int run = symbol >> 4, ac_bits = symbol & 15;
      if (ac_bits > kMaxAcBits || (ac_bits == 0 && symbol != kZeroRun16)) return "JP-01: no such AC code";
      // The run skips zero coefficients; the loop then steps over the coefficient itself. 0xf0 is sixteen zeros.
      k += run;
      if (k >= kBlockSize) return "JP-01: block has more than 64 coefficients";
      // The value does not matter, its bits must be there.
      bits.take(ac_bits);
    }
    return nullptr;
  }

  static int next_symbol(BitReader& bits, const CodeLookup& lookup) {
    const int entry = lookup[bits.peek16()];
    // Every code has a length of at least one, so 0 can only mean that no code begins like this.
    if (entry == 0) return -1;
    bits.skip(entry & 0xff);
    return entry >> 8;
  }

  const JpegScan& scan_;
  std::span<const uint8_t> data_;
  size_t position_ = 0;
  std::vector<CodeLookup> dc_, ac_;
  std::vector<int> dc_value_;
};

}  // namespace

Status check_jpeg_scan(const JpegScan& scan, std::span<const uint8_t> data) {
  return ScanWalk(scan, data).run();
}

}  // namespace spinert
