// pixels.h - the stored values of the only frame, and the checks that come before a decoder sees anything.
#pragma once

#include <cstdint>
#include <vector>

#include "apps/dicom/transfer_syntax.h"
#include "diagnosis/studies/dicom_file.h"
#include "kernels/base/status.h"

class DcmDataset;

namespace spinert {

// Whether PixelData is there and as long as the facts demand (one byte of padding is allowed); of compressed pixels
// that they lie in fragments. The facts must have passed check_pixel_facts; colour is not looked at. Errors:
// E_DICOM_TRUNCATED, E_DICOM_LENGTH, E_DICOM, E_SLICE_DECODE (offset table).
Status check_pixel_data(DcmDataset& dataset, const TransferSyntax& syntax, const DicomFacts& facts);

// [rows][columns] stored values. For one grey frame that passed check_pixel_data. Errors: E_SLICE_DECODE,
// E_DICOM_DIM (compressed picture of another size), E_DICOM_VALUE (values that do not fit in BitsStored).
Result<std::vector<int32_t>> read_pixels(DcmDataset& dataset, const TransferSyntax& syntax, const DicomFacts& facts);

}  // namespace spinert
