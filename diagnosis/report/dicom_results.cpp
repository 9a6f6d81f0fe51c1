#include "diagnosis/report/dicom_results.h"

#include <algorithm>

#include "diagnosis/report/preview.h"
#include "diagnosis/report/structured_report.h"
#include "diagnosis/report/text.h"
#include "diagnosis/studies/dicom_check.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

constexpr const char* kMaker = "SpineRT";
constexpr size_t kMaxName = 64, kMaxComment = 1000;
// High enough to stay behind the series of a scanner.
constexpr int kPictureSeries = 9901, kReportSeries = 9902;

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

// Everything that a result depends on besides the pixels: another run with all of this equal gives the same UIDs.
std::string key_of(const StudyResult& study, const std::vector<DicomFacts>& files, const std::string& software,
                   const std::string& time) {
  const Examination& examination = study.examination;
  std::string key = "SpineRT " + software + "\nmodel " + study.model_sha256 + "\nconfig " + study.config_sha256 +
                    "\nstudy " + examination.study_uid + "\nseries " + examination.series_uid + "\narithmetic " +
                    study.device_name + ' ' + study.isa + ' ' + study.precision + ' ' + study.calibration.sha256 + ' ' +
                    study.canvas + "\ntime " + time + "\nthresholds";
  for (const auto& [name, threshold] : study.thresholds) key += ' ' + name + ' ' + exact_number(threshold);
  for (const DicomFacts& file : files) key += "\nfile " + file.sha256;
  return key;
}

}  // namespace

Result<DicomResults> DicomResults::start(const StudyResult& study, const SliceSource& source, DicomReaders& readers,
                                         Spill spill, const std::string& time) {
  const auto files = source.dicom_files();
  if (files.empty()) {
    return error(ErrorId::E_USAGE, "--dicom-output needs a study of DICOM files",
                 study.examination.kind == "nifti" ? "a NIfTI volume" : "pictures")
        .hint("Pictures and NIfTI volumes do not say whose they are: leave the option out, or give the DICOM series.");
  }
  if (study.examination.frame_of_reference_uid.empty()) {
    return error(ErrorId::E_GEOM_MISSING, "the series has no FrameOfReferenceUID, and places in a report need one",
                 study.examination.series_uid)
        .hint("Leave --dicom-output out, or export the series with the attribute.");
  }
  if (!is_uid(study.examination.frame_of_reference_uid)) {
    return error(ErrorId::E_DICOM_VALUE, "FrameOfReferenceUID is no UID, and places in a report need one",
                 study.examination.series_uid)
        .expected("numbers and dots, at most 64 characters", study.examination.frame_of_reference_uid)
        .hint("Leave --dicom-output out, or export the series again.");
  }
  DicomResults results(readers, std::move(spill));
  results.files_.assign(files.begin(), files.end());
  results.native_ = !study.examination.reformat;
  results.time_ = time;
  for (const DicomFacts& file : files) results.instances_.push_back({file.sop_class, file.sop_instance});
  SPINERT_TRY(results.try_both(study));
  return results;
}

Status DicomResults::add_picture(const RgbImage& image) {
  waiting_.push_back({image.width, image.height});
  return spill_.append({reinterpret_cast<const char*>(image.value.data()), image.value.size()});
}

Status DicomResults::try_both(StudyResult study) {
  study.model_sha256 = to_hex(sha256(nullptr, 0));  // the true one is known at the end
  DicomObject picture = common(study);
  picture.series_number = kPictureSeries;
  picture.series_uid = uid_of_text("trial");
  picture.columns = picture.rows = 1;
  picture.sources = instances_;
  const uint8_t pixel[3] = {};
  SPINERT_TRY(make(0, std::move(picture), pixel).status());
  SPINERT_ASSIGN(DicomObject report, report_object(study));
  return make(0, std::move(report), {}).status();
}

// What both kinds say.
DicomObject DicomResults::common(const StudyResult& study) const {
  DicomObject object;
  object.device_uid = uid_of_hex(study.model_sha256);
  object.manufacturer = kMaker;
  object.model_name = ascii_text(study.model_name, kMaxName);
  object.serial_number = study.model_sha256;
  object.software = ascii_text(software_, kMaxName);
  object.time = time_;
  object.source_series_uid = study.examination.series_uid;
  object.instance_number = 1;
  return object;
}

DicomObject DicomResults::picture_object(const StudyResult& study, size_t index, const RgbImage& image) const {
  const SliceResult& slice = study.slices[index];
  DicomObject object = common(study);
  object.series_uid = uid_of_text("pictures of " + run_key_);
  object.series_number = kPictureSeries;
  object.instance_number = static_cast<int32_t>(index + 1);
  object.series_description = ascii_text("SpineRT pictures " + upper(study.status) + ", research use only", kMaxName);
  object.columns = image.width;
  object.rows = image.height;
  object.comments = ascii_text(std::string(kResearchLabel) + " Not for clinical use. Study: " + study.status +
                                   ", alert " + study.alert + ". Slice " + slice.source + ": " + slice.status +
                                   ", alert " + slice.alert + ". Made by a program, seen by nobody.",
                               kMaxComment);
  object.reformatted = !native_;
  object.derivation = native_ ? "Sagittal slice" : "Sagittal reformat with linear interpolation";
  if (slice.place) {
    object.derivation += ", " + fixed_number(length(slice.place->plane.column_step), 4) + " mm per pixel, " +
                         fixed_number(slice.place->position_mm, 2) +
                         (native_ ? " mm across the patient" : " mm from the midline");
  }
  object.derivation += "; boxes and labels drawn in";
  if (native_) {
    object.sources = {instances_[index]};
  } else {
    object.sources = instances_;
  }
  return object;
}

Result<DicomObject> DicomResults::report_object(const StudyResult& study) const {
  DicomObject object = common(study);
  object.is_report = true;
  object.series_uid = uid_of_text("report of " + run_key_);
  object.series_number = kReportSeries;
  object.series_description = ascii_text("SpineRT report " + upper(study.status) + ", research use only", kMaxName);
  object.sources = instances_;
  object.complete = study.status == "completed";
  object.completion = ascii_text("Study " + study.status + ", alert " + study.alert, kMaxName);
  const SrMaker maker{object.software, object.model_name, object.device_uid, run_key_};
  SPINERT_ASSIGN(object.items, structured_report(study, instances_, maker));
  return object;
}

// Its own UID is made of all that it says, so that one UID never names two contents.
Result<std::string> DicomResults::make(size_t source, DicomObject object, std::span<const uint8_t> pixels) const {
  SPINERT_ASSIGN(const std::string encoded, encode_dicom_object(object));
  object.instance_uid = uid_of_text("object of " + files_[source].sha256 + '\n' +
                                    to_hex(sha256(pixels.data(), pixels.size())) + '\n' + encoded);
  Result<std::string> made = error(ErrorId::E_INTERNAL, "no DICOM file was made");
  SPINERT_TRY(readers_->for_each(1, {}, [&](DicomWorker& worker, size_t) {
    made = worker.write(files_[source], object, pixels);
    return Status();
  }));
  return made;
}

Status DicomResults::write(const StudyResult& study, const std::map<std::string, std::string>& tool,
                           StudyOutput& output) {
  if (study.slices.size() != waiting_.size() || (native_ && files_.size() != waiting_.size())) {
    return error(ErrorId::E_INTERNAL, "a study whose pictures and slices are not as many");
  }
  const auto fact = [&tool](const char* key) {
    const auto it = tool.find(key);
    return it == tool.end() ? std::string("unknown") : it->second;
  };
  software_ = fact("version") + " (" + fact("commit") + ")";
  run_key_ = key_of(study, files_, software_, time_);
  std::vector<uint8_t> pixels;
  size_t index = 0;
  const auto size_of = [this](size_t i) {
    return size_t{3} * static_cast<size_t>(waiting_[i].width) * static_cast<size_t>(waiting_[i].height);
  };
  const Put take = [&](std::string_view part) -> Status {
    while (!part.empty()) {
      const size_t taken = std::min(part.size(), size_of(index) - pixels.size());
      pixels.insert(pixels.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(taken));
      part.remove_prefix(taken);
      if (pixels.size() < size_of(index)) continue;
      RgbImage picture(waiting_[index].width, waiting_[index].height);
      picture.value.swap(pixels);
      pixels.clear();
      const RgbImage image = under_study_status(study, picture);
      SPINERT_ASSIGN(const std::string file,
                     make(native_ ? index : 0, picture_object(study, index, image), image.value));
      const std::string& slice = study.slices[index].source;
      SPINERT_TRY(output.add(dicom_name("picture-" + slice), file, slice));
      ++index;
    }
    return {};
  };
  SPINERT_TRY(spill_.copy(take));
  SPINERT_ASSIGN(DicomObject report, report_object(study));
  SPINERT_ASSIGN(const std::string file, make(0, std::move(report), {}));
  return output.add(dicom_name("report"), file);
}

}  // namespace spinert
