#include "diagnosis/slice_loop.h"

#include <deque>
#include <new>

#include "config/json.h"
#include "diagnosis/report/text.h"
#include "diagnosis/studies/examination_result.h"
#include "diagnosis/studies/tiles.h"
#include "diagnosis/study.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

SliceResult no_memory(const std::string& source) {
  return failed_slice(
      source, error(ErrorId::E_OOM_HOST, "the memory was not enough", source).hint("Give the process more memory."));
}

class SliceLoop {
 public:
  using Keep = std::function<Status(SliceResult)>;

  SliceLoop(Pipeline& pipeline, SliceSource& source, const RunControl& control, const Keep& keep, Status& problem)
      : pipeline_(pipeline), source_(source), control_(control), keep_(keep), problem_(problem) {}

  // After an error nothing may be left in the pipeline: the next study would be given it.
  ~SliceLoop() {
    for (const Pending& slice : pending_) {
      if (!slice.result) pipeline_.finish();
    }
  }
  SliceLoop(const SliceLoop&) = delete;
  SliceLoop& operator=(const SliceLoop&) = delete;

  Status run(StudyListener& listener, StudyResult& study) {
    for (size_t i = 0; i < source_.size(); ++i) {
      listener.begins(study.slices.size(), source_.size(), source_.name(i));
      SPINERT_TRY(begin(i));
      if (static_cast<int>(pending_.size()) >= pipeline_.depth()) SPINERT_TRY(take_first());
    }
    while (!pending_.empty()) SPINERT_TRY(take_first());
    study.reading_ms += reading_ms_;
    return {};
  }

 private:
  struct Pending {
    size_t index;
    std::optional<SliceResult> result;  // nothing: in the pipeline
    std::optional<SlicePlace> place;
  };

  Status begin(size_t index);
  Status take_first();
  SliceResult failed(size_t index, const Status& status);

  Pipeline& pipeline_;
  SliceSource& source_;
  const RunControl& control_;
  const Keep& keep_;
  Status& problem_;
  std::deque<Pending> pending_;
  double reading_ms_ = 0;
};

// Appends one slice to pending_: with its result, or started in the pipeline_.
Status SliceLoop::begin(size_t index) {
  const std::string& name = source_.name(index);
  const auto ended = [&](SliceResult result, const std::optional<SlicePlace>& place = {}) {
    pending_.push_back({index, std::move(result), place});
    return Status();
  };
  if (control_.cancel && control_.cancel->load() != 0) {
    return ended(failed_slice(name, error(ErrorId::E_CANCELLED, "not looked at: the run was stopped", name)));
  }
  if (std::chrono::steady_clock::now() >= control_.deadline) {
    return ended(failed_slice(name, error(ErrorId::E_TIMEOUT, "not looked at: the time limit was reached", name)
                                        .hint("Raise --timeout or leave it out.")));
  }
  try {
    const auto start = std::chrono::steady_clock::now();
    const Result<SourceSlice> read = source_.read(index);
    reading_ms_ += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    if (!read.ok()) return ended(failed(index, read.status()));
    const SourceSlice& slice = read.value();
    const int64_t size = pipeline_.config().detector.input.size;
    if (slice.picture.width <= size && slice.picture.height <= size) {
      pipeline_.start(slice.picture, name, control_);
      pending_.push_back({index, {}, slice.place});
      return {};
    }
    // Tiles run one by one, and nothing may be on its way meanwhile.
    while (!pending_.empty()) SPINERT_TRY(take_first());
    return ended(diagnose_in_tiles(pipeline_, slice.picture, name, control_), slice.place);
  } catch (const std::bad_alloc&) {
    return ended(no_memory(name));
  }
}

// The result of the first pending slice.
Status SliceLoop::take_first() {
  Pending slice = std::move(pending_.front());
  pending_.pop_front();
  if (!slice.result) {
    try {
      slice.result = pipeline_.finish();
    } catch (const std::bad_alloc&) {
      slice.result = no_memory(source_.name(slice.index));
    }
  }
  slice.result->place = slice.place;
  return keep_(std::move(*slice.result));
}

SliceResult SliceLoop::failed(size_t index, const Status& status) {
  if (problem_.ok()) problem_ = status;
  SliceResult slice = failed_slice(source_.name(index), status);
  for (Reason& reason : slice.reasons) reason.text = without_folder(std::move(reason.text), source_.path(index));
  return slice;
}

}  // namespace

void begin_study(Pipeline& pipeline, const SliceSource& source, StudyResult& study) {
  study.examination = source.examination();
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

Status run_slices(Pipeline& pipeline, SliceSource& source, const RunControl& control, StudyListener& listener,
                  StudyResult& study, const std::function<Status(SliceResult)>& keep, Status& problem) {
  SPINERT_TRY(SliceLoop(pipeline, source, control, keep, problem).run(listener, study));
  SPINERT_ASSIGN(study.model_sha256, pipeline.engine().file_sha256());
  study.examination.kind == "pictures" ? summarise(study) : judge_examination(study, source, pipeline.config());
  return {};
}

}  // namespace spinert
