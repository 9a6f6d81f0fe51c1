#include "diagnosis/study_run.h"

#include <algorithm>
#include <new>

#include "config/json.h"
#include "diagnosis/report/preview.h"
#include "diagnosis/report/report_html.h"
#include "diagnosis/report/text.h"
#include "diagnosis/studies/examination_result.h"
#include "diagnosis/studies/tiles.h"
#include "diagnosis/study.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

// `list = {}` would keep the memory: it assigns an empty list of initialisers.
template <class T>
void give_back(std::vector<T>& list) {
  std::vector<T>().swap(list);
}

SliceResult no_memory(const std::string& source) {
  return failed_slice(
      source, error(ErrorId::E_OOM_HOST, "the memory was not enough", source).hint("Give the process more memory."));
}

}  // namespace

void describe_model(Pipeline& pipeline, StudyResult& study) {
  const auto& metadata = pipeline.engine().model().metadata;
  if (const auto it = metadata.find("spinert.config"); it != metadata.end()) {
    study.config_sha256 = to_hex(sha256(it->second.data(), it->second.size()));
  }
  study.model_name = file_name_of(pipeline.engine().model().path);
  if (const auto it = metadata.find("spinert.card"); it != metadata.end()) {
    const auto card = parse_json(it->second, ErrorId::E_CONFIG, "model card");
    const auto text = [&card](const char* key) -> std::string {
      if (!card.ok() || !card.value().is_object()) return {};
      const auto field = card.value().find(key);
      return field != card.value().end() && field->is_string() ? field->get<std::string>() : std::string();
    };
    if (!text("name").empty()) study.model_name = text("name");
    study.card_version = text("version");
    // A copy of the demo model says so too, wherever it lies.
    if (study.model_name.find("demo") != std::string::npos) study.demo_model = true;
  }
  const PipelineConfig& config = pipeline.config();
  study.class_names = config.classifier.class_names;
  study.thresholds = config.classifier.thresholds;
  study.thresholds["score"] = config.diagnosis.score_threshold;
  const DeviceInfo& device = pipeline.engine().device();
  study.device_name = device.name;
  study.isa = device.isa;
  study.precision = device.precision;
  study.canvas = canvas_name(pipeline.canvas());
  study.fallback = device.fallback;
  study.calibration = device.calibration;
  study.threads = device.threads;
  study.batch = pipeline.batch();
}

Status StudyRun::look_at(Pipeline& pipeline, SliceSource& source, const RunControl& control) {
  describe_model(pipeline, study_);
  study_.examination = source.examination();
  SPINERT_ASSIGN(sections_, output_.spill());
  SPINERT_ASSIGN(slices_json_, output_.spill());
  if (dicom_readers_) {
    SPINERT_ASSIGN(Spill pixels, output_.spill());
    SPINERT_ASSIGN(dicom_, DicomResults::start(study_, source, *dicom_readers_, std::move(pixels), dicom_time_));
  }
  for (size_t i = 0; i < source.size(); ++i) {
    listener_.begins(study_.slices.size(), source.size(), source.name(i));
    SPINERT_TRY(begin_slice(pipeline, source, i, control));
    if (static_cast<int>(pending_.size()) >= pipeline.depth()) SPINERT_TRY(take_first(pipeline, source));
  }
  while (!pending_.empty()) SPINERT_TRY(take_first(pipeline, source));
  SPINERT_ASSIGN(study_.model_sha256, pipeline.engine().file_sha256());
  study_.examination.kind == "pictures" ? summarise(study_) : judge_examination(study_, source, pipeline.config());
  return {};
}

// Appends one slice to pending_: with its result, or started in the pipeline.
Status StudyRun::begin_slice(Pipeline& pipeline, SliceSource& source, size_t index, const RunControl& control) {
  const std::string& name = source.name(index);
  const auto ended = [&](SliceResult result, const std::optional<SlicePlace>& place = {}) {
    pending_.push_back({index, std::move(result), place});
    return Status();
  };
  if (control.cancel && control.cancel->load() != 0) {
    return ended(failed_slice(name, error(ErrorId::E_CANCELLED, "not looked at: the run was stopped", name)));
  }
  if (std::chrono::steady_clock::now() >= control.deadline) {
    return ended(failed_slice(name, error(ErrorId::E_TIMEOUT, "not looked at: the time limit was reached", name)
                                        .hint("Raise --timeout or leave it out.")));
  }
  try {
    const Result<SourceSlice> read = source.read(index);
    if (!read.ok()) return ended(failed(source, index, read.status()));
    const SourceSlice& slice = read.value();
    const int64_t size = pipeline.config().detector.input.size;
    if (slice.picture.width <= size && slice.picture.height <= size) {
      pipeline.start(slice.picture, name, control);
      pending_.push_back({index, {}, slice.place});
      return {};
    }
    // Tiles run one by one, and nothing may be on its way meanwhile.
    while (!pending_.empty()) SPINERT_TRY(take_first(pipeline, source));
    return ended(diagnose_in_tiles(pipeline, slice.picture, name, control), slice.place);
  } catch (const std::bad_alloc&) {
    return ended(no_memory(name));
  }
}

// The result of the first pending slice.
Status StudyRun::take_first(Pipeline& pipeline, SliceSource& source) {
  Pending slice = std::move(pending_.front());
  pending_.pop_front();
  if (!slice.result) {
    try {
      slice.result = pipeline.finish();
    } catch (const std::bad_alloc&) {
      slice.result = no_memory(source.name(slice.index));
    }
  }
  slice.result->place = slice.place;
  return take(std::move(*slice.result), source.size());
}

SliceResult StudyRun::failed(SliceSource& source, size_t index, const Status& status) {
  if (problem_.ok()) problem_ = status;
  SliceResult slice = failed_slice(source.name(index), status);
  for (Reason& reason : slice.reasons) reason.text = without_folder(std::move(reason.text), source.path(index));
  return slice;
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
  const size_t index = study_.slices.size();
  SPINERT_ASSIGN(const std::string section, slice_section(study_, slice, index));
  SPINERT_TRY(sections_->append(section));
  SPINERT_TRY(slices_json_->append(slice_json(study_, slice, index)));
  const RgbImage image = preview_image(study_, slice);
  SPINERT_ASSIGN(const std::vector<uint8_t> png, preview_png(image));
  if (dicom_) SPINERT_TRY(dicom_->add_picture(image));
  std::string name = preview_name(slice.source);
  for (int i = 2; !preview_names_.insert(name).second; ++i) {
    name = preview_name(slice.source + '-' + std::to_string(i));
  }
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
  if (dicom_ && !whole_run_failed_ && study_.status != "failed" && study_.exit_code < exit_code(ErrorId::E_CANCELLED)) {
    SPINERT_TRY(dicom_->write(study_, facts_.tool, output_));
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
  if (study_.exit_code == 0) return {};
  if (study_.error != ErrorId::OK) {
    const std::string text = study_.reasons.empty() ? study_.status : study_.reasons.front().text;
    return error(study_.error, text, output_.folder()).hint("A person must look; all reasons are in the report.");
  }
  const auto count = [this](const char* status) {
    return static_cast<size_t>(std::ranges::count(study_.slices, status, &SliceResult::status));
  };
  const std::string of_all = " of " + counted(study_.slices.size(), "slice");
  if (study_.status == "partial") {
    return error(ErrorId::E_PARTIAL, std::to_string(count("failed")) + of_all + " failed", output_.folder())
        .hint("The reasons are in the report; give those slices again.");
  }
  // 143 is a cancelled run as well.
  const int code = study_.exit_code > 128 ? exit_code(ErrorId::E_CANCELLED) : study_.exit_code;
  ErrorId id = ErrorId::E_INTERNAL;
  for (const SliceResult& slice : study_.slices) {
    if (slice.status != "completed" && exit_code(slice.error) == code) {
      id = slice.error;
      break;
    }
  }
  if (study_.status == "indeterminate") {
    if (exit_code(id) != study_.exit_code) id = ErrorId::E_NO_VERTEBRA;
    return error(id, std::to_string(count("indeterminate")) + of_all + " must not be read as negative",
                 output_.folder())
        .hint("A person must look; the reasons are in the report.");
  }
  if (study_.slices.size() > 1) {
    return error(id, std::to_string(count("failed")) + of_all + " failed", output_.folder())
        .hint("The reasons are in the report.");
  }
  if (!problem_.ok()) return problem_;
  std::string text = study_.reasons.empty() ? study_.status : study_.reasons.back().text;
  while (text.ends_with('.')) text.pop_back();
  return error(id, text);
}

}  // namespace spinert
