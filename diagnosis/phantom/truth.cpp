// truth.cpp - the truth file, ids counted in the order of the slices.
#include "diagnosis/phantom/truth.h"

#include "diagnosis/report/json_text.h"

namespace spinert {
namespace {

using Layout = JsonText::Layout;

// Boxes to a hundredth of a pixel.
double rounded(double pixels) {
  return static_cast<double>(static_cast<int64_t>(pixels * 100 + 0.5)) / 100;
}

void category(JsonText& json) {
  json.key("categories").begin_array();
  json.begin_object(Layout::inline_).key("id").integer(1).key("name").text("vertebra").end().end();
}

}  // namespace

std::string phantom_truth(const PhantomOptions& options, bool sixteen_bit, std::span<const PhantomEntry> entries) {
  JsonText json;
  json.begin_object().key("info").begin_object();
  json.key("description").text("Synthetic sagittal spine CT slices with vertebra boxes and findings");
  // As text: JSON readers keep whole numbers only up to 2^53.
  json.key("generator").text("spinert phantom").key("seed").text(std::to_string(options.seed));
  if (sixteen_bit) json.key("hu_offset").integer(kPhantomOffset);
  json.end();
  category(json);
  json.key("findings").begin_array(Layout::inline_);
  for (const std::string_view name : phantom::kLabelNames) json.text(name);
  json.end();

  json.key("images").begin_array();
  long long id = 0;
  for (const PhantomEntry& entry : entries) {
    json.begin_object(Layout::inline_).key("id").integer(id++).key("file_name").text(entry.file);
    // Every slice is of another patient: `vertebra` below means something within its study alone.
    json.key("study").text(entry.file.substr(0, entry.file.rfind('.')));
    json.key("height").integer(entry.height).key("width").integer(entry.width).key("spacing_mm").number(entry.spacing);
    json.key("window_level").number(entry.window.level).key("window_width").number(entry.window.width).end();
  }
  json.end();

  json.key("annotations").begin_array();
  id = 0;
  for (size_t image = 0; image < entries.size(); ++image) {
    for (const PhantomVertebra& v : entries[image].vertebrae) {
      json.begin_object(Layout::inline_).key("id").integer(id++).key("image_id").integer(static_cast<long long>(image));
      json.key("category_id").integer(1).key("bbox").begin_array(Layout::inline_);
      // Both corners are rounded, so that no box grows beyond its slice.
      const double x = rounded(v.x), y = rounded(v.y);
      const double width = rounded(rounded(v.x + v.width) - x), height = rounded(rounded(v.y + v.height) - y);
      for (const double value : {x, y, width, height}) json.number(value);
      json.end().key("labels").texts(v.labels).key("vertebra").text(v.level).end();
    }
  }
  json.end().end();
  return json.str() + "\n";
}

}  // namespace spinert
