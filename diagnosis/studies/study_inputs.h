// study_inputs.h - from the files of a command line to studies: all pictures are one, DICOM files are one for each
// StudyInstanceUID, whether they lie in folders or in zip archives, every NIfTI file is one.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/pipeline_config.h"
#include "diagnosis/input.h"
#include "diagnosis/slice_source.h"
#include "diagnosis/studies/dicom_file.h"
#include "diagnosis/studies/dicom_readers.h"
#include "diagnosis/studies/nifti.h"

namespace spinert {

struct StudyInput {
  std::string name;             // of its folder in a batch: StudyInstanceUID, file name, "pictures"; unique
  std::vector<Input> pictures;  // of the one study of pictures
  std::string nifti;            // path
  std::vector<DicomFacts> dicom;
  std::vector<Input> unread;  // DICOM files of this study's folders that could not be read, each with its problem; or
                              // one archive that could not
};

// `readers` may be empty if there is no DICOM file; with one it must not be. The files are looked at; their
// pixels are judged when a study is opened. DICOM files that cannot be read belong to the study of their folder, or
// where that has several or none are a study "unreadable" that holds nothing else. If the run is stopped, the files not
// looked at are such files.
std::vector<StudyInput> group_studies(std::vector<Input> inputs, DicomReaders& readers, const RunControl& control);

// SHA-256 over the sorted SHA-256s (as hex) of the study's DICOM files, or that of the NIfTI file; empty for pictures
// and where a file cannot be read.
std::string study_sha256(const StudyInput& study);

// How an examination becomes slices; what is not set comes from the model's config.
struct StudyOptions {
  std::optional<double> hu_offset;  // of pictures
  std::string series_uid;           // the series to take; empty: the rules of choose_series()
  int allow_gaps = 0;               // slices that may be missing or unreadable
  bool fast = false;                // of a reformat every second plane only
  NiftiTransform transform = NiftiTransform::automatic;
};

// The slices of a study. A volume is read into memory here. Errors: those of series.h, reformat.h, nifti.h and the
// worker; E_OOM_HOST, E_CANCELLED, E_TIMEOUT.
Result<std::unique_ptr<SliceSource>> open_study(const StudyInput& study, const StudyOptions& options,
                                                const PipelineConfig& config, DicomReaders& readers,
                                                const RunControl& control);

// The sagittal slices of a NIfTI file that was read. Errors: those of reformat.h.
Result<std::unique_ptr<SliceSource>> nifti_source(NiftiFile file, const StudyOptions& options,
                                                  const PipelineConfig& config);

}  // namespace spinert
