// pickle.h - reads the pickle inside a .pth file without executing anything (docs/safety.md, PT-05 to PT-07).
//
// The machine knows the opcodes that torch.save emits for a state_dict or a checkpoint dict and builds plain values in
// an arena. It calls nothing: a global is only a name, and a call of anything but the four known names gives an opaque
// value that remembers that name. Values refer to each other by index, so that a pickle which shares one value a
// million times costs a million indices, not copies, and a value may even contain itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

using PickleIndex = uint32_t;

enum class PickleKind : unsigned char {
  none,
  boolean,
  integer,
  real,
  text,
  tuple,
  list,
  dict,
  global,
  storage,
  tensor,
  opaque
};

enum class ElementType : unsigned char { f32, f16, bf16, f64, i64, unknown };

// Bytes of one element; 0 for unknown.
int64_t size_of(ElementType type);

struct PickleValue {
  PickleKind kind = PickleKind::none;
  ElementType type = ElementType::unknown;  // storage
  uint8_t depth = 0;                        // of nesting, at most 64
  int64_t integer = 0;                      // boolean, integer; storage: number of elements; tensor: offset
  double real = 0;
  std::string text{};  // text, global ("module name"), opaque (what it would have been), storage (record key)
  // tuple, list: entries. dict: key, value, key, value... tensor: storage. With `attributes` below.
  std::vector<PickleIndex> items{};
  std::vector<int64_t> shape{}, stride{};  // tensor
  PickleIndex attributes = 0;              // dict: what BUILD carried (_metadata), 0: nothing
};

struct Pickle {
  std::vector<PickleValue> values;  // value 0 is None
  PickleIndex root = 0;
};

// Errors: E_MODEL_FORMAT PT-05 (opcode), PT-06 (limit), PT-07 (wrong kind of value), PT-08 (tensor arguments);
// E_MODEL_TRUNCATED if the pickle ends early. `where` names the file.
Result<Pickle> read_pickle(std::span<const std::byte> bytes, const std::string& where);

}  // namespace spinert
