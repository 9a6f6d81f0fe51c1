// transfer_syntax.h - the transfer syntaxes of DICOM: what spinert-dicom does with each, and how to convert the rest.
#pragma once

#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace spinert {

enum class SyntaxKind : unsigned char {
  native,     // stored values as they are (deflated counts: the library inflates the whole data set)
  jpeg,       // DCMTK's JPEG: baseline, extended, lossless
  jpeg_ls,    // DCMTK's JPEG-LS
  rle,        // DCMTK's RLE
  jpeg_2000,  // OpenJPEG
};

struct TransferSyntax {
  std::string_view uid;
  std::string_view name;
  SyntaxKind kind;
  bool lossy;  // whether what it holds may differ from what was measured
};

// The row of a UID that is read here, or E_DICOM_TSYNTAX with its name, if it has one, and a command that converts.
Result<TransferSyntax> find_transfer_syntax(const std::string& uid);

}  // namespace spinert
