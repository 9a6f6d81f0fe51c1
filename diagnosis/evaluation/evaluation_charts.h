// evaluation_charts.h - the diagrams of an evaluation: an SVG, a key and a caption each, as HTML figures.
#pragma once

#include <string>

#include "diagnosis/evaluation/evaluation.h"

namespace spinert::evaluation {

std::string precision_recall_figure(const Evaluation& evaluation);
// `title` says of which level the curves are.
std::string roc_figure(const Evaluation& evaluation, const ClassSet& set, const std::string& title);
// Detected over annotated vertebrae per slice, as figure 2D of the paper.
std::string counts_figure(const Evaluation& evaluation);
// Slices by false boxes and by missed vertebrae, as figure 2F of the paper.
std::string histogram_figures(const Evaluation& evaluation);
std::string calibration_figure(const Evaluation& evaluation);

// "0.913", or a dash where there is no value.
std::string shown(const std::optional<double>& value, int decimals = 3);

}  // namespace spinert::evaluation
