// source_tensors.h - strict bookkeeping of a checkpoint: every tensor that the architecture asks for must be there with
// that shape, and nothing else may be there (but the counters num_batches_tracked). All differences are collected, so
// that one error shows the whole picture.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "converter/checkpoint.h"
#include "kernels/base/status.h"

namespace spinert {

// A tensor that an architecture expects in its checkpoint.
struct ExpectedTensor {
  std::string name;
  std::vector<int64_t> shape;
};

class SourceTensors {
 public:
  // where: the file, for messages.
  SourceTensors(Checkpoint checkpoint, std::string where);

  // Whole dotted parts at the beginning of a name, as in the config ("fc.1" -> "fc", "model" -> "").
  void rename_prefixes(const std::map<std::string, std::string>& prefixes);
  // `from` -> `to` if `from` is there and `to` is not.
  void rename(const std::string& from, const std::string& to);

  // Moves the values out. If the tensor is missing or has another shape the difference is noted and the result is
  // empty. A NaN or infinity is remembered as E_MODEL_VALUE name[index].
  std::vector<float> take(const std::string& name, const std::vector<int64_t>& shape);

  // The first problem with a value, or E_MODEL_ARCH with at most 20 lines of differences, or success.
  Status finish(const std::string& architecture) const;

  // Remembers a problem with the values of a tensor; only the first one counts.
  void note_value(const std::string& name, size_t index, const std::string& what);

  // True if the tensor is there with another shape; gives that shape.
  bool has_other_shape(const std::string& name, std::vector<int64_t>& got) const;

  // Everything that was asked for, in order.
  const std::vector<ExpectedTensor>& expected() const { return expected_; }

 private:
  std::map<std::string, SourceTensor> tensors_;  // not taken yet
  std::string where_;
  std::vector<ExpectedTensor> expected_;
  std::vector<std::string> missing_;
  std::map<std::string, std::vector<int64_t>> other_shape_;
  std::vector<std::string> shape_lines_;
  Status value_problem_;
};

}  // namespace spinert
