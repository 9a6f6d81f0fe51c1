// dicom_worker.h - DICOM files decoded by `spinert-dicom`, a program of its own: the only one that links DCMTK and
// OpenJPEG. Each file is decoded in a process of its own with limits on memory, time and files, so that a crash in a
// decoder is an error of one file. Protocol and limits: docs/dicom.md.
//
// It also makes the DICOM files of results (write()).
//
// The program reads a file once, whole, and hands over its bytes: what is hashed is what is decoded. Whether the file
// is a CT slice is not judged here: ask check_usable (dicom_check.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "diagnosis/studies/dicom_archive.h"
#include "diagnosis/studies/dicom_file.h"
#include "diagnosis/studies/dicom_object.h"
#include "kernels/base/status.h"

namespace spinert {

struct DicomWorkerOptions {
  std::string program;  // empty: find_dicom_program()
  std::vector<std::string> arguments = {"--serve"};
  double patience_seconds = 0;  // for one answer; 0: by the size of the file (dicom_limits)
};

// One process that decodes one file after the other. Not for several threads at once; use one object per thread.
class DicomWorker {
 public:
  // Starts the program; it ends with the object, and when this process ends. E_NO_DICOM: there is no `spinert-dicom`,
  // it does not start, or it is of another build.
  static Result<std::unique_ptr<DicomWorker>> start(const DicomWorkerOptions& options = {});
  virtual ~DicomWorker() = default;

  // The facts alone: the pixels are not decoded, but their declared length is checked against what is there.
  //
  // Errors of a file: those of input_file.h and dicom_archive.h; E_DICOM (not DICOM, damaged), E_DICOM_TRUNCATED,
  // E_DICOM_LENGTH, E_DICOM_DIM, E_DICOM_VALUE, E_DICOM_TSYNTAX (with the UID and the command that converts),
  // E_MODALITY (holds no picture), E_SLICE_DECODE (the decoder refused, crashed, or went over a limit). After any of
  // them the next file works. A worker that ends by itself is started again, three times in a row at most.
  virtual Result<DicomFacts> read_facts(const InputFile& from) = 0;

  // Facts and pixels. Also E_MODALITY (several frames), E_IMAGE_COLOUR (several values per pixel).
  virtual Result<DicomFile> read(const InputFile& from) = 0;

  // The bytes of a DICOM file with a result: `object` for the patient and the study of the file that `source` tells of.
  // pixels: of a picture, [rows][columns][3]. What comes back is not looked into, except that it is a DICOM file of at
  // most the length that it can have. Errors: those of input_file.h; E_INPUT_CHANGED (no longer the file of `source`),
  // E_DICOM_VALUE (its patient or study cannot be taken), E_SLICE_DECODE, E_DICOM_LENGTH, E_INTERNAL.
  virtual Result<std::string> write(const DicomFacts& source, const DicomObject& object,
                                    std::span<const uint8_t> pixels) = 0;

  // "DCMTK 3.6.7, OpenJPEG 2.5.0".
  virtual const std::string& libraries() const = 0;
};

// `spinert-dicom` beside this program or library, in libexec/spinert of its prefix or (programs of tests) in the folder
// above; empty if there is none.
std::string find_dicom_program();

// True if the bytes begin like a DICOM file: "DICM" at 128, or a plausible first element of group 2 or 8.
bool looks_like_dicom(const unsigned char* bytes, size_t count);

}  // namespace spinert
