// schema_check.h - a JSON Schema validator for the keywords that the schemas of the tree use: type, const, enum,
// pattern, minimum, maximum, minLength, minItems, maxItems, items, required, properties, additionalProperties, $ref. A
// schema that uses another keyword is a problem too, so that no rule of it can go unchecked.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace spinert::schema {

// One line per problem, with the place in the document.
std::vector<std::string> problems(const nlohmann::json& schema, const nlohmann::json& document);

}  // namespace spinert::schema
