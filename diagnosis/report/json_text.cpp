#include "diagnosis/report/json_text.h"

namespace spinert {

void JsonText::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (open_.empty()) return;
  Open& top = open_.back();
  if (!top.empty) out_ += ',';
  if (top.one_line) {
    if (!top.empty) out_ += ' ';
  } else {
    out_ += '\n';
    out_.append(2 * open_.size(), ' ');
  }
  top.empty = false;
}

JsonText& JsonText::begin(char open, Layout layout) {
  separate();
  out_ += open;
  const bool inside_line = !open_.empty() && open_.back().one_line;
  open_.push_back({open == '{' ? '}' : ']', inside_line || layout == Layout::inline_, true});
  return *this;
}

JsonText& JsonText::end() {
  const Open top = open_.back();
  open_.pop_back();
  if (!top.one_line && !top.empty) {
    out_ += '\n';
    out_.append(2 * open_.size(), ' ');
  }
  out_ += top.close;
  return *this;
}

JsonText& JsonText::foreign_elements() {
  open_.back().empty = false;
  return *this;
}

JsonText& JsonText::key(std::string_view name) {
  separate();
  out_ += quote_json(name);
  out_ += ": ";
  after_key_ = true;
  return *this;
}

JsonText& JsonText::raw(std::string_view token) {
  separate();
  out_ += token;
  return *this;
}

JsonText& JsonText::numbers(std::span<const float> values) {
  begin_array(Layout::inline_);
  for (const float value : values) number(value);
  return end();
}

JsonText& JsonText::texts(std::span<const std::string> values) {
  begin_array(Layout::inline_);
  for (const std::string& value : values) text(value);
  return end();
}

}  // namespace spinert
