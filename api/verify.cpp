// verify.cpp - a fast backend against the reference, as `spinert verify`.
#include "diagnosis/verify.h"

#include "api/handles.h"
#include "diagnosis/report/verify_json.h"
#include "diagnosis/verify_request.h"

using namespace spinert;

spinert_status spinert_verify(const spinert_verify_options* given, char** json, spinert_error** error) {
  if (json) *json = nullptr;
  return api::at_border(error, [&]() -> Status {
    spinert_verify_options from = SPINERT_INIT(spinert_verify_options);
    if (given) SPINERT_TRY(api::read_struct(given, from, "options"));
    SPINERT_TRY(api::check_number("threads", from.threads, api::kMostThreads));
    VerifyOptions options;
    RunControl control;
    SPINERT_TRY(api::set_deadline(from.timeout, control));
    SPINERT_TRY(api::set_threshold(from.threshold, options.threshold));
    SPINERT_TRY(api::set_canvas(from.canvas, options.canvas));
    if (from.device) options.device = from.device;
    const bool card = names_card(options.device);
    if (!card && options.device != "cpu") {
      return api::misuse("device").expected("cpu or cuda[:n]", options.device);
    }
    options.precision = from.precision ? from.precision : card ? "mixed" : "";
    options.limits = verify_limits(options.precision);
    options.threads = from.threads;
    std::vector<std::string> paths;
    for (size_t i = 0; i < from.input_count; ++i) {
      if (!from.inputs || !from.inputs[i]) return api::misuse("inputs holds null");
      paths.emplace_back(from.inputs[i]);
    }
    api::Progress progress(from.progress, from.user, from.cancel);
    control.cancel = progress.stop();
    options.progress = [&](const std::string& text) { progress.info(text); };
    SPINERT_ASSIGN(options.model, model_path(api::text_of(from.model)));
    SPINERT_ASSIGN(const VerifyLevels levels,
                   verify_levels(options.device, options.precision, from.isa ? from.isa : "all"));
    options.levels = levels.names;
    for (const std::string& name : levels.skipped) {
      progress.warning("skipped " + name + ": this machine has no " + name);
    }
    SPINERT_ASSIGN(const std::vector<NamedPicture> inputs, verify_pictures(paths));
    SPINERT_ASSIGN(const VerifyReport report, verify(options, inputs, control));
    if (json) {
      const std::string text = verify_json(report);
      *json = static_cast<char*>(api::copy_for_caller(text.c_str(), text.size() + 1));
      if (!*json) return api::no_memory();
    }
    for (const LevelReport& level : report.levels) SPINERT_TRY(level.breach);
    return {};
  });
}
