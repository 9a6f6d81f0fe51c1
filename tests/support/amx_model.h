// amx_model.h - the tile instructions in plain C++: one thread's tiles, and the names of kernels/base/amx_tiles.h over
// them. Written after the pseudo-code of LDTILECFG, TILELOADD, TILESTORED, TILEZERO, TILERELEASE, TDPBF16PS and TDPBUSD
// in Intel's Software Developer's Manual and its exception classes AMX-E1 to E6.
//
// What the processor would answer with #GP or #UD is a fault: the instruction does nothing, and the text of the first
// one is kept until take_fault(). Not modelled: page faults and restarts (start_row), MXCSR (never consulted), the
// payload of a NaN (any quiet NaN stands for all).
#pragma once

#include <cstdint>

#include "kernels/base/amx_tiles.h"

namespace spinert {

// The tiles of one thread. Every instruction returns null, or what is wrong and leaves everything as it was.
class TileMachine {
 public:
  const char* ldtilecfg(const void* config);
  const char* tilerelease();
  const char* tilezero(int t);
  const char* tileloadd(int t, const void* base, int64_t stride);
  const char* tilestored(int t, void* base, int64_t stride);
  const char* tdpbf16ps(int c, int a, int b);
  const char* tdpbusd(int c, int a, int b);

  bool configured() const { return config_.palette != 0; }
  const unsigned char* row(int t, int r) const { return tile_[t].row[r]; }

 private:
  struct Tile {
    unsigned char row[kTileRows][kTileRowBytes];
  };
  const char* check(int t) const;
  const char* check_product(int c, int a, int b) const;
  void zero_beyond(int t);

  TileConfig config_;
  Tile tile_[8] = {};
};

// The arithmetic of TDPBF16PS, for tests: a * b + c with one rounding; denormals are zero, in and out.
float fma_without_denormals(float a, float b, float c);

struct AmxModel {
  static TileMachine& machine();  // of the calling thread
  // The first fault of any thread since the last call; null if there was none.
  static const char* take_fault();
  // Threads whose tiles are configured now.
  static int configured_threads();
  static void note(const char* fault);

  static void configure(const void* config);
  static void configure(const TileConfig& config) { configure(static_cast<const void*>(&config)); }
  static void release();
  template <int t>
  static void zero() {
    note(machine().tilezero(t));
  }
  template <int t>
  static void load(const void* base, int64_t stride) {
    note(machine().tileloadd(t, base, stride));
  }
  template <int t>
  static void store(void* base, int64_t stride) {
    note(machine().tilestored(t, base, stride));
  }
  template <int c, int a, int b>
  static void dot_bf16() {
    note(machine().tdpbf16ps(c, a, b));
  }
  template <int c, int a, int b>
  static void dot_u8s8() {
    note(machine().tdpbusd(c, a, b));
  }
};

}  // namespace spinert
