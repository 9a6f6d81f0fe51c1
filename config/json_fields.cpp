#include "config/json_fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace spinert {
namespace {

using nlohmann::json;

std::string short_text(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return std::string(buffer, end);
}

std::string describe(Range range) {
  constexpr double kHuge = std::numeric_limits<double>::max();
  if (range.low == -kHuge && range.high == kHuge) return "a finite number";
  return std::string("a number in ") + (range.open_low ? "(" : "[") + short_text(range.low) + ", " +
         short_text(range.high) + "]";
}

std::string describe(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  return printable(dump_json(value));
}

constexpr size_t kMostEntries = 64;  // of any list in the config
constexpr size_t kLongestText = 1024;

}  // namespace

std::string JsonReader::name(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void JsonReader::fail(std::string_view key, std::string expected, const json& got) {
  if (!status_.ok()) return;
  status_ = error(ErrorId::E_CONFIG, name(key) + " is wrong").expected(std::move(expected), describe(got));
}

const json* JsonReader::find(const char* key, json::value_t type) {
  known_.push_back(key);
  const auto it = object_.find(key);
  if (it == object_.end()) {
    if (status_.ok()) status_ = error(ErrorId::E_CONFIG, name(key) + " is missing");
    return nullptr;
  }
  if (it->type() != type) {
    const char* wanted = type == json::value_t::object   ? "an object"
                         : type == json::value_t::array  ? "an array"
                         : type == json::value_t::string ? "a text"
                                                         : "true or false";
    fail(key, wanted, *it);
    return nullptr;
  }
  return &*it;
}

bool JsonReader::number_ok(std::string_view key, const json& value, Range range) {
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  // Written so that NaN fails.
  const bool inside = number <= range.high && (range.open_low ? number > range.low : number >= range.low);
  if (!inside) fail(key, describe(range), value);
  return inside;
}

void JsonReader::number(const char* key, double& value, Range range) {
  known_.push_back(key);
  const auto it = object_.find(key);
  if (it == object_.end()) {
    if (status_.ok()) status_ = error(ErrorId::E_CONFIG, name(key) + " is missing");
  } else if (number_ok(key, *it, range)) {
    value = it->get<double>();
  }
}

void JsonReader::integer(const char* key, int64_t& value, int64_t low, int64_t high) {
  known_.push_back(key);
  const auto it = object_.find(key);
  if (it == object_.end()) {
    if (status_.ok()) status_ = error(ErrorId::E_CONFIG, name(key) + " is missing");
    return;
  }
  // An unsigned value above the signed range would wrap in get<int64_t>.
  const bool fits = it->is_number_integer() &&
                    !(it->is_number_unsigned() && it->get<uint64_t>() > static_cast<uint64_t>(high)) &&
                    it->get<int64_t>() >= low && it->get<int64_t>() <= high;
  if (fits)
    value = it->get<int64_t>();
  else
    fail(key, "an integer in [" + std::to_string(low) + ", " + std::to_string(high) + "]", *it);
}

void JsonReader::boolean(const char* key, bool& value) {
  if (const json* found = find(key, json::value_t::boolean)) value = found->get<bool>();
}

void JsonReader::text(const char* key, std::string& value) {
  const json* found = find(key, json::value_t::string);
  if (!found) return;
  const auto& text = found->get_ref<const std::string&>();
  if (text.empty() || text.size() > kLongestText)
    fail(key, "a text of 1 to 1024 bytes", *found);
  else
    value = text;
}

bool JsonReader::read_numbers(const std::string& key, const json& array, std::vector<double>& value, size_t count,
                              Range range) {
  const bool size_ok =
      array.is_array() && (count > 0 ? array.size() == count : !array.empty() && array.size() <= kMostEntries);
  if (!size_ok) {
    fail(key, count > 0 ? std::to_string(count) + " numbers" : "1 to 64 numbers", array);
    return false;
  }
  value.clear();
  for (size_t i = 0; i < array.size(); ++i) {
    if (!number_ok(key + "[" + std::to_string(i) + "]", array[i], range)) return false;
    value.push_back(array[i].get<double>());
  }
  return true;
}

void JsonReader::numbers(const char* key, std::vector<double>& value, size_t count, Range range) {
  if (const json* found = find(key, json::value_t::array)) read_numbers(key, *found, value, count, range);
}

void JsonReader::rows(const char* key, std::vector<std::vector<double>>& value, size_t max_rows, size_t columns,
                      Range range) {
  const json* found = find(key, json::value_t::array);
  if (!found) return;
  if (found->empty() || found->size() > max_rows) {
    fail(key, "1 to " + std::to_string(max_rows) + " rows", *found);
    return;
  }
  value.assign(found->size(), {});
  for (size_t i = 0; i < found->size(); ++i) {
    if (!read_numbers(std::string(key) + "[" + std::to_string(i) + "]", (*found)[i], value[i], columns, range)) return;
  }
}

void JsonReader::texts(const char* key, std::vector<std::string>& value) {
  const json* found = find(key, json::value_t::array);
  if (!found) return;
  if (found->empty() || found->size() > kMostEntries) {
    fail(key, "1 to 64 names", *found);
    return;
  }
  value.clear();
  for (const json& entry : *found) {
    const std::string text = entry.is_string() ? entry.get<std::string>() : std::string();
    if (text.empty() || text.size() > kLongestText) {
      fail(key, "non-empty names", entry);
      return;
    }
    if (std::ranges::find(value, text) != value.end()) {
      fail(key, "different names", entry);
      return;
    }
    value.push_back(text);
  }
}

void JsonReader::number_map(const char* key, std::map<std::string, double>& value, Range range) {
  const json* found = find(key, json::value_t::object);
  if (!found) return;
  value.clear();
  for (const auto& [entry, number] : found->items()) {
    if (!number_ok(std::string(key) + "." + printable(entry), number, range)) return;
    value[entry] = number.get<double>();
  }
}

void JsonReader::text_map(const char* key, std::map<std::string, std::string>& value) {
  const json* found = find(key, json::value_t::object);
  if (!found) return;
  value.clear();
  for (const auto& [entry, text] : found->items()) {
    if (!text.is_string() || text.get_ref<const std::string&>().size() > kLongestText) {
      fail(std::string(key) + "." + printable(entry), "a text", text);
      return;
    }
    value[entry] = text.get<std::string>();
  }
}

void JsonReader::finish() {
  if (!status_.ok()) return;
  for (const auto& [key, value] : object_.items()) {
    if (std::ranges::find(known_, key) == known_.end()) {
      status_ = error(ErrorId::E_CONFIG, name(printable(key)) + " is not a known key");
      return;
    }
  }
}

}  // namespace spinert
