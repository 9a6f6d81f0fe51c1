// Figures of an evaluation against scikit-learn, pycocotools, SciPy and statsmodels, to 1e-9, on random and degenerate
// inputs: ties, nothing found, nothing annotated, one class only, complete separation. tests/golden/make_evaluation.py
// wrote the values.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "diagnosis/evaluation/average_precision.h"
#include "diagnosis/evaluation/calibration_curve.h"
#include "diagnosis/evaluation/class_metrics.h"
#include "diagnosis/evaluation/correlation.h"
#include "diagnosis/evaluation/paired_tests.h"
#include "diagnosis/evaluation/roc.h"
#include "diagnosis/evaluation/threshold_choice.h"
#include "tests/support/golden_check.h"

namespace spinert::evaluation {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-9;

const json& golden() {
  static const json document = golden::load(SPINERT_SOURCE_DIR "/tests/golden/evaluation.golden.json.gz");
  return document;
}

// A value and "not defined" are never the same.
void expect_equal(const std::optional<double>& got, const json& want, const std::string& what) {
  ASSERT_EQ(got.has_value(), !want.is_null()) << what;
  if (got) {
    EXPECT_NEAR(*got, want.get<double>(), kTolerance) << what;
  }
}

void expect_equal(const std::optional<Interval>& got, const json& want, const std::string& what) {
  ASSERT_EQ(got.has_value(), !want.is_null()) << what;
  if (!got) return;
  EXPECT_NEAR(got->low, want[0].get<double>(), kTolerance) << what;
  EXPECT_NEAR(got->high, want[1].get<double>(), kTolerance) << what;
}

Rect rect(const json& box) {
  const double x = box[0], y = box[1];
  return {x, y, x + box[2].get<double>(), y + box[3].get<double>()};
}

template <class T, class Of>
std::optional<double> field(const std::optional<T>& from, Of of) {
  return from ? std::optional<double>(of(*from)) : std::nullopt;
}

TEST(EvaluationValues, DetectorLikePycocotools) {
  ASSERT_GE(golden()["detection"].size(), 10u);
  size_t number = 0;
  for (const json& one : golden()["detection"]) {
    const std::string name = "detection " + std::to_string(number++);
    std::vector<SliceBoxes> slices;
    size_t most = 0;
    for (const json& from : one["slices"]) {
      SliceBoxes slice;
      for (const json& box : from["truth"]) slice.truth.push_back(rect(box));
      for (const json& box : from["found"]) slice.found.push_back({rect(box), box[4]});
      most = std::max(most, slice.found.size());
      slices.push_back(std::move(slice));
    }
    expect_equal(coco_average_precision(slices), one["coco_50_95"], name + " 0.50:0.95");
    expect_equal(coco_average_precision(slices, 0.5), one["coco_50"], name + " 0.50");
    expect_equal(coco_average_precision(slices, 0.75), one["coco_75"], name + " 0.75");
    if (most > 100) continue;
    const Ranking ranking = rank_boxes(slices, 0.5);
    expect_equal(voc_average_precision(ranking), one["voc"], name + " all points");
    const auto curve = precision_recall(ranking);
    if (one["voc"].is_null() || one["curve"].empty()) continue;
    ASSERT_EQ(curve.size(), one["curve"].size()) << name;
    for (size_t i = 0; i < curve.size(); ++i) {
      EXPECT_NEAR(curve[i].score, one["curve"][i][0].get<double>(), kTolerance) << name;
      EXPECT_NEAR(curve[i].precision, one["curve"][i][1].get<double>(), kTolerance) << name;
      EXPECT_NEAR(curve[i].recall, one["curve"][i][2].get<double>(), kTolerance) << name;
    }
  }
}

TEST(EvaluationValues, ScoresLikeScikitLearn) {
  ASSERT_GE(golden()["scores"].size(), 10u);
  size_t number = 0;
  for (const json& one : golden()["scores"]) {
    const std::string name = "scores " + std::to_string(number++);
    std::vector<Scored> values;
    for (size_t i = 0; i < one["scores"].size(); ++i) values.push_back({one["scores"][i], one["positive"][i] == 1});
    const auto auc = area_under_roc(values);
    expect_equal(field(auc, [](const Auc& a) { return a.area; }), one["auc"], name + " auc");
    expect_equal(auc ? auc->variance : std::nullopt, one["variance"], name + " variance");
    expect_equal(auc ? auc_score_interval(auc->area, auc->positives, auc->negatives) : std::nullopt,
                 one["score_interval"], name + " score interval");
    expect_equal(average_precision(values), one["average_precision"], name + " average precision");
    const auto roc = roc_curve(values);
    ASSERT_EQ(roc.size(), one["roc"].size()) << name;
    for (size_t i = 0; i < roc.size(); ++i) {
      EXPECT_NEAR(roc[i].false_positive_rate, one["roc"][i][0].get<double>(), kTolerance) << name;
      EXPECT_NEAR(roc[i].true_positive_rate, one["roc"][i][1].get<double>(), kTolerance) << name;
    }
    const auto calibration = calibration_curve(values);
    expect_equal(field(calibration, [](const Calibration& c) { return c.brier; }), one["brier"], name + " brier");
    ASSERT_EQ(calibration ? calibration->bins.size() : 0, one["bins"].size()) << name;
    for (size_t i = 0; calibration && i < calibration->bins.size(); ++i) {
      EXPECT_NEAR(calibration->bins[i].mean_probability, one["bins"][i][0].get<double>(), kTolerance) << name;
      EXPECT_NEAR(calibration->bins[i].positive_share, one["bins"][i][1].get<double>(), kTolerance) << name;
    }
    const auto goal = [](const ChosenThreshold& chosen) { return chosen.goal; };
    expect_equal(field(choose_threshold(values, ThresholdGoal::youden), goal), one["youden"], name + " youden");
    expect_equal(field(choose_threshold(values, ThresholdGoal::f1), goal), one["f1"], name + " best F1");
  }
}

TEST(EvaluationValues, PairedAreasLikeTheDefinition) {
  for (const json& one : golden()["paired"]) {
    std::vector<PairedScore> values;
    for (size_t i = 0; i < one["first"].size(); ++i) {
      values.push_back({one["first"][i], one["second"][i], one["positive"][i] == 1});
    }
    const auto result = compare_auc(values);
    ASSERT_TRUE(result);
    expect_equal(result->z, one["z"], "z");
    expect_equal(result->p, one["p"], "p");
  }
}

TEST(EvaluationValues, RatesLikeScikitLearnAndStatsmodels) {
  ASSERT_GE(golden()["confusion"].size(), 7u);
  for (const json& one : golden()["confusion"]) {
    Confusion confusion;
    confusion.true_positive = one["tp"];
    confusion.false_positive = one["fp"];
    confusion.false_negative = one["fn"];
    confusion.true_negative = one["tn"];
    const ClassFigures figures = class_figures(confusion, {});
    const std::pair<const char*, const Rate*> rates[] = {{"sensitivity", &figures.sensitivity},
                                                         {"specificity", &figures.specificity},
                                                         {"ppv", &figures.ppv},
                                                         {"npv", &figures.npv},
                                                         {"accuracy", &figures.accuracy}};
    for (const auto& [name, rate] : rates) {
      expect_equal(rate->value, one[name]["value"], name + one.dump());
      expect_equal(rate->interval, one[name]["interval"], name + one.dump());
    }
    expect_equal(figures.f1.value, one["f1"], "f1 " + one.dump());
    if (figures.f1.value) {
      EXPECT_LE(figures.f1.interval->low, *figures.f1.value);
      EXPECT_GE(figures.f1.interval->high, *figures.f1.value);
    }
  }
}

TEST(EvaluationValues, WilcoxonLikeScipy) {
  for (const json& one : golden()["wilcoxon"]) {
    const auto result = wilcoxon_signed_rank(one["differences"].get<std::vector<double>>());
    ASSERT_TRUE(result);
    EXPECT_EQ(result->exact, one["exact"].get<bool>()) << one;
    EXPECT_NEAR(result->statistic, one["statistic"].get<double>(), kTolerance) << one;
    EXPECT_NEAR(result->p, one["p"].get<double>(), kTolerance) << one;
  }
  EXPECT_FALSE(wilcoxon_signed_rank(std::vector<double>{0, 0, 0}));
  EXPECT_FALSE(wilcoxon_signed_rank({}));
}

TEST(EvaluationValues, McNemarLikeStatsmodels) {
  for (const json& one : golden()["mcnemar"]) {
    const auto result = mcnemar(one["first"], one["second"]);
    ASSERT_TRUE(result);
    EXPECT_NEAR(result->p, one["p"].get<double>(), kTolerance) << one;
  }
  EXPECT_FALSE(mcnemar(0, 0));
}

TEST(EvaluationValues, LinesLikeScipy) {
  for (const json& one : golden()["lines"]) {
    const auto x = one["x"].get<std::vector<double>>(), y = one["y"].get<std::vector<double>>();
    const auto line = fit_line(x, y);
    expect_equal(field(line, [](const Line& l) { return l.slope; }), one["slope"], one.dump());
    expect_equal(field(line, [](const Line& l) { return l.intercept; }), one["intercept"], one.dump());
    expect_equal(line ? line->r : std::nullopt, one["r"], one.dump());
  }
}

// Parted completely, an area has no variance; its interval must not shrink to a point.
TEST(EvaluationValues, PerfectSeparationKeepsAnInterval) {
  const std::vector<Scored> values{{0.9, true}, {0.8, true}, {0.7, true}, {0.2, false}, {0.1, false}};
  const auto auc = area_under_roc(values);
  ASSERT_TRUE(auc);
  EXPECT_EQ(auc->area, 1);
  EXPECT_FALSE(auc->delong_interval());
  const auto interval = auc->interval();
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->high, 1);
  EXPECT_LT(interval->low, 0.7);
}

// The chosen threshold parts exactly as its goal says, compared as the pipeline compares: in float.
TEST(EvaluationValues, ChosenThresholdsPartAsPromised) {
  for (const json& one : golden()["scores"]) {
    std::vector<Scored> values;
    double positives = 0, negatives = 0;
    for (size_t i = 0; i < one["scores"].size(); ++i) {
      const auto score = static_cast<double>(one["scores"][i].get<float>());
      values.push_back({score, one["positive"][i] == 1});
      ++(values.back().positive ? positives : negatives);
    }
    const auto chosen = choose_threshold(values, ThresholdGoal::youden);
    if (!chosen) continue;
    EXPECT_EQ(chosen->threshold, static_cast<double>(static_cast<float>(chosen->threshold)));
    double hits = 0, alarms = 0;
    for (const Scored& value : values) {
      if (static_cast<float>(value.score) >= static_cast<float>(chosen->threshold)) ++(value.positive ? hits : alarms);
    }
    EXPECT_NEAR(hits / positives - alarms / negatives, chosen->goal, kTolerance);
  }
  const auto never_found =
      choose_threshold(std::vector<Scored>{{kNeverFound, true}, {0.3, false}}, ThresholdGoal::youden);
  ASSERT_TRUE(never_found);
  EXPECT_GT(never_found->threshold, 0);
}

}  // namespace
}  // namespace spinert::evaluation
