// write.h - a described result and a file of its examination to a finished DICOM file (docs/dicom-output.md). Like the
// decoders, what this folder does with the file may crash on a hostile one; server.h makes that harmless.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "kernels/base/status.h"

namespace spinert {

// job: what encode_dicom_job() gives. The same bytes for the same job. Errors: those of parse_dicom() for the file that
// says who the patient is; E_DICOM_VALUE if something of its patient or study cannot be taken; E_INTERNAL if the
// description is against the rules of its kind.
Result<std::string> write_dicom(std::span<const uint8_t> job);

}  // namespace spinert
