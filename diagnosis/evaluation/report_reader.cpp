#include "diagnosis/evaluation/report_reader.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "config/json.h"
#include "diagnosis/evaluation/truth.h"
#include "diagnosis/input.h"
#include "diagnosis/report/report_json.h"
#include "diagnosis/report/text.h"

namespace spinert::evaluation {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kMaxReportBytes = 512ull << 20;  // 20,000 slices with twenty vertebrae and a hundred candidates each
constexpr size_t kMaxReports = 1'000'000;
constexpr double kFurthestPixel = 1e6;  // no slice is that large
constexpr const char* kReportName = "report.json";

Status bad(const std::string& what, const std::string& place) {
  return error(ErrorId::E_REPORT, what, place).hint("Evaluate only reports that spinert diagnose wrote, unchanged.");
}

// Reports print floats with the digits that a float needs; a double of the same digits is another number.
double as_float(double value) {
  return static_cast<double>(static_cast<float>(value));
}

// Takes fields out of one JSON object; the first problem wins and names the field.
class Fields {
 public:
  Fields(const json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) fail("an object", "it");
  }

  const json* get(const char* key, bool (json::*is)() const noexcept, const char* kind) {
    if (!status_.ok()) return nullptr;
    const auto at = object_.find(key);
    if (at != object_.end() && ((*at).*is)()) return &*at;
    fail(kind, key);
    return nullptr;
  }
  std::string text(const char* key) {
    const json* value = get(key, &json::is_string, "a text");
    return value ? value->get<std::string>() : std::string();
  }
  const json* array(const char* key) { return get(key, &json::is_array, "a list"); }
  const json* object(const char* key) { return get(key, &json::is_object, "an object"); }
  int64_t size(const char* key) {
    const json* value = get(key, &json::is_number_unsigned, "a whole number");
    if (value && value->get<uint64_t>() > INT32_MAX) fail("a number of pixels", key);
    return value && status_.ok() ? value->get<int64_t>() : 0;
  }
  double probability(const char* key) { return probability(get(key, &json::is_number, "a number"), key); }
  double probability(const json* value, const std::string& key) {
    if (!value || !status_.ok()) return 0;
    const double number = value->is_number() ? value->get<double>() : -1;
    if (!(number >= 0 && number <= 1)) fail("a number from 0 to 1", key);
    return as_float(number);
  }
  Rect box(const char* key) {
    const json* value = array(key);
    Rect rect;
    double* const sides[] = {&rect.x1, &rect.y1, &rect.x2, &rect.y2};
    if (!value) return rect;
    if (value->size() != 4) fail("four numbers", key);
    for (size_t i = 0; i < 4 && status_.ok(); ++i) {
      if (!(*value)[i].is_number()) {
        fail("four numbers", key);
        return rect;
      }
      *sides[i] = as_float((*value)[i].get<double>());
      if (!(std::abs(*sides[i]) <= kFurthestPixel)) fail("pixels of the slice", key);
    }
    if (!(rect.x2 >= rect.x1 && rect.y2 >= rect.y1)) fail("x1 <= x2 and y1 <= y2", key);
    return rect;
  }

  void fail(const std::string& expected, const std::string& key) {
    if (status_.ok()) status_ = bad("\"" + key + "\" must be " + expected, place_);
  }
  const Status& status() const { return status_; }

 private:
  const json& object_;
  std::string place_;
  Status status_;
};

// Slices stand in a report behind model and thresholds as spinert writes it, but JSON knows no order: classes are
// matched by name once the whole report has been read.
struct RawVertebra {
  FoundVertebra vertebra;
  std::vector<std::pair<std::string, float>> probabilities;
  std::vector<std::string> labels;
};
struct RawSlice {
  FoundSlice slice;
  std::vector<RawVertebra> vertebrae;
  std::string place;
};

Result<RawVertebra> read_vertebra(const json& object, const std::string& place) {
  RawVertebra raw;
  Fields fields(object, place);
  raw.vertebra.box = fields.box("box");
  raw.vertebra.score = fields.probability("score");
  if (const json* probabilities = fields.object("probabilities")) {
    for (const auto& [name, value] : probabilities->items()) {
      raw.probabilities.emplace_back(name, static_cast<float>(fields.probability(&value, name)));
    }
  }
  if (const json* labels = fields.array("labels")) {
    for (const json& label : *labels) {
      if (!label.is_string()) {
        fields.fail("a list of class names", "labels");
        break;
      }
      raw.labels.push_back(label.get<std::string>());
    }
  }
  if (!fields.status().ok()) return fields.status();
  return raw;
}

Result<RawSlice> read_slice(const json& object, const std::string& study, std::string place) {
  RawSlice raw;
  FoundSlice& slice = raw.slice;
  Fields fields(object, place);
  slice.name = fields.text("source");
  slice.study = study;
  slice.status = fields.text("status");
  slice.alert = fields.text("alert");
  slice.error = fields.text("error");
  slice.sha256 = fields.text("sha256");
  slice.width = fields.size("width");
  slice.height = fields.size("height");
  const json* const vertebrae = fields.array("vertebrae");
  const json* const candidates = fields.array("candidates");
  if (!fields.status().ok()) return fields.status();
  place += ", " + printable(slice.name);
  const auto one_of = [](const std::string& text, std::initializer_list<const char*> names) {
    return std::ranges::find(names, text) != names.end();
  };
  if (!one_of(slice.status, {"completed", "indeterminate", "failed"})) return bad("unknown status", place);
  if (!one_of(slice.alert, {"positive", "review", "negative"})) return bad("unknown alert", place);
  for (size_t i = 0; i < vertebrae->size(); ++i) {
    SPINERT_ASSIGN(RawVertebra vertebra,
                   read_vertebra((*vertebrae)[i], place + ", vertebrae[" + std::to_string(i) + "]"));
    raw.vertebrae.push_back(std::move(vertebra));
  }
  for (size_t i = 0; i < candidates->size(); ++i) {
    Fields candidate((*candidates)[i], place + ", candidates[" + std::to_string(i) + "]");
    const Rect box = candidate.box("box");
    const double score = candidate.probability("score");
    if (!candidate.status().ok()) return candidate.status();
    slice.candidates.push_back({box, score});
  }
  raw.place = std::move(place);
  return raw;
}

// Turns names of classes into places.
Result<FoundSlice> resolve(RawSlice raw, const std::vector<std::string>& class_names) {
  for (RawVertebra& from : raw.vertebrae) {
    FoundVertebra& vertebra = from.vertebra;
    vertebra.probabilities.assign(class_names.size(), -1.0f);
    for (const auto& [name, p] : from.probabilities) {
      const auto at = std::ranges::find(class_names, name);
      if (at == class_names.end()) return bad("a probability of the unknown class " + printable(name), raw.place);
      vertebra.probabilities[static_cast<size_t>(at - class_names.begin())] = p;
    }
    if (std::ranges::find(vertebra.probabilities, -1.0f) != vertebra.probabilities.end()) {
      return bad("a vertebra lacks the probability of a class", raw.place);
    }
    for (const std::string& name : from.labels) {
      const auto at = std::ranges::find(class_names, name);
      if (at == class_names.end()) return bad("a label of the unknown class " + printable(name), raw.place);
      vertebra.labels |= LabelSet{1} << (at - class_names.begin());
    }
    raw.slice.vertebrae.push_back(std::move(vertebra));
  }
  return std::move(raw.slice);
}

// Finds the reports below a folder, in natural order; links to folders are not followed.
Status collect(const fs::path& folder, std::vector<std::string>& found) {
  std::error_code code;
  for (fs::recursive_directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    if (at->path().filename() != kReportName || !at->is_regular_file(code)) continue;
    found.push_back(at->path().string());
    if (found.size() > kMaxReports) return error(ErrorId::E_USAGE, "too many reports", folder.string());
  }
  if (code)
    return error(ErrorId::E_INPUT_EMPTY, "cannot read the folder of reports: " + code.message(), folder.string());
  std::ranges::sort(found, natural_less);
  return {};
}

// Slices of reports that another model or other thresholds made are not comparable.
Status same_system(const System& system, const System& other, const std::string& where) {
  const auto differ = [&where](const std::string& what) {
    return error(ErrorId::E_REPORT, "reports of different systems: " + what + " differs", where)
        .hint("Evaluate the reports of one model and one config at a time; --against compares two.");
  };
  if (other.model_sha256 != system.model_sha256) return differ("the model's SHA-256");
  if (other.class_names != system.class_names) return differ("the list of classes");
  if (other.thresholds != system.thresholds) return differ("a threshold");
  return {};
}

}  // namespace

Status add_report(std::string_view text, const std::string& study, const std::string& where, System& system) {
  static constexpr std::string_view kArrays[] = {"slices"};
  std::vector<RawSlice> slices;
  SPINERT_ASSIGN(const json rest,
                 stream_json(
                     text, kArrays,
                     [&](std::string_view, size_t index, json& element) -> Status {
                       SPINERT_ASSIGN(RawSlice slice,
                                      read_slice(element, study, where + ": slices[" + std::to_string(index) + "]"));
                       slices.push_back(std::move(slice));
                       return {};
                     },
                     ErrorId::E_REPORT, where));
  Fields fields(rest, where);
  const std::string schema = fields.text("schema"), status = fields.text("status");
  System found;
  const json* const model = fields.object("model");
  const json* const thresholds = fields.object("thresholds");
  if (!fields.status().ok()) return fields.status();
  if (schema != kReportSchema) {
    return error(ErrorId::E_REPORT, "the file is no report", where).expected(kReportSchema, printable(schema));
  }
  if (!rest.contains("slices")) {
    return error(ErrorId::E_REPORT, "the report failed as a whole and names no slices", where)
        .hint("Run spinert diagnose again; what was not looked at must not be left out of an evaluation.");
  }
  Fields model_fields(*model, where + ": model");
  found.name = model_fields.text("name");
  found.model_sha256 = model_fields.text("sha256");
  if (const json* demo = model_fields.get("demo", &json::is_boolean, "true or false")) found.demo = demo->get<bool>();
  if (const json* names = model_fields.array("class_names")) {
    for (const json& name : *names) {
      if (!name.is_string()) model_fields.fail("a list of texts", "class_names");
      if (name.is_string()) found.class_names.push_back(name.get<std::string>());
    }
    if (found.class_names.empty() || found.class_names.size() > kMaxClasses) {
      model_fields.fail("1 to 64 names", "class_names");
    }
  }
  if (!model_fields.status().ok()) return model_fields.status();
  Fields threshold_fields(*thresholds, where + ": thresholds");
  for (const auto& [name, value] : thresholds->items()) {
    threshold_fields.probability(&value, name);
    if (value.is_number()) found.thresholds[name] = value.get<double>();  // doubles of the config, as they are
  }
  if (!threshold_fields.status().ok()) return threshold_fields.status();
  if (system.class_names.empty()) {
    found.slices = std::move(system.slices);
    system = std::move(found);
  } else {
    SPINERT_TRY(same_system(system, found, where));
  }
  for (RawSlice& raw : slices) {
    SPINERT_ASSIGN(FoundSlice slice, resolve(std::move(raw), system.class_names));
    system.slices.push_back(std::move(slice));
  }
  return {};
}

Result<System> read_reports(const std::string& path) {
  std::vector<std::string> files;
  std::error_code code;
  if (fs::is_directory(path, code)) {
    SPINERT_TRY(collect(path, files));
  } else {
    files.push_back(path);
  }
  if (files.empty()) {
    return error(ErrorId::E_INPUT_EMPTY, "no report.json in the folder", path)
        .hint("Give a folder that spinert diagnose wrote, or one that holds such folders.");
  }
  System system;
  for (const std::string& file : files) {
    SPINERT_ASSIGN(const std::string text, read_text(file, kMaxReportBytes, ErrorId::E_REPORT));
    const std::string study = fs::absolute(file, code).parent_path().filename().string();
    SPINERT_TRY(add_report(text, clean_utf8(study), clean_utf8(file), system));
  }
  return system;
}

System reader_as_system(const Truth& truth, const std::string& name) {
  System system;
  system.name = name;
  system.reader = true;
  system.has_candidates = false;
  system.class_names = truth.class_names;
  const LabelSet diseases = disease_mask(truth.class_names);
  for (const TruthSlice& from : truth.slices) {
    FoundSlice slice;
    slice.name = from.name;
    slice.study = from.study;
    slice.width = from.width;
    slice.height = from.height;
    slice.alert = "negative";
    for (const TruthVertebra& vertebra : from.vertebrae) {
      FoundVertebra found;
      found.box = vertebra.box;
      found.score = 1;
      found.labels = vertebra.labels;
      for (size_t c = 0; c < truth.class_names.size(); ++c) {
        found.probabilities.push_back(has_class(vertebra.labels, c) ? 1.0f : 0.0f);
      }
      if ((vertebra.labels & diseases) != 0) slice.alert = "positive";
      slice.candidates.push_back({found.box, 1});
      slice.vertebrae.push_back(std::move(found));
    }
    system.slices.push_back(std::move(slice));
  }
  return system;
}

}  // namespace spinert::evaluation
