// dicom_worker.h - DICOM files decoded by `spinert-dicom`, a program of its own: the only one that links DCMTK and
// OpenJPEG. Each file is decoded in a process of its own with limits on memory, time and files, so that a crash in a
// decoder is an error of one file.
//
// `spinert-dicom` lies beside the program or in ../libexec/spinert/. It is started once and forks for every file; the
// protocol is in docs/studies.md. Errors of a file: E_DICOM (not DICOM, damaged), E_DICOM_TRUNCATED, E_DICOM_LENGTH,
// E_DICOM_DIM, E_DICOM_VALUE, E_DICOM_TSYNTAX (with the UID and the command that converts), E_MODALITY, E_IMAGE_COLOUR,
// E_SLICE_DECODE (the decoder refused, crashed, or went over a limit), and those of input_file.h. E_NO_DICOM: there is
// no `spinert-dicom`.
#pragma once

#include <memory>
#include <string>

#include "diagnosis/studies/dicom_file.h"
#include "kernels/base/status.h"

namespace spinert {

class DicomWorker {
 public:
  // Starts the program; it ends with the object.
  static Result<std::unique_ptr<DicomWorker>> start();
  virtual ~DicomWorker() = default;

  // The facts alone: the pixels are not decoded, but their declared length is checked against what is there.
  virtual Result<DicomFacts> read_facts(const std::string& path) = 0;
  virtual Result<DicomFile> read(const std::string& path) = 0;
};

// True if the bytes begin like a DICOM file: "DICM" at 128, or a plausible first element of group 2 or 8.
bool looks_like_dicom(const unsigned char* bytes, size_t count);

}  // namespace spinert
