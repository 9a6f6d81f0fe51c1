// dicom_results.h - the DICOM files of a study: every preview as a Secondary Capture, and one structured report.
//
//   auto results = DicomResults::start(study, source, readers, spill, time);   // refuses early what cannot be written
//   results.add_picture(image);                                                // of every slice, in order
//   results.write(study, tool, output);                                        // stages the files
//
// The pictures wait on the disk until the status of the study is known. Patient names never come through here: they go
// from a file of the examination to the result inside spinert-dicom. docs/dicom-output.md.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "diagnosis/images/drawing.h"
#include "diagnosis/report/spill.h"
#include "diagnosis/report/study_output.h"
#include "diagnosis/result.h"
#include "diagnosis/slice_source.h"
#include "diagnosis/studies/dicom_object.h"
#include "diagnosis/studies/dicom_readers.h"

namespace spinert {

class DicomResults {
 public:
  // Tries a picture and a report without findings, so that a study whose results could not be written is refused before
  // it is looked at. study: describes the model and the examination. time: YYYYMMDDHHMMSS of the results; empty: that
  // of the study. Errors: E_USAGE (not made from DICOM files), E_GEOM_MISSING (no frame of reference), those of
  // structured_report() and DicomWorker::write().
  static Result<DicomResults> start(const StudyResult& study, const SliceSource& source, DicomReaders& readers,
                                    Spill spill, const std::string& time);

  Status add_picture(const RgbImage& image);

  // study: finished, with as many slices as there are pictures. Errors also: E_OUTPUT.
  Status write(const StudyResult& study, const std::map<std::string, std::string>& tool, StudyOutput& output);

 private:
  struct Waiting {
    int width, height;
  };

  DicomResults(DicomReaders& readers, Spill spill) : readers_(&readers), spill_(std::move(spill)) {}

  DicomObject common(const StudyResult& study) const;
  DicomObject picture_object(const StudyResult& study, size_t slice, const RgbImage& image) const;
  Result<DicomObject> report_object(const StudyResult& study) const;
  Result<std::string> make(size_t source, DicomObject object, std::span<const uint8_t> pixels) const;
  Status try_both(StudyResult study);

  DicomReaders* readers_;
  Spill spill_;  // the pixels of the pictures, one after the other
  std::vector<Waiting> waiting_;
  std::vector<DicomFacts> files_;
  std::vector<DicomInstance> instances_;  // of files_
  bool native_ = false;                   // one file for each slice
  std::string time_, software_, run_key_;
};

}  // namespace spinert
