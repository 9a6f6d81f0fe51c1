// decode.h - one DICOM file in memory to its facts and stored values. The functions of this folder whose files name
// DCMTK or OpenJPEG are the only ones of the project that do.
//
// They may crash or run for ever on a hostile file; server.h is what makes that harmless.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "diagnosis/studies/dicom_file.h"
#include "kernels/base/status.h"

namespace spinert {

// Loads the dictionary and registers the decoders; once, before the first file. E_NO_DICOM without a dictionary: half
// of all files could not be read then.
Status prepare_decoders();

// "DCMTK 3.6.7, OpenJPEG 2.5.0"
std::string decoder_libraries();

// Errors: those of a file in dicom_worker.h. Without `pixels` nothing is decompressed. path and sha256 stay empty.
Result<DicomFile> decode_dicom(std::span<const uint8_t> bytes, bool pixels);

}  // namespace spinert
