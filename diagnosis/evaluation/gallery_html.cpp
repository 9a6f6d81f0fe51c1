#include "diagnosis/evaluation/gallery_html.h"

#include "diagnosis/images/base64.h"
#include "diagnosis/report/text.h"
#include "diagnosis/report/wording.h"

namespace spinert::evaluation {
namespace {

std::string names_of(LabelSet labels, const std::vector<std::string>& class_names) {
  std::string text;
  for (size_t c = 0; c < class_names.size(); ++c) {
    if (has_class(labels, c)) text += (text.empty() ? "" : ", ") + class_names[c];
  }
  return text.empty() ? "no label" : text;
}

std::string with_numbers(const FoundVertebra& vertebra, const std::vector<std::string>& class_names) {
  std::string text;
  for (size_t c = 0; c < class_names.size(); ++c) {
    if (!has_class(vertebra.labels, c)) continue;
    text += (text.empty() ? "" : ", ") + class_names[c] + " " + fixed_number(vertebra.probabilities[c], 2);
  }
  return text.empty() ? "no label" : text;
}

std::string rectangle(const Rect& box, const std::string& css) {
  return "<rect class=\"" + css + "\" x=\"" + fixed_number(box.x1, 1) + "\" y=\"" + fixed_number(box.y1, 1) +
         "\" width=\"" + fixed_number(box.x2 - box.x1, 1) + "\" height=\"" + fixed_number(box.y2 - box.y1, 1) + "\"/>";
}

size_t colour_of(LabelSet labels, const Evaluation& evaluation) {
  for (const LabelSet mask : {evaluation.diseases, ~evaluation.diseases}) {
    for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
      if (has_class(labels & mask, c)) return colour_index(evaluation.class_names[c]);
    }
  }
  return kNoLabelColour;
}

std::string picture(const ErrorCase& error, const Evaluation& evaluation, const std::string& said) {
  if (error.png.empty()) return "<div class=\"empty\">no picture at hand</div>\n";
  const SliceOutcome& outcome = evaluation.outcomes[error.outcome];
  const std::string place = "x=\"" + std::to_string(error.left) + "\" y=\"" + std::to_string(error.top) +
                            "\" width=\"" + std::to_string(error.width) + "\" height=\"" +
                            std::to_string(error.height) + "\"";
  std::string html = "<svg viewBox=\"" + std::to_string(error.left) + ' ' + std::to_string(error.top) + ' ' +
                     std::to_string(error.width) + ' ' + std::to_string(error.height) +
                     "\" role=\"img\" aria-label=\"" + escape_html(said) + "\"><image " + place +
                     " href=\"data:image/png;base64," + base64(error.png) + "\"/>";
  if (error.truth != kNoMatch) {
    html += rectangle(outcome.truth->vertebrae[static_cast<size_t>(error.truth)].box, "annotated");
  }
  if (error.found != kNoMatch) {
    const FoundVertebra& vertebra = outcome.vertebra(error.found);
    html += rectangle(vertebra.box, "found k" + std::to_string(colour_of(vertebra.labels, evaluation)));
  }
  return html + "</svg>\n";
}

std::string entry(const ErrorCase& error, const Evaluation& evaluation) {
  const SliceOutcome& outcome = evaluation.outcomes[error.outcome];
  const auto& names = evaluation.class_names;
  std::string title, words;
  if (error.kind == ErrorCase::Kind::false_box) {
    const FoundVertebra& found = outcome.vertebra(error.found);
    title = "No vertebra: " + with_numbers(found, names);
    words = "score " + fixed_number(found.score, 2);
  } else {
    const TruthVertebra& truth = outcome.truth->vertebrae[static_cast<size_t>(error.truth)];
    title = names_of(truth.labels, names) +
            (error.found == kNoMatch ? ": missed" : ": said " + with_numbers(outcome.vertebra(error.found), names));
    if (!truth.id.empty()) words = "annotation " + truth.id;
  }
  const std::string slice = (outcome.truth->study.empty() ? "" : outcome.truth->study + "/") + outcome.truth->name;
  return "<figure>" + picture(error, evaluation, title) + "<strong>" + escape_html(title) + "</strong><p>" +
         escape_html(slice + (words.empty() ? "" : ", " + words)) + "</p></figure>\n";
}

}  // namespace

std::string gallery_section(const Evaluation& evaluation, std::span<const ErrorCase> gallery) {
  std::string html = "<section class=\"card\"><div class=\"head\"><h2>Worst errors</h2></div>\n";
  if (gallery.empty()) return html + "<p>No error on a slice with a result.</p></section>\n";
  html +=
      "<p class=\"small soft\">Diseases that were missed or taken for something else first. Dashed white: annotated; "
      "in the colour of its class: found.</p>\n<div class=\"gallery\">\n";
  for (const ErrorCase& error : gallery) html += entry(error, evaluation);
  return html + "</div></section>\n";
}

}  // namespace spinert::evaluation
