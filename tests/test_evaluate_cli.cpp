// `spinert evaluate` as its users meet it, on the reduced model: the files of a run, exit codes and error ids, that the
// pipeline and its own reports give the same figures, and that the same input gives the same bytes.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/pipeline_config.h"
#include "diagnosis/images/png_write.h"
#include "diagnosis/pipeline.h"
#include "tests/support/reduced_suite.h"
#include "tests/support/schema_check.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class EvaluateCli : public ReducedSuite {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    for (int i = 0; i < 3; ++i) {
      const Picture picture = reduced::picture(120, 100, static_cast<uint64_t>(3 + i));
      const std::vector<uint8_t> grey(picture.value.begin(), picture.value.end());
      const auto png = encode_png_grey(picture.width, picture.height, grey).value();
      make("slices/s" + std::to_string(i) + ".png", {png.begin(), png.end()});
    }
  }

  int diagnose() {
    return shell("diagnose --device cpu --model " + model_ + " " + path("slices") + " -o " + path("out"));
  }
  // The boxes of the report as truth, two labels in turn, on the slices that have some.
  json truth_of_report() {
    const json report = json::parse(read(path("out/report.json")));
    json truth = {{"images", json::array()}, {"annotations", json::array()}};
    for (const json& slice : report["slices"]) {
      const size_t image = truth["images"].size();
      truth["images"].push_back(
          {{"id", image}, {"file_name", slice["source"]}, {"width", slice["width"]}, {"height", slice["height"]}});
      for (const json& vertebra : slice["vertebrae"]) {
        const auto box = vertebra["box"].get<std::vector<double>>();
        const double x1 = std::max(box[0], 0.0), y1 = std::max(box[1], 0.0);
        const double x2 = std::min(box[2], slice["width"].get<double>());
        const double y2 = std::min(box[3], slice["height"].get<double>());
        if (x2 <= x1 || y2 <= y1) continue;
        const size_t id = truth["annotations"].size();
        truth["annotations"].push_back({{"id", id},
                                        {"image_id", image},
                                        {"bbox", {x1, y1, x2 - x1, y2 - y1}},
                                        {"labels", {id % 3 == 0 ? "OVCF" : "normal"}}});
      }
    }
    return truth;
  }
  std::string evaluate(const std::string& more) {
    return "evaluate --device cpu --model " + model_ + " --truth " + path("truth.json") + " " + more;
  }

  static void expect_schema(const json& document) {
    std::ifstream file(std::string(SPINERT_SOURCE_DIR) + "/diagnosis/evaluation/evaluation.schema.json");
    for (const std::string& problem : schema::problems(json::parse(file), document)) ADD_FAILURE() << problem;
  }
};

TEST_F(EvaluateCli, PipelineAndReportsAgree) {
  diagnose();
  const json truth = truth_of_report();
  ASSERT_GT(truth["annotations"].size(), 3u);
  make("truth.json", truth.dump());
  ASSERT_EQ(shell(evaluate(path("slices") + " -o " + path("a"))), 0) << error();
  ASSERT_EQ(shell("evaluate " + path("slices") + " --reports " + path("out") + " --truth " + path("truth.json") +
                  " -o " + path("b")),
            0)
      << error();
  for (const char* name : {"evaluation.json", "evaluation.html", "classes.csv", "slices.csv", "precision_recall.csv",
                           "roc.csv", "calibration.csv", "alerts.csv"}) {
    EXPECT_FALSE(read(path(std::string("a/") + name)).empty()) << name;
  }
  EXPECT_EQ(names(path("a")).size(), 8u);
  const json a = json::parse(read(path("a/evaluation.json"))), b = json::parse(read(path("b/evaluation.json")));
  for (const char* key : {"detector", "classes", "overall", "alerts", "slices", "calibration", "cross_table"}) {
    EXPECT_EQ(a[key], b[key]) << key;
  }
  expect_schema(a);
  expect_schema(b);
  EXPECT_TRUE(a["patch_level"]["available"].get<bool>());
  EXPECT_FALSE(b["patch_level"]["available"].get<bool>());
  EXPECT_EQ(read(path("a/slices.csv")), read(path("b/slices.csv")));
  // The same bytes again, and nothing of this machine in them.
  ASSERT_EQ(shell(evaluate(path("slices") + " --threads 1 --batch 3 -o " + path("c"))), 0) << error();
  EXPECT_EQ(read(path("a/evaluation.json")), read(path("c/evaluation.json")));
  EXPECT_EQ(read(path("a/evaluation.html")), read(path("c/evaluation.html")));
  EXPECT_EQ(read(path("a/evaluation.html")).find(folder_), std::string::npos);
}

// On the boxes that the detector found, the classifier alone says what the pipeline said; elsewhere it does not.
TEST_F(EvaluateCli, ClassifierOnGivenBoxes) {
  PipelineOptions options;
  options.model = model_;
  options.engine.device = "cpu";
  auto pipeline = Pipeline::open(options);
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().to_string();
  const Picture picture = reduced::picture(120, 100, 3);
  const SliceResult slice = pipeline.value()->diagnose(picture, "s");
  ASSERT_GT(slice.vertebrae.size(), 1u);
  std::vector<Box> boxes;
  for (const Vertebra& vertebra : slice.vertebrae) boxes.push_back(vertebra.box);
  const auto again = pipeline.value()->classify_boxes(picture, boxes);
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  ASSERT_EQ(again.value().size(), boxes.size());
  bool differ = false;
  for (size_t v = 0; v < boxes.size(); ++v) {
    for (size_t c = 0; c < slice.vertebrae[v].probabilities.size(); ++c) {
      EXPECT_NEAR(again.value()[v][c], slice.vertebrae[v].probabilities[c], 1e-4);
      differ = differ || std::abs(again.value()[v][c] - slice.vertebrae[0].probabilities[c]) > 1e-3;
    }
  }
  EXPECT_TRUE(differ) << "every box gives the same: the test could not fail";
  EXPECT_TRUE(pipeline.value()->classify_boxes(picture, {}).value().empty());
}

TEST_F(EvaluateCli, FailedSlicesAreMissedAndSaid) {
  diagnose();
  make("truth.json", truth_of_report().dump());
  make("slices/s1.png", "no picture");
  EXPECT_EQ(shell(evaluate(path("slices") + " -o " + path("a"))), 11);
  EXPECT_NE(error().find("E_PARTIAL"), std::string::npos) << error();
  const json a = json::parse(read(path("a/evaluation.json")));
  EXPECT_EQ(a["slices"]["failed"], 1);
  EXPECT_GT(a["detector"]["missed"], 0);
}

TEST_F(EvaluateCli, RefusalsLeaveNothing) {
  diagnose();
  const json good = truth_of_report();
  make("truth.json", good.dump());
  const auto refused = [this](const std::string& arguments, int code, const std::string& id) {
    EXPECT_EQ(shell(arguments), code) << error();
    EXPECT_NE(error().find("spinert: error " + id + ": "), std::string::npos) << error();
    EXPECT_FALSE(fs::exists(path("x"))) << arguments;
  };
  const std::string slices = path("slices") + " -o " + path("x"),
                    reports = "--reports " + path("out") + " -o " + path("x");
  json bad = good;
  bad["annotations"][1]["labels"] = {"OVFC"};
  make("bad.json", bad.dump());
  refused("evaluate --truth " + path("bad.json") + " " + reports, 4, "E_TRUTH");
  refused("evaluate --device cpu --model " + model_ + " --truth " + path("bad.json") + " " + slices, 4, "E_TRUTH");
  json more = good;
  more["images"].push_back({{"id", 99}, {"file_name", "other.png"}, {"width", 100}, {"height", 120}});
  make("more.json", more.dump());
  refused("evaluate --truth " + path("more.json") + " " + reports, 4, "E_TRUTH");
  refused("evaluate --truth " + path("absent.json") + " " + reports, 3, "E_INPUT_EMPTY");
  make("empty/readme.txt", "nothing");
  refused("evaluate --truth " + path("truth.json") + " --reports " + path("empty") + " -o " + path("x"), 3,
          "E_INPUT_EMPTY");
  make("broken/report.json", "{\"schema\": ");
  refused("evaluate --truth " + path("truth.json") + " --reports " + path("broken") + " -o " + path("x"), 4,
          "E_REPORT");
  refused("evaluate --truth " + path("truth.json") + " -o " + path("x"), 2, "E_USAGE");
  refused("evaluate " + reports, 2, "E_USAGE");
  refused("evaluate --threshold 0.5 --truth " + path("truth.json") + " " + reports, 2, "E_USAGE");
  refused("evaluate --choose-thresholds f1 --truth " + path("truth.json") + " " + reports, 2, "E_USAGE");
  EXPECT_EQ(shell("evaluate --absent missed --truth " + path("more.json") + " " + reports), 11) << error();
  EXPECT_EQ(shell("evaluate --absent missed --truth " + path("more.json") + " " + reports), 10) << "never overwritten";
  EXPECT_EQ(shell("evaluate --absent ignore --overwrite replace --truth " + path("more.json") + " " + reports), 0);
  EXPECT_EQ(json::parse(read(path("x/evaluation.json")))["slices"]["left_out_without_result"], 1);
}

TEST_F(EvaluateCli, ComparesAndChoosesThresholds) {
  diagnose();
  make("truth.json", truth_of_report().dump());
  ASSERT_EQ(shell(evaluate(path("slices") + " --against " + path("truth.json") + " --choose-thresholds youden -o " +
                           path("a"))),
            0)
      << error();
  const json a = json::parse(read(path("a/evaluation.json")));
  EXPECT_TRUE(a["comparison"]["second_is_reader"].get<bool>());
  EXPECT_FALSE(read(path("a/comparison.csv")).empty());
  const auto config = parse_pipeline_config(read(path("a/pipeline.json")));
  ASSERT_TRUE(config.ok()) << config.status().to_string();
  const json chosen = a["chosen_thresholds"]["classes"];
  for (const auto& [name, threshold] : config.value().classifier.thresholds) {
    if (!chosen[name]["threshold"].is_null()) {
      EXPECT_EQ(threshold, chosen[name]["threshold"].get<double>()) << name;
    }
  }
  ASSERT_EQ(shell("evaluate --reports " + path("out") + " --against " + path("out") + " --truth " + path("truth.json") +
                  " --choose-thresholds f1 --config " + path("a/pipeline.json") + " -o " + path("b")),
            0)
      << error();
  const json b = json::parse(read(path("b/evaluation.json")));
  EXPECT_TRUE(b["comparison"]["per_slice"]["missed"]["wilcoxon_p"].is_null());
  expect_schema(a);
  expect_schema(b);
  // The schema can fail.
  json broken = b;
  broken["detector"]["found"] = -1;
  broken.erase("alerts");
  std::ifstream file(std::string(SPINERT_SOURCE_DIR) + "/diagnosis/evaluation/evaluation.schema.json");
  EXPECT_EQ(schema::problems(json::parse(file), broken).size(), 2u);
}

}  // namespace
}  // namespace spinert
