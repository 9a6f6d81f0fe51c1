#include "diagnosis/evaluation/evaluation_json.h"

#include <limits>

#include "diagnosis/evaluation/thinning.h"
#include "diagnosis/report/json_text.h"
#include "diagnosis/result.h"

namespace spinert::evaluation {
namespace {

constexpr auto kInline = JsonText::Layout::inline_;

void put(JsonText& json, const char* key, const std::optional<double>& value) {
  json.key(key).number(value.value_or(std::numeric_limits<double>::quiet_NaN()));
}

void put_interval(JsonText& json, const char* key, const std::optional<Interval>& interval) {
  json.key(key);
  if (!interval) {
    json.number(std::numeric_limits<double>::quiet_NaN());
    return;
  }
  json.begin_array(kInline).number(interval->low).number(interval->high).end();
}

void put_rate(JsonText& json, const std::string& key, const Rate& rate) {
  put(json, key.c_str(), rate.value);
  put_interval(json, (key + "_interval").c_str(), rate.interval);
}

void put_list(JsonText& json, const char* key, const std::vector<int64_t>& values) {
  json.key(key).begin_array(kInline);
  for (const int64_t value : values) json.integer(value);
  json.end();
}

void put_class(JsonText& json, const ClassFigures& figures) {
  json.begin_object();
  put(json, "average_precision", figures.average_precision);
  put(json, "auc", figures.auc ? std::optional(figures.auc->area) : std::nullopt);
  put_interval(json, "auc_interval", figures.auc ? figures.auc->interval() : std::nullopt);
  if (figures.auc) json.key("auc_interval_method").text(figures.auc->delong_interval() ? "delong" : "newcombe");
  put_rate(json, "sensitivity", figures.sensitivity);
  put_rate(json, "specificity", figures.specificity);
  put_rate(json, "ppv", figures.ppv);
  put_rate(json, "npv", figures.npv);
  put_rate(json, "f1", figures.f1);
  put_rate(json, "accuracy", figures.accuracy);
  const Confusion& confusion = figures.confusion;
  json.key("confusion").begin_object(kInline);
  json.key("true_positive").integer(confusion.true_positive);
  json.key("false_positive").integer(confusion.false_positive);
  json.key("false_negative").integer(confusion.false_negative);
  json.key("true_negative").integer(confusion.true_negative);
  json.key("missed").integer(confusion.missed);
  json.key("false_boxes").integer(confusion.false_boxes);
  json.key("left_out").integer(confusion.left_out).end();
  json.key("roc").begin_array();
  for (const RocPoint& point : thinned(figures.roc, kPageStep)) {
    json.begin_array(kInline).number(point.false_positive_rate).number(point.true_positive_rate);
    json.number(point.threshold).end();
  }
  json.end().end();
}

// The eight figures as plain numbers; `detector` replaces the average precision, which then is the detector's.
void put_averages(JsonText& json, const Averages& averages, const std::optional<double>* detector) {
  const std::pair<const char*, const Average*> figures[] = {{"average_precision", &averages.average_precision},
                                                            {"auc", &averages.auc},
                                                            {"sensitivity", &averages.sensitivity},
                                                            {"specificity", &averages.specificity},
                                                            {"ppv", &averages.ppv},
                                                            {"npv", &averages.npv},
                                                            {"f1", &averages.f1},
                                                            {"accuracy", &averages.accuracy}};
  json.begin_object();
  for (const auto& [name, average] : figures) {
    const bool of_detector = detector && average == &averages.average_precision;
    put(json, name, of_detector ? *detector : average->value);
  }
  json.key("classes").integer(averages.classes);
  json.key("classes_with_a_value").begin_object(kInline);
  for (const auto& [name, average] : figures) {
    if (!detector || average != &averages.average_precision) json.key(name).integer(average->over);
  }
  json.end().end();
}

void put_set(JsonText& json, const Evaluation& evaluation, const ClassSet& set, const std::optional<double>* detector) {
  json.key("overall");
  put_averages(json, set.diseases, detector);
  if (evaluation.has_sn) {
    json.key("overall_without_SN");
    put_averages(json, set.diseases_without_sn, detector);
  }
  json.key("classes").begin_object();
  for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
    json.key(evaluation.class_names[c]);
    put_class(json, set.classes[c]);
  }
  json.end();
}

void put_detector(JsonText& json, const Evaluation& evaluation) {
  const DetectorFigures& detector = evaluation.detector;
  json.key("detector").begin_object();
  json.key("average_precision").begin_object(kInline);
  put(json, "voc_all_points_iou_50", detector.voc_all_points);
  put(json, "coco_iou_50_95", detector.coco_50_95);
  put(json, "coco_iou_50", detector.coco_50);
  put(json, "coco_iou_75", detector.coco_75);
  json.end();
  put(json, "score_threshold", detector.score_threshold);
  json.key("annotated").integer(detector.annotated).key("found").integer(detector.hits);
  json.key("missed").integer(detector.missed).key("false_boxes").integer(detector.false_boxes);
  put_rate(json, "false_positive_rate", detector.false_positive_rate);
  put_rate(json, "false_negative_rate", detector.false_negative_rate);
  json.key("counts").begin_object(kInline);
  put(json, "pearson_r", detector.counts ? detector.counts->r : std::nullopt);
  put(json, "slope", detector.counts ? std::optional(detector.counts->slope) : std::nullopt);
  put(json, "intercept", detector.counts ? std::optional(detector.counts->intercept) : std::nullopt);
  json.end();
  put_list(json, "slices_by_false_boxes", detector.false_histogram);
  put_list(json, "slices_by_missed", detector.missed_histogram);
  json.key("precision_recall").begin_array();
  for (const PrecisionRecallPoint& point : thinned(detector.curve, kPageStep)) {
    json.begin_array(kInline).number(point.recall).number(point.precision).number(point.score).end();
  }
  json.end().end();
}

void put_alerts(JsonText& json, const char* name, const std::optional<AlertTable>& table, const char* why_not) {
  json.key(name).begin_object();
  if (!table) {
    json.key("available").boolean(false).key("reason").text(why_not).end();
    return;
  }
  put_rate(json, "sensitivity", table->sensitivity());
  put_rate(json, "specificity", table->specificity());
  put_rate(json, "sensitivity_with_review", table->sensitivity_with_review());
  const auto row = [&json](const char* key, const int64_t(&counts)[3]) {
    json.key(key).begin_object(kInline).key("positive").integer(counts[0]).key("review").integer(counts[1]);
    json.key("negative").integer(counts[2]).end();
  };
  row("diseased", table->diseased);
  row("healthy", table->healthy);
  json.key("false_alarms").integer(table->false_alarms).end();
}

void put_calibration(JsonText& json, const Evaluation& evaluation) {
  json.key("calibration").begin_object();
  for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
    json.key(evaluation.class_names[c]).begin_object();
    const auto& calibration = evaluation.calibration[c];
    put(json, "brier", calibration ? std::optional(calibration->brier) : std::nullopt);
    put(json, "expected_error", calibration ? std::optional(calibration->expected_error) : std::nullopt);
    json.key("bins").begin_array();
    if (calibration) {
      for (const CalibrationBin& bin : calibration->bins) {
        json.begin_array(kInline).number(bin.mean_probability).number(bin.positive_share);
        json.integer(bin.count).end();
      }
    }
    json.end().end();
  }
  json.end();
}

void put_comparison(JsonText& json, const Evaluation& evaluation) {
  const Comparison& comparison = *evaluation.comparison;
  json.key("comparison").begin_object();
  json.key("first").text(comparison.first).key("second").text(comparison.second);
  json.key("second_is_reader").boolean(comparison.second_is_reader);
  json.key("slices").integer(static_cast<long long>(comparison.slices));
  json.key("per_slice").begin_object();
  for (const SliceComparison& figure : comparison.per_slice) {
    json.key(figure.figure).begin_object(kInline);
    json.key("mean_first").number(figure.mean_first).key("mean_second").number(figure.mean_second);
    put(json, "wilcoxon_statistic", figure.test ? std::optional(figure.test->statistic) : std::nullopt);
    put(json, "wilcoxon_p", figure.test ? std::optional(figure.test->p) : std::nullopt);
    json.key("pairs_that_differ").integer(figure.test ? figure.test->pairs : 0);
    json.key("exact").boolean(figure.test && figure.test->exact).end();
  }
  json.end();
  json.key("classes").begin_object();
  for (size_t c = 0; c < comparison.classes.size(); ++c) {
    const ClassComparison& compared = comparison.classes[c];
    const auto& auc = compared.auc;
    json.key(evaluation.class_names[c]).begin_object(kInline);
    put(json, "auc_first", auc ? std::optional(auc->first) : std::nullopt);
    put(json, "auc_second", auc ? std::optional(auc->second) : std::nullopt);
    put(json, "delong_z", auc ? auc->z : std::nullopt);
    put(json, "delong_p", auc ? auc->p : std::nullopt);
    json.key("vertebrae").integer(compared.auc_units).key("left_out").integer(compared.auc_left_out);
    json.key("right_only_first").integer(compared.labels ? compared.labels->only_first : 0);
    json.key("right_only_second").integer(compared.labels ? compared.labels->only_second : 0);
    put(json, "mcnemar_p", compared.labels ? std::optional(compared.labels->p) : std::nullopt);
    json.key("mcnemar_exact").boolean(compared.labels && compared.labels->exact).end();
  }
  json.end().end();
}

}  // namespace

std::string evaluation_json(const Evaluation& evaluation, const EvaluationFacts& facts) {
  JsonText json;
  json.begin_object();
  json.key("schema").text(kEvaluationSchema).key("label").text(kResearchLabel);
  json.key("tool").begin_object().key("name").text("spinert");
  for (const auto& [key, value] : facts.tool) json.key(key).text(value);
  json.end();
  json.key("system").begin_object().key("name").text(facts.system).key("model_sha256").text(facts.model_sha256);
  json.key("demo").boolean(facts.demo).key("thresholds").begin_object(kInline);
  for (const auto& [name, value] : facts.thresholds) json.key(name).number(value);
  json.end().end();
  size_t annotated = 0;
  for (const SliceOutcome& outcome : evaluation.outcomes) annotated += outcome.truth->vertebrae.size();
  json.key("truth").begin_object(kInline).key("name").text(facts.truth_name).key("sha256").text(facts.truth_sha256);
  json.key("vertebrae").integer(static_cast<long long>(annotated)).end();
  json.key("slices").begin_object(kInline);
  const std::pair<const char*, size_t> counts[] = {{"evaluated", evaluation.outcomes.size()},
                                                   {"completed", evaluation.completed},
                                                   {"indeterminate", evaluation.indeterminate},
                                                   {"failed", evaluation.failed},
                                                   {"absent", evaluation.absent},
                                                   {"left_out_without_result", evaluation.left_out_truth},
                                                   {"left_out_without_truth", evaluation.left_out_found}};
  for (const auto& [name, count] : counts) json.key(name).integer(static_cast<long long>(count));
  json.end();
  put_set(json, evaluation, evaluation.end_to_end, &evaluation.detector.voc_all_points);
  put_detector(json, evaluation);
  json.key("patch_level").begin_object();
  json.key("available").boolean(evaluation.patch_level.has_value());
  if (evaluation.patch_level) {
    json.key("slices").integer(static_cast<long long>(evaluation.patch_slices));
    put_set(json, evaluation, *evaluation.patch_level, nullptr);
  } else {
    json.key("reason").text(facts.no_patch_level);
  }
  json.end();
  json.key("alerts").begin_object();
  put_alerts(json, "vertebra", evaluation.vertebrae, "");
  put_alerts(json, "slice", evaluation.slices, "");
  put_alerts(json, "study", evaluation.studies, "the truth does not name the study of every slice");
  json.end();
  json.key("cross_table").begin_array();
  for (const auto& row : evaluation.cross) {
    json.begin_array(kInline);
    for (const int64_t count : row) json.integer(count);
    json.end();
  }
  json.end();
  put_calibration(json, evaluation);
  if (evaluation.comparison) put_comparison(json, evaluation);
  if (!facts.chosen.empty()) {
    json.key("chosen_thresholds").begin_object().key("goal").text(facts.chosen_goal).key("classes").begin_object();
    for (size_t c = 0; c < facts.chosen.size(); ++c) {
      json.key(evaluation.class_names[c]).begin_object(kInline);
      put(json, "threshold", facts.chosen[c] ? std::optional(facts.chosen[c]->threshold) : std::nullopt);
      put(json, "reached", facts.chosen[c] ? std::optional(facts.chosen[c]->goal) : std::nullopt);
      json.end();
    }
    json.end().end();
  }
  json.end();
  return json.str() + "\n";
}

}  // namespace spinert::evaluation
