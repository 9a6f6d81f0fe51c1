#include "diagnosis/report/wording.h"

#include <algorithm>
#include <utility>

#include "diagnosis/report/text.h"

namespace spinert {
namespace {

using Words = std::pair<std::string_view, std::string_view>;

constexpr Words kTitles[] = {
    {"OVCF", "Osteoporotic vertebral compression fracture"},
    {"OF", "Old fracture"},
    {"SN", "Schmorl's node"},
    {"KD", "K\u00fcmmell's disease"},
    {"PS", "Previous surgery"},
    {"normal", "Normal"},
};

constexpr Words kReasons[] = {
    {"E_NO_VERTEBRA", "No plausible spine was found"},
    {"E_NONFINITE", "The networks gave values that are not numbers"},
    {"E_COVERAGE", "Too little of the spine was covered"},
    {"E_CANCELLED", "The run was stopped before this was finished"},
    {"E_TIMEOUT", "The time limit was reached"},
    {"E_PNG", "The PNG file is damaged"},
    {"E_JPEG", "The JPEG file is damaged"},
    {"E_IMAGE_SIZE", "The picture has a size that cannot be used"},
    {"E_IMAGE_UNKNOWN", "The file is not a picture"},
    {"E_IMAGE_COLOUR", "The picture is not grey"},
    {"E_IMAGE_FORMAT", "The picture is of a kind that is not read"},
    {"E_INPUT_CHANGED", "The file was still being written"},
    {"E_INPUT_READ", "The file could not be read"},
    {"E_INPUT_EMPTY", "There is no picture"},
    {"E_OOM_HOST", "The memory was not enough"},
    {"E_DEVICE", "The device is not available"},
    {"E_CONFIG", "The pipeline config is not usable"},
    {"E_MODEL_HASH", "The model file is not the one expected"},
    {"cropped", "Part of the slice was cut off"},
    {"capped", "There may be more vertebrae than are shown"},
    {"contradictory", "Normal and a disease were both found"},
    {"none", "No class reached its threshold"},
    {"gap", "A vertebra may be missing between two others"},
    {"unlabelled", "No class reached its threshold"},
    {"short", "Something was found in very few slices"},
    {"few_slices", "A vertebra was found in far fewer slices than the others"},
    {"interrupted", "A vertebra was not found in some slices between others"},
    {"below_alert", "A disease was seen in fewer slices than asked for"},
    {"tile_edge", "A vertebra was not seen whole"},
    {"unlinked", "A box belongs to no vertebra"},
    {"W_EXTENSION", "The file's name does not fit its content"},
    {"W_DUPLICATE", "A slice was there twice"},
    {"W_RESCALE", "The values were taken for Hounsfield units"},
    {"W_BURNED_IN", "Text is burned into the pixels"},
    {"W_PATIENT_POSITION", "How the patient lay is not known"},
    {"W_FAST", "Every second plane was left out"},
    {"W_LOSSY", "The picture was stored with losses"},
};

// OVCF vermilion, OF orange, SN sky blue, KD purple, PS yellow, normal green, other classes blue, no label grey.
constexpr Rgb kPalette[kColours] = {{225, 95, 25},  {236, 165, 20}, {86, 180, 233}, {214, 130, 180},
                                    {240, 228, 66}, {20, 178, 130}, {70, 130, 220}, {170, 176, 182}};
constexpr size_t kOtherColour = 6;

template <size_t n>
std::string_view look_up(const Words (&words)[n], std::string_view key) {
  const auto it = std::ranges::find(words, key, &Words::first);
  return it == std::end(words) ? std::string_view() : it->second;
}

}  // namespace

std::string_view class_title(std::string_view class_name) {
  const std::string_view title = look_up(kTitles, class_name);
  return title.empty() ? class_name : title;
}

size_t colour_index(std::string_view class_name) {
  const auto it = std::ranges::find(kTitles, class_name, &Words::first);
  return it == std::end(kTitles) ? kOtherColour : static_cast<size_t>(it - std::begin(kTitles));
}

Rgb colour_at(size_t index) {
  return kPalette[std::min(index, kColours - 1)];
}

std::string_view leading_label(const Vertebra& vertebra, const std::vector<std::string>& class_names) {
  std::string_view best;
  float best_probability = -1;
  for (const std::string& label : vertebra.labels) {
    const auto at = static_cast<size_t>(std::ranges::find(class_names, label) - class_names.begin());
    const float probability = at < vertebra.probabilities.size() ? vertebra.probabilities[at] : 0;
    const bool disease = label != "normal", best_disease = !best.empty() && best != "normal";
    if (best.empty() || (disease && !best_disease) || (disease == best_disease && probability > best_probability)) {
      best = label;
      best_probability = probability;
    }
  }
  return best;
}

size_t vertebra_colour(const Vertebra& vertebra, const std::vector<std::string>& class_names) {
  const std::string_view label = leading_label(vertebra, class_names);
  return label.empty() ? kNoLabelColour : colour_index(label);
}

std::string label_text(const std::vector<std::string>& labels, std::string_view consistency) {
  if (labels.empty()) return "no label";
  std::string text = consistency == "contradictory" ? "contradictory: " : "";
  for (size_t i = 0; i < labels.size(); ++i) text += (i > 0 ? ", " : "") + labels[i];
  return text;
}

std::string label_text(const Vertebra& vertebra, const std::vector<std::string>& class_names, bool with_numbers) {
  std::vector<std::string> labels = vertebra.labels;
  for (std::string& label : labels) {
    const auto at = static_cast<size_t>(std::ranges::find(class_names, label) - class_names.begin());
    if (with_numbers && at < vertebra.probabilities.size()) label += ' ' + fixed_number(vertebra.probabilities[at], 2);
  }
  return label_text(labels, vertebra.consistency);
}

std::string_view status_banner(std::string_view status) {
  if (status == "completed") return {};
  if (status == "indeterminate") return "INDETERMINATE - not a negative result";
  if (status == "partial") return "PARTIAL - some slices failed";
  return "FAILED - no result";
}

std::string_view status_sentence(std::string_view status) {
  if (status == "completed") return "Every slice was read and looked at.";
  if (status == "partial") return "Some slices failed. What they show is unknown; it is not negative.";
  if (status == "indeterminate") return "At least one slice could not be judged. It must not be read as negative.";
  return "There is no result. Nothing may be concluded from this page.";
}

std::string_view alert_sentence(std::string_view alert) {
  if (alert == "positive") return "at least one vertebra has a disease label";
  if (alert == "negative") return "a spine was seen and no vertebra has a disease label";
  return "a person must look";
}

std::string_view reason_title(std::string_view code) {
  return look_up(kReasons, code);
}

}  // namespace spinert
