#include "diagnosis/evaluation/evaluation_charts.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "diagnosis/evaluation/svg_chart.h"
#include "diagnosis/evaluation/thinning.h"
#include "diagnosis/report/text.h"
#include "diagnosis/report/wording.h"

namespace spinert::evaluation {
namespace {

std::string figure(const std::string& title, const SvgChart& chart, const std::string& below) {
  return "<figure><h3>" + escape_html(title) + "</h3>\n" + chart.str() + below + "</figure>\n";
}

std::string caption(const std::string& words) {
  return "<p>" + escape_html(words) + "</p>\n";
}

// Colour by class; the dashes tell the curves apart where colour cannot.
std::string class_css(const Evaluation& evaluation, size_t c) {
  return "k" + std::to_string(colour_index(evaluation.class_names[c])) + " d" + std::to_string(c % 6);
}

std::string key_entry(const std::string& css, const std::string& words) {
  return "<li><svg viewBox=\"0 0 28 8\" aria-hidden=\"true\"><line class=\"" + css +
         "\" x1=\"0\" x2=\"28\" y1=\"4\" y2=\"4\"/></svg>" + escape_html(words) + "</li>\n";
}

void histogram(std::string& html, const char* title, const char* axis, const std::vector<int64_t>& slices,
               const char* css) {
  const int64_t most = slices.empty() ? 0 : *std::ranges::max_element(slices);
  Axis x = count_axis(axis, std::max(3.0, static_cast<double>(slices.size()) - 1));
  x.low = -0.7;  // room for the bar of 0
  x.high += 0.7;
  SvgChart chart(std::move(x), count_axis("slices", static_cast<double>(most)), title);
  int64_t total = 0;
  for (const int64_t count : slices) total += count;
  for (size_t i = 0; i < slices.size(); ++i) {
    if (slices[i] == 0) continue;
    const auto at = static_cast<double>(i);
    chart.bar(at, 0.8, static_cast<double>(slices[i]), std::string("bar ") + css,
              std::to_string(slices[i]) + " slices with " + std::to_string(i));
  }
  const int64_t clean = slices.empty() ? 0 : slices[0];
  html += figure(title, chart, caption(std::to_string(clean) + " of " + std::to_string(total) + " slices have none."));
}

}  // namespace

std::string shown(const std::optional<double>& value, int decimals) {
  return value ? fixed_number(*value, decimals) : "\u2013";
}

std::string precision_recall_figure(const Evaluation& evaluation) {
  const DetectorFigures& detector = evaluation.detector;
  SvgChart chart(unit_axis("recall"), unit_axis("precision"), "Precision over recall of the detector");
  std::vector<ChartPoint> points;
  for (const PrecisionRecallPoint& point : thinned(detector.curve, kPageStep))
    points.push_back({point.recall, point.precision});
  chart.line(points, "pr");
  std::string words = "IoU 0.5. Average precision " + shown(detector.voc_all_points) + " (all points), " +
                      shown(detector.coco_50_95) + " (COCO, IoU 0.50 to 0.95).";
  if (detector.curve.empty()) words = "There is no curve: no ranked boxes, or no annotated vertebra.";
  return figure("Detector: precision and recall", chart, caption(words));
}

std::string roc_figure(const Evaluation& evaluation, const ClassSet& set, const std::string& title) {
  SvgChart chart(unit_axis("1 - specificity"), unit_axis("sensitivity"), title);
  chart.line(std::vector<ChartPoint>{{0, 0}, {1, 1}}, "guide");
  std::string key = "<ul class=\"key\">\n";
  for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
    const ClassFigures& figures = set.classes[c];
    std::vector<ChartPoint> points;
    for (const RocPoint& point : thinned(figures.roc, kPageStep)) {
      points.push_back({point.false_positive_rate, point.true_positive_rate});
    }
    const std::string css = class_css(evaluation, c);
    chart.line(points, css);
    std::string words = evaluation.class_names[c] + " " + (figures.auc ? shown(figures.auc->area) : "not defined");
    if (const auto interval = figures.auc ? figures.auc->interval() : std::nullopt) {
      words += " (" + shown(interval->low) + "\u2013" + shown(interval->high) + ")";
    }
    key += key_entry(css, words);
  }
  return figure(title, chart, key + "</ul>\n" + caption("Area under the curve with its 95 % interval."));
}

std::string counts_figure(const Evaluation& evaluation) {
  double most = 1;
  // Slices with the same two counts are one dot; its area follows their number.
  std::map<std::tuple<int64_t, int64_t, bool>, int64_t> dots;
  for (const SliceOutcome& outcome : evaluation.outcomes) {
    ++dots[{outcome.annotated, outcome.detected(), outcome.usable}];
    most = std::max({most, static_cast<double>(outcome.annotated), static_cast<double>(outcome.detected())});
  }
  SvgChart chart(count_axis("annotated vertebrae", most), count_axis("detected vertebrae", most),
                 "Detected over annotated vertebrae of each slice");
  chart.line(std::vector<ChartPoint>{{0, 0}, {most, most}}, "guide");
  const auto& line = evaluation.detector.counts;
  if (line) {
    chart.line(std::vector<ChartPoint>{{0, line->intercept}, {most, line->intercept + line->slope * most}}, "fit");
  }
  for (const auto& [at, slices] : dots) {
    const auto [annotated, detected, usable] = at;
    const double radius = std::min(14.0, 3.5 * std::sqrt(static_cast<double>(slices)));
    chart.dot({static_cast<double>(annotated), static_cast<double>(detected)}, radius, usable ? "good" : "bad doubt",
              counted(static_cast<size_t>(slices), "slice") + " with " + std::to_string(annotated) + " annotated, " +
                  std::to_string(detected) + " detected" + (usable ? "" : ", without a result"));
  }
  std::string words = "Dotted: equal counts. Dashed: least squares.";
  if (line) {
    words = "r = " + shown(line->r) + "; detected = " + shown(line->slope, 2) + " x annotated " +
            (line->intercept < 0 ? "- " : "+ ") + shown(std::abs(line->intercept), 2) + ". " + words;
  }
  return figure("Vertebrae per slice", chart, caption(words + " Open circles: slices without a usable result."));
}

std::string histogram_figures(const Evaluation& evaluation) {
  std::string html;
  histogram(html, "False boxes per slice", "false boxes", evaluation.detector.false_histogram, "bad");
  histogram(html, "Missed vertebrae per slice", "missed vertebrae", evaluation.detector.missed_histogram, "good");
  return html;
}

std::string calibration_figure(const Evaluation& evaluation) {
  SvgChart chart(unit_axis("mean probability"), unit_axis("share that has the class"), "Calibration of each class");
  chart.line(std::vector<ChartPoint>{{0, 0}, {1, 1}}, "guide");
  std::string key = "<ul class=\"key\">\n";
  for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
    const auto& calibration = evaluation.calibration[c];
    if (!calibration) continue;
    const std::string css = class_css(evaluation, c);
    std::vector<ChartPoint> points;
    for (const CalibrationBin& bin : calibration->bins) points.push_back({bin.mean_probability, bin.positive_share});
    chart.line(points, css);
    for (size_t i = 0; i < points.size(); ++i) {
      chart.dot(points[i], 3, css, counted(static_cast<size_t>(calibration->bins[i].count), "vertebra", "vertebrae"));
    }
    key += key_entry(css, evaluation.class_names[c] + ", Brier " + shown(calibration->brier));
  }
  return figure("Calibration", chart, key + "</ul>\n" + caption("Vertebrae that were found, in ten bins."));
}

}  // namespace spinert::evaluation
