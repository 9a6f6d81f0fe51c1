// facts.h - the attributes that SpineRT wants, from DCMTK's data set to DicomFacts.
#pragma once

#include "apps/dicom/transfer_syntax.h"
#include "diagnosis/studies/dicom_file.h"
#include "kernels/base/status.h"

class DcmItem;

namespace spinert {

// Rows, Columns and the numbers about bits must be whole and of VR US: E_DICOM_DIM, E_DICOM_VALUE. A position,
// orientation, spacing, slope, intercept or padding that is there and no finite number (or not as many as belong
// there) is E_DICOM_VALUE. A thickness or window that is none counts as missing: no result depends on it. E_MODALITY:
// an object that holds no picture; E_DICOM: neither a picture nor a modality.
Result<DicomFacts> read_dicom_facts(DcmItem& dataset, const TransferSyntax& syntax);

}  // namespace spinert
