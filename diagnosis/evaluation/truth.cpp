#include "diagnosis/evaluation/truth.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "config/json.h"
#include "config/pipeline_config.h"
#include "diagnosis/evaluation/truth_builder.h"
#include "diagnosis/images/input_file.h"
#include "diagnosis/images/limits.h"
#include "diagnosis/report/text.h"
#include "weights/sha256.h"

namespace spinert::evaluation {
namespace {

constexpr uint64_t kMaxTruthBytes = 1ull << 30;  // about eight million annotations

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

}  // namespace

Result<size_t> TruthBuilder::add_slice(const std::string& file_name, std::string study, int64_t width, int64_t height,
                                       const std::string& record) {
  const std::string name = file_name_of(file_name);
  if (name.empty() || name == "/") return error(ErrorId::E_TRUTH, "a slice has no file name", record);
  if (study.empty()) {
    const size_t slash = file_name.rfind('/');
    if (slash != std::string::npos && slash > 0) study = file_name_of(file_name.substr(0, slash));
  }
  if (width < 0 || height < 0 || width > kMaxPictureSide || height > kMaxPictureSide || (width == 0) != (height == 0)) {
    return error(ErrorId::E_TRUTH, "the size of a slice is not possible", record)
        .expected("1 to " + std::to_string(kMaxPictureSide) + " pixels a side",
                  std::to_string(width) + " x " + std::to_string(height));
  }
  if (!slices_.insert({study, name}).second) {
    return error(ErrorId::E_TRUTH, "slice \"" + printable(name) + "\" is listed twice", record)
        .hint("Give equal file names of different studies a study of their own.");
  }
  truth_.slices.push_back({name, std::move(study), width, height, {}});
  vertebrae_.emplace_back();
  return truth_.slices.size() - 1;
}

Result<LabelSet> TruthBuilder::label_set(const std::vector<std::string>& labels, const std::string& record) const {
  LabelSet set = 0;
  for (const std::string& name : labels) {
    const auto at = std::ranges::find(truth_.class_names, name);
    if (at == truth_.class_names.end()) {
      return error(ErrorId::E_TRUTH, "unknown label \"" + printable(name) + "\"", record)
          .expected("some of " + joined(truth_.class_names), printable(name));
    }
    const LabelSet bit = LabelSet{1} << (at - truth_.class_names.begin());
    if ((set & bit) != 0) return error(ErrorId::E_TRUTH, "label \"" + printable(name) + "\" is given twice", record);
    set |= bit;
  }
  if (set == 0) {
    return error(ErrorId::E_TRUTH, "a vertebra without a label", record)
        .hint("Label it normal, or with what it has: an empty list does not say which.");
  }
  if ((set & disease_mask(truth_.class_names)) != 0 && (set & ~disease_mask(truth_.class_names)) != 0) {
    return error(ErrorId::E_TRUTH, "a vertebra is labelled normal and with a disease", record)
        .expected("one or the other", joined(labels));
  }
  return set;
}

Status TruthBuilder::add_vertebra(size_t slice, const std::string& id, const std::string& vertebra,
                                  const double (&box)[4], const std::vector<std::string>& labels,
                                  const std::string& record) {
  if (!id.empty() && !ids_.insert(id).second) {
    return error(ErrorId::E_TRUTH, "the id " + printable(id) + " is used twice", record);
  }
  // "L1" of two patients is not one vertebra.
  if (!vertebra.empty() && truth_.slices[slice].study.empty()) {
    return error(ErrorId::E_TRUTH, "a vertebra is named on a slice without a study", record)
        .hint("Give the slice a study, or leave the vertebra out.");
  }
  if (!vertebra.empty() && !vertebrae_[slice].insert(vertebra).second) {
    return error(ErrorId::E_TRUTH, "vertebra \"" + printable(vertebra) + "\" stands twice on one slice", record);
  }
  for (const double number : box) {
    if (!std::isfinite(number)) return error(ErrorId::E_TRUTH, "a box holds a number that is not finite", record);
  }
  const Rect rect{box[0], box[1], box[0] + box[2], box[1] + box[3]};
  const auto shown = [&rect] {
    return "x " + fixed_number(rect.x1, 2) + " to " + fixed_number(rect.x2, 2) + ", y " + fixed_number(rect.y1, 2) +
           " to " + fixed_number(rect.y2, 2);
  };
  if (!(box[2] > 0 && box[3] > 0)) {
    return error(ErrorId::E_TRUTH, "a box has no area", record)
        .expected("positive width and height", fixed_number(box[2], 2) + " x " + fixed_number(box[3], 2));
  }
  const TruthSlice& target = truth_.slices[slice];
  const double right = target.width > 0 ? static_cast<double>(target.width) : kMaxPictureSide;
  const double bottom = target.height > 0 ? static_cast<double>(target.height) : kMaxPictureSide;
  if (!(rect.x1 >= -kEdgeTolerance && rect.y1 >= -kEdgeTolerance && rect.x2 <= right + kEdgeTolerance &&
        rect.y2 <= bottom + kEdgeTolerance)) {
    return error(ErrorId::E_TRUTH, "a box lies outside its slice", record)
        .expected("x 0 to " + fixed_number(right, 0) + ", y 0 to " + fixed_number(bottom, 0), shown());
  }
  SPINERT_ASSIGN(const LabelSet set, label_set(labels, record));
  truth_.slices[slice].vertebrae.push_back({id, vertebra, rect, set});
  return {};
}

Result<Truth> TruthBuilder::finish(const std::string& where) {
  if (truth_.slices.empty()) {
    return error(ErrorId::E_TRUTH, "the truth names no slice", where).hint("Give at least one slice.");
  }
  return std::move(truth_);
}

Result<std::string> read_text(const std::string& path, uint64_t limit, ErrorId too_large) {
  const auto bytes = read_input_file(path, limit, too_large);
  if (bytes.ok()) return std::string(bytes.value().begin(), bytes.value().end());
  if (bytes.status().id() == ErrorId::E_INPUT_EMPTY) {
    return error(ErrorId::E_INPUT_EMPTY, "cannot read the file", path).hint("Give the path of a readable file.");
  }
  return bytes.status();
}

Result<Truth> read_truth(const std::string& path, const std::vector<std::string>& class_names) {
  SPINERT_ASSIGN(const std::string text, read_text(path, kMaxTruthBytes, ErrorId::E_TRUTH));
  const std::string where = file_name_of(path);
  SPINERT_ASSIGN(Truth truth, where.ends_with(".csv") ? parse_truth_csv(text, class_names, where)
                                                      : parse_truth_json(text, class_names, where));
  truth.sha256 = to_hex(sha256(text.data(), text.size()));
  return truth;
}

}  // namespace spinert::evaluation
