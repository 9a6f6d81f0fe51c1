#include "diagnosis/study_run.h"

#include <algorithm>

#include "diagnosis/report/nifti_mask.h"
#include "diagnosis/report/preview.h"
#include "diagnosis/report/report_html.h"
#include "diagnosis/report/text.h"
#include "diagnosis/study.h"

namespace spinert {
namespace {

// `list = {}` would keep the memory: it assigns an empty list of initialisers.
template <class T>
void give_back(std::vector<T>& list) {
  std::vector<T>().swap(list);
}

}  // namespace

Status StudyRun::look_at(Pipeline& pipeline, SliceSource& source, const RunControl& control) {
  SPINERT_ASSIGN(sections_, output_.spill());
  SPINERT_ASSIGN(slices_json_, output_.spill());
  begin_study(pipeline, source, study_);
  if (mask_wanted_) SPINERT_TRY(check_mask(study_.examination));
  if (dicom_readers_) {
    SPINERT_ASSIGN(Spill pixels, output_.spill());
    SPINERT_ASSIGN(dicom_, DicomResults::start(study_, source, *dicom_readers_, std::move(pixels), dicom_time_));
  }
  if (slices_wanted_) slice_files_ = std::make_unique<SliceFiles>(source, output_);
  SliceSource& slices = slice_files_ ? *slice_files_ : source;
  const auto keep = [&](SliceResult slice) { return take(std::move(slice), source.size()); };
  return run_slices(pipeline, slices, control, listener_, study_, keep, problem_);
}

void StudyRun::fail(const Status& status, std::span<const std::string> paths) {
  whole_run_failed_ = true;
  problem_ = status;
  fail_study(study_, status);
  for (Reason& reason : study_.reasons) {
    for (const std::string& path : paths) reason.text = without_folder(std::move(reason.text), path);
  }
}

// Writes what belongs to the slice alone and keeps what the table and the summary need.
Status StudyRun::take(SliceResult slice, size_t total) {
  if (slice_files_) SPINERT_TRY(slice_files_->status());
  const size_t index = study_.slices.size();
  SPINERT_ASSIGN(const std::string section, slice_section(study_, slice, index));
  SPINERT_TRY(sections_->append(section));
  SPINERT_TRY(slices_json_->append(slice_json(study_, slice, index)));
  const RgbImage image = preview_image(study_, slice);
  SPINERT_ASSIGN(const std::vector<uint8_t> png, preview_png(image));
  if (dicom_) SPINERT_TRY(dicom_->add_picture(image));
  const std::string name = free_name(preview_names_, preview_name, slice.source);
  SPINERT_TRY(output_.add(name, {reinterpret_cast<const char*>(png.data()), png.size()}, slice.source));
  give_back(slice.preview);
  give_back(slice.candidates);
  for (Vertebra& vertebra : slice.vertebrae) give_back(vertebra.patches);
  study_.slices.push_back(std::move(slice));
  listener_.ended(study_.slices.back(), study_.slices.size(), total);
  return {};
}

Status StudyRun::publish() {
  // A study without a result, or a stopped one, leaves nothing that an archive could take for one.
  if (!whole_run_failed_ && study_.status != "failed" && study_.exit_code < exit_code(ErrorId::E_CANCELLED)) {
    if (dicom_) SPINERT_TRY(dicom_->write(study_, facts_.tool, output_));
    const PutParts mask = [this](const Put& put) { return write_nifti_mask(study_, put); };
    if (mask_wanted_) SPINERT_TRY(output_.add_parts(kMaskName, mask));
  }
  const PutParts page = [this](const Put& put) -> Status {
    SPINERT_TRY(put(report_html_head(study_)));
    if (!whole_run_failed_ && sections_) SPINERT_TRY(sections_->copy(put));
    return put(report_html_tail(study_, facts_));
  };
  SPINERT_TRY(output_.add_parts("report.html", page));
  facts_.files = output_.files();
  const PutParts slices = [this](const Put& put) { return slices_json_ ? slices_json_->copy(put) : Status(); };
  SPINERT_TRY(
      output_.add_parts("report.json", [&](const Put& put) { return write_report_json(study_, facts_, slices, put); }));
  return output_.publish();
}

Status StudyRun::problem() const {
  return study_problem(study_, output_.folder(), problem_);
}

}  // namespace spinert
