// input.h - which files a command line names: every named file, and inside every named folder the pictures, DICOM files
// and NIfTI volumes.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

enum class InputKind : unsigned char { picture, dicom, nifti };

struct Input {
  std::string path;
  Status problem;  // set if nothing can be read there, for example a folder without pictures: a failed slice
  InputKind kind = InputKind::picture;
};

struct InputList {
  std::vector<Input> inputs;  // in the order of the command line, inside a folder in natural order (s2 before s10)
  size_t files_seen = 0;
  std::map<std::string, size_t> skipped;  // reason -> number of files

  // "7 files seen; skipped: 4 plain text, 3 hidden".
  std::string describe() const;
};

// A named file is always an input, whatever it holds: its reader says what is wrong with it. In folders, recursively,
// a regular file is an input if its content is a picture of any kind, DICOM or NIfTI, or its name ends like one (then
// an empty or damaged file becomes a failed slice instead of going unseen); a DICOMDIR is not. Content decides about
// the kind; the name only where the content says nothing. Hidden entries are skipped; links to folders are followed
// once each. Fails with E_INPUT_EMPTY if not one input can be read.
Result<InputList> expand_inputs(std::span<const std::string> arguments);

// True if a stands before b when runs of digits are compared as numbers: "s2" < "s10".
bool natural_less(std::string_view a, std::string_view b);

}  // namespace spinert
