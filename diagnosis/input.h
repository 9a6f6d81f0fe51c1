// input.h - which files a command line names: every named file, inside every named folder the pictures, DICOM files and
// NIfTI volumes, and inside every zip archive the DICOM files.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

enum class InputKind : unsigned char { picture, dicom, nifti };

class DicomArchive;

struct Input {
  std::string path;  // of a zip's entry: as messages name it
  Status problem;    // set if nothing can be read there, for example a folder without pictures: a failed slice, and of
                     // the kind dicom (an archive) a failed study
  InputKind kind = InputKind::picture;
  std::shared_ptr<const DicomArchive> archive = {};  // the zip that holds it, if one does
  size_t entry = 0;                                  // its place there
};

struct InputList {
  std::vector<Input> inputs;  // in the order of the command line, inside a folder or archive in natural order (s2
                              // before s10)
  size_t files_seen = 0;
  std::map<std::string, size_t> skipped;  // reason -> number of files

  // "7 files seen; skipped: 4 plain text, 3 hidden".
  std::string describe() const;
};

// A named file is always an input, whatever it holds: its reader says what is wrong with it. In folders, recursively,
// a regular file is an input if its content is a picture of any kind, DICOM or NIfTI, or its name ends like one (then
// an empty or damaged file becomes a failed slice instead of going unseen); a DICOMDIR is not. Content decides about
// the kind; the name only where the content says nothing. Hidden entries are skipped; links to folders are followed
// once each. With `archives`, a zip archive that is named, or that lies in a folder and is called .zip, is looked into
// by the same rules: its DICOM files are inputs, everything else in it is skipped, archives inside it too. Fails with
// E_INPUT_EMPTY if not one input can be read.
Result<InputList> expand_inputs(std::span<const std::string> arguments, bool archives = false);

// True if a stands before b when runs of digits are compared as numbers: "s2" < "s10".
bool natural_less(std::string_view a, std::string_view b);

}  // namespace spinert
