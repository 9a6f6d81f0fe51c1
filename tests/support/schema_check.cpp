#include "tests/support/schema_check.h"

#include <algorithm>
#include <regex>
#include <set>

namespace spinert::schema {
namespace {

using nlohmann::json;

const std::set<std::string> kAnnotations = {"$schema", "$id", "$defs", "title", "description"};

class Validator {
 public:
  explicit Validator(const json& root) : root_(root) {}

  void check(const json& schema, const json& value, const std::string& place) {
    for (const auto& [keyword, rule] : schema.items()) {
      if (!kAnnotations.contains(keyword)) check_keyword(keyword, rule, schema, value, place);
    }
  }

  std::vector<std::string> found;

 private:
  void fail(const std::string& place, const std::string& what) { found.push_back(place + ": " + what); }

  static bool has_type(const json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return type == "null" && value.is_null();
  }

  void check_keyword(const std::string& keyword, const json& rule, const json& schema, const json& value,
                     const std::string& place) {
    if (keyword == "$ref") {
      const std::string name = rule.get<std::string>();
      check(root_.at(json::json_pointer(name.substr(1))), value, place);
    } else if (keyword == "type") {
      const json types = rule.is_array() ? rule : json::array({rule});
      const bool fits =
          std::ranges::any_of(types, [&](const json& t) { return has_type(value, t.get<std::string>()); });
      if (!fits) fail(place, "is not of type " + rule.dump());
    } else if (keyword == "const") {
      if (value != rule) fail(place, "is not " + rule.dump());
    } else if (keyword == "enum") {
      if (std::find(rule.begin(), rule.end(), value) == rule.end()) fail(place, "is not one of " + rule.dump());
    } else if (keyword == "pattern") {
      if (value.is_string() && !std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>()))) {
        fail(place, "does not match " + rule.dump());
      }
    } else if (keyword == "minimum") {
      if (value.is_number() && value < rule) fail(place, "is below " + rule.dump());
    } else if (keyword == "maximum") {
      if (value.is_number() && value > rule) fail(place, "is above " + rule.dump());
    } else if (keyword == "minLength" || keyword == "minItems") {
      const size_t size = value.is_string() ? value.get<std::string>().size() : value.size();
      if ((value.is_string() || value.is_array()) && size < rule.get<size_t>()) fail(place, "is too short");
    } else if (keyword == "maxItems") {
      if (value.is_array() && value.size() > rule.get<size_t>()) fail(place, "is too long");
    } else if (keyword == "items") {
      if (!value.is_array()) return;
      for (size_t i = 0; i < value.size(); ++i) check(rule, value[i], place + "/" + std::to_string(i));
    } else if (keyword == "required") {
      if (!value.is_object()) return;
      for (const json& name : rule) {
        if (!value.contains(name.get<std::string>())) fail(place, "lacks " + name.dump());
      }
    } else if (keyword == "properties") {
      if (!value.is_object()) return;
      for (const auto& [name, sub] : rule.items()) {
        if (value.contains(name)) check(sub, value[name], place + "/" + name);
      }
    } else if (keyword == "additionalProperties") {
      check_additional(rule, schema, value, place);
    } else {
      fail(place, "the schema uses a keyword that is not checked: " + keyword);
    }
  }

  void check_additional(const json& rule, const json& schema, const json& value, const std::string& place) {
    if (!value.is_object()) return;
    for (const auto& [name, sub] : value.items()) {
      if (schema.contains("properties") && schema["properties"].contains(name)) continue;
      if (rule.is_boolean()) {
        if (!rule.get<bool>()) fail(place, "has an unknown key " + name);
      } else {
        check(rule, sub, place + "/" + name);
      }
    }
  }

  const json& root_;
};

}  // namespace

std::vector<std::string> problems(const json& schema, const json& document) {
  Validator validator(schema);
  validator.check(schema, document, "");
  return validator.found;
}

}  // namespace spinert::schema
