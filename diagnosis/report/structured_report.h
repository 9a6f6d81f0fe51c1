// structured_report.h - the content of the DICOM structured report of an examination: TID 1500 with one planar region
// (TID 1410) for each vertebra track, as a list of items that spinert-dicom turns into a file. Every code used is
// listed in docs/dicom-output.md.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "diagnosis/result.h"
#include "diagnosis/studies/dicom_object.h"

namespace spinert {

inline constexpr const char* kSpinertScheme = "99SPINERT";

// What the report says of its maker.
struct SrMaker {
  std::string software;    // "0.1.0, commit 1234"
  std::string model;       // the model's name
  std::string device_uid;  // of the model
  std::string run_key;     // tracking UIDs are made from it
};

// The items, depth first. A study that is not completed never says anything that could be read as negative: its status
// and alert stand in the report, and no vertebra is called normal by more than its probabilities. `sources`: the images
// that the study was made from. Errors: E_INTERNAL for a track on a slice without a place or a number that is not
// finite; E_CONFIG for a class whose name makes no code value.
Result<std::vector<SrItem>> structured_report(const StudyResult& study, std::span<const DicomInstance> sources,
                                              const SrMaker& maker);

}  // namespace spinert
