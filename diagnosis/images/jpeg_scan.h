// jpeg_scan.h - follows the Huffman codes of one baseline scan and counts its blocks, without computing a pixel.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

// A table as DHT stores it: how many codes of each length, and the symbols in code order.
struct JpegHuffmanTable {
  bool defined = false;
  std::array<uint8_t, 16> counts{};
  std::array<uint8_t, 256> symbols{};
};

struct JpegScanComponent {
  uint32_t blocks_per_mcu = 1;
  const JpegHuffmanTable* dc = nullptr;  // both defined
  const JpegHuffmanTable* ac = nullptr;
};

struct JpegScan {
  std::vector<JpegScanComponent> components;
  uint64_t mcus = 0;
  uint32_t restart_interval = 0;  // MCUs between restart markers; 0: none
};

// `data` is everything between the scan header and the next marker that is not RSTn, stuffed bytes included.
// Fails with E_JPEG "JP-01: ..." if the blocks are not exactly those that the scan demands.
Status check_jpeg_scan(const JpegScan& scan, std::span<const uint8_t> data);

}  // namespace spinert
