#include "tests/support/amx_trap.h"

#include <csignal>
#include <cstring>

#include <atomic>

#include "tests/support/amx_model.h"

#if defined(__x86_64__)
#include <ucontext.h>
#endif

namespace spinert {
namespace {

std::atomic<int64_t> carried_out{0};
struct sigaction before;

#if defined(__x86_64__)

// One instruction with a three-byte VEX prefix of the map 0F38: Intel's manual, volume 2, chapter 2.3 and the opcode
// lines of the instructions.
struct Vex {
  int prefix = 0;  // 0: none, 1: 66, 2: F3, 3: F2
  int opcode = 0, mod = 0, reg = 0, rm = 0, vvvv = 0;
  int64_t address = 0, stride = 0;  // of a memory operand
  int length = 0;
};

int64_t general(const ucontext_t& at, int number) {
  static constexpr int kRegister[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return at.uc_mcontext.gregs[kRegister[number]];
}

bool decode(const ucontext_t& at, Vex& v) {
  const auto rip = at.uc_mcontext.gregs[REG_RIP];
  const auto* code = reinterpret_cast<const unsigned char*>(rip);
  if (code[0] != 0xC4 || (code[1] & 0x1F) != 2) return false;
  const int r = code[1] & 0x80 ? 0 : 8, x = code[1] & 0x40 ? 0 : 8, b = code[1] & 0x20 ? 0 : 8;
  if ((code[2] & 0x84) != 0 || r != 0) return false;  // W0, 128 bits; there are eight tiles
  v.vvvv = ~(code[2] >> 3) & 15;
  v.prefix = code[2] & 3;
  v.opcode = code[3];
  v.mod = code[4] >> 6;
  v.reg = code[4] >> 3 & 7;
  v.rm = code[4] & 7;
  int n = 5;
  if (v.mod != 3) {
    int64_t base = 0;
    bool wide = v.mod == 2;
    bool relative = false;
    if (v.rm == 4) {
      const int sib = code[n++], index = (sib >> 3 & 7) | x, lowest = sib & 7;
      if (lowest == 5 && v.mod == 0) {
        wide = true;
      } else {
        base = general(at, lowest | b);
      }
      if (index != 4) v.stride = general(at, index) << (sib >> 6);
    } else if (v.rm == 5 && v.mod == 0) {
      wide = relative = true;
    } else {
      base = general(at, v.rm | b);
    }
    if (wide) {
      int32_t offset;
      std::memcpy(&offset, code + n, 4);
      n += 4;
      base += offset;
    } else if (v.mod == 1) {
      base += static_cast<int8_t>(code[n++]);
    }
    v.address = relative ? base + rip + n : base;
  }
  v.length = n;
  return true;
}

// False: not a tile instruction that kernels/base/amx_tiles.h has.
bool carry_out(const Vex& v) {
  TileMachine& tiles = AmxModel::machine();
  auto* memory = reinterpret_cast<void*>(v.address);
  const bool in_memory = v.mod != 3, tile_row = in_memory && v.rm == 4;  // TILELOADD and TILESTORED need a SIB byte
  switch (v.opcode << 2 | v.prefix) {
    case 0x49 << 2 | 0:
      if (v.reg != 0 || v.vvvv != 0) return false;
      if (in_memory) {
        AmxModel::configure(static_cast<const void*>(static_cast<unsigned char*>(memory) + v.stride));
      } else {
        AmxModel::release();
      }
      return true;
    case 0x49 << 2 | 3:
      if (in_memory || v.rm != 0 || v.vvvv != 0) return false;
      AmxModel::note(tiles.tilezero(v.reg));
      return true;
    case 0x4B << 2 | 3:
      if (!tile_row || v.vvvv != 0) return false;
      AmxModel::note(tiles.tileloadd(v.reg, memory, v.stride));
      return true;
    case 0x4B << 2 | 2:
      if (!tile_row || v.vvvv != 0) return false;
      AmxModel::note(tiles.tilestored(v.reg, memory, v.stride));
      return true;
    case 0x5C << 2 | 2:
      if (in_memory) return false;
      AmxModel::note(tiles.tdpbf16ps(v.reg, v.rm, v.vvvv));
      return true;
    case 0x5E << 2 | 1:
      if (in_memory) return false;
      AmxModel::note(tiles.tdpbusd(v.reg, v.rm, v.vvvv));
      return true;
    default: return false;
  }
}

void on_illegal_instruction(int, siginfo_t*, void* context) {
  auto& at = *static_cast<ucontext_t*>(context);
  Vex v;
  if (!decode(at, v) || !carry_out(v)) {
    signal(SIGILL, SIG_DFL);  // the instruction is tried again, and ends the program as it would have
    return;
  }
  at.uc_mcontext.gregs[REG_RIP] += v.length;
  ++carried_out;
}

#endif

}  // namespace

AmxTrap::AmxTrap() {
#if defined(__x86_64__)
  struct sigaction action = {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &before);
#endif
}

AmxTrap::~AmxTrap() {
#if defined(__x86_64__)
  sigaction(SIGILL, &before, nullptr);
#endif
}

int64_t AmxTrap::instructions() {
  return carried_out;
}

}  // namespace spinert
