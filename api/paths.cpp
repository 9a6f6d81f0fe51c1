// paths.cpp - diagnoses from files and folders into folders of results, as the command line makes them.
#include <algorithm>

#include "api/handles.h"

namespace spinert::api {
namespace {

Result<Overwrite> overwrite_of(int32_t overwrite) {
  switch (overwrite) {
    case SPINERT_OVERWRITE_NEVER: return Overwrite::never;
    case SPINERT_OVERWRITE_REPLACE: return Overwrite::replace;
    case SPINERT_OVERWRITE_SUFFIX: return Overwrite::suffix;
    default: return misuse("overwrite").expected("0 to 2", std::to_string(overwrite));
  }
}

Status read_inputs(const char* const* inputs, size_t count, std::vector<std::string>& out) {
  constexpr size_t kMostInputs = 10'000'000;
  if (!inputs || count == 0 || count > kMostInputs) {
    return misuse("inputs").expected("at least one path", inputs ? std::to_string(count) : "null");
  }
  for (size_t i = 0; i < count; ++i) {
    if (!inputs[i]) return misuse("inputs[" + std::to_string(i) + "] is null");
    out.emplace_back(inputs[i]);
  }
  return {};
}

// The run says it with its last error, but for studies that were kept from an earlier run.
Status status_of(int code, const Status& last, const std::vector<StudyRow>& rows) {
  if (code == 0) return {};
  if (exit_code(last.id()) == code) return last;
  static constexpr ErrorId kIds[] = {
#define ERROR(id, exit_code) ErrorId::id,
#include "kernels/base/error_ids.def"
#undef ERROR
  };
  const auto* found = std::ranges::find(kIds, code, exit_code);
  const ErrorId id = found == std::end(kIds) ? ErrorId::E_INTERNAL : *found;
  return error(id, std::to_string(rows.size()) + " studies ended with that code").hint("Each says why in its report.");
}

}  // namespace
}  // namespace spinert::api

using namespace spinert;

spinert_status spinert_diagnose_paths(spinert_engine* engine, const char* const* inputs, size_t count,
                                      const char* output, const spinert_run_options* given, spinert_batch** batch,
                                      spinert_error** error) {
  if (batch) *batch = nullptr;
  return api::at_border(error, [&]() -> Status {
    if (!output || !*output) return api::misuse("output is null or empty");
    const api::Use use(engine);
    SPINERT_TRY(use.status());
    spinert_run_options options = SPINERT_INIT(spinert_run_options);
    if (given) SPINERT_TRY(api::read_struct(given, options, "options"));
    constexpr int64_t kMostGaps = 1000;
    DiagnoseRequest request;
    RunControl control;
    SPINERT_TRY(api::read_inputs(inputs, count, request.inputs));
    SPINERT_TRY(api::set_deadline(options.timeout, control));
    SPINERT_TRY(api::check_number("allow_gaps", options.allow_gaps, kMostGaps));
    SPINERT_ASSIGN(request.overwrite, api::overwrite_of(options.overwrite));
    SPINERT_ASSIGN(request.study.transform, api::transform_of(options.transform));
    if (options.has_hu_offset != 0) {
      SPINERT_TRY(api::check_hu_offset(options.hu_offset));
      request.study.hu_offset = options.hu_offset;
    }
    request.study.series_uid = api::text_of(options.series_uid);
    request.study.allow_gaps = options.allow_gaps;
    request.study.fast = options.fast != 0;
    request.dicom_output = options.dicom_output != 0;
    request.dicom_time = api::text_of(options.dicom_time);
    if (!request.dicom_output && !request.dicom_time.empty()) return api::misuse("dicom_time without dicom_output");
    request.slice_output = options.slice_output != 0;
    request.mask_output = options.mask_output != 0;
    request.output = output;
    request.pipeline = engine->options;
    request.demo_model = engine->demo_model;
    request.resume = options.resume != 0;
    request.used_options = api::words_of(*engine, options);
    request.dicom_program = engine->dicom_program;
    api::Progress progress(options.progress, options.user, options.cancel);
    control.cancel = progress.stop();
    DiagnoseRun run(request, progress, control, engine->pipeline.get());
    const int code = run.run();
    if (batch) *batch = new spinert_batch{run.rows()};
    return api::status_of(code, progress.last_problem(), run.rows());
  });
}

size_t spinert_batch_count(const spinert_batch* batch) {
  return batch ? batch->rows.size() : 0;
}

spinert_status spinert_batch_get(const spinert_batch* batch, size_t index, spinert_batch_study* out,
                                 spinert_error** error) {
  return api::at_border(error, [&]() -> Status {
    if (index >= spinert_batch_count(batch)) return api::misuse("no such study");
    const StudyRow& from = batch->rows[index];
    spinert_batch_study value{};
    value.name = from.row.study.c_str();
    value.folder = from.folder.c_str();
    value.kind = from.row.kind.c_str();
    value.status = from.row.status.c_str();
    value.alert = from.row.alert.c_str();
    value.error = from.row.error.c_str();
    value.slices = from.row.slices;
    value.exit_code = from.row.exit_code;
    return api::write_struct(value, out, "study");
  });
}

void spinert_batch_free(spinert_batch* batch) {
  delete batch;
}
