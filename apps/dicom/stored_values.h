// stored_values.h - raw words of pixel memory to the values that they stand for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "diagnosis/studies/dicom_file.h"
#include "kernels/base/status.h"

namespace spinert {

// words: bits_allocated bits each, in the low bits. Signed values are extended from bits_stored. The bits above it must
// be zero or copies of the sign; where they are not, the word must be the padding value of the file, which some
// scanners put outside bits_stored: masked, it would look like bone. Otherwise E_DICOM_VALUE.
template <class Word>  // uint16_t or uint32_t
Result<std::vector<int32_t>> stored_values(std::span<const Word> words, int bits_allocated, const DicomFacts& facts);

}  // namespace spinert
