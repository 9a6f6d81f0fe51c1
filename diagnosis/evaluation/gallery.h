// gallery.h - the worst errors of an evaluation, worst first, each with the part of the picture that it concerns.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "diagnosis/evaluation/evaluation.h"
#include "diagnosis/images/picture.h"

namespace spinert::evaluation {

inline constexpr size_t kGallerySize = 24;

struct ErrorCase {
  enum class Kind : unsigned char { missed, false_box, wrong_labels };
  Kind kind = Kind::missed;
  size_t outcome = 0;    // place in Evaluation::outcomes
  int truth = kNoMatch;  // place on the slice
  int found = kNoMatch;
  double severity = 0;
  // The crop in pixels of the slice and its PNG bytes; empty without a picture.
  int64_t left = 0, top = 0, width = 0, height = 0;
  std::vector<unsigned char> png;
};

// Most severe first: a disease that was missed or taken for something else before a box or label too many; among
// equals the surer the system was. Missed vertebrae of slices without a result are left out: there is nothing to see.
std::vector<ErrorCase> worst_errors(const Evaluation& evaluation, size_t most = kGallerySize);

// The path of a slice's picture, or an empty one.
using PictureFinder = std::function<std::string(const SliceOutcome&)>;
// Cuts the crops. A picture that cannot be read, or is not the one that the system saw, is left out.
void add_pictures(std::vector<ErrorCase>& errors, const Evaluation& evaluation, const PictureFinder& find,
                  const std::optional<HuWindow>& window);

}  // namespace spinert::evaluation
