#include "diagnosis/evaluation/evaluation_csv.h"

#include <limits>

#include "diagnosis/evaluation/csv.h"
#include "diagnosis/evaluation/thinning.h"

namespace spinert::evaluation {
namespace {

double or_none(const std::optional<double>& value) {
  return value.value_or(std::numeric_limits<double>::quiet_NaN());
}

void put_rate(CsvTable& table, const Rate& rate) {
  table.number(or_none(rate.value));
  table.number(or_none(rate.interval ? std::optional(rate.interval->low) : std::nullopt));
  table.number(or_none(rate.interval ? std::optional(rate.interval->high) : std::nullopt));
}

void put_classes(CsvTable& table, const char* level, const Evaluation& evaluation, const ClassSet& set) {
  for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
    const ClassFigures& f = set.classes[c];
    table.text(level).text(evaluation.class_names[c]);
    const Rate auc{f.auc ? std::optional(f.auc->area) : std::nullopt, f.auc ? f.auc->interval() : std::nullopt};
    for (const Rate* rate : {&auc, &f.sensitivity, &f.specificity, &f.ppv, &f.npv, &f.f1, &f.accuracy}) {
      put_rate(table, *rate);
    }
    table.number(or_none(f.average_precision));
    const Confusion& n = f.confusion;
    for (const int64_t count :
         {n.true_positive, n.false_positive, n.false_negative, n.true_negative, n.missed, n.false_boxes, n.left_out}) {
      table.integer(count);
    }
    table.end_row();
  }
  const auto average = [&](const char* name, const Averages& a) {
    table.text(level).text(name);
    for (const Average* value : {&a.auc, &a.sensitivity, &a.specificity, &a.ppv, &a.npv, &a.f1, &a.accuracy}) {
      table.number(or_none(value->value)).text("").text("");
    }
    table.number(or_none(a.average_precision.value));
    for (int i = 0; i < 7; ++i) table.text("");
    table.end_row();
  };
  average("average of diseases", set.diseases);
  if (evaluation.has_sn) average("average without SN", set.diseases_without_sn);
}

std::string class_table(const Evaluation& evaluation) {
  std::vector<std::string> columns{"level", "class"};
  for (const char* name : {"auc", "sensitivity", "specificity", "ppv", "npv", "f1", "accuracy"}) {
    for (const char* suffix : {"", "_low", "_high"}) columns.push_back(std::string(name) + suffix);
  }
  for (const char* name : {"average_precision", "true_positive", "false_positive", "false_negative", "true_negative",
                           "missed", "false_boxes", "left_out"}) {
    columns.emplace_back(name);
  }
  CsvTable table(columns);
  put_classes(table, "end_to_end", evaluation, evaluation.end_to_end);
  if (evaluation.patch_level) put_classes(table, "patch", evaluation, *evaluation.patch_level);
  return table.str();
}

std::string slice_table(const Evaluation& evaluation) {
  CsvTable table(
      {"study", "slice", "status", "alert", "annotated", "detected", "found", "missed", "false_boxes", "wrong_labels"});
  for (const SliceOutcome& outcome : evaluation.outcomes) {
    table.text(outcome.truth->study).text(outcome.truth->name);
    table.text(outcome.found ? outcome.found->status : "absent").text(outcome.found ? outcome.found->alert : "");
    for (const int64_t count : {outcome.annotated, outcome.detected(), outcome.hits, outcome.missed,
                                outcome.false_boxes, outcome.wrong_labels}) {
      table.integer(count);
    }
    table.end_row();
  }
  return table.str();
}

std::string precision_recall_table(const Evaluation& evaluation) {
  CsvTable table({"score", "recall", "precision"});
  for (const PrecisionRecallPoint& point : thinned(evaluation.detector.curve, kTableStep)) {
    table.number(point.score).number(point.recall).number(point.precision).end_row();
  }
  return table.str();
}

std::string roc_table(const Evaluation& evaluation) {
  CsvTable table({"level", "class", "threshold", "false_positive_rate", "true_positive_rate"});
  const auto put = [&](const char* level, const ClassSet& set) {
    for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
      for (const RocPoint& point : thinned(set.classes[c].roc, kTableStep)) {
        table.text(level).text(evaluation.class_names[c]).number(point.threshold);
        table.number(point.false_positive_rate).number(point.true_positive_rate).end_row();
      }
    }
  };
  put("end_to_end", evaluation.end_to_end);
  if (evaluation.patch_level) put("patch", *evaluation.patch_level);
  return table.str();
}

std::string calibration_table(const Evaluation& evaluation) {
  CsvTable table({"class", "mean_probability", "positive_share", "vertebrae"});
  for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
    if (!evaluation.calibration[c]) continue;
    for (const CalibrationBin& bin : evaluation.calibration[c]->bins) {
      table.text(evaluation.class_names[c]).number(bin.mean_probability).number(bin.positive_share);
      table.integer(bin.count).end_row();
    }
  }
  return table.str();
}

std::string alert_table(const Evaluation& evaluation) {
  CsvTable table({"level", "diseased_positive", "diseased_review", "diseased_negative", "healthy_positive",
                  "healthy_review", "healthy_negative", "false_alarms", "sensitivity", "sensitivity_low",
                  "sensitivity_high", "specificity", "specificity_low", "specificity_high"});
  const auto put = [&table](const char* level, const AlertTable& alerts) {
    table.text(level);
    for (const int64_t count : alerts.diseased) table.integer(count);
    for (const int64_t count : alerts.healthy) table.integer(count);
    table.integer(alerts.false_alarms);
    put_rate(table, alerts.sensitivity());
    put_rate(table, alerts.specificity());
    table.end_row();
  };
  put("vertebra", evaluation.vertebrae);
  put("slice", evaluation.slices);
  if (evaluation.studies) put("study", *evaluation.studies);
  return table.str();
}

std::string comparison_table(const Evaluation& evaluation) {
  const Comparison& comparison = *evaluation.comparison;
  CsvTable table({"figure", "first", "second", "test", "statistic", "p", "pairs"});
  for (const SliceComparison& figure : comparison.per_slice) {
    table.text(figure.figure + " per slice").number(figure.mean_first).number(figure.mean_second);
    table.text("Wilcoxon").number(or_none(figure.test ? std::optional(figure.test->statistic) : std::nullopt));
    table.number(or_none(figure.test ? std::optional(figure.test->p) : std::nullopt));
    table.integer(figure.test ? figure.test->pairs : 0).end_row();
  }
  for (size_t c = 0; c < comparison.classes.size(); ++c) {
    const ClassComparison& compared = comparison.classes[c];
    const auto& auc = compared.auc;
    table.text("AUC " + evaluation.class_names[c]).number(or_none(auc ? std::optional(auc->first) : std::nullopt));
    table.number(or_none(auc ? std::optional(auc->second) : std::nullopt)).text("DeLong");
    table.number(or_none(auc ? auc->z : std::nullopt)).number(or_none(auc ? auc->p : std::nullopt));
    table.integer(compared.auc_units).end_row();
    const auto& labels = compared.labels;
    table.text("right only, " + evaluation.class_names[c]).integer(labels ? labels->only_first : 0);
    table.integer(labels ? labels->only_second : 0).text("McNemar").text("");
    table.number(or_none(labels ? std::optional(labels->p) : std::nullopt));
    table.integer(labels ? labels->only_first + labels->only_second : 0).end_row();
  }
  return table.str();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> evaluation_tables(const Evaluation& evaluation) {
  std::vector<std::pair<std::string, std::string>> tables{{"classes.csv", class_table(evaluation)},
                                                          {"slices.csv", slice_table(evaluation)},
                                                          {"precision_recall.csv", precision_recall_table(evaluation)},
                                                          {"roc.csv", roc_table(evaluation)},
                                                          {"calibration.csv", calibration_table(evaluation)},
                                                          {"alerts.csv", alert_table(evaluation)}};
  if (evaluation.comparison) tables.emplace_back("comparison.csv", comparison_table(evaluation));
  return tables;
}

}  // namespace spinert::evaluation
