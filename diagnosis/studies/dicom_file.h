// dicom_file.h - what SpineRT takes from one DICOM file: the facts that decide whether and how it is used, and its
// stored pixels. No DICOM library is needed to include this: the files are decoded in a process of their own
// (dicom_worker.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "diagnosis/studies/patient_space.h"

namespace spinert {

class DicomArchive;

// Text values are those of the file without padding, cleaned of control characters; no name, date or number of a
// patient is among them. An attribute that the file lacks is empty or nullopt; nothing is guessed here.
struct DicomFacts {
  std::string path;                             // as given; of a zip's entry as messages name it
  std::shared_ptr<const DicomArchive> archive;  // the zip that holds it, if one does
  size_t entry = 0;                             // its place there
  std::string sha256;                           // of the file's bytes, 64 hex digits
  std::string transfer_syntax;                  // UID
  std::string sop_class, sop_instance, study, series, frame_of_reference;  // UIDs
  std::string modality;                                                    // "CT"
  std::vector<std::string> image_type;                                     // "ORIGINAL", "PRIMARY", "AXIAL"
  std::string photometric;                                                 // "MONOCHROME2"
  std::string patient_position;                                            // "HFS"; empty if unknown
  std::string series_description;
  int columns = 0, rows = 0, frames = 1, samples = 1;
  int bits_allocated = 0, bits_stored = 0, high_bit = 0;
  bool is_signed = false;
  bool lossy = false;           // LossyImageCompression, or a lossy transfer syntax
  bool burned_in_text = false;  // BurnedInAnnotation is YES
  std::optional<double> rescale_slope, rescale_intercept;
  std::optional<int32_t> padding_value, padding_limit;  // PixelPaddingValue, PixelPaddingRangeLimit
  std::optional<Vec3> position;                         // ImagePositionPatient
  std::optional<Vec3> row_direction, column_direction;  // ImageOrientationPatient: along a row, along a column
  std::optional<double> row_spacing, column_spacing;    // PixelSpacing: between rows, between columns; mm
};

struct DicomFile {
  DicomFacts facts;
  // [rows][columns] stored values of the only frame, sign-extended or masked to bits_stored.
  std::vector<int32_t> stored;
};

}  // namespace spinert
