// json.h - strict reading of JSON text that came from a file: config, model header, graph.
//
// The library's own parser is lenient where a model file must not be: it keeps the last of two equal keys, skips a byte
// order mark and recurses as deep as the text says. This reader refuses all three. Numbers are read without locale.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace spinert {

// Limits come from the caller, never from the file.
struct JsonLimits {
  int depth = 8;              // nested objects and arrays
  size_t values = 2'000'000;  // values and keys together; bounds the memory of the tree
};

// Why a text was refused. Callers with rule ids of their own (model header) switch on kind.
struct JsonProblem {
  enum class Kind : unsigned char { encoding, syntax, depth, size, duplicate_key };
  Kind kind = Kind::syntax;
  std::string what;     // "duplicate key \"x\""
  size_t position = 0;  // byte in the text
};

// The one JSON value in the text, or nothing and the problem. Whitespace around the value is allowed, other text is
// not.
std::optional<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits, JsonProblem& problem);

// The same with a ready Status: `id` and `where` are the caller's.
Result<nlohmann::json> parse_json(std::string_view text, ErrorId id, std::string_view where,
                                  const JsonLimits& limits = {});

// Called with the name of a root array, the place of an element in it, and the element, which may be moved from.
using JsonElement = std::function<Status(std::string_view array, size_t index, nlohmann::json& element)>;

// For documents with very long arrays: the elements of the arrays that `arrays` names at the root are handed over one
// by one, in the order of the text, and dropped. Returns the rest of the document, with those arrays empty.
// limits.values counts for each element, and for the rest, on its own. A problem inside an element names it
// ("annotations[13]"). Stops at the first error, also of `element`.
Result<nlohmann::json> stream_json(std::string_view text, std::span<const std::string_view> arrays,
                                   const JsonElement& element, ErrorId id, std::string_view where,
                                   const JsonLimits& limits = {});

// Compact text with sorted keys; doubles are printed so that they read back exactly. Invalid UTF-8 is replaced.
std::string dump_json(const nlohmann::json& value, int indent = -1);

// True if the bytes are well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool valid_utf8(std::string_view text);

// A name from a file made fit for a one-line message: control bytes become '?', at most 80 bytes.
std::string printable(std::string_view text);

}  // namespace spinert
