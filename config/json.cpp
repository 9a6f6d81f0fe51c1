#include "config/json.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <vector>

namespace spinert {
namespace {

using nlohmann::json;

// Builds the tree from parser events and stops the parser at the first broken rule. No recursion: open containers are a
// stack of pointers, and nesting is bounded before anything is allocated for it. Elements of the arrays to be streamed
// leave the tree as soon as they are complete.
class TreeBuilder {
 public:
  using number_integer_t = json::number_integer_t;
  using number_unsigned_t = json::number_unsigned_t;
  using number_float_t = json::number_float_t;
  using string_t = json::string_t;
  using binary_t = json::binary_t;

  TreeBuilder(const JsonLimits& limits, JsonProblem& problem) : limits_(limits), problem_(problem) {}

  void stream(std::span<const std::string_view> arrays, const JsonElement& element) {
    streamed_ = arrays;
    element_ = &element;
  }
  // Where the parser stands inside a streamed array, "annotations[13]"; else empty.
  std::string element_name() const {
    return streaming_ ? printable(array_) + '[' + std::to_string(index_) + ']' : std::string();
  }
  // What the receiver of an element had against it.
  const Status& refusal() const { return refusal_; }

  json take() { return std::move(root_); }

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(number_integer_t value) { return put(value); }
  bool number_unsigned(number_unsigned_t value) { return put(value); }
  bool number_float(number_float_t value, const string_t&) { return put(value); }
  bool string(string_t& value) { return put(std::move(value)); }
  bool binary(binary_t&) { return fail(JsonProblem::Kind::syntax, "binary value"); }

  bool start_object(size_t) {
    if (!open(json::object())) return false;
    keys_.emplace_back();
    return true;
  }
  bool key(string_t& name) {
    if (++values_ > limits_.values) return too_many();
    if (!keys_.back().insert(name).second) {
      return fail(JsonProblem::Kind::duplicate_key, "duplicate key \"" + printable(name) + "\"");
    }
    slot_ = &(*stack_.back())[name];
    if (stack_.size() == 1 && element_) array_ = name;
    return true;
  }
  bool end_object() {
    keys_.pop_back();
    stack_.pop_back();
    return hand_over();
  }
  bool start_array(size_t) {
    if (!open(json::array())) return false;
    if (stack_.size() == 2 && root_.is_object() && std::ranges::find(streamed_, array_) != streamed_.end()) {
      streaming_ = true;
      index_ = 0;
      values_before_ = values_;
    }
    return true;
  }
  bool end_array() {
    stack_.pop_back();
    if (stack_.size() == 1) streaming_ = false;
    return hand_over();
  }
  // The lexer's message may quote the file; ours says only where.
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    problem_.position = position;
    return fail(JsonProblem::Kind::syntax, "not valid JSON");
  }

 private:
  bool fail(JsonProblem::Kind kind, std::string what) {
    problem_.kind = kind;
    problem_.what = std::move(what);
    return false;
  }
  bool too_many() {
    return fail(JsonProblem::Kind::size, "more than " + std::to_string(limits_.values) + " JSON values");
  }
  json* place(json value) {
    if (++values_ > limits_.values) {
      too_many();
      return nullptr;
    }
    if (stack_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (stack_.back()->is_array()) {
      auto& array = stack_.back()->get_ref<json::array_t&>();
      array.push_back(std::move(value));
      return &array.back();
    }
    *slot_ = std::move(value);
    return slot_;
  }
  bool put(json value) { return place(std::move(value)) != nullptr && hand_over(); }
  // Gives away the element that was just completed, if it belongs to a streamed array.
  bool hand_over() {
    if (!streaming_ || stack_.size() != 2) return true;
    json& array = *stack_.back();
    refusal_ = (*element_)(array_, index_, array.back());
    if (!refusal_.ok()) return fail(JsonProblem::Kind::syntax, "refused");
    array.clear();
    ++index_;
    values_ = values_before_;
    return true;
  }
  bool open(json container) {
    if (static_cast<int>(stack_.size()) >= limits_.depth) {
      return fail(JsonProblem::Kind::depth, "JSON nested deeper than " + std::to_string(limits_.depth));
    }
    json* opened = place(std::move(container));
    if (opened) stack_.push_back(opened);
    return opened != nullptr;
  }

  const JsonLimits& limits_;
  JsonProblem& problem_;
  json root_;
  std::vector<json*> stack_;  // a container never moves while it is open: its parent gets no new child meanwhile
  std::vector<std::unordered_set<std::string>> keys_;
  json* slot_ = nullptr;
  size_t values_ = 0;
  std::span<const std::string_view> streamed_;
  const JsonElement* element_ = nullptr;
  bool streaming_ = false;  // inside one of the streamed arrays
  std::string array_;       // last key of the root
  size_t index_ = 0, values_before_ = 0;
  Status refusal_;
};

std::string line_and_column(std::string_view text, size_t position) {
  const std::string_view before = text.substr(0, position);
  const auto lines = static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 = 0: the first line
  return ": line " + std::to_string(lines + 1) + ", column " + std::to_string(before.size() - line_start);
}

// Length of the UTF-8 sequence at p (left bytes remain), 0 if malformed.
size_t utf8_sequence(const unsigned char* p, size_t left) {
  const unsigned lead = p[0];
  if (lead < 0x80) return 1;
  size_t length = 0;
  unsigned low = 0x80, high = 0xBF;  // allowed range of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  if (length == 0 || length > left || p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((p[i] & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

bool valid_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  size_t i = 0;
  while (i < text.size()) {
    uint64_t word;
    if (text.size() - i >= sizeof word) {  // eight ASCII bytes at a time
      std::memcpy(&word, p + i, sizeof word);
      if ((word & 0x8080808080808080u) == 0) {
        i += sizeof word;
        continue;
      }
    }
    const size_t length = utf8_sequence(p + i, text.size() - i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string printable(std::string_view text) {
  constexpr size_t kLongest = 80;
  std::string out;
  for (const char c : text.substr(0, kLongest)) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  }
  if (text.size() > kLongest) {
    // A cut inside a multi-byte character would make the message itself invalid UTF-8.
    while (!out.empty() && !valid_utf8(out)) out.pop_back();
    out += "...";
  }
  return valid_utf8(out) ? out : "(not UTF-8)";
}

namespace {

std::optional<json> build(std::string_view text, TreeBuilder& builder, JsonProblem& problem) {
  problem = {};
  if (!valid_utf8(text)) {
    problem.kind = JsonProblem::Kind::encoding;
    problem.what = "text is not valid UTF-8";
    return std::nullopt;
  }
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    problem.what = "text begins with a byte order mark";
    return std::nullopt;
  }
  if (!json::sax_parse(text.begin(), text.end(), &builder, json::input_format_t::json, /*strict=*/true)) {
    if (problem.what.empty()) problem.what = "not valid JSON";
    return std::nullopt;
  }
  return builder.take();
}

Status to_status(const JsonProblem& problem, std::string_view text, ErrorId id, std::string place) {
  if (problem.kind == JsonProblem::Kind::syntax && problem.position > 0) {
    place += line_and_column(text, problem.position);
  }
  return error(id, problem.what, place);
}

}  // namespace

std::optional<json> parse_json(std::string_view text, const JsonLimits& limits, JsonProblem& problem) {
  TreeBuilder builder(limits, problem);
  return build(text, builder, problem);
}

Result<json> parse_json(std::string_view text, ErrorId id, std::string_view where, const JsonLimits& limits) {
  JsonProblem problem;
  auto value = parse_json(text, limits, problem);
  if (value) return std::move(*value);
  return to_status(problem, text, id, std::string(where));
}

Result<json> stream_json(std::string_view text, std::span<const std::string_view> arrays, const JsonElement& element,
                         ErrorId id, std::string_view where, const JsonLimits& limits) {
  JsonProblem problem;
  TreeBuilder builder(limits, problem);
  builder.stream(arrays, element);
  auto value = build(text, builder, problem);
  if (value) return std::move(*value);
  if (!builder.refusal().ok()) return builder.refusal();
  const std::string inside = builder.element_name();
  return to_status(problem, text, id, std::string(where) + (inside.empty() ? "" : ": " + inside));
}

std::string dump_json(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace spinert
