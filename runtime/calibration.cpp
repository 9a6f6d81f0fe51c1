#include "runtime/calibration.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "config/json.h"
#include "weights/file_reader.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

constexpr const char* kSchema = "spinert.calibration/1";
constexpr uint64_t kMaxFile = uint64_t{4} << 20;
constexpr int64_t kMaxSlices = 1'000'000;
// Far above any activation of a trained network, far below where a scale or a sum could overflow.
constexpr double kMaxMagnitude = 1e30;
constexpr const char* kAgain = "Make it again: spinert convert --model MODEL --calibrate FOLDER -o FILE.";

Status malformed(const std::string& what, const std::string& path) {
  return error(ErrorId::E_CONFIG, "the calibration is not valid: " + what, path).hint(kAgain);
}

// [low, high] around 0.
bool read_range(const nlohmann::json& j, ValueRange& range) {
  if (!j.is_array() || j.size() != 2 || !j[0].is_number() || !j[1].is_number()) return false;
  const double low = j[0].get<double>(), high = j[1].get<double>();
  if (!(std::abs(low) <= kMaxMagnitude && std::abs(high) <= kMaxMagnitude) || low > 0 || high < 0) return false;
  range = {static_cast<float>(low), static_cast<float>(high)};
  return true;
}

}  // namespace

std::string calibration_beside(const std::string& model_path) {
  constexpr std::string_view kSuffix = ".safetensors";
  const bool has = model_path.ends_with(kSuffix);
  return model_path.substr(0, model_path.size() - (has ? kSuffix.size() : 0)) + ".calibration.json";
}

std::string print_calibration(const Calibration& calibration) {
  nlohmann::ordered_json ranges = nlohmann::ordered_json::object();
  for (const auto& [graph, values] : calibration.ranges) {
    ranges[graph] = nlohmann::ordered_json::object();
    for (const auto& [name, range] : values) ranges[graph][name] = {range.low, range.high};
  }
  nlohmann::ordered_json keep = nlohmann::ordered_json::object();
  for (const auto& [graph, names] : calibration.keep) keep[graph] = names;
  const nlohmann::ordered_json file = {
      {"schema", kSchema}, {"model", calibration.model}, {"method", calibration.method}, {"slices", calibration.slices},
      {"keep", keep},      {"ranges", std::move(ranges)}};
  return file.dump(1) + "\n";
}

Result<Calibration> read_calibration(const std::string& path, const std::string& model_hash) {
  auto file = FileReader::open(path);
  if (!file.ok()) {
    return error(ErrorId::E_CONFIG, "int8 needs a calibration, and there is none", path).hint(kAgain);
  }
  if (file.value().size() > kMaxFile) return malformed("the file is too large", path);
  std::string text(file.value().size(), '\0');
  SPINERT_TRY(file.value().read(0, text.data(), text.size()));
  SPINERT_ASSIGN(const nlohmann::json json, parse_json(text, ErrorId::E_CONFIG, path));
  if (!json.is_object() || json.size() != 6)
    return malformed("it needs schema, model, method, slices, keep and ranges", path);
  for (const char* key : {"schema", "model", "method"}) {
    if (!json.contains(key) || !json[key].is_string()) return malformed(std::string("no text ") + key, path);
  }
  if (json["schema"] != kSchema) {
    return malformed("schema", path).expected(kSchema, printable(json["schema"].get<std::string>()));
  }
  if (json["model"] != model_hash) {
    return error(ErrorId::E_CONFIG, "the calibration belongs to another model", path)
        .expected(model_hash, printable(json["model"].get<std::string>()))
        .hint(kAgain);
  }
  if (!json.contains("slices") || !json["slices"].is_number_unsigned() || json["slices"].get<uint64_t>() < 1 ||
      json["slices"].get<uint64_t>() > uint64_t{kMaxSlices}) {
    return malformed("slices is no number of slices", path);
  }
  Calibration calibration;
  calibration.sha256 = to_hex(sha256(text.data(), text.size()));
  calibration.model = json["model"];
  calibration.method = json["method"];
  calibration.slices = json["slices"].get<int64_t>();
  if (!json.contains("keep") || !json["keep"].is_object()) return malformed("no keep", path);
  for (const auto& [graph, names] : json["keep"].items()) {
    if (!names.is_array()) return malformed("keep of " + printable(graph), path);
    for (const auto& name : names) {
      if (!name.is_string()) return malformed("keep of " + printable(graph), path);
      calibration.keep[graph].insert(name.get<std::string>());
    }
  }
  if (!json.contains("ranges") || !json["ranges"].is_object()) return malformed("no ranges", path);
  for (const auto& [graph, values] : json["ranges"].items()) {
    if (!values.is_object()) return malformed("ranges of " + printable(graph), path);
    for (const auto& [name, range] : values.items()) {
      if (!read_range(range, calibration.ranges[graph][name])) {
        return malformed("the range of " + printable(graph + "." + name) + " is no pair of finite numbers around 0",
                         path);
      }
    }
  }
  return calibration;
}

}  // namespace spinert
