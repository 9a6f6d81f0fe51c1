// evaluation_html.h - the page of an evaluation: one file without scripts, nothing loaded from anywhere, the same bytes
// for the same figures.
#pragma once

#include <span>
#include <string>

#include "diagnosis/evaluation/evaluation_json.h"
#include "diagnosis/evaluation/gallery.h"

namespace spinert::evaluation {

std::string evaluation_html(const Evaluation& evaluation, const EvaluationFacts& facts,
                            std::span<const ErrorCase> gallery);

}  // namespace spinert::evaluation
