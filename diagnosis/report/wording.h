// wording.h - how classes and statuses are named and coloured wherever people look: page, preview, table.
#pragma once

#include <string>
#include <string_view>

#include "diagnosis/images/drawing.h"
#include "diagnosis/result.h"

namespace spinert {

// "Osteoporotic vertebral compression fracture" for "OVCF"; the name itself for a class that is not known here.
std::string_view class_title(std::string_view class_name);

// Eight colours that stay apart for every common kind of colour blindness; the class decides, never its position in the
// model. Grey means that no class reached its threshold.
inline constexpr size_t kColours = 8;
size_t colour_index(std::string_view class_name);
Rgb colour_at(size_t index);
inline constexpr size_t kNoLabelColour = 7;

// The label that colours a box: the most probable disease label, else "normal", else none (empty).
std::string_view leading_label(const Vertebra& vertebra, const std::vector<std::string>& class_names);
size_t vertebra_colour(const Vertebra& vertebra, const std::vector<std::string>& class_names);

// "OVCF 0.98, KD 0.61", "no label", with "contradictory" in front if it is.
std::string label_text(const Vertebra& vertebra, const std::vector<std::string>& class_names, bool with_numbers);

// The same of labels alone.
std::string label_text(const std::vector<std::string>& labels, std::string_view consistency);

// In capitals for banners: empty for "completed".
std::string_view status_banner(std::string_view status);
// What a status or alert means for the reader, one sentence.
std::string_view status_sentence(std::string_view status);
std::string_view alert_sentence(std::string_view alert);
// Names a reason code in plain words: "Part of the slice was cut off" for "cropped". Empty if the code is not known.
std::string_view reason_title(std::string_view code);

}  // namespace spinert
