// dicom_check.h - judges the facts of a DICOM file: may its pixels be read at all, and is it a CT slice.
//
// Pure functions; no DICOM library is needed. The worker asks the first before it decodes, the program asks both again,
// because it does not trust the worker.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "diagnosis/studies/dicom_file.h"
#include "kernels/base/status.h"

namespace spinert {

// A UID as DICOM writes them (PS3.5, section 9): numbers without leading zeros between dots, at most 64 characters.
bool is_uid(std::string_view text);

// Whether the numbers that describe the pixels make sense together: E_DICOM_DIM (rows, columns), E_DICOM_VALUE
// (frames, samples, BitsAllocated 1, 8, 16 or 32, BitsStored, HighBit).
Status check_pixel_facts(const DicomFacts& facts);

// Bytes of one frame as stored without compression. The facts must have passed check_pixel_facts.
uint64_t frame_bytes(const DicomFacts& facts);

// Whether there is one grey picture in it, of whatever kind: E_MODALITY (several frames), E_IMAGE_COLOUR.
Status check_one_grey_frame(const DicomFacts& facts);

// Whether it is a CT slice by its kind, whatever its pixels are: E_MODALITY (MR, CR, PT, SEG, secondary capture,
// several frames, ...). Files of other kinds lie beside the slices of most exports and are set aside (series.h).
Status check_ct_object(const DicomFacts& facts);

// Whether a file that is read again, now with the hash `sha256`, is still the one that the facts tell of:
// E_INPUT_CHANGED.
Status check_same_file(const DicomFacts& facts, const std::string& sha256);

// Whether SpineRT may look at it: that, with one grey frame. E_IMAGE_COLOUR (RGB, palette), and what the functions
// above say. Whether it is a localizer and where it lies is judged with its series.
Status check_usable(const DicomFacts& facts);

}  // namespace spinert
