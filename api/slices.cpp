// slices.cpp - diagnoses in memory: slices and NIfTI files.
#include "api/memory_source.h"
#include "diagnosis/images/limits.h"
#include "diagnosis/report/preview.h"
#include "diagnosis/report/report_json.h"
#include "diagnosis/study.h"

namespace spinert::api {
namespace {

constexpr size_t kMostSlices = 100'000;

void fill_tables(spinert_result& result) {
  const StudyResult& study = result.study;
  for (const std::string& name : study.class_names) {
    result.class_names.push_back(name.c_str());
    const auto threshold = study.thresholds.find(name);
    result.class_thresholds.push_back(threshold == study.thresholds.end() ? 0 : threshold->second);
  }
  for (const SliceResult& slice : study.slices) {
    auto& of_slice = result.labels.emplace_back();
    for (const Vertebra& vertebra : slice.vertebrae) {
      auto& of_vertebra = of_slice.emplace_back();
      for (const std::string& label : vertebra.labels) of_vertebra.push_back(label.c_str());
    }
  }
}

// Finds the slices, once the engine is known to be free.
using OpenSource = std::function<Result<std::unique_ptr<SliceSource>>()>;

spinert_status diagnose(spinert_engine* engine, const spinert_run_options* given, const OpenSource& open,
                        spinert_result** result, spinert_error** error) {
  if (result) *result = nullptr;
  return at_border(error, [&]() -> Status {
    if (!result) return misuse("result is null");
    const Use use(engine);
    SPINERT_TRY(use.status());
    spinert_run_options options = SPINERT_INIT(spinert_run_options);
    if (given) SPINERT_TRY(read_struct(given, options, "options"));
    RunControl control;
    SPINERT_TRY(set_deadline(options.timeout, control));
    SPINERT_ASSIGN(const std::unique_ptr<SliceSource> source, open());
    Progress progress(options.progress, options.user, options.cancel);
    control.cancel = progress.stop();
    const auto begin = std::chrono::steady_clock::now();
    auto made = std::make_unique<spinert_result>();
    StudyResult& study = made->study;
    study.demo_model = engine->demo_model;
    const auto keep = [&](SliceResult slice) {
      study.slices.push_back(std::move(slice));
      progress.ended(study.slices.back(), study.slices.size(), source->size());
      return Status();
    };
    begin_study(*engine->pipeline, *source, study);
    Status problem;
    if (const Status failed = run_slices(*engine->pipeline, *source, control, progress, study, keep, problem);
        !failed.ok()) {
      problem = failed;
      fail_study(study, failed);
    }
    study.total_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    made->report = report_json(study, report_facts(words_of(*engine, options)));
    fill_tables(*made);
    const Status status = study_problem(study, {}, problem);
    *result = made.release();
    return status;
  });
}

const SliceResult* slice_of(const spinert_result* result, size_t index) {
  return result && index < result->study.slices.size() ? &result->study.slices[index] : nullptr;
}

Status no_such(const char* what) {
  return misuse(std::string("no such ") + what);
}

}  // namespace
}  // namespace spinert::api

using namespace spinert;

spinert_status spinert_diagnose_slices(spinert_engine* engine, const spinert_picture* const* slices, size_t count,
                                       const spinert_run_options* options, spinert_result** result,
                                       spinert_error** error) {
  const auto open = [&]() -> Result<std::unique_ptr<SliceSource>> {
    if (!slices || count == 0 || count > api::kMostSlices) {
      return api::misuse("slices").expected("1 to " + std::to_string(api::kMostSlices),
                                            slices ? std::to_string(count) : "null");
    }
    return api::memory_source({slices, count});
  };
  return api::diagnose(engine, options, open, result, error);
}

spinert_status spinert_diagnose_slice(spinert_engine* engine, const spinert_picture* slice,
                                      const spinert_run_options* options, spinert_result** result,
                                      spinert_error** error) {
  return spinert_diagnose_slices(engine, &slice, 1, options, result, error);
}

spinert_status spinert_diagnose_nifti(spinert_engine* engine, const void* data, size_t size, const char* name,
                                      const spinert_run_options* options, spinert_result** result,
                                      spinert_error** error) {
  const auto open = [&]() -> Result<std::unique_ptr<SliceSource>> {
    if (!data) return api::misuse("data is null");
    spinert_run_options read = SPINERT_INIT(spinert_run_options);
    if (options) SPINERT_TRY(api::read_struct(options, read, "options"));
    StudyOptions study;
    SPINERT_ASSIGN(study.transform, api::transform_of(read.transform));
    study.fast = read.fast != 0;
    SPINERT_ASSIGN(NiftiFile file, read_nifti(std::span(static_cast<const uint8_t*>(data), size),
                                              name ? name : "memory", study.transform));
    return nifti_source(std::move(file), study, engine->pipeline->config());
  };
  return api::diagnose(engine, options, open, result, error);
}

spinert_status spinert_result_study(const spinert_result* result, spinert_study* out, spinert_error** error) {
  return api::at_border(error, [&]() -> Status {
    if (!result) return api::misuse("result is null");
    const StudyResult& study = result->study;
    spinert_study value{};
    value.status = study.status.c_str();
    value.alert = study.alert.c_str();
    value.model_name = study.model_name.c_str();
    value.model_sha256 = study.model_sha256.c_str();
    value.device = study.device_name.c_str();
    value.isa = study.isa.c_str();
    value.precision = study.precision.c_str();
    value.class_names = result->class_names.data();
    value.class_thresholds = result->class_thresholds.data();
    value.class_count = result->class_names.size();
    value.slice_count = study.slices.size();
    value.reason_count = study.reasons.size();
    const auto score = study.thresholds.find("score");
    value.score_threshold = score == study.thresholds.end() ? 0 : score->second;
    value.exit_code = study.exit_code;
    value.demo_model = study.demo_model ? 1 : 0;
    return api::write_struct(value, out, "study");
  });
}

spinert_status spinert_result_slice(const spinert_result* result, size_t index, spinert_slice* out,
                                    spinert_error** error) {
  return api::at_border(error, [&]() -> Status {
    const SliceResult* slice = api::slice_of(result, index);
    if (!slice) return api::no_such("slice");
    spinert_slice value{};
    value.source = slice->source.c_str();
    value.sha256 = slice->sha256.c_str();
    value.status = slice->status.c_str();
    value.alert = slice->alert.c_str();
    value.error = error_name(slice->error).data();  // a literal of error_ids.def
    value.vertebra_count = slice->vertebrae.size();
    value.candidate_count = slice->candidates.size();
    value.reason_count = slice->reasons.size();
    value.width = slice->width;
    value.height = slice->height;
    value.lossy = slice->lossy ? 1 : 0;
    return api::write_struct(value, out, "slice");
  });
}

spinert_status spinert_result_vertebra(const spinert_result* result, size_t index, size_t number, spinert_vertebra* out,
                                       spinert_error** error) {
  return api::at_border(error, [&]() -> Status {
    const SliceResult* slice = api::slice_of(result, index);
    if (!slice || number >= slice->vertebrae.size()) return api::no_such("vertebra");
    const Vertebra& vertebra = slice->vertebrae[number];
    spinert_vertebra value{};
    std::ranges::copy(vertebra.box, value.box);
    value.score = double(vertebra.score);
    value.probabilities = vertebra.probabilities.data();
    value.labels = result->labels[index][number].data();
    value.label_count = vertebra.labels.size();
    value.consistency = vertebra.consistency.c_str();
    value.id = vertebra.id;
    return api::write_struct(value, out, "vertebra");
  });
}

spinert_status spinert_result_candidate(const spinert_result* result, size_t index, size_t number,
                                        spinert_candidate* out, spinert_error** error) {
  return api::at_border(error, [&]() -> Status {
    const SliceResult* slice = api::slice_of(result, index);
    if (!slice || number >= slice->candidates.size()) return api::no_such("candidate");
    spinert_candidate value{};
    std::ranges::copy(slice->candidates[number].box, value.box);
    value.score = double(slice->candidates[number].score);
    return api::write_struct(value, out, "candidate");
  });
}

spinert_status spinert_result_reason(const spinert_result* result, size_t index, size_t number, spinert_reason* out,
                                     spinert_error** error) {
  return api::at_border(error, [&]() -> Status {
    const SliceResult* slice = api::slice_of(result, index);
    if (!result || (!slice && index != SPINERT_WHOLE_STUDY)) return api::no_such("slice");
    const std::vector<Reason>& reasons = slice ? slice->reasons : result->study.reasons;
    if (number >= reasons.size()) return api::no_such("reason");
    spinert_reason value{};
    value.code = reasons[number].code.c_str();
    value.text = reasons[number].text.c_str();
    return api::write_struct(value, out, "reason");
  });
}

const char* spinert_result_report(const spinert_result* result, size_t* length) {
  if (length) *length = result ? result->report.size() : 0;
  return result ? result->report.c_str() : "";
}

spinert_status spinert_result_preview(const spinert_result* result, size_t index, void** png, size_t* size,
                                      spinert_error** error) {
  if (png) *png = nullptr;
  if (size) *size = 0;
  return api::at_border(error, [&]() -> Status {
    if (!png || !size) return api::misuse("png or size is null");
    const SliceResult* slice = api::slice_of(result, index);
    if (!slice) return api::no_such("slice");
    SPINERT_ASSIGN(const std::vector<uint8_t> bytes, preview_png(preview_image(result->study, *slice)));
    *png = api::copy_for_caller(bytes.data(), bytes.size());
    if (!*png) return api::no_memory();
    *size = bytes.size();
    return {};
  });
}

void spinert_result_free(spinert_result* result) {
  delete result;
}
