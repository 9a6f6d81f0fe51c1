#include "converter/source_tensors.h"

#include <algorithm>
#include <cmath>

#include "config/json.h"

namespace spinert {
namespace {

constexpr size_t kMaxLines = 20;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

// Adds at most `room` lines; what does not fit is counted in the last of them.
void append(std::vector<std::string>& lines, const std::vector<std::string>& more, size_t room) {
  for (size_t i = 0; i < more.size() && i < room; ++i) {
    const bool cut = i + 1 == room && more.size() > room;
    lines.push_back(cut ? "... and " + std::to_string(more.size() - i) + " more such lines" : more[i]);
  }
}

// A counter of training steps that batch norm keeps; no part of the model.
bool is_counter(const SourceTensor& tensor) {
  return tensor.name.ends_with(".num_batches_tracked") && tensor.shape.empty() && tensor.integers.size() == 1;
}

}  // namespace

SourceTensors::SourceTensors(Checkpoint checkpoint, std::string where) : where_(std::move(where)) {
  for (SourceTensor& tensor : checkpoint.tensors) {
    std::string name = tensor.name;
    tensors_.emplace(std::move(name), std::move(tensor));
  }
}

void SourceTensors::rename_prefixes(const std::map<std::string, std::string>& prefixes) {
  std::vector<std::pair<std::string, std::string>> renames;
  for (const auto& [name, tensor] : tensors_) {
    // The longest prefix wins: the map is sorted, so the last one that fits is the longest.
    const std::pair<const std::string, std::string>* best = nullptr;
    for (const auto& entry : prefixes) {
      if (name.starts_with(entry.first + ".")) best = &entry;
    }
    if (!best) continue;
    const std::string rest = name.substr(best->first.size() + 1);
    renames.emplace_back(name, best->second.empty() ? rest : best->second + "." + rest);
  }
  for (const auto& [from, to] : renames) rename(from, to);
}

void SourceTensors::rename(const std::string& from, const std::string& to) {
  if (tensors_.contains(to)) return;
  auto node = tensors_.extract(from);
  if (node.empty()) return;
  node.key() = to;
  node.mapped().name = to;
  tensors_.insert(std::move(node));
}

std::vector<float> SourceTensors::take(const std::string& name, const std::vector<int64_t>& shape) {
  expected_.push_back({name, shape});
  auto node = tensors_.extract(name);
  if (node.empty()) {
    missing_.push_back("missing " + name + " " + shape_text(shape));
    return {};
  }
  SourceTensor& tensor = node.mapped();
  if (tensor.shape != shape || !tensor.integers.empty()) {
    shape_lines_.push_back(name + ": expected " + shape_text(shape) + ", got " + shape_text(tensor.shape) +
                           (tensor.integers.empty() ? "" : " of integers"));
    other_shape_[name] = tensor.shape;
    return {};
  }
  for (size_t i = 0; i < tensor.values.size(); ++i) {
    if (!std::isfinite(tensor.values[i])) {
      note_value(name, i, "is not finite");
      break;
    }
  }
  return std::move(tensor.values);
}

void SourceTensors::note_value(const std::string& name, size_t index, const std::string& what) {
  if (!value_problem_.ok()) return;
  value_problem_ =
      error(ErrorId::E_MODEL_VALUE, "PT-10: a value " + what, where_ + ": " + name + "[" + std::to_string(index) + "]");
}

bool SourceTensors::has_other_shape(const std::string& name, std::vector<int64_t>& got) const {
  const auto it = other_shape_.find(name);
  if (it == other_shape_.end()) return false;
  got = it->second;
  return true;
}

Status SourceTensors::finish(const std::string& architecture) const {
  std::vector<std::string> unexpected;
  for (const auto& [name, tensor] : tensors_) {
    if (!is_counter(tensor)) unexpected.push_back("unexpected " + printable(name) + " " + shape_text(tensor.shape));
  }
  if (missing_.empty() && shape_lines_.empty() && unexpected.empty()) return value_problem_;

  std::vector<std::string> lines;
  // Missing and unexpected names mostly explain each other, so both get room.
  append(lines, shape_lines_, kMaxLines / 2);
  append(lines, missing_,
         std::max(kMaxLines / 2 - 1, kMaxLines - std::min(kMaxLines, lines.size() + unexpected.size())));
  append(lines, unexpected, kMaxLines - std::min(kMaxLines, lines.size()));
  std::string diff = std::to_string(missing_.size()) + " missing, " + std::to_string(unexpected.size()) +
                     " unexpected, " + std::to_string(shape_lines_.size()) + " of another shape:";
  for (const std::string& line : lines) diff += "\n  " + line;
  return error(ErrorId::E_MODEL_ARCH, "PT-10: the checkpoint does not fit the architecture " + architecture, where_)
      .hint(diff);
}

}  // namespace spinert
