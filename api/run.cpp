// run.cpp - what all runs share: progress, cancelling, time limits, options in words.
#include <cmath>

#include "api/handles.h"
#include "diagnosis/report/text.h"

namespace spinert::api {
namespace {

// As if SIGINT had come: the exit code is 130.
constexpr int kCancelNumber = 2;

}  // namespace

Progress::Progress(spinert_progress callback, void* user, spinert_cancel* cancel)
    : callback_(callback), user_(user), cancel_(cancel ? cancel : &own_) {}

void Progress::tell(spinert_event event) {
  if (!callback_) return;
  event.struct_size = sizeof event;
  for (const char** text : {&event.name, &event.status, &event.alert, &event.text}) {
    if (!*text) *text = "";
  }
  if (callback_(&event, user_) != 0) spinert_cancel_request(cancel_);
}

void Progress::begins(size_t done, size_t total, const std::string& name) {
  spinert_event event{};
  event.kind = SPINERT_EVENT_BEGINS;
  event.done = done;
  event.total = total;
  event.name = name.c_str();
  tell(event);
}

void Progress::ended(const SliceResult& slice, size_t done, size_t total) {
  spinert_event event{};
  event.kind = SPINERT_EVENT_SLICE;
  event.code = exit_code(slice.error);
  event.done = done;
  event.total = total;
  event.name = slice.source.c_str();
  event.status = slice.status.c_str();
  event.alert = slice.alert.c_str();
  tell(event);
}

void Progress::info(const std::string& text) {
  spinert_event event{};
  event.kind = SPINERT_EVENT_INFO;
  event.text = text.c_str();
  tell(event);
}

void Progress::study(size_t number, size_t studies, const std::string& name) {
  info("study " + std::to_string(number) + "/" + std::to_string(studies) + " " + name);
}

void Progress::kept() {
  info("kept, it is finished");
}

void Progress::warning(const std::string& text) {
  spinert_event event{};
  event.kind = SPINERT_EVENT_WARNING;
  event.text = text.c_str();
  tell(event);
}

void Progress::problem(const Status& status) {
  last_problem_ = status;
  const std::string id(error_name(status.id())), text = status.message();
  spinert_event event{};
  event.kind = SPINERT_EVENT_PROBLEM;
  event.code = exit_code(status.id());
  event.name = id.c_str();
  event.text = text.c_str();
  tell(event);
}

void Progress::written(const StudyResult& study, const std::string& folder) {
  spinert_event event{};
  event.kind = SPINERT_EVENT_STUDY;
  event.code = study.exit_code;
  event.done = event.total = study.slices.size();
  event.name = folder.c_str();
  event.status = study.status.c_str();
  event.alert = study.alert.c_str();
  tell(event);
}

Status set_deadline(double seconds, RunControl& control) {
  constexpr double kLongest = 1e9;
  if (!(seconds >= 0 && seconds <= kLongest)) {
    return misuse("timeout").expected("0 to 1e9 seconds", std::to_string(seconds));
  }
  if (seconds > 0) {
    control.deadline = std::chrono::steady_clock::now() +
                       std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
  }
  return {};
}

Status check_hu_offset(double offset) {
  constexpr double kLargest = 100000;
  if (offset >= -kLargest && offset <= kLargest) return {};
  return misuse("hu_offset").expected("-100000 to 100000", std::to_string(offset));
}

Result<NiftiTransform> transform_of(int32_t transform) {
  switch (transform) {
    case SPINERT_TRANSFORM_AUTO: return NiftiTransform::automatic;
    case SPINERT_TRANSFORM_SFORM: return NiftiTransform::sform;
    case SPINERT_TRANSFORM_QFORM: return NiftiTransform::qform;
    default: return misuse("transform").expected("0 to 2", std::to_string(transform));
  }
}

std::string words_of(const spinert_engine& engine, const spinert_run_options& options) {
  std::string words = "diagnose";
  const auto add = [&words](const char* name, std::string_view value) {
    if (!value.empty()) words.append(" ").append(name).append(" ").append(value);
  };
  const auto number = [](int64_t value) { return value > 0 ? std::to_string(value) : std::string(); };
  const EngineOptions& of_engine = engine.options.engine;
  if (of_engine.device != EngineOptions().device) add("--device", of_engine.device);
  add("--isa", of_engine.isa);
  add("--precision", of_engine.precision);
  add("--threads", number(of_engine.threads));
  add("--memory-limit", number(of_engine.memory_limit));
  add("--model-sha256", of_engine.model_sha256);
  if (of_engine.lanes > 1) add("--lanes", number(of_engine.lanes));
  add("--batch", number(engine.options.batch));
  if (engine.options.threshold) add("--threshold", exact_number(*engine.options.threshold));
  if (options.has_hu_offset != 0) add("--hu-offset", exact_number(options.hu_offset));
  if (engine.options.canvas) add("--canvas", canvas_name(*engine.options.canvas));
  add("--series-uid", text_of(options.series_uid));
  add("--allow-gaps", number(options.allow_gaps));
  if (options.transform == SPINERT_TRANSFORM_SFORM) add("--prefer", "sform");
  if (options.transform == SPINERT_TRANSFORM_QFORM) add("--prefer", "qform");
  if (options.dicom_output != 0) add("--dicom-output", "true");
  add("--dicom-time", text_of(options.dicom_time));
  if (options.slice_output != 0) add("--slice-output", "true");
  if (options.mask_output != 0) add("--mask-output", "true");
  if (options.fast != 0) add("--fast", "true");
  if (options.timeout > 0) add("--timeout", exact_number(options.timeout));
  return words;
}

}  // namespace spinert::api

spinert_cancel* spinert_cancel_new(void) {
  return new (std::nothrow) spinert_cancel;
}

void spinert_cancel_request(spinert_cancel* cancel) {
  if (cancel) cancel->number.store(spinert::api::kCancelNumber, std::memory_order_relaxed);
}

void spinert_cancel_free(spinert_cancel* cancel) {
  delete cancel;
}
