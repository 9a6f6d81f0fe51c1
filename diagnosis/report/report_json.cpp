#include "diagnosis/report/report_json.h"

#include <openssl/opensslv.h>
#include <zlib.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diagnosis/report/examination_json.h"
#include "diagnosis/report/json_text.h"
#include "diagnosis/report/tracks_report.h"
#include "diagnosis/study.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

constexpr auto kInline = JsonText::Layout::inline_;

void write_reasons(JsonText& json, const std::vector<Reason>& reasons) {
  json.key("reasons").begin_array();
  for (const Reason& reason : reasons) {
    json.begin_object(kInline).key("code").text(reason.code).key("text").text(reason.text).end();
  }
  json.end();
}

void write_map(JsonText& json, const std::map<std::string, std::string>& map) {
  json.begin_object();
  for (const auto& [key, value] : map) json.key(key).text(value);
  json.end();
}

void write_vertebra(JsonText& json, const SliceResult& slice, const Vertebra& vertebra,
                    const std::vector<std::string>& class_names) {
  json.begin_object();
  json.key("id").integer(vertebra.id);
  json.key("box").numbers(vertebra.box);
  if (slice.place) write_patient_box(json, *slice.place, vertebra.box);
  json.key("score").number(vertebra.score);
  json.key("probabilities").begin_object(kInline);
  for (size_t i = 0; i < std::min(class_names.size(), vertebra.probabilities.size()); ++i) {
    json.key(class_names[i]).number(vertebra.probabilities[i]);
  }
  json.end();
  json.key("labels").texts(vertebra.labels);
  json.key("consistency").text(vertebra.consistency);
  json.key("patches").begin_array(kInline);
  for (const PatchWindow& patch : vertebra.patches) {
    json.begin_array(kInline).number(patch.centre_x).number(patch.centre_y).number(patch.side).end();
  }
  json.end();
  json.end();
}

void write_slice(JsonText& json, const SliceResult& slice, const std::vector<std::string>& class_names) {
  json.begin_object();
  json.key("source").text(slice.source);
  json.key("sha256").text(slice.sha256);
  json.key("width").integer(slice.width);
  json.key("height").integer(slice.height);
  json.key("lossy").boolean(slice.lossy);
  if (slice.hu_offset) json.key("hu_offset").number(*slice.hu_offset);
  if (slice.place) write_place(json, *slice.place);
  json.key("status").text(slice.status);
  json.key("alert").text(slice.alert);
  json.key("error").text(error_name(slice.error));
  write_reasons(json, slice.reasons);
  json.key("vertebrae").begin_array();
  for (const Vertebra& vertebra : slice.vertebrae) write_vertebra(json, slice, vertebra, class_names);
  json.end();
  json.key("candidates").begin_array();
  for (const Candidate& candidate : slice.candidates) {
    json.begin_object(kInline).key("box").numbers(candidate.box).key("score").number(candidate.score).end();
  }
  json.end();
  json.end();
}

void write_model(JsonText& json, const StudyResult& study) {
  json.key("model").begin_object();
  json.key("name").text(study.model_name);
  json.key("sha256").text(study.model_sha256);
  json.key("config_sha256").text(study.config_sha256);
  json.key("card_version").text(study.card_version);
  json.key("demo").boolean(study.demo_model);
  if (study.demo_model) json.key("notice").text(kDemoNotice);
  json.key("class_names").texts(study.class_names);
  json.end();
}

void write_volatile(JsonText& json, const StudyResult& study, const ReportFacts& facts, const std::string& hash) {
  json.key("volatile").begin_object();
  json.key("deterministic_sha256").text(hash);
  json.key("time").text(facts.time_utc);
  json.key("host").text(facts.host);
  json.key("command_line").text(facts.command_line);
  json.key("threads").integer(study.threads);
  json.key("batch").integer(study.batch);
  json.key("peak_memory_mb").number(study.peak_memory_mb);
  json.key("timings").begin_object();
  json.key("open_ms").number(study.open_ms);
  json.key("total_ms").number(study.total_ms);
  json.key("reading_ms").number(study.reading_ms);
  json.key("slices").begin_array();
  for (const SliceResult& slice : study.slices) {
    json.begin_object(kInline).key("source").text(slice.source);
    for (const auto& [stage, milliseconds] : slice.milliseconds) json.key(stage + "_ms").number(milliseconds);
    json.end();
  }
  json.end().end();
  json.key("files").begin_array();
  for (const WrittenFile& file : facts.files) {
    json.begin_object(kInline).key("name").text(file.name).key("sha256").text(file.sha256);
    json.key("source").text(file.source).end();
  }
  json.end().end();
}

}  // namespace

std::map<std::string, std::string> dependency_versions() {
  const auto number = [](int part) { return std::to_string(part); };
  return {{"nlohmann_json", number(NLOHMANN_JSON_VERSION_MAJOR) + "." + number(NLOHMANN_JSON_VERSION_MINOR) + "." +
                                number(NLOHMANN_JSON_VERSION_PATCH)},
          {"openssl", OPENSSL_VERSION_TEXT},
          {"zlib", ZLIB_VERSION}};
}

std::string slice_json(const StudyResult& study, const SliceResult& slice, size_t index) {
  JsonText json;
  json.begin_object().key("slices").begin_array();
  if (index > 0) json.foreign_elements();
  json.take();
  write_slice(json, slice, study.class_names);
  return json.take();
}

Status write_report_json(const StudyResult& study, const ReportFacts& facts, const PutParts& slices, const Put& put) {
  Sha256 hash;
  const Put put_hashed = [&](std::string_view text) {
    hash.update(text);
    return put(text);
  };
  JsonText json;
  json.begin_object();
  json.key("schema").text(kReportSchema);
  json.key("status").text(study.status);
  json.key("alert").text(study.alert);
  write_reasons(json, study.reasons);
  json.key("exit_code").integer(study.exit_code);
  json.key("label").text(kResearchLabel);
  json.key("tool").begin_object();
  json.key("name").text("spinert");
  for (const auto& [key, value] : facts.tool) json.key(key).text(value);
  json.key("dependencies");
  write_map(json, dependency_versions());
  json.end();
  write_model(json, study);
  json.key("device").begin_object();
  json.key("name").text(study.device_name);
  json.key("isa").text(study.isa);
  json.key("precision").text(study.precision);
  json.key("canvas").text(study.canvas);
  json.key("fallback").boolean(study.fallback);
  if (!study.calibration.sha256.empty()) {
    json.key("calibration").begin_object(kInline).key("sha256").text(study.calibration.sha256);
    json.key("method").text(study.calibration.method).key("slices").integer(study.calibration.slices).end();
  }
  json.end();
  json.key("thresholds").begin_object(kInline);
  for (const auto& [name, threshold] : study.thresholds) json.key(name).number(threshold);
  json.end();
  const Examination& examination = study.examination;
  json.key("input").begin_object(examination.kind == "pictures" ? kInline : JsonText::Layout::lines);
  json.key("kind").text(examination.kind).key("slices").integer(static_cast<long long>(study.slices.size()));
  write_examination(json, examination);
  json.end();
  if (examination.kind != "pictures" && !study.slices.empty()) write_tracks(json, study);
  const bool any_result =
      std::ranges::any_of(study.slices, [](const SliceResult& slice) { return slice.status != "failed"; });
  if (any_result) {
    json.key("slices").begin_array();
    SPINERT_TRY(put_hashed(json.take()));
    SPINERT_TRY(slices(put_hashed));
    json.foreign_elements().end();
  }
  SPINERT_TRY(put_hashed(json.take()));
  // The comma after the deterministic part and its line break belong to it, whatever follows.
  hash.update(",\n");
  write_volatile(json, study, facts, to_hex(hash.finish()));
  json.end();
  return put(json.take() + "\n");
}

std::string report_json(const StudyResult& study, const ReportFacts& facts) {
  std::string text;
  const Put append = [&text](std::string_view part) {
    text += part;
    return Status();
  };
  const PutParts slices = [&](const Put& put) -> Status {
    for (size_t i = 0; i < study.slices.size(); ++i) SPINERT_TRY(put(slice_json(study, study.slices[i], i)));
    return {};
  };
  // Nothing but the two functions above can fail, and they do not.
  return write_report_json(study, facts, slices, append).ok() ? text : std::string();
}

}  // namespace spinert
