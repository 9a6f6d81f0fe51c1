// json_fields.h - one description of a JSON object serves reading and writing.
//
// A function template `fields(v, object)` names every key once; JsonReader fills the object and checks presence, type,
// finiteness and range, JsonWriter prints it. The first problem wins and names the full path of the key
// ("detector.rpn.nms_threshold is missing"). A key that nobody asked for is a problem too.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "config/json.h"

namespace spinert {

struct Range {
  double low = -std::numeric_limits<double>::max();
  double high = std::numeric_limits<double>::max();
  bool open_low = false;  // low itself is outside
};

class JsonReader {
 public:
  JsonReader(const nlohmann::json& object, std::string path, Status& status)
      : object_(object), path_(std::move(path)), status_(status) {}

  void number(const char* key, double& value, Range range);
  void integer(const char* key, int64_t& value, int64_t low, int64_t high);
  void boolean(const char* key, bool& value);
  void text(const char* key, std::string& value);
  // count 0: any number of entries from 1 to 64.
  void numbers(const char* key, std::vector<double>& value, size_t count, Range range);
  void rows(const char* key, std::vector<std::vector<double>>& value, size_t max_rows, size_t columns, Range range);
  void texts(const char* key, std::vector<std::string>& value);
  void number_map(const char* key, std::map<std::string, double>& value, Range range);
  void text_map(const char* key, std::map<std::string, std::string>& value);

  template <class Fields>
  void object(const char* key, Fields fields) {
    if (const nlohmann::json* child = find(key, nlohmann::json::value_t::object)) read_child(*child, key, fields);
  }
  // Does nothing if the key is absent: the defaults of the struct hold.
  template <class Fields>
  void optional_object(const char* key, Fields fields) {
    if (has(key)) object(key, fields);
  }
  bool has(const char* key) const { return object_.contains(key); }
  // Refuses keys that were not read.
  void finish();

 private:
  template <class Fields>
  void read_child(const nlohmann::json& child, const char* key, Fields fields) {
    JsonReader reader(child, name(key), status_);
    fields(reader);
    reader.finish();
  }
  const nlohmann::json* find(const char* key, nlohmann::json::value_t type);
  std::string name(std::string_view key) const;
  void fail(std::string_view key, std::string expected, const nlohmann::json& got);
  bool number_ok(std::string_view key, const nlohmann::json& value, Range range);
  bool read_numbers(const std::string& key, const nlohmann::json& array, std::vector<double>& value, size_t count,
                    Range range);

  const nlohmann::json& object_;
  std::string path_;
  Status& status_;
  std::vector<std::string> known_;
};

class JsonWriter {
 public:
  explicit JsonWriter(nlohmann::json& object) : object_(object) { object_ = nlohmann::json::object(); }

  void number(const char* key, const double& value, Range) { object_[key] = value; }
  void integer(const char* key, const int64_t& value, int64_t, int64_t) { object_[key] = value; }
  void boolean(const char* key, const bool& value) { object_[key] = value; }
  void text(const char* key, const std::string& value) { object_[key] = value; }
  void numbers(const char* key, const std::vector<double>& value, size_t, Range) { object_[key] = value; }
  void rows(const char* key, const std::vector<std::vector<double>>& value, size_t, size_t, Range) {
    object_[key] = value;
  }
  void texts(const char* key, const std::vector<std::string>& value) { object_[key] = value; }
  void number_map(const char* key, const std::map<std::string, double>& value, Range) { object_[key] = value; }
  void text_map(const char* key, const std::map<std::string, std::string>& value) { object_[key] = value; }

  template <class Fields>
  void object(const char* key, Fields fields) {
    JsonWriter writer(object_[key]);
    fields(writer);
  }
  template <class Fields>
  void optional_object(const char* key, Fields fields) {
    object(key, fields);
  }
  bool has(const char*) const { return true; }

 private:
  nlohmann::json& object_;
};

}  // namespace spinert
