// truth.h - the truth of a set of phantoms as COCO-style JSON: docs/phantom.md says what each key means.
#pragma once

#include <span>
#include <string>

#include "diagnosis/phantom/phantom.h"

namespace spinert {

// What is kept of a slice once its picture is written.
struct PhantomEntry {
  std::string file;
  int width = 0, height = 0;
  double spacing = 0;
  HuWindow window;
  std::vector<PhantomVertebra> vertebrae;
};

// sixteen_bit: the pictures hold HU + offset, which is then named in "info".
std::string phantom_truth(const PhantomOptions& options, bool sixteen_bit, std::span<const PhantomEntry> entries);

}  // namespace spinert
