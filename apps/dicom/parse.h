// parse.h - the bytes of a file to DCMTK's data set, with every byte that is missing accounted for.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "apps/dicom/transfer_syntax.h"
#include "kernels/base/status.h"

class DcmDataset;
class DcmFileFormat;

namespace spinert {

class ParsedFile {
 public:
  ParsedFile();
  ~ParsedFile();
  ParsedFile(ParsedFile&&) noexcept;
  ParsedFile& operator=(ParsedFile&&) noexcept;

  DcmDataset& dataset() const;
  TransferSyntax syntax{};

 private:
  friend Result<ParsedFile> parse_dicom(std::span<const uint8_t> bytes);
  std::unique_ptr<DcmFileFormat> file_;
};

// The bytes must stay as long as the result. Without a meta header the encoding of the data set is recognised by its
// first element, and the pixels count as not compressed. Errors: E_DICOM, E_DICOM_TRUNCATED (expected and got bytes of
// the value that is cut), E_DICOM_TSYNTAX.
Result<ParsedFile> parse_dicom(std::span<const uint8_t> bytes);

}  // namespace spinert
