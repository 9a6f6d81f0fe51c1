// test_config.cpp - strict JSON and the pipeline config (BI-32, BI-34d). Every key of the shipped config is removed,
// mistyped and accompanied by an unknown one in turn; the error must name it.
#include <gtest/gtest.h>

#include <clocale>
#include <functional>

#include "config/json.h"
#include "config/pipeline_config.h"
#include "tests/support/files.h"

namespace spinert {
namespace {

using nlohmann::json;

std::string shipped_text() {
  return read_file(SPINERT_SOURCE_DIR "/converter/configs/fasterrcnn_resnet18_fpn.json");
}
json shipped() {
  return json::parse(shipped_text());
}

// "/a/b" -> "a.b"
std::string dotted(const json::json_pointer& pointer) {
  std::string text = pointer.to_string().substr(1);
  for (char& c : text) {
    if (c == '/') c = '.';
  }
  return text;
}

// Calls visit for every member of every object, outermost first.
void for_each_member(const json& object, const json::json_pointer& at,
                     const std::function<void(const json::json_pointer&, const json&)>& visit) {
  for (const auto& [key, value] : object.items()) {
    visit(at / key, value);
    if (value.is_object()) for_each_member(value, at / key, visit);
  }
}

void expect_refused(const json& config, const std::string& text) {
  const auto result = parse_pipeline_config(config.dump());
  ASSERT_FALSE(result.ok()) << "accepted; should say " << text;
  EXPECT_EQ(result.status().id(), ErrorId::E_CONFIG);
  EXPECT_NE(result.status().message().find(text), std::string::npos) << result.status().message();
}

TEST(PipelineConfig, ShippedConfigIsRead) {
  const auto result = parse_pipeline_config(shipped_text());
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  const PipelineConfig& c = result.value();
  EXPECT_EQ(c.detector.architecture, "fasterrcnn_resnet18_fpn");
  EXPECT_EQ(c.detector.input.size, 1024);
  EXPECT_EQ(c.detector.input.window.width, 1800);
  EXPECT_EQ(c.detector.batch_norm_eps, 1e-5);
  EXPECT_EQ(c.detector.anchors.sizes.size(), 5u);
  EXPECT_EQ(c.patches.table.size(), 4u);
  EXPECT_EQ(c.classifier.class_names, (std::vector<std::string>{"OVCF", "OF", "SN", "KD", "PS", "normal"}));
  EXPECT_EQ(c.classifier.threshold_list(), std::vector<float>(6, 0.5f));
  EXPECT_EQ(c.spacing.mm_per_pixel, 0.55);
  EXPECT_EQ(c.diagnosis.min_vertebrae, 3);
}

TEST(PipelineConfig, PrintedConfigReadsBackEqual) {
  const auto first = parse_pipeline_config(shipped_text());
  ASSERT_TRUE(first.ok());
  const std::string text = print_pipeline_config(first.value());
  const auto second = parse_pipeline_config(text);
  ASSERT_TRUE(second.ok()) << second.status().to_string();
  EXPECT_EQ(print_pipeline_config(second.value()), text);
}

TEST(PipelineConfig, EveryMissingKeyIsNamed) {
  size_t tried = 0;
  for_each_member(shipped(), json::json_pointer(), [&](const json::json_pointer& at, const json&) {
    const std::string name = dotted(at);
    if (name.starts_with("spacing") || name == "classifier.batch_norm_eps") return;  // optional
    json config = shipped();
    config[at.parent_pointer()].erase(at.back());
    expect_refused(config, name + " is missing");
    ++tried;
  });
  EXPECT_GT(tried, 40u);
}

TEST(PipelineConfig, EveryWrongTypeIsNamed) {
  for_each_member(shipped(), json::json_pointer(), [&](const json::json_pointer& at, const json& value) {
    const std::string name = dotted(at);
    for (const json& wrong : {json(), json::array(), json::object(), json(""), json("1"), json(-1e300), json(true)}) {
      if (wrong.type() == value.type() && name == "spacing.reformat") continue;
      json config = shipped();
      config[at] = wrong;
      // "1" is a valid architecture name; which ones exist only the converter knows.
      if (wrong == json("1") && name.ends_with("architecture")) continue;
      if (wrong == json::object() && name == "spacing") continue;
      expect_refused(config, name);
    }
  });
}

TEST(PipelineConfig, UnknownKeysAreNamed) {
  json top = shipped();
  top["extra"] = 1;
  expect_refused(top, "extra is not a known key");
  for_each_member(shipped(), json::json_pointer(), [&](const json::json_pointer& at, const json& value) {
    if (!value.is_object()) return;
    json config = shipped();
    config[at]["nms_treshold"] = 0.5;
    expect_refused(config, dotted(at) + ".nms_treshold");
  });
  json tracks = shipped();
  tracks["tracks"] = {{"gap", 1}};
  expect_refused(tracks, "tracks.gap is not a known key");
}

struct Inconsistency {
  const char* name;
  const char* pointer;
  json value;
  const char* text;
};

TEST(PipelineConfig, OutOfRangeAndInconsistentValues) {
  const json row = json::array({1.0, 0.0, 0.0});
  json too_many = json::array();
  for (int i = 0; i < 33; ++i) too_many.push_back(row);
  const Inconsistency rows[] = {
      {"schema", "/schema", "spinert.pipeline/2", "schema is wrong"},
      {"size not a multiple of 32", "/detector/input/size", 1000, "detector.input.size"},
      {"size negative", "/detector/input/size", -1024, "detector.input.size"},
      {"size fractional", "/detector/input/size", 1024.5, "detector.input.size"},
      {"size beyond 64 bits", "/detector/input/size", 18446744073709551615u, "detector.input.size"},
      {"std zero", "/detector/input/std", {0.2, 0.0, 0.2}, "detector.input.std[1]"},
      {"two means", "/detector/input/mean", {0.4, 0.4}, "detector.input.mean"},
      {"width zero", "/detector/input/window/width", 0, "detector.input.window.width"},
      {"no anchor level", "/detector/anchors/sizes", json::array(), "detector.anchors.sizes"},
      {"ragged anchors", "/detector/anchors/sizes", {{32}, {64, 80}, {128}, {256}, {512}}, "detector.anchors.sizes"},
      {"ratio zero", "/detector/anchors/ratios", {0.5, 0}, "detector.anchors.ratios[1]"},
      {"threshold above 1", "/detector/rpn/nms_threshold", 1.5, "detector.rpn.nms_threshold"},
      {"three weights", "/detector/box/bbox_weights", {10, 10, 5}, "detector.box.bbox_weights"},
      {"only a background", "/detector/class_names", {"background"}, "detector.class_names"},
      {"class twice", "/classifier/class_names", {"OVCF", "OVCF", "normal"}, "classifier.class_names"},
      {"no normal", "/classifier/class_names", {"OVCF", "OF", "SN", "KD", "PS", "healthy"}, "normal"},
      {"class without threshold",
       "/classifier/class_names",
       {"OVCF", "OF", "SN", "KD", "PS", "normal", "X"},
       "classifier.thresholds.X is missing"},
      {"threshold without class", "/classifier/thresholds/Y", 0.5, "classifier.thresholds.Y names no class"},
      {"threshold above 1", "/classifier/thresholds/OF", 2, "classifier.thresholds.OF"},
      {"no patches", "/patches/table", json::array(), "patches.table"},
      {"33 patches", "/patches/table", too_many, "patches.table"},
      {"scale zero", "/patches/table", {{0, 0, 0}}, "patches.table"},
      {"two numbers", "/patches/table", {{1, 0}}, "patches.table[0]"},
      {"below the box threshold", "/diagnosis/score_threshold", 0.01, "diagnosis.score_threshold"},
      {"placement", "/place/mode", "stretch", "place.mode"},
      {"canvas", "/place/canvas", "loose", "place.canvas"},
      {"millimetres", "/spacing/mm_per_pixel", -0.5, "spacing.mm_per_pixel"},
      {"no step", "/spacing/sagittal_step", 0, "spacing.sagittal_step"},
      {"step of metres", "/spacing/sagittal_step", 51, "spacing.sagittal_step"},
      {"half width below 0", "/spacing/half_width", -1, "spacing.half_width"},
      {"tracks a list", "/tracks", json::array(), "tracks"},
      {"rule of probabilities", "/tracks/probability", "median", "tracks.probability"},
      {"rule of a wrong type", "/tracks/probability", 1, "tracks.probability"},
      {"no slice alerts", "/tracks/alert_slices", 0, "tracks.alert_slices"},
      {"half a slice", "/tracks/alert_slices", 1.5, "tracks.alert_slices"},
      {"everything overlaps", "/tracks/link_iou", 0, "tracks.link_iou"},
      {"more than all overlaps", "/tracks/link_iou", 1.01, "tracks.link_iou"},
      {"gap below 0", "/tracks/max_gap", -1, "tracks.max_gap"},
      {"track of no slice", "/tracks/min_slices", 0, "tracks.min_slices"},
      {"track of too many slices", "/tracks/min_slices", 1001, "tracks.min_slices"},
      {"rename to a number", "/rename/detector/fc", 1, "rename.detector.fc"},
  };
  for (const Inconsistency& r : rows) {
    SCOPED_TRACE(r.name);
    json config = shipped();
    config[json::json_pointer(r.pointer)] = r.value;
    expect_refused(config, r.text);
  }
}

TEST(PipelineConfig, OptionalSectionsHaveDefaults) {
  json config = shipped();
  config.erase("spacing");
  config["classifier"].erase("batch_norm_eps");
  config["detector"]["batch_norm_eps"] = 1e-3;
  config["rename"] = {{"classifier", {{"fc.1", "fc"}}}};
  const auto result = parse_pipeline_config(config.dump());
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  EXPECT_EQ(result.value().spacing.mm_per_pixel, 0);
  EXPECT_EQ(result.value().spacing.sagittal_step, 3);
  EXPECT_EQ(result.value().spacing.half_width, 50);
  EXPECT_EQ(result.value().tracks.probability, "mean");
  EXPECT_EQ(result.value().tracks.alert_slices, 1);
  EXPECT_EQ(result.value().tracks.link_iou, 0.3);
  EXPECT_EQ(result.value().tracks.max_gap, 1);
  EXPECT_EQ(result.value().tracks.min_slices, 2);
  EXPECT_EQ(result.value().place.mode, "centre");
  EXPECT_EQ(result.value().place.canvas, "fixed");
  EXPECT_EQ(result.value().classifier.batch_norm_eps, 1e-3);
  EXPECT_EQ(result.value().rename.classifier.at("fc.1"), "fc");
}

TEST(PipelineConfig, TracksAndPlanesAreReadAndPrinted) {
  json config = shipped();
  config["spacing"]["sagittal_step"] = 2.5;
  config["spacing"]["half_width"] = 0;
  config["tracks"] = {
      {"probability", "max"}, {"alert_slices", 3}, {"link_iou", 0.5}, {"max_gap", 0}, {"min_slices", 4}};
  const auto result = parse_pipeline_config(config.dump());
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  const json printed = json::parse(print_pipeline_config(result.value()));
  EXPECT_EQ(printed["tracks"], config["tracks"]);
  EXPECT_EQ(printed["spacing"]["sagittal_step"], 2.5);
  EXPECT_EQ(printed["spacing"]["half_width"], 0);
  config["tracks"] = json::object();
  EXPECT_TRUE(parse_pipeline_config(config.dump()).ok());
}

TEST(Json, RefusesWhatTheLibraryAccepts) {
  struct Row {
    const char* name;
    std::string text;
    JsonProblem::Kind kind;
  };
  using Kind = JsonProblem::Kind;
  const std::string deep = std::string(10000, '[') + std::string(10000, ']');
  const Row rows[] = {
      {"duplicate key", R"({"a":1,"a":1})", Kind::duplicate_key},
      {"duplicate key inside", R"({"b":[{"a":1,"a":2}]})", Kind::duplicate_key},
      {"duplicate by escape", R"({"a":1,"\u0061":2})", Kind::duplicate_key},
      {"depth 10000", deep, Kind::depth},
      {"depth 9", "[[[[[[[[[]]]]]]]]]", Kind::depth},
      {"byte order mark", "\xEF\xBB\xBF{}", Kind::syntax},
      {"trailing text", "{} x", Kind::syntax},
      {"two values", "{}{}", Kind::syntax},
      {"empty", "", Kind::syntax},
      {"comment", "{/*x*/}", Kind::syntax},
      {"trailing comma", "[1,]", Kind::syntax},
      {"NaN", "[NaN]", Kind::syntax},
      {"number too large", "[1e999]", Kind::syntax},
      {"leading zero", "[01]", Kind::syntax},
      {"lone surrogate", R"(["\ud800"])", Kind::syntax},
      {"overlong UTF-8", "[\"\xC0\xAF\"]", Kind::encoding},
      {"surrogate in UTF-8", "[\"\xED\xA0\x80\"]", Kind::encoding},
      {"above U+10FFFF", "[\"\xF4\x90\x80\x80\"]", Kind::encoding},
      {"cut UTF-8", "[\"\xE2\x82\"]", Kind::encoding},
  };
  for (const Row& r : rows) {
    SCOPED_TRACE(r.name);
    JsonProblem problem;
    EXPECT_FALSE(parse_json(r.text, {}, problem));
    EXPECT_EQ(problem.kind, r.kind) << problem.what;
  }
  JsonProblem problem;
  EXPECT_FALSE(parse_json("[1,2,3]", {.depth = 8, .values = 3}, problem));
  EXPECT_EQ(problem.kind, JsonProblem::Kind::size);
  EXPECT_TRUE(parse_json("[1,2,3]", {.depth = 1, .values = 4}, problem));
  EXPECT_TRUE(parse_json(" [[[[[[[[\"\xE2\x82\xAC\"]]]]]]]] \n", {}, problem)) << problem.what;
}

TEST(Json, SyntaxErrorsNameLineAndColumn) {
  const auto result = parse_json("{\n  \"a\": x\n}", ErrorId::E_CONFIG, "file.json");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().where(), "file.json: line 2, column 8") << result.status().to_string();
}

TEST(Json, NumbersIgnoreTheLocale) {
  const char* chosen = nullptr;
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "tr_TR.UTF-8"}) {
    if (!chosen) chosen = std::setlocale(LC_ALL, name);
  }
  if (!chosen) GTEST_SKIP() << "no locale with a decimal comma is installed";
  const auto config = parse_pipeline_config(shipped_text());
  const std::string printed = config.ok() ? print_pipeline_config(config.value()) : "";
  std::setlocale(LC_ALL, "C");
  ASSERT_TRUE(config.ok()) << config.status().to_string();
  EXPECT_EQ(config.value().detector.rpn.nms_threshold, 0.7);
  EXPECT_EQ(printed, print_pipeline_config(config.value()));
}

TEST(Json, StreamsLongArraysElementByElement) {
  static constexpr std::string_view kArrays[] = {"a"};
  std::vector<std::string> seen;
  const auto keep = [&seen](std::string_view array, size_t index, nlohmann::json& element) {
    seen.push_back(std::string(array) + std::to_string(index) + ":" + element.dump());
    return element == 13 ? error(ErrorId::E_CONFIG, "thirteen") : Status();
  };
  const auto rest = stream_json(R"({"c":5,"a":[1,{"b":[2,{"a":[3]}]},[4,[5]],[],null],"n":{"a":[7]}})", kArrays, keep,
                                ErrorId::E_CONFIG, "text");
  ASSERT_TRUE(rest.ok()) << rest.status().to_string();
  EXPECT_EQ(seen, (std::vector<std::string>{"a0:1", R"(a1:{"b":[2,{"a":[3]}]})", "a2:[4,[5]]", "a3:[]", "a4:null"}));
  EXPECT_EQ(rest.value().dump(), R"({"a":[],"c":5,"n":{"a":[7]}})");
  // The limit holds for each element on its own.
  const std::string many = "{\"a\":[[1,2],[1,2],[1,2],[1,2],[1,2]]}";
  EXPECT_TRUE(stream_json(many, kArrays, keep, ErrorId::E_CONFIG, "text", {8, 6}).ok());
  EXPECT_FALSE(parse_json(many, ErrorId::E_CONFIG, "text", {8, 6}).ok());
  // What is wrong is named by its element; the receiver's own refusal passes as it is.
  for (const char* text : {R"({"a":[1,{"b":NaN}]})", R"({"a":[1,{"b":1,"b":2}]})", R"({"a":[1,)"}) {
    const auto bad = stream_json(text, kArrays, keep, ErrorId::E_CONFIG, "text");
    ASSERT_FALSE(bad.ok());
    EXPECT_NE(bad.status().message().find("a[1]"), std::string::npos) << bad.status().message();
  }
  EXPECT_NE(stream_json(R"({"a":[13]})", kArrays, keep, ErrorId::E_CONFIG, "text").status().message().find("thirteen"),
            std::string::npos);
  EXPECT_TRUE(stream_json("[1]", kArrays, keep, ErrorId::E_CONFIG, "text").ok());
}

}  // namespace
}  // namespace spinert
