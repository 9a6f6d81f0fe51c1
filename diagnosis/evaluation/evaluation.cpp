#include "diagnosis/evaluation/evaluation.h"

#include <algorithm>
#include <unordered_map>

#include "config/pipeline_config.h"

namespace spinert::evaluation {
namespace {

constexpr const char* kRareClass = "SN";  // the paper averages with and without it

void add_to_histogram(std::vector<int64_t>& histogram, int64_t value) {
  const auto at = static_cast<size_t>(value);
  if (histogram.size() <= at) histogram.resize(at + 1, 0);
  ++histogram[at];
}

DetectorFigures detector_figures(const std::vector<SliceOutcome>& outcomes, const System& system) {
  DetectorFigures figures;
  if (const auto at = system.thresholds.find("score"); at != system.thresholds.end()) {
    figures.score_threshold = at->second;
  }
  std::vector<SliceBoxes> boxes;
  std::vector<double> annotated, detected;
  for (const SliceOutcome& outcome : outcomes) {
    SliceBoxes slice;
    if (outcome.found) slice.found = outcome.found->candidates;
    for (const TruthVertebra& vertebra : outcome.truth->vertebrae) slice.truth.push_back(vertebra.box);
    slice.usable = outcome.usable;
    boxes.push_back(std::move(slice));
    figures.annotated += outcome.annotated;
    figures.hits += outcome.hits;
    figures.missed += outcome.missed;
    figures.false_boxes += outcome.false_boxes;
    annotated.push_back(static_cast<double>(outcome.annotated));
    detected.push_back(static_cast<double>(outcome.detected()));
    add_to_histogram(figures.false_histogram, outcome.false_boxes);
    add_to_histogram(figures.missed_histogram, outcome.missed);
  }
  figures.false_positive_rate = proportion(figures.false_boxes, figures.hits + figures.false_boxes);
  figures.false_negative_rate = proportion(figures.missed, figures.annotated);
  figures.counts = fit_line(annotated, detected);
  if (!system.has_candidates) return figures;  // boxes without a ranking have no curve
  const Ranking ranking = rank_boxes(boxes, kCurveIou);
  figures.curve = precision_recall(ranking);
  figures.voc_all_points = voc_average_precision(ranking);
  figures.coco_50_95 = coco_average_precision(boxes);
  figures.coco_50 = coco_average_precision(boxes, 0.5);
  figures.coco_75 = coco_average_precision(boxes, 0.75);
  return figures;
}

void add_averages(ClassSet& set, const std::vector<std::string>& class_names) {
  std::vector<size_t> diseases, without;
  for (size_t c = 0; c < class_names.size(); ++c) {
    if (class_names[c] == kNormalClass) continue;
    diseases.push_back(c);
    if (class_names[c] != kRareClass) without.push_back(c);
  }
  set.diseases = average_over(set.classes, diseases);
  set.diseases_without_sn = average_over(set.classes, without);
}

}  // namespace

Evaluation evaluate(const Truth& truth, const System& system, const Pairing& pairing) {
  Evaluation evaluation;
  evaluation.class_names = truth.class_names;
  evaluation.diseases = disease_mask(truth.class_names);
  evaluation.has_sn = std::ranges::find(truth.class_names, kRareClass) != truth.class_names.end();
  evaluation.left_out_truth = pairing.left_out_truth;
  evaluation.left_out_found = pairing.left_out_found;
  evaluation.outcomes = compare_slices(pairing.pairs);
  const std::vector<SliceOutcome>& outcomes = evaluation.outcomes;
  for (const SliceOutcome& outcome : outcomes) {
    if (!outcome.found) {
      ++evaluation.absent;
      continue;
    }
    ++(outcome.usable                      ? evaluation.completed
       : outcome.found->status == "failed" ? evaluation.failed
                                           : evaluation.indeterminate);
    evaluation.patch_slices += !outcome.found->on_truth.empty();
  }
  evaluation.detector = detector_figures(outcomes, system);
  if (system.has_on_truth) evaluation.patch_level.emplace();
  for (size_t c = 0; c < truth.class_names.size(); ++c) {
    evaluation.end_to_end.classes.push_back(
        class_figures(end_to_end_confusion(outcomes, c), end_to_end_scores(outcomes, c)));
    evaluation.calibration.push_back(system.reader ? std::nullopt : calibration_curve(found_scores(outcomes, c)));
    if (!system.has_on_truth) continue;
    const auto threshold = static_cast<float>(system.thresholds.at(truth.class_names[c]));
    evaluation.patch_level->classes.push_back(
        class_figures(patch_confusion(outcomes, c, threshold), patch_scores(outcomes, c)));
  }
  add_averages(evaluation.end_to_end, truth.class_names);
  if (evaluation.patch_level) add_averages(*evaluation.patch_level, truth.class_names);
  evaluation.cross = cross_table(outcomes, truth.class_names.size());
  evaluation.vertebrae = vertebra_alerts(outcomes, evaluation.diseases);
  evaluation.slices = slice_alerts(outcomes, evaluation.diseases);
  evaluation.studies = study_alerts(outcomes, evaluation.diseases);
  return evaluation;
}

Comparison compare_with(const Evaluation& first, const System& first_system, const System& second_system,
                        const Pairing& pairing) {
  std::unordered_map<const TruthSlice*, SlicePair> of_second;
  for (const SlicePair& pair : pairing.pairs) of_second[pair.truth] = pair;
  std::vector<SliceOutcome> both;
  std::vector<SlicePair> pairs;
  for (const SliceOutcome& outcome : first.outcomes) {
    const auto at = of_second.find(outcome.truth);
    if (at == of_second.end()) continue;
    both.push_back(outcome);
    pairs.push_back(at->second);
  }
  Comparison comparison = compare_systems(both, compare_slices(pairs), first.class_names.size());
  comparison.first = first_system.name;
  comparison.second = second_system.name;
  comparison.second_is_reader = second_system.reader;
  return comparison;
}

std::vector<std::optional<ChosenThreshold>> choose_thresholds(const Evaluation& evaluation, ThresholdGoal goal) {
  std::vector<std::optional<ChosenThreshold>> chosen;
  for (size_t c = 0; c < evaluation.class_names.size(); ++c) {
    chosen.push_back(choose_threshold(end_to_end_scores(evaluation.outcomes, c), goal));
  }
  return chosen;
}

}  // namespace spinert::evaluation
