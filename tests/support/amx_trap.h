// amx_trap.h - carries out tile instructions on a processor that has none. While an object of this class lives, every
// tile instruction, which such a processor refuses with SIGILL, is decoded from its bytes and done by the calling
// thread's AmxModel: compiled kernels run as they are, encodings, addresses and order of instructions included.
#pragma once

#include <cstdint>

namespace spinert {

class AmxTrap {
 public:
  AmxTrap();
  ~AmxTrap();
  AmxTrap(const AmxTrap&) = delete;
  AmxTrap& operator=(const AmxTrap&) = delete;

  // Instructions carried out so far.
  static int64_t instructions();
};

}  // namespace spinert
