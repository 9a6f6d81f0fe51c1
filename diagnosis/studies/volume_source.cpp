#include "diagnosis/studies/volume_source.h"

#include <algorithm>
#include <cstdio>
#include <span>
#include <utility>

#include "diagnosis/studies/dicom_volume.h"
#include "diagnosis/studies/hounsfield.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

// HU as the 16-bit values of a picture.
constexpr int kHuOffset = 32768;

std::string numbered(size_t index, size_t count) {
  const int digits = count > 999 ? 4 : 3;
  char text[40];
  std::snprintf(text, sizeof text, "sagittal-%0*zu", digits, index + 1);
  return text;
}

// Position of a plane's middle across the patient: along its normal, turned to the patient's left.
double across(const Plane& plane) {
  Vec3 normal = unit(cross(plane.column_step, plane.row_step));
  if (normal.x < 0) normal = -1.0 * normal;
  return dot(normal, plane.at((plane.columns - 1) / 2.0, (plane.rows - 1) / 2.0));
}

SourceSlice source_slice(const HuSlice& slice, double position_mm, bool reformatted) {
  SourceSlice made;
  Picture& picture = made.picture;
  picture.width = slice.plane.columns;
  picture.height = slice.plane.rows;
  picture.bits = 16;
  picture.hu_offset = kHuOffset;
  picture.value.reserve(slice.hu.size());
  for (const int16_t hu : slice.hu) picture.value.push_back(static_cast<uint16_t>(hu + kHuOffset));
  picture.sha256 = to_hex(sha256(picture.value.data(), picture.value.size() * sizeof(uint16_t)));
  made.place = {slice.plane, position_mm, reformatted};
  return made;
}

// Names, and what does not differ between the sources.
class ExaminationSource : public SliceSource {
 public:
  ExaminationSource(Examination examination, std::vector<DicomFacts> files, size_t count)
      : examination_(std::move(examination)), files_(std::move(files)) {
    for (size_t i = 0; i < count; ++i) names_.push_back(numbered(i, count));
  }

  size_t size() const override { return names_.size(); }
  const std::string& name(size_t index) const override { return names_[index]; }
  const std::string& path(size_t) const override { return no_path_; }
  const Examination& examination() const override { return examination_; }
  std::span<const DicomFacts> dicom_files() const override { return files_; }

 protected:
  Examination examination_;
  std::vector<DicomFacts> files_;

 private:
  std::vector<std::string> names_;
  std::string no_path_;
};

class ReformatSource : public ExaminationSource {
 public:
  ReformatSource(Volume volume, ReformatPlan plan, Examination examination, std::vector<DicomFacts> files)
      : ExaminationSource(std::move(examination), std::move(files), plan.planes.size()),
        volume_(std::move(volume)),
        plan_(std::move(plan)) {}

  Result<SourceSlice> read(size_t index) override {
    if (index < first_ || index >= first_ + sampled_.size()) {
      const std::span<const Plane> planes(plan_.planes);
      sampled_ = sample_planes(volume_, planes.subspan(index, std::min(kTogether, planes.size() - index)));
      first_ = index;
    }
    return source_slice(sampled_[index - first_], plan_.position_mm[index], true);
  }

 private:
  static constexpr size_t kTogether = 8;  // planes sampled at once: 3 mm apart so many share lines of the cache

  Volume volume_;
  ReformatPlan plan_;
  std::vector<HuSlice> sampled_;  // plane first_ and those after it
  size_t first_ = 0;
};

class NativeSource : public ExaminationSource {
 public:
  NativeSource(std::vector<DicomFacts> files, double mm_per_pixel, Examination examination, DicomReaders& readers)
      : ExaminationSource(std::move(examination), {}, files.size()), mm_per_pixel_(mm_per_pixel), readers_(readers) {
    files_ = std::move(files);
  }

  const std::string& path(size_t index) const override { return files_[index].path; }

  Result<SourceSlice> read(size_t index) override {
    Result<HuSlice> native = error(ErrorId::E_INTERNAL, "no file was read");
    SPINERT_TRY(readers_.for_each(1, {}, [&](DicomWorker& worker, size_t) {
      native = readers_.read_slice(worker, files_[index]);
      return Status();
    }));
    if (!native.ok()) return native.status();
    HuRange range;
    range.add(native.value().hu);
    SPINERT_TRY(check_plausible_hu(range, "slice"));
    SPINERT_ASSIGN(const HuSlice turned, upright(native.value(), mm_per_pixel_));
    SourceSlice slice = source_slice(turned, across(turned.plane), false);
    slice.picture.lossy = files_[index].lossy;
    return slice;
  }

 private:
  double mm_per_pixel_;
  DicomReaders& readers_;
};

}  // namespace

Result<std::unique_ptr<SliceSource>> reformat_source(Volume volume, const ReformatRules& rules, Examination examination,
                                                     std::vector<DicomFacts> files) {
  SPINERT_ASSIGN(ReformatPlan plan, plan_reformat(volume, rules));
  examination.reformat = {rules.mm_per_pixel, plan.step_mm, rules.every > 1, plan.midline_mm, plan.position_mm};
  return std::unique_ptr<SliceSource>(
      std::make_unique<ReformatSource>(std::move(volume), std::move(plan), std::move(examination), std::move(files)));
}

std::unique_ptr<SliceSource> native_source(std::vector<DicomFacts> files, double mm_per_pixel, Examination examination,
                                           DicomReaders& readers) {
  return std::make_unique<NativeSource>(std::move(files), mm_per_pixel, std::move(examination), readers);
}

}  // namespace spinert
