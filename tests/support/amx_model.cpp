#include "tests/support/amx_model.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/base/half.h"

namespace spinert {
namespace {

std::atomic<const char*> first_fault{nullptr};
std::atomic<int> configured{0};

// One rounding to float, half to even, of a number that double holds exactly or nearly so: a product of two bf16 has 16
// bits and a float 24, so where their sum needs more than the 53 of double, the part that is lost lies far below half a
// unit of the float and never beside a tie. Denormal results, told after rounding without a limit on the exponent as
// SSE does, become zero.
float rounded(double exact) {
  constexpr double kTiny = 0x1p-125, kScale = 0x1p96;
  if (std::abs(exact) < kTiny) {
    const float scaled = static_cast<float>(exact * kScale);
    if (std::abs(scaled) < 0x1p-30f) return std::copysign(0.0f, scaled);  // 2^-126, the smallest normal, scaled
  }
  return static_cast<float>(exact);
}

float without_denormal(float x) {
  return std::abs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x;
}

template <class T>
T read(const unsigned char* row, int i) {
  T value;
  std::memcpy(&value, row + static_cast<size_t>(i) * sizeof(T), sizeof(T));
  return value;
}

template <class T>
void write(unsigned char* row, int i, T value) {
  std::memcpy(row + static_cast<size_t>(i) * sizeof(T), &value, sizeof(T));
}

float bf16_at(const unsigned char* row, int i) {
  return bf16_to_f32(read<uint16_t>(row, i));
}

bool any(const uint8_t* bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (bytes[i] != 0) return true;
  }
  return false;
}

}  // namespace

float fma_without_denormals(float a, float b, float c) {
  return rounded(static_cast<double>(without_denormal(a)) * static_cast<double>(without_denormal(b)) +
                 static_cast<double>(without_denormal(c)));
}

const char* TileMachine::ldtilecfg(const void* from) {
  TileConfig c;
  std::memcpy(&c, from, sizeof(c));
  if (c.palette > 1) return "#GP: LDTILECFG, no such palette";
  if (c.palette == 0) return tilerelease();
  if (any(c.reserved_0, sizeof(c.reserved_0)) || any(c.reserved_1, sizeof(c.reserved_1)) ||
      any(c.reserved_2, sizeof(c.reserved_2))) {
    return "#GP: LDTILECFG, a reserved byte is not zero";
  }
  for (int t = 0; t < 8; ++t) {
    if (c.row_bytes[t] > kTileRowBytes) return "#GP: LDTILECFG, too many bytes per row";
    if (c.rows[t] > kTileRows) return "#GP: LDTILECFG, too many rows";
    if ((c.rows[t] == 0) != (c.row_bytes[t] == 0)) return "#GP: LDTILECFG, a tile with rows or columns alone";
  }
  config_ = c;
  std::memset(tile_, 0, sizeof(tile_));
  return nullptr;
}

const char* TileMachine::tilerelease() {
  config_ = TileConfig{};
  std::memset(tile_, 0, sizeof(tile_));
  return nullptr;
}

const char* TileMachine::check(int t) const {
  if (!configured()) return "#UD: tiles are not configured";
  if (t < 0 || t > 7 || config_.rows[t] == 0) return "#UD: not a valid tile";
  return nullptr;
}

// Whatever an instruction writes, the rest of the tile becomes zero.
void TileMachine::zero_beyond(int t) {
  for (int r = 0; r < kTileRows; ++r) {
    const int used = r < config_.rows[t] ? config_.row_bytes[t] : 0;
    std::memset(tile_[t].row[r] + used, 0, static_cast<size_t>(kTileRowBytes - used));
  }
}

const char* TileMachine::tilezero(int t) {
  if (const char* fault = check(t)) return fault;
  tile_[t] = {};
  config_.start_row = 0;
  return nullptr;
}

const char* TileMachine::tileloadd(int t, const void* base, int64_t stride) {
  if (const char* fault = check(t)) return fault;
  if (config_.start_row >= config_.rows[t]) return "#UD: start_row beyond the tile";
  for (int r = config_.start_row; r < config_.rows[t]; ++r) {
    std::memcpy(tile_[t].row[r], static_cast<const unsigned char*>(base) + r * stride, config_.row_bytes[t]);
  }
  for (int r = 0; r < config_.start_row; ++r) std::memset(tile_[t].row[r], 0, kTileRowBytes);
  zero_beyond(t);
  config_.start_row = 0;
  return nullptr;
}

const char* TileMachine::tilestored(int t, void* base, int64_t stride) {
  if (const char* fault = check(t)) return fault;
  if (config_.start_row >= config_.rows[t]) return "#UD: start_row beyond the tile";
  for (int r = config_.start_row; r < config_.rows[t]; ++r) {
    std::memcpy(static_cast<unsigned char*>(base) + r * stride, tile_[t].row[r], config_.row_bytes[t]);
  }
  config_.start_row = 0;
  return nullptr;
}

const char* TileMachine::check_product(int c, int a, int b) const {
  if (c == a || a == b || c == b) return "#UD: a product needs three different tiles";
  for (const int t : {c, a, b}) {
    if (const char* fault = check(t)) return fault;
    if (config_.row_bytes[t] % 4 != 0) return "#UD: bytes per row are no multiple of 4";
  }
  if (config_.row_bytes[c] != config_.row_bytes[b]) return "#UD: columns of c and b differ";
  if (config_.rows[c] != config_.rows[a]) return "#UD: rows of c and a differ";
  if (config_.row_bytes[a] / 4 != config_.rows[b]) return "#UD: columns of a are not rows of b";
  return nullptr;
}

const char* TileMachine::tdpbf16ps(int c, int a, int b) {
  if (const char* fault = check_product(c, a, b)) return fault;
  const int columns = config_.row_bytes[c] / 4, pairs = config_.rows[b];
  for (int m = 0; m < config_.rows[c]; ++m) {
    float even[kTileRowBytes / 4] = {}, odd[kTileRowBytes / 4] = {};
    for (int i = 0; i < pairs; ++i) {
      const float x0 = bf16_at(tile_[a].row[m], 2 * i), x1 = bf16_at(tile_[a].row[m], 2 * i + 1);
      for (int n = 0; n < columns; ++n) {
        even[n] = fma_without_denormals(x0, bf16_at(tile_[b].row[i], 2 * n), even[n]);
        odd[n] = fma_without_denormals(x1, bf16_at(tile_[b].row[i], 2 * n + 1), odd[n]);
      }
    }
    for (int n = 0; n < columns; ++n) {
      const float product = rounded(static_cast<double>(even[n]) + static_cast<double>(odd[n]));
      const float sum = without_denormal(read<float>(tile_[c].row[m], n));
      write(tile_[c].row[m], n, rounded(static_cast<double>(sum) + static_cast<double>(product)));
    }
  }
  zero_beyond(c);
  config_.start_row = 0;
  return nullptr;
}

const char* TileMachine::tdpbusd(int c, int a, int b) {
  if (const char* fault = check_product(c, a, b)) return fault;
  const int columns = config_.row_bytes[c] / 4, quads = config_.rows[b];
  for (int m = 0; m < config_.rows[c]; ++m) {
    for (int i = 0; i < quads; ++i) {
      for (int n = 0; n < columns; ++n) {
        uint32_t sum = read<uint32_t>(tile_[c].row[m], n);  // unsigned: it wraps
        for (int j = 0; j < 4; ++j) {
          const int32_t x = tile_[a].row[m][4 * i + j];
          const int32_t w = read<int8_t>(tile_[b].row[i], 4 * n + j);
          sum += static_cast<uint32_t>(x * w);
        }
        write(tile_[c].row[m], n, sum);
      }
    }
  }
  zero_beyond(c);
  config_.start_row = 0;
  return nullptr;
}

TileMachine& AmxModel::machine() {
  static thread_local TileMachine tiles;
  return tiles;
}

void AmxModel::note(const char* fault) {
  const char* none = nullptr;
  if (fault) first_fault.compare_exchange_strong(none, fault);
}

const char* AmxModel::take_fault() {
  return first_fault.exchange(nullptr);
}

int AmxModel::configured_threads() {
  return configured;
}

void AmxModel::configure(const void* config) {
  const bool before = machine().configured();
  note(machine().ldtilecfg(config));
  configured += machine().configured() - before;
}

void AmxModel::release() {
  const bool before = machine().configured();
  note(machine().tilerelease());
  configured -= before;
}

}  // namespace spinert
