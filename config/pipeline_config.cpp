#include "config/pipeline_config.h"

#include <algorithm>

#include "config/json_fields.h"

namespace spinert {
namespace {

constexpr size_t kMostPatches = 32;
constexpr int64_t kMostSlices = 1000;
constexpr Range kFraction{0, 1};
constexpr Range kPixels{0, 4096};

// The keys of the file, once for reading and writing. V is JsonReader or JsonWriter.
template <class V, class Config>
void input_fields(V& v, Config& c) {
  v.integer("size", c.size, 64, 4096);
  v.numbers("mean", c.mean, 3, kFraction);
  v.numbers("std", c.std, 3, Range{0, 10, true});
  v.object("window", [&](auto& w) {
    w.number("level", c.window.level, Range{-32768, 32767});
    w.number("width", c.window.width, Range{1, 65536});
  });
}

template <class V, class Config>
void detector_fields(V& v, Config& c) {
  v.text("architecture", c.architecture);
  v.object("input", [&](auto& w) { input_fields(w, c.input); });
  v.number("batch_norm_eps", c.batch_norm_eps, kFraction);
  v.object("anchors", [&](auto& w) {
    w.rows("sizes", c.anchors.sizes, 8, 0, Range{0, 4096, true});
    w.numbers("ratios", c.anchors.ratios, 0, Range{0, 100, true});
  });
  v.object("rpn", [&](auto& w) {
    w.integer("pre_nms_top_n", c.rpn.pre_nms_top_n, 1, 10000);
    w.integer("post_nms_top_n", c.rpn.post_nms_top_n, 1, 10000);
    w.number("nms_threshold", c.rpn.nms_threshold, kFraction);
    w.number("score_threshold", c.rpn.score_threshold, kFraction);
    w.number("min_size", c.rpn.min_size, kPixels);
  });
  v.object("roi", [&](auto& w) {
    w.integer("output_size", c.roi.output_size, 1, 32);
    w.integer("sampling_ratio", c.roi.sampling_ratio, 1, 8);
    w.integer("canonical_scale", c.roi.canonical_scale, 1, 4096);
    w.integer("canonical_level", c.roi.canonical_level, 0, 10);
  });
  v.object("box", [&](auto& w) {
    w.number("score_threshold", c.box.score_threshold, kFraction);
    w.number("nms_threshold", c.box.nms_threshold, kFraction);
    w.integer("detections_per_image", c.box.detections_per_image, 1, 1000);
    w.number("min_size", c.box.min_size, kPixels);
    w.numbers("bbox_weights", c.box.bbox_weights, 4, Range{0, 1000, true});
  });
  v.texts("class_names", c.class_names);
}

template <class V, class Config>
void classifier_fields(V& v, Config& c) {
  v.text("architecture", c.architecture);
  v.numbers("mean", c.mean, 3, kFraction);
  v.numbers("std", c.std, 3, Range{0, 10, true});
  if (v.has("batch_norm_eps")) v.number("batch_norm_eps", c.batch_norm_eps, kFraction);
  v.texts("class_names", c.class_names);
  v.number_map("thresholds", c.thresholds, kFraction);
}

template <class V, class Config>
void pipeline_fields(V& v, Config& c) {
  v.object("detector", [&](auto& w) { detector_fields(w, c.detector); });
  v.object("patches", [&](auto& w) {
    w.integer("size", c.patches.size, 32, 1024);
    w.rows("table", c.patches.table, kMostPatches, 3, Range{-10, 10});
  });
  v.object("classifier", [&](auto& w) {
    // The eps of the detector holds for both unless the classifier names its own.
    if (!w.has("batch_norm_eps")) c.classifier.batch_norm_eps = c.detector.batch_norm_eps;
    classifier_fields(w, c.classifier);
  });
  v.object("diagnosis", [&](auto& w) {
    w.number("score_threshold", c.diagnosis.score_threshold, kFraction);
    w.integer("min_vertebrae", c.diagnosis.min_vertebrae, 0, 100);
  });
  v.optional_object("place", [&](auto& w) {
    if (w.has("mode")) w.text("mode", c.place.mode);
    if (w.has("canvas")) w.text("canvas", c.place.canvas);
  });
  v.optional_object("spacing", [&](auto& w) {
    if (w.has("mm_per_pixel")) w.number("mm_per_pixel", c.spacing.mm_per_pixel, Range{0, 10});
    if (w.has("reformat")) w.boolean("reformat", c.spacing.reformat);
    if (w.has("max_slice")) w.number("max_slice", c.spacing.max_slice, Range{0, 50, true});
    if (w.has("sagittal_step")) w.number("sagittal_step", c.spacing.sagittal_step, Range{0, 50, true});
    if (w.has("half_width")) w.number("half_width", c.spacing.half_width, Range{0, 500});
  });
  v.optional_object("tracks", [&](auto& w) {
    if (w.has("probability")) w.text("probability", c.tracks.probability);
    if (w.has("alert_slices")) w.integer("alert_slices", c.tracks.alert_slices, 1, kMostSlices);
    if (w.has("link_iou")) w.number("link_iou", c.tracks.link_iou, Range{0, 1, true});
    if (w.has("max_gap")) w.integer("max_gap", c.tracks.max_gap, 0, kMostSlices);
    if (w.has("min_slices")) w.integer("min_slices", c.tracks.min_slices, 1, kMostSlices);
  });
  v.optional_object("rename", [&](auto& w) {
    if (w.has("detector")) w.text_map("detector", c.rename.detector);
    if (w.has("classifier")) w.text_map("classifier", c.rename.classifier);
  });
}

Status wrong(const std::string& key, std::string expected, std::string got) {
  return error(ErrorId::E_CONFIG, key + " is wrong").expected(std::move(expected), std::move(got));
}

// What no single key can show.
Status check_consistency(const PipelineConfig& c) {
  if (c.detector.input.size % 32 != 0) {
    return wrong("detector.input.size", "a multiple of 32", std::to_string(c.detector.input.size));
  }
  if (c.detector.class_names.size() < 2) {
    return wrong("detector.class_names", "the background and at least one class", "1 name");
  }
  for (const auto& row : c.detector.anchors.sizes) {
    if (row.size() != c.detector.anchors.sizes[0].size()) {
      return wrong("detector.anchors.sizes", "the same number of sizes on every level", "different numbers");
    }
  }
  for (const auto& row : c.patches.table) {
    if (row[0] < 0.1) return wrong("patches.table", "scales of at least 0.1", "a smaller one");
  }
  const auto& names = c.classifier.class_names;
  if (std::ranges::find(names, kNormalClass) == names.end()) {
    return wrong("classifier.class_names", "a class named \"normal\"", "none");
  }
  for (const auto& name : names) {
    if (!c.classifier.thresholds.contains(name)) {
      return error(ErrorId::E_CONFIG, "classifier.thresholds." + printable(name) + " is missing");
    }
  }
  for (const auto& [name, threshold] : c.classifier.thresholds) {
    if (std::ranges::find(names, name) == names.end()) {
      return error(ErrorId::E_CONFIG, "classifier.thresholds." + printable(name) + " names no class");
    }
  }
  if (c.diagnosis.score_threshold < c.detector.box.score_threshold) {
    return wrong("diagnosis.score_threshold", "at least detector.box.score_threshold", "a smaller one");
  }
  if (c.place.mode != "centre") return wrong("place.mode", "\"centre\"", printable(c.place.mode));
  if (c.place.canvas != "fixed" && c.place.canvas != "tight") {
    return wrong("place.canvas", "\"fixed\" or \"tight\"", printable(c.place.canvas));
  }
  if (c.tracks.probability != "mean" && c.tracks.probability != "max") {
    return wrong("tracks.probability", "\"mean\" or \"max\"", printable(c.tracks.probability));
  }
  return {};
}

}  // namespace

std::vector<float> ClassifierConfig::threshold_list() const {
  std::vector<float> list;
  for (const auto& name : class_names) list.push_back(static_cast<float>(thresholds.at(name)));
  return list;
}

Result<PipelineConfig> parse_pipeline_config(std::string_view text, std::string_view where) {
  SPINERT_ASSIGN(const nlohmann::json root, parse_json(text, ErrorId::E_CONFIG, where));
  if (!root.is_object()) return error(ErrorId::E_CONFIG, "the config is no JSON object", std::string(where));
  PipelineConfig config;
  Status status;
  JsonReader reader(root, "", status);
  std::string schema;
  reader.text("schema", schema);
  if (status.ok() && schema != kPipelineSchema) status = wrong("schema", kPipelineSchema, printable(schema));
  pipeline_fields(reader, config);
  reader.finish();
  if (status.ok()) status = check_consistency(config);
  if (!status.ok()) return status.at(where);
  return config;
}

std::string print_pipeline_config(const PipelineConfig& config, int indent) {
  nlohmann::json root;
  JsonWriter writer(root);
  writer.text("schema", kPipelineSchema);
  PipelineConfig copy = config;  // the shared field lists take a mutable config
  pipeline_fields(writer, copy);
  return dump_json(root, indent);
}

}  // namespace spinert
