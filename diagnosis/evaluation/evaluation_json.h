// evaluation_json.h - evaluation.json: every figure with its interval. The same reports, truth and build give the same
// bytes. Fields: docs/evaluation.md. A figure that is not defined is null.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "diagnosis/evaluation/evaluation.h"

namespace spinert::evaluation {

inline constexpr const char* kEvaluationSchema = "spinert.evaluation/1";

// What the output says beside the figures.
struct EvaluationFacts {
  std::map<std::string, std::string> tool;  // build_info()
  std::string system, model_sha256;
  bool demo = false;
  std::map<std::string, double> thresholds;
  std::string truth_name, truth_sha256;
  std::string no_patch_level;                          // why there are no figures at patch level; empty: there are
  std::vector<std::optional<ChosenThreshold>> chosen;  // empty: not asked for
  std::string chosen_goal;                             // youden or f1
};

std::string evaluation_json(const Evaluation& evaluation, const EvaluationFacts& facts);

}  // namespace spinert::evaluation
