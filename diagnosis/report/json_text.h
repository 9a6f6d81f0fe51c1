// json_text.h - writes JSON text in the order of the calls: indented, but short arrays and objects on one line.
//
// Floats are printed as floats, with the fewest digits that read back exactly; a library that stores every number as
// double would print 0.1f as 0.10000000149011612.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diagnosis/report/text.h"

namespace spinert {

class JsonText {
 public:
  enum class Layout : unsigned char { lines, inline_ };

  JsonText& begin_object(Layout layout = Layout::lines) { return begin('{', layout); }
  JsonText& begin_array(Layout layout = Layout::lines) { return begin('[', layout); }
  JsonText& end();

  JsonText& key(std::string_view name);
  JsonText& text(std::string_view value) { return raw(quote_json(value)); }
  JsonText& number(float value) { return raw(exact_number(value)); }
  JsonText& number(double value) { return raw(exact_number(value)); }
  JsonText& integer(long long value) { return raw(std::to_string(value)); }
  // A number as it stands, or null.
  JsonText& raw_number(std::string_view digits) { return raw(digits); }
  JsonText& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonText& numbers(std::span<const float> values);
  JsonText& texts(std::span<const std::string> values);

  const std::string& str() const { return out_; }
  // What was written since the last call. With it a document leaves in parts; elements of the array that is open may
  // come from elsewhere in between, at least one and with its comma, line break and indentation.
  std::string take() { return std::exchange(out_, {}); }
  JsonText& foreign_elements();

 private:
  struct Open {
    char close;
    bool one_line, empty;
  };
  JsonText& begin(char open, Layout layout);
  JsonText& raw(std::string_view token);
  // Comma, line break and indentation in front of the next element.
  void separate();

  std::string out_;
  std::vector<Open> open_;
  bool after_key_ = false;
};

}  // namespace spinert
