// truth_json.cpp - COCO-style truth: `images`, `annotations` with `labels`, optionally `categories` and `findings`.
// The long arrays are read element by element, so that memory follows what is kept and not the text.
#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "config/json.h"
#include "diagnosis/evaluation/truth.h"
#include "diagnosis/evaluation/truth_builder.h"
#include "diagnosis/report/text.h"

namespace spinert::evaluation {
namespace {

using nlohmann::json;

constexpr JsonLimits kLimits{8, 1'000'000};  // of one annotation: a segmentation may be long

// An id is a whole number or a text; both are kept as text.
std::string id_text(const json& value) {
  if (value.is_number_integer()) return value.dump();
  return value.is_string() ? value.get<std::string>() : std::string();
}

class CocoReader {
 public:
  CocoReader(const std::vector<std::string>& class_names, std::string where)
      : classes_(class_names), builder_(class_names), where_(std::move(where)) {}

  Result<Truth> read(std::string_view text) {
    static constexpr std::string_view kArrays[] = {"images", "annotations"};
    SPINERT_ASSIGN(const json rest, stream_json(
                                        text, kArrays,
                                        [this](std::string_view array, size_t index, json& element) {
                                          return array == "images" ? image(index, element) : keep(index, element);
                                        },
                                        ErrorId::E_TRUTH, where_, kLimits));
    if (!rest.is_object()) return error(ErrorId::E_TRUTH, "the truth is no JSON object", where_);
    for (const std::string_view key : kArrays) {
      const auto at = rest.find(std::string(key));
      if (at == rest.end() || !at->is_array()) {
        return error(ErrorId::E_TRUTH, "the array \"" + std::string(key) + "\" is missing", where_)
            .hint("docs/evaluation.md shows the form.");
      }
    }
    SPINERT_TRY(check_findings(rest));
    SPINERT_TRY(read_categories(rest));
    for (const Annotation& annotation : annotations_) SPINERT_TRY(place(annotation));
    return builder_.finish(where_);
  }

 private:
  struct Annotation {
    size_t index;
    std::string id, image, vertebra, category;
    double box[4];
    std::vector<std::string> labels;
  };

  std::string record(const char* array, size_t index, const std::string& id) const {
    return where_ + ": " + array + "[" + std::to_string(index) + "]" + (id.empty() ? "" : ", id " + printable(id));
  }

  static Status wrong(const std::string& key, const std::string& expected, const std::string& place) {
    return error(ErrorId::E_TRUTH, "\"" + key + "\" is missing or of another kind", place)
        .expected(expected, "another");
  }

  Status optional_text(const json& object, const char* key, std::string& value, const std::string& place) const {
    const auto at = object.find(key);
    if (at == object.end()) return {};
    value = id_text(*at);
    return value.empty() ? wrong(key, "a text or a whole number", place) : Status();
  }

  Status image(size_t index, const json& object) {
    std::string place = record("images", index, {});
    if (!object.is_object()) return wrong("images", "an object", place);
    const auto id = object.find("id");
    const std::string id_name = id == object.end() ? std::string() : id_text(*id);
    if (id_name.empty()) return wrong("id", "a text or a whole number", place);
    place = record("images", index, id_name);
    const auto name = object.find("file_name");
    if (name == object.end() || !name->is_string()) return wrong("file_name", "a text", place);
    int64_t size[2];
    const char* const sides[] = {"width", "height"};
    for (int i = 0; i < 2; ++i) {
      const auto side = object.find(sides[i]);
      if (side == object.end() || !side->is_number_unsigned() || side->get<uint64_t>() == 0 ||
          side->get<uint64_t>() > INT32_MAX) {
        return wrong(sides[i], "a positive whole number", place);
      }
      size[i] = side->get<int64_t>();
    }
    std::string study;
    SPINERT_TRY(optional_text(object, "study", study, place));
    if (images_.count(id_name) != 0) {
      return error(ErrorId::E_TRUTH, "the image id " + printable(id_name) + " is used twice", place);
    }
    SPINERT_ASSIGN(images_[id_name], builder_.add_slice(name->get<std::string>(), study, size[0], size[1], place));
    return {};
  }

  // Images may stand behind annotations, so an annotation is checked in itself first and placed at the end.
  Status keep(size_t index, const json& object) {
    Annotation annotation{index, {}, {}, {}, {}, {}, {}};
    std::string place = record("annotations", index, {});
    if (!object.is_object()) return wrong("annotations", "an object", place);
    const auto id = object.find("id");
    if (id != object.end()) annotation.id = id_text(*id);
    if (annotation.id.empty()) return wrong("id", "a text or a whole number", place);
    place = record("annotations", index, annotation.id);
    const auto image = object.find("image_id");
    if (image != object.end()) annotation.image = id_text(*image);
    if (annotation.image.empty()) return wrong("image_id", "a text or a whole number", place);
    SPINERT_TRY(optional_text(object, "vertebra", annotation.vertebra, place));
    SPINERT_TRY(optional_text(object, "category_id", annotation.category, place));
    if (const auto crowd = object.find("iscrowd"); crowd != object.end() && *crowd != 0 && *crowd != false) {
      return error(ErrorId::E_TRUTH, "a crowd region is no vertebra", place).hint("Annotate each vertebra with a box.");
    }
    const auto box = object.find("bbox");
    if (box == object.end() || !box->is_array() || box->size() != 4) return wrong("bbox", "four numbers", place);
    for (size_t i = 0; i < 4; ++i) {
      if (!(*box)[i].is_number()) return wrong("bbox", "four numbers", place);
      annotation.box[i] = (*box)[i].get<double>();
    }
    const auto labels = object.find("labels");
    if (labels == object.end() || !labels->is_array()) return wrong("labels", "a list of class names", place);
    for (const json& label : *labels) {
      if (!label.is_string()) return wrong("labels", "a list of class names", place);
      annotation.labels.push_back(label.get<std::string>());
    }
    annotations_.push_back(std::move(annotation));
    return {};
  }

  Status check_findings(const json& rest) const {
    const auto at = rest.find("findings");
    if (at == rest.end()) return {};
    std::set<std::string> named;
    bool texts = at->is_array();
    for (const json& name : *at) {
      texts = texts && name.is_string();
      if (texts) named.insert(name.get<std::string>());
    }
    if (!texts) return wrong("findings", "a list of class names", where_);
    const std::set<std::string> wanted(classes_.begin(), classes_.end());
    if (named == wanted) return {};
    const auto list = [](const std::set<std::string>& names) {
      std::string all;
      for (const std::string& name : names) all += (all.empty() ? "" : ", ") + printable(name);
      return all;
    };
    return error(ErrorId::E_TRUTH, "the findings are not the classes of the model", where_ + ": findings")
        .expected(list(wanted), list(named));
  }

  Status read_categories(const json& rest) {
    const auto at = rest.find("categories");
    if (at == rest.end()) return {};
    if (!at->is_array()) return wrong("categories", "a list", where_);
    has_categories_ = true;
    for (const json& category : *at) {
      const auto id = category.is_object() ? category.find("id") : category.end();
      const std::string name = category.is_object() && id != category.end() ? id_text(*id) : std::string();
      if (name.empty()) return wrong("categories", "objects with an id", where_);
      categories_.insert(name);
    }
    return {};
  }

  Status place(const Annotation& annotation) {
    const std::string place = record("annotations", annotation.index, annotation.id);
    const auto image = images_.find(annotation.image);
    if (image == images_.end()) {
      return error(ErrorId::E_TRUTH, "the annotated slice is not listed in \"images\"", place)
          .expected("the id of an image", printable(annotation.image));
    }
    if (has_categories_ && !annotation.category.empty() && categories_.count(annotation.category) == 0) {
      return error(ErrorId::E_TRUTH, "unknown category " + printable(annotation.category), place);
    }
    return builder_.add_vertebra(image->second, annotation.id, annotation.vertebra, annotation.box, annotation.labels,
                                 place);
  }

  const std::vector<std::string>& classes_;
  TruthBuilder builder_;
  std::string where_;
  std::unordered_map<std::string, size_t> images_;
  std::vector<Annotation> annotations_;
  std::set<std::string> categories_;
  bool has_categories_ = false;
};

}  // namespace

Result<Truth> parse_truth_json(std::string_view text, const std::vector<std::string>& class_names,
                               const std::string& where) {
  return CocoReader(class_names, where).read(text);
}

}  // namespace spinert::evaluation
