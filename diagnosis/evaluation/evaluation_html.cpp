#include "diagnosis/evaluation/evaluation_html.h"

#include "diagnosis/evaluation/evaluation_charts.h"
#include "diagnosis/evaluation/evaluation_style.h"
#include "diagnosis/evaluation/gallery_html.h"
#include "diagnosis/report/page_style.h"
#include "diagnosis/report/text.h"
#include "diagnosis/report/wording.h"
#include "diagnosis/study.h"

namespace spinert::evaluation {
namespace {

std::string cell(const std::optional<double>& value, const std::optional<Interval>& interval) {
  std::string html = value ? "<td>" + shown(value) : "<td class=\"none\">not defined";
  if (value && interval) {
    html += "<small>" + shown(interval->low) + "\u2013" + shown(interval->high) + "</small>";
  }
  return html + "</td>";
}

std::string rate_cell(const Rate& rate) {
  return cell(rate.value, rate.interval);
}

std::string head_row(std::initializer_list<const char*> names) {
  std::string html = "<thead><tr>";
  for (const char* name : names) html += std::string("<th scope=\"col\">") + name + "</th>";
  return html + "</tr></thead>\n<tbody>\n";
}

std::string class_head(const std::string& name) {
  return "<th scope=\"row\" class=\"k" + std::to_string(colour_index(name)) + "\"><span class=\"chip\"></span>" +
         escape_html(name) + "</th>";
}

std::string average_row(const std::string& name, const Averages& averages) {
  std::string html = "<tr class=\"average\"><th scope=\"row\">" + escape_html(name) + "</th>";
  for (const Average* a : {&averages.auc, &averages.sensitivity, &averages.specificity, &averages.ppv, &averages.npv,
                           &averages.f1, &averages.accuracy}) {
    html += a->value ? "<td>" + shown(a->value) : "<td class=\"none\">not defined";
    // An average over fewer classes than its name says must not pass for the whole.
    if (a->value && a->over != averages.classes) {
      html += "<small>" + std::to_string(a->over) + " of " + std::to_string(averages.classes) + " classes</small>";
    }
    html += "</td>";
  }
  return html + "</tr>\n";
}

// The layout of Table 3 of the paper: one row for each class, then the averages with and without SN.
std::string class_table(const Evaluation& evaluation, const ClassSet& set) {
  std::string html = "<div class=\"scroll\"><table class=\"data\">" +
                     head_row({"Class", "AUC", "Sensitivity", "Specificity", "PPV", "NPV", "F1", "Accuracy"});
  for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
    const ClassFigures& f = set.classes[c];
    html += "<tr>" + class_head(evaluation.class_names[c]) +
            cell(f.auc ? std::optional(f.auc->area) : std::nullopt, f.auc ? f.auc->interval() : std::nullopt);
    for (const Rate* rate : {&f.sensitivity, &f.specificity, &f.ppv, &f.npv, &f.f1, &f.accuracy}) {
      html += rate_cell(*rate);
    }
    html += "</tr>\n";
  }
  html += average_row("Average of diseases", set.diseases);
  if (evaluation.has_sn) html += average_row("Average without SN", set.diseases_without_sn);
  return html + "</tbody></table></div>\n";
}

std::string confusion_table(const Evaluation& evaluation, const ClassSet& set) {
  std::string html =
      "<div class=\"scroll\"><table class=\"data\">" +
      head_row({"Class", "True positive", "False positive", "<small>of them no vertebra</small>", "False negative",
                "<small>of them missed</small>", "True negative", "In none: missed, without the class"});
  for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
    const Confusion& n = set.classes[c].confusion;
    html += "<tr>" + class_head(evaluation.class_names[c]);
    for (const int64_t count :
         {n.true_positive, n.false_positive, n.false_boxes, n.false_negative, n.missed, n.true_negative, n.left_out}) {
      html += "<td>" + std::to_string(count) + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string cross_table_html(const Evaluation& evaluation) {
  std::string html = "<div class=\"scroll\"><table class=\"data\"><thead><tr><th scope=\"col\">Annotated \\ said</th>";
  for (const std::string& name : evaluation.class_names) html += "<th scope=\"col\">" + escape_html(name) + "</th>";
  html += "<th scope=\"col\">no label</th><th scope=\"col\">missed</th></tr></thead>\n<tbody>\n";
  for (size_t row = 0; row < evaluation.cross.size(); ++row) {
    const bool vertebra = row < evaluation.class_names.size();
    html += "<tr>" + (vertebra ? class_head(evaluation.class_names[row]) : "<th scope=\"row\">no vertebra</th>");
    for (size_t column = 0; column < evaluation.cross[row].size(); ++column) {
      const int64_t count = evaluation.cross[row][column];
      const bool impossible = !vertebra && column + 1 == evaluation.cross[row].size();
      html += std::string("<td") +
              (count == 0      ? ""
               : row == column ? " class=\"hit\""
                               : " class=\"err\"") +
              ">" + (impossible ? "" : std::to_string(count)) + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string alert_section(const Evaluation& evaluation) {
  std::string html =
      "<section class=\"card\"><div class=\"head\"><h2>Alerts</h2></div>\n<div class=\"scroll\"><table "
      "class=\"data\">" +
      head_row({"Of", "Diseased: positive", "review", "negative", "Healthy: positive", "review", "negative",
                "Sensitivity", "<small>with review</small>", "Specificity"});
  const auto row = [&html](const char* name, const AlertTable& table) {
    html += std::string("<tr><th scope=\"row\">") + name + "</th>";
    for (const int64_t count : table.diseased) html += "<td>" + std::to_string(count) + "</td>";
    for (const int64_t count : table.healthy) html += "<td>" + std::to_string(count) + "</td>";
    html += rate_cell(table.sensitivity()) + rate_cell(table.sensitivity_with_review()) +
            rate_cell(table.specificity()) + "</tr>\n";
  };
  row("vertebrae", evaluation.vertebrae);
  row("slices", evaluation.slices);
  if (evaluation.studies) row("studies", *evaluation.studies);
  html +=
      "</tbody></table></div>\n<p class=\"small soft\">Sensitivity counts only positive alerts, specificity only "
      "negative ones: a review is a success of neither. " +
      counted(static_cast<size_t>(evaluation.vertebrae.false_alarms), "box that is no vertebra has",
              "boxes that are no vertebra have") +
      " a disease label.";
  if (!evaluation.studies)
    html += " There are no figures of studies: the truth does not name the study of every slice.";
  return html + "</p></section>\n";
}

std::string p_value(const std::optional<double>& p) {
  if (!p) return "<td class=\"none\">not defined</td>";
  return "<td>" + (*p < 0.0001 ? std::string("&lt; 0.0001") : fixed_number(*p, 4)) + "</td>";
}

std::string comparison_section(const Evaluation& evaluation) {
  const Comparison& comparison = *evaluation.comparison;
  std::string html = "<section class=\"card\"><div class=\"head\"><h2>Comparison</h2></div>\n<p>First: " +
                     escape_html(comparison.first) + ". Second: " + escape_html(comparison.second) +
                     (comparison.second_is_reader ? " (a person; labels without probabilities)" : "") + ". " +
                     counted(comparison.slices, "slice") +
                     " that both were given. Two-sided p; not corrected for the "
                     "number of tests.</p>\n<div class=\"scroll\"><table class=\"data\">" +
                     head_row({"Mean per slice", "First", "Second", "Slices that differ", "Wilcoxon p"});
  for (const SliceComparison& figure : comparison.per_slice) {
    std::string name = figure.figure;
    for (char& c : name) c = c == '_' ? ' ' : c;
    html += "<tr><th scope=\"row\">" + escape_html(name) + "</th><td>" + shown(figure.mean_first) + "</td><td>" +
            shown(figure.mean_second) + "</td><td>" + std::to_string(figure.test ? figure.test->pairs : 0) + "</td>" +
            p_value(figure.test ? std::optional(figure.test->p) : std::nullopt) + "</tr>\n";
  }
  html +=
      "</tbody></table></div>\n<div class=\"scroll\"><table class=\"data\">" +
      head_row({"Class", "AUC first", "AUC second", "DeLong p", "Right only first", "Right only second", "McNemar p"});
  for (size_t c = 0; c < comparison.classes.size(); ++c) {
    const ClassComparison& compared = comparison.classes[c];
    const auto& auc = compared.auc;
    html += "<tr>" + class_head(evaluation.class_names[c]) + cell(auc ? std::optional(auc->first) : std::nullopt, {}) +
            cell(auc ? std::optional(auc->second) : std::nullopt, {}) + p_value(auc ? auc->p : std::nullopt) + "<td>" +
            std::to_string(compared.labels ? compared.labels->only_first : 0) + "</td><td>" +
            std::to_string(compared.labels ? compared.labels->only_second : 0) + "</td>" +
            p_value(compared.labels ? std::optional(compared.labels->p) : std::nullopt) + "</tr>\n";
  }
  return html + "</tbody></table></div></section>\n";
}

std::string threshold_section(const Evaluation& evaluation, const EvaluationFacts& facts) {
  std::string html = "<section class=\"card\"><div class=\"head\"><h2>Chosen thresholds</h2></div>\n<p>Best " +
                     escape_html(facts.chosen_goal) +
                     " on these slices; written to pipeline.json. Figures at these thresholds need slices that were "
                     "not used to choose them.</p>\n<div class=\"scroll\"><table class=\"data\">" +
                     head_row({"Class", "Threshold now", "Chosen", "Reached"});
  for (size_t c = 0; c < facts.chosen.size(); ++c) {
    const auto now = facts.thresholds.find(evaluation.class_names[c]);
    const auto& chosen = facts.chosen[c];
    html += "<tr>" + class_head(evaluation.class_names[c]) + "<td>" +
            shown(now == facts.thresholds.end() ? std::nullopt : std::optional(now->second)) + "</td>" +
            cell(chosen ? std::optional(chosen->threshold) : std::nullopt, {}) +
            cell(chosen ? std::optional(chosen->goal) : std::nullopt, {}) + "</tr>\n";
  }
  return html + "</tbody></table></div></section>\n";
}

std::string overview(const Evaluation& evaluation, const EvaluationFacts& facts) {
  const DetectorFigures& detector = evaluation.detector;
  std::string html = "<header class=\"top\"><div class=\"wrap\">\n<h1>Evaluation</h1>\n<p class=\"soft\">" +
                     escape_html(facts.system) + " against " + escape_html(facts.truth_name) +
                     "</p>\n<div class=\"card\">\n";
  if (facts.demo) html += "<p class=\"small\"><strong>Note.</strong> " + escape_html(kDemoNotice) + ".</p>\n";
  const size_t doubtful = evaluation.indeterminate + evaluation.failed + evaluation.absent;
  if (doubtful > 0) {
    html += "<p class=\"banner indeterminate\">" + counted(doubtful, "slice") +
            " without a usable result: " + std::to_string(evaluation.indeterminate) + " indeterminate, " +
            std::to_string(evaluation.failed) + " failed, " + std::to_string(evaluation.absent) +
            " without any. Their vertebrae count as missed.</p>\n";
  }
  if (evaluation.left_out_truth + evaluation.left_out_found > 0) {
    html += "<p class=\"banner partial\">Left out: " + std::to_string(evaluation.left_out_truth) +
            " annotated slices without a result, " + std::to_string(evaluation.left_out_found) +
            " results without truth.</p>\n";
  }
  html += "<dl class=\"facts\">";
  const auto fact = [&html](const char* name, const std::string& value) {
    html += std::string("<div><dt>") + name + "</dt><dd>" + value + "</dd></div>";
  };
  fact("Slices", std::to_string(evaluation.outcomes.size()));
  fact("Vertebrae", std::to_string(detector.annotated));
  fact("Average precision", shown(detector.voc_all_points));
  fact("COCO 0.50:0.95", shown(detector.coco_50_95));
  fact("False-positive rate", shown(detector.false_positive_rate.value));
  fact("False-negative rate", shown(detector.false_negative_rate.value));
  fact("Mean AUC", shown(evaluation.end_to_end.diseases.auc.value));
  fact("Mean sensitivity", shown(evaluation.end_to_end.diseases.sensitivity.value));
  fact("Mean specificity", shown(evaluation.end_to_end.diseases.specificity.value));
  return html +
         "</dl>\n<p class=\"small soft\" style=\"margin-top:14px\">Means are over the diseases, end to end: a "
         "missed vertebra is a missed diagnosis. Every figure is defined in docs/evaluation.md.</p></div>\n"
         "</div></header>\n";
}

std::string detector_section(const Evaluation& evaluation) {
  const DetectorFigures& d = evaluation.detector;
  std::string html =
      "<section class=\"card\"><div class=\"head\"><h2>Detector</h2></div>\n<div class=\"scroll\"><table "
      "class=\"data\">" +
      head_row({"Boxes", "Annotated", "Found", "Missed", "False", "False-positive rate", "False-negative rate"}) +
      "<tr><th scope=\"row\">" +
      (d.score_threshold ? "score at least " + shown(d.score_threshold, 2) : std::string("all")) + "</th><td>" +
      std::to_string(d.annotated) + "</td><td>" + std::to_string(d.hits) + "</td><td>" + std::to_string(d.missed) +
      "</td><td>" + std::to_string(d.false_boxes) + "</td>" + rate_cell(d.false_positive_rate) +
      rate_cell(d.false_negative_rate) +
      "</tr></tbody></table></div>\n<p class=\"small soft\">A box belongs to a vertebra if they overlap "
      "by more than half of the smaller one (IoM), one to one. Rates with Wilson's 95 % interval: false "
      "boxes of all boxes, missed vertebrae of all annotated ones.</p>\n<div class=\"charts\">\n" +
      precision_recall_figure(evaluation) + counts_figure(evaluation) + histogram_figures(evaluation);
  return html + "</div></section>\n";
}

std::string class_section(const Evaluation& evaluation, const EvaluationFacts& facts) {
  std::string html = "<section class=\"card\"><div class=\"head\"><h2>Classes, end to end</h2></div>\n" +
                     class_table(evaluation, evaluation.end_to_end) +
                     "<p class=\"small soft\">95 % intervals: Wilson; of the AUC DeLong, and where the classes are "
                     "parted completely Newcombe. A figure whose denominator is empty is not defined.</p>\n"
                     "<div class=\"charts\">\n" +
                     roc_figure(evaluation, evaluation.end_to_end, "ROC, end to end");
  if (evaluation.patch_level) html += roc_figure(evaluation, *evaluation.patch_level, "ROC, on the annotated boxes");
  html += calibration_figure(evaluation) + "</div>\n</section>\n";
  html += "<section class=\"card\"><div class=\"head\"><h2>Classes, on the annotated boxes</h2></div>\n";
  if (evaluation.patch_level) {
    html +=
        "<p class=\"small soft\">The classifier alone: every annotated vertebra is shown to it, found or not.</p>\n" +
        class_table(evaluation, *evaluation.patch_level);
  } else {
    html += "<p>Not available: " + escape_html(facts.no_patch_level) + ".</p>\n";
  }
  html += "</section>\n<section class=\"card\"><div class=\"head\"><h2>Confusion, end to end</h2></div>\n" +
          confusion_table(evaluation, evaluation.end_to_end) + "<h3>What was said of what</h3>\n" +
          cross_table_html(evaluation) +
          "<p class=\"small soft\">A vertebra with two annotated or two given classes stands in several cells.</p>\n"
          "</section>\n";
  return html;
}

std::string page_footer(const EvaluationFacts& facts) {
  std::string html = "<footer><div class=\"wrap\">\n<dl>";
  const auto row = [&html](const char* name, const std::string& value) {
    if (!value.empty()) html += std::string("<dt>") + name + "</dt><dd>" + escape_html(value) + "</dd>\n";
  };
  row("System", facts.system + (facts.demo ? " (synthetic demo model)" : ""));
  row("Model SHA-256", facts.model_sha256);
  row("Truth", facts.truth_name);
  row("Truth SHA-256", facts.truth_sha256);
  std::string tool = "spinert";
  for (const char* key : {"version", "commit"}) {
    if (const auto it = facts.tool.find(key); it != facts.tool.end()) tool += ' ' + it->second;
  }
  row("Program", tool);
  return html + "</dl>\n<p style=\"margin-top:14px\"><strong>" + escape_html(kResearchLabel) +
         "</strong></p>\n</div></footer>\n";
}

}  // namespace

std::string evaluation_html(const Evaluation& evaluation, const EvaluationFacts& facts,
                            std::span<const ErrorCase> gallery) {
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>Evaluation: " +
      escape_html(facts.system) + "</title>\n<style>\n" + page_style(0) + (kEvaluationStyle + 1) +
      "</style>\n</head>\n<body>\n<div class=\"label\" role=\"note\"><div class=\"wrap\">" +
      escape_html(kResearchLabel) + (facts.demo ? " Synthetic demo model." : "") + "</div></div>\n";
  html += overview(evaluation, facts) + "<main class=\"wrap\">\n" + detector_section(evaluation) +
          class_section(evaluation, facts) + alert_section(evaluation);
  if (evaluation.comparison) html += comparison_section(evaluation);
  if (!facts.chosen.empty()) html += threshold_section(evaluation, facts);
  html += gallery_section(evaluation, gallery);
  return html + "</main>\n" + page_footer(facts) + "</body>\n</html>\n";
}

}  // namespace spinert::evaluation
