// calibration.h - what int8 needs to know besides the model: the range of every value over some pictures. A small JSON
// file beside the model, bound to it by the hash of its weights:
//
//   {"schema": "spinert.calibration/1", "model": "<spinert.data_sha256>", "method": "...", "slices": 12,
//    "keep": {"classifier": ["layer4.2"]},
//    "ranges": {"detector": {"body.conv1": [0, 5.25], ...}, "classifier": {...}}}
//
// keep names values that stay f32 because the precision of the results asks for it.
//
// Made by `spinert convert --calibrate` (diagnosis/calibrate.h), read when an engine is opened in int8.
#pragma once

#include <map>
#include <set>
#include <string>

#include "graph/quantisation.h"
#include "kernels/base/status.h"

namespace spinert {

struct Calibration {
  std::string sha256;  // of the file's bytes; filled by reading
  std::string model;   // spinert.data_sha256 of the model that it belongs to
  std::string method;  // how ranges were made, for readers
  int64_t slices = 0;
  std::map<std::string, std::set<std::string>> keep;  // by graph
  std::map<std::string, ValueRanges> ranges;          // by graph; one without ranges stays f32
};

// "x/model.safetensors" -> "x/model.calibration.json"
std::string calibration_beside(const std::string& model_path);

std::string print_calibration(const Calibration& calibration);

// Reads a file and holds it against the model's hash. Errors: E_CONFIG for a file that is not there or of the wrong
// form: unknown keys, numbers that are not finite, a range without 0, no slices, another model.
Result<Calibration> read_calibration(const std::string& path, const std::string& model_hash);

}  // namespace spinert
