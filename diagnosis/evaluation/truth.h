// truth.h - reads what experts annotated: COCO-style JSON or a CSV table (docs/evaluation.md). Everything is checked
// before it is used, and every refusal names the record: E_TRUTH for an unknown or missing class, a box outside the
// slice or without area, a number that is not finite, an id used twice, an annotation of a slice that is not there, a
// vertebra both normal and diseased. Errors of reading: E_INPUT_EMPTY, E_INPUT_READ, E_INPUT_CHANGED, E_OOM_HOST.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "diagnosis/evaluation/records.h"
#include "kernels/base/status.h"

namespace spinert::evaluation {

// A box may reach this far out of its slice: coordinates are often written with two decimals.
inline constexpr double kEdgeTolerance = 0.01;  // pixels

// `class_names`: what the labels may be, and the order of their bits. A JSON document that names its own findings must
// name the same ones. A name that ends in .csv is a table, anything else JSON.
Result<Truth> read_truth(const std::string& path, const std::vector<std::string>& class_names);
Result<Truth> parse_truth_json(std::string_view text, const std::vector<std::string>& class_names,
                               const std::string& where);
Result<Truth> parse_truth_csv(std::string_view text, const std::vector<std::string>& class_names,
                              const std::string& where);

// A whole text file of at most `limit` bytes.
Result<std::string> read_text(const std::string& path, uint64_t limit, ErrorId too_large);

}  // namespace spinert::evaluation
