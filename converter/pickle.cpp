#include "converter/pickle.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <unordered_map>

#include "config/json.h"

namespace spinert {
namespace {

constexpr size_t kMaxPickle = size_t{64} << 20;
constexpr size_t kMaxOpcodes = 1'000'000;
constexpr size_t kMaxStack = 100'000;
constexpr size_t kMaxMemo = 1'000'000;
constexpr size_t kMaxText = size_t{1} << 20;
constexpr int kMaxDepth = 64;
constexpr size_t kMaxTensors = 100'000;
constexpr size_t kMaxRank = 8;

enum Opcode : uint8_t {
  MARK = '(',
  STOP = '.',
  NONE = 'N',
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  BINFLOAT = 'G',
  BINUNICODE = 'X',
  EMPTY_TUPLE = ')',
  TUPLE = 't',
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  EMPTY_LIST = ']',
  APPEND = 'a',
  APPENDS = 'e',
  EMPTY_DICT = '}',
  SETITEM = 's',
  SETITEMS = 'u',
  GLOBAL = 'c',
  REDUCE = 'R',
  BUILD = 'b',
  NEWOBJ = 0x81,
  BINPERSID = 'Q',
  BINGET = 'h',
  LONG_BINGET = 'j',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  PROTO = 0x80
};

struct StorageName {
  std::string_view global;
  ElementType type;
};
constexpr StorageName kStorages[] = {{"torch FloatStorage", ElementType::f32},
                                     {"torch HalfStorage", ElementType::f16},
                                     {"torch BFloat16Storage", ElementType::bf16},
                                     {"torch DoubleStorage", ElementType::f64},
                                     {"torch LongStorage", ElementType::i64}};

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {
    values_.emplace_back();
  }

  Result<Pickle> run() {
    if (bytes_.size() > kMaxPickle) return fail("PT-06", "the pickle is too large");
    for (size_t step = 0;; ++step) {
      if (step >= kMaxOpcodes) return fail("PT-06", "more than 1000000 opcodes");
      if (position_ >= bytes_.size()) return truncated();
      const auto opcode = static_cast<uint8_t>(bytes_[position_++]);
      if (opcode == STOP) break;
      SPINERT_TRY(execute(opcode));
      if (stack_.size() > kMaxStack) return fail("PT-06", "the stack is too deep");
    }
    if (stack_.size() != 1 || !marks_.empty()) return fail("PT-07", "the pickle does not end with one value");
    if (position_ != bytes_.size()) return fail("PT-07", "bytes behind the pickle");
    return Pickle{std::move(values_), stack_[0]};
  }

 private:
  Status fail(const char* rule, const std::string& what) const {
    return error(ErrorId::E_MODEL_FORMAT, std::string(rule) + ": " + what,
                 where_ + ": pickle byte " + std::to_string(position_));
  }
  Status truncated() const {
    return error(ErrorId::E_MODEL_TRUNCATED, "PT-05: the pickle ends early",
                 where_ + ": pickle byte " + std::to_string(position_));
  }

  // Reads `count` bytes as a little-endian number.
  Status number(size_t count, uint64_t& value) {
    if (bytes_.size() - position_ < count) return truncated();
    value = 0;
    for (size_t i = 0; i < count; ++i) value |= uint64_t{static_cast<uint8_t>(bytes_[position_ + i])} << (8 * i);
    position_ += count;
    return {};
  }
  Status text(size_t count, std::string& out) {
    if (count > kMaxText) return fail("PT-06", "text of more than 1 MiB");
    if (bytes_.size() - position_ < count) return truncated();
    out.assign(reinterpret_cast<const char*>(bytes_.data()) + position_, count);
    position_ += count;
    if (!valid_utf8(out)) return fail("PT-07", "text is not valid UTF-8");
    return {};
  }
  Status line(std::string& out) {
    const auto rest = bytes_.subspan(position_);
    const auto end = std::ranges::find(rest, std::byte{'\n'});
    if (end == rest.end()) return truncated();
    SPINERT_TRY(text(static_cast<size_t>(end - rest.begin()), out));
    ++position_;
    return {};
  }

  PickleIndex add(PickleValue value) {
    values_.push_back(std::move(value));
    return static_cast<PickleIndex>(values_.size() - 1);
  }
  void push(PickleIndex index) { stack_.push_back(index); }
  void push_new(PickleValue value) { push(add(std::move(value))); }
  PickleValue& at(PickleIndex index) { return values_[index]; }

  // Values above the last mark may be taken, not those below it.
  size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  Status pop(PickleIndex& out) {
    if (available() < 1) return fail("PT-07", "an opcode takes more values than there are");
    out = stack_.back();
    stack_.pop_back();
    return {};
  }
  Status pop_mark(std::vector<PickleIndex>& out) {
    if (marks_.empty()) return fail("PT-07", "an opcode needs a mark that is not there");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    out.assign(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return {};
  }

  // Puts children into a container and keeps count of the nesting. A child that was filled later than it was put in can
  // be deeper than its parent knows; nothing here or in the readers walks deeper than two levels.
  Status adopt(PickleIndex parent, std::span<const PickleIndex> children) {
    int depth = at(parent).depth;
    for (const PickleIndex child : children) depth = std::max(depth, at(child).depth + 1);
    if (depth > kMaxDepth) return fail("PT-06", "values nested deeper than 64");
    at(parent).depth = static_cast<uint8_t>(depth);
    auto& items = at(parent).items;
    items.insert(items.end(), children.begin(), children.end());
    return {};
  }
  Status push_tuple(std::span<const PickleIndex> items) {
    push_new({.kind = PickleKind::tuple});
    return adopt(stack_.back(), items);
  }
  Status tuple_of(size_t count) {
    if (available() < count) return fail("PT-07", "an opcode takes more values than there are");
    const std::vector<PickleIndex> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return push_tuple(items);
  }

  // Items for the container on top of the stack. What is opaque swallows them; anything else of the wrong kind is a
  // forged file, since no writer emits it.
  Status extend(PickleKind kind, std::span<const PickleIndex> items) {
    if (available() < 1) return fail("PT-07", "an opcode takes more values than there are");
    const PickleIndex target = stack_.back();
    if (at(target).kind == PickleKind::opaque) return {};
    if (at(target).kind != kind) return fail("PT-07", "items are put into a value that is no container of that kind");
    if (kind == PickleKind::dict) {
      if (items.size() % 2 != 0) return fail("PT-07", "a key without a value");
      for (size_t i = 0; i < items.size(); i += 2) {
        const PickleKind key = at(items[i]).kind;
        if (key > PickleKind::text) return fail("PT-07", "a dict key is no plain value");
      }
    }
    return adopt(target, items);
  }

  Status execute(uint8_t opcode);
  Status memo_get(uint64_t key) {
    const auto it = memo_.find(key);
    if (it == memo_.end()) return fail("PT-07", "a memo entry is read before it was written");
    push(it->second);
    return {};
  }
  Status memo_put(uint64_t key) {
    if (available() < 1) return fail("PT-07", "an opcode takes more values than there are");
    memo_[key] = stack_.back();
    if (memo_.size() > kMaxMemo) return fail("PT-06", "the memo is too large");
    return {};
  }
  Status global();
  Status persistent();
  Status reduce();
  Status build();
  Status new_object();
  Status rebuild_tensor(const std::vector<PickleIndex>& args);
  std::optional<std::vector<int64_t>> integers(PickleIndex tuple);
  void push_opaque(std::string name) { push_new({.kind = PickleKind::opaque, .text = std::move(name)}); }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  size_t position_ = 0;
  std::vector<PickleValue> values_;
  std::vector<PickleIndex> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleIndex> memo_;
  size_t tensors_ = 0;
};

Status Machine::execute(uint8_t opcode) {
  uint64_t n = 0;
  PickleIndex a = 0, b = 0;
  std::vector<PickleIndex> items;
  switch (opcode) {
    case PROTO:
      SPINERT_TRY(number(1, n));
      return n >= 2 && n <= 5 ? Status() : fail("PT-05", "unknown pickle protocol");
    case MARK:
      marks_.push_back(stack_.size());
      return marks_.size() > kMaxStack ? fail("PT-06", "too many marks") : Status();
    case NONE: push(0); return {};
    case NEWTRUE: push_new({.kind = PickleKind::boolean, .integer = 1}); return {};
    case NEWFALSE: push_new({.kind = PickleKind::boolean, .integer = 0}); return {};
    case BININT:
      SPINERT_TRY(number(4, n));
      push_new({.kind = PickleKind::integer, .integer = static_cast<int32_t>(n)});
      return {};
    case BININT1:
    case BININT2:
      SPINERT_TRY(number(opcode == BININT1 ? 1 : 2, n));
      push_new({.kind = PickleKind::integer, .integer = static_cast<int64_t>(n)});
      return {};
    case BINFLOAT:  // the only big-endian number of the format
      SPINERT_TRY(number(8, n));
      push_new({.kind = PickleKind::real, .real = std::bit_cast<double>(__builtin_bswap64(n))});
      return {};
    case BINUNICODE: {
      SPINERT_TRY(number(4, n));
      PickleValue value{.kind = PickleKind::text};
      SPINERT_TRY(text(n, value.text));
      push_new(std::move(value));
      return {};
    }
    case EMPTY_TUPLE: push_new({.kind = PickleKind::tuple}); return {};
    case EMPTY_LIST: push_new({.kind = PickleKind::list}); return {};
    case EMPTY_DICT: push_new({.kind = PickleKind::dict}); return {};
    case TUPLE1: return tuple_of(1);
    case TUPLE2: return tuple_of(2);
    case TUPLE3: return tuple_of(3);
    case TUPLE: SPINERT_TRY(pop_mark(items)); return push_tuple(items);
    case APPEND: SPINERT_TRY(pop(a)); return extend(PickleKind::list, {&a, 1});
    case APPENDS: SPINERT_TRY(pop_mark(items)); return extend(PickleKind::list, items);
    case SETITEM:
      SPINERT_TRY(pop(b));
      SPINERT_TRY(pop(a));
      items = {a, b};
      return extend(PickleKind::dict, items);
    case SETITEMS: SPINERT_TRY(pop_mark(items)); return extend(PickleKind::dict, items);
    case BINGET: SPINERT_TRY(number(1, n)); return memo_get(n);
    case LONG_BINGET: SPINERT_TRY(number(4, n)); return memo_get(n);
    case BINPUT: SPINERT_TRY(number(1, n)); return memo_put(n);
    case LONG_BINPUT: SPINERT_TRY(number(4, n)); return memo_put(n);
    case GLOBAL: return global();
    case BINPERSID: return persistent();
    case REDUCE: return reduce();
    case BUILD: return build();
    case NEWOBJ: return new_object();
    default: break;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  return fail("PT-05", std::string("pickle opcode 0x") + kHex[opcode >> 4] + kHex[opcode & 15] + " is not allowed")
      .hint("Save model.state_dict() with torch.save and its default protocol.");
}

Status Machine::global() {
  std::string module, name;
  SPINERT_TRY(line(module));
  SPINERT_TRY(line(name));
  push_new({.kind = PickleKind::global, .text = module + " " + name});
  return {};
}

// ("storage", type, key, device, number of elements): the place of a tensor's data.
Status Machine::persistent() {
  PickleIndex id = 0;
  SPINERT_TRY(pop(id));
  const PickleValue& tuple = at(id);
  const auto kind = [&](size_t i) { return at(tuple.items[i]).kind; };
  if (tuple.kind != PickleKind::tuple || tuple.items.size() != 5 || kind(0) != PickleKind::text ||
      at(tuple.items[0]).text != "storage" || kind(1) != PickleKind::global || kind(2) != PickleKind::text ||
      kind(3) != PickleKind::text || kind(4) != PickleKind::integer || at(tuple.items[4]).integer < 0) {
    return fail("PT-07", "a persistent id is no storage");
  }
  PickleValue storage{
      .kind = PickleKind::storage, .integer = at(tuple.items[4]).integer, .text = at(tuple.items[2]).text};
  // The key becomes part of a record name: digits only, so that it cannot name anything else.
  const bool digits = !storage.text.empty() && storage.text.size() <= 9 &&
                      std::ranges::all_of(storage.text, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return fail("PT-07", "a storage key is no number");
  const auto* row = std::ranges::find(kStorages, at(tuple.items[1]).text, &StorageName::global);
  if (row != std::end(kStorages))
    storage.type = row->type;
  else
    storage.kind = PickleKind::opaque, storage.text = at(tuple.items[1]).text;
  push_new(std::move(storage));
  return {};
}

std::optional<std::vector<int64_t>> Machine::integers(PickleIndex tuple) {
  if (at(tuple).kind != PickleKind::tuple || at(tuple).items.size() > kMaxRank) return std::nullopt;
  std::vector<int64_t> out;
  for (const PickleIndex item : at(tuple).items) {
    if (at(item).kind != PickleKind::integer || at(item).integer < 0) return std::nullopt;
    out.push_back(at(item).integer);
  }
  return out;
}

// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]); the last ones are ignored.
Status Machine::rebuild_tensor(const std::vector<PickleIndex>& args) {
  if (args.size() < 6 || args.size() > 7) return fail("PT-08", "a tensor has the wrong number of arguments");
  if (++tensors_ > kMaxTensors) return fail("PT-06", "more than 100000 tensors");
  if (at(args[0]).kind == PickleKind::opaque) {
    push_opaque(at(args[0]).text);
    return {};
  }
  auto shape = integers(args[2]);
  auto stride = integers(args[3]);
  if (at(args[0]).kind != PickleKind::storage || at(args[1]).kind != PickleKind::integer || at(args[1]).integer < 0 ||
      !shape || !stride || shape->size() != stride->size()) {
    return fail("PT-08", "a tensor has arguments of the wrong kind");
  }
  PickleValue tensor{
      .kind = PickleKind::tensor, .type = at(args[0]).type, .integer = at(args[1]).integer, .items = {args[0]}};
  tensor.shape = std::move(*shape);
  tensor.stride = std::move(*stride);
  push_new(std::move(tensor));
  return {};
}

Status Machine::reduce() {
  PickleIndex arguments = 0, callable = 0;
  SPINERT_TRY(pop(arguments));
  SPINERT_TRY(pop(callable));
  if (at(arguments).kind != PickleKind::tuple) return fail("PT-07", "a call without an argument tuple");
  const std::vector<PickleIndex> args = at(arguments).items;
  const std::string name = at(callable).text;
  if (at(callable).kind == PickleKind::global) {
    if (name == "collections OrderedDict" && args.empty()) {
      push_new({.kind = PickleKind::dict});
      return {};
    }
    if (name == "torch._utils _rebuild_tensor_v2") return rebuild_tensor(args);
    if (name == "torch._utils _rebuild_parameter" && args.size() == 3 &&
        (at(args[0]).kind == PickleKind::tensor || at(args[0]).kind == PickleKind::opaque)) {
      push(args[0]);  // a parameter is its tensor
      return {};
    }
  } else if (at(callable).kind != PickleKind::opaque) {
    return fail("PT-07", "a call of something that is no function");
  }
  push_opaque(name);
  return {};
}

Status Machine::build() {
  PickleIndex state = 0;
  SPINERT_TRY(pop(state));
  if (available() < 1) return fail("PT-07", "an opcode takes more values than there are");
  const PickleIndex target = stack_.back();
  if (at(target).kind == PickleKind::opaque) return {};
  if (at(target).kind != PickleKind::dict) return fail("PT-07", "state is given to a value that takes none");
  at(target).attributes = state;
  return {};
}

Status Machine::new_object() {
  PickleIndex arguments = 0, type = 0;
  SPINERT_TRY(pop(arguments));
  SPINERT_TRY(pop(type));
  if (at(arguments).kind != PickleKind::tuple || at(type).kind != PickleKind::global) {
    return fail("PT-07", "an object of something that is no class");
  }
  push_opaque(at(type).text);
  return {};
}

}  // namespace

int64_t size_of(ElementType type) {
  switch (type) {
    case ElementType::f32: return 4;
    case ElementType::f16:
    case ElementType::bf16: return 2;
    case ElementType::f64:
    case ElementType::i64: return 8;
    case ElementType::unknown: break;
  }
  return 0;
}

Result<Pickle> read_pickle(std::span<const std::byte> bytes, const std::string& where) {
  return Machine(bytes, where).run();
}

}  // namespace spinert
