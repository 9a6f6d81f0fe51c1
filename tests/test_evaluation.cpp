// Evaluation: what malformed truth and reports answer, which box belongs to which vertebra, and that no doubt (a
// failed, indeterminate or unseen slice, a missed vertebra, an empty denominator) ever improves a figure.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diagnosis/evaluation/csv.h"
#include "diagnosis/evaluation/evaluation.h"
#include "diagnosis/evaluation/evaluation_csv.h"
#include "diagnosis/evaluation/evaluation_html.h"
#include "diagnosis/evaluation/evaluation_json.h"
#include "diagnosis/evaluation/report_reader.h"
#include "diagnosis/evaluation/truth.h"
#include "diagnosis/report/report_json.h"
#include "tests/support/sample_study.h"
#include "tests/support/scratch.h"

namespace spinert::evaluation {
namespace {

using nlohmann::json;

const std::vector<std::string> kClasses = {"OVCF", "OF", "SN", "KD", "PS", "normal"};
constexpr LabelSet kOvcf = 1, kNormal = 32;

json good_truth() {
  return json::parse(R"({"findings": ["OVCF", "OF", "SN", "KD", "PS", "normal"],
    "categories": [{"id": 1, "name": "vertebra"}],
    "images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 200},
               {"id": "x", "file_name": "b.png", "width": 100, "height": 200, "study": "p"}],
    "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 20, 30, 40], "labels": ["OVCF", "KD"]},
                    {"id": 2, "image_id": "x", "category_id": 1, "bbox": [10.5, 20, 30, 40], "labels": ["normal"],
                     "vertebra": "L1"}]})");
}

TEST(Truth, ReadsCocoJson) {
  const auto truth = parse_truth_json(good_truth().dump(), kClasses, "truth.json");
  ASSERT_TRUE(truth.ok()) << truth.status().to_string();
  ASSERT_EQ(truth.value().slices.size(), 2u);
  EXPECT_EQ(truth.value().slices[0].vertebrae[0].labels, LabelSet{1 | 8});
  EXPECT_EQ(truth.value().slices[1].vertebrae[0].vertebra, "L1");
  EXPECT_EQ(truth.value().slices[1].vertebrae[0].box.x2, 40.5);
}

TEST(Truth, AnnotationsMayStandBeforeImages) {
  const std::string text = R"({"annotations": [{"id": 1, "image_id": 7, "bbox": [1, 2, 3, 4], "labels": ["OF"]}],
    "images": [{"id": 7, "file_name": "s1/a.png", "width": 100, "height": 200}]})";
  const auto truth = parse_truth_json(text, kClasses, "truth.json");
  ASSERT_TRUE(truth.ok()) << truth.status().to_string();
  EXPECT_EQ(truth.value().slices[0].study, "s1");
  EXPECT_EQ(truth.value().slices[0].name, "a.png");
}

// Each row: a change of the good truth, and words that the error must hold, the record among them.
struct BadTruth {
  const char* name;
  std::function<void(json&)> change;
  std::vector<std::string> words;
};

TEST(Truth, MalformedJsonNamesTheRecord) {
  const BadTruth rows[] = {
      {"unknown label",
       [](json& t) { t["annotations"][1]["labels"] = {"OVFC"}; },
       {"unknown label", "annotations[1]", "id 2", "OVFC"}},
      {"label twice",
       [](json& t) {
         t["annotations"][0]["labels"] = {"OF", "OF"};
       },
       {"given twice", "id 1"}},
      {"no label", [](json& t) { t["annotations"][0]["labels"] = json::array(); }, {"without a label", "id 1"}},
      {"labels a text", [](json& t) { t["annotations"][0]["labels"] = "OF"; }, {"\"labels\"", "id 1"}},
      {"normal and diseased",
       [](json& t) {
         t["annotations"][0]["labels"] = {"normal", "OF"};
       },
       {"normal and with a disease", "id 1"}},
      {"box outside",
       [](json& t) {
         t["annotations"][0]["bbox"] = {80, 20, 30, 40};
       },
       {"outside", "id 1"}},
      {"box left of it",
       [](json& t) {
         t["annotations"][0]["bbox"] = {-1, 20, 30, 40};
       },
       {"outside", "id 1"}},
      {"box without area",
       [](json& t) {
         t["annotations"][0]["bbox"] = {8, 20, 0, 40};
       },
       {"no area", "id 1"}},
      {"three numbers",
       [](json& t) {
         t["annotations"][0]["bbox"] = {8, 20, 5};
       },
       {"\"bbox\"", "id 1"}},
      {"null in a box", [](json& t) { t["annotations"][0]["bbox"][2] = nullptr; }, {"\"bbox\"", "id 1"}},
      {"duplicate id", [](json& t) { t["annotations"][1]["id"] = 1; }, {"used twice", "annotations[1]"}},
      {"no id", [](json& t) { t["annotations"][1].erase("id"); }, {"\"id\"", "annotations[1]"}},
      {"missing slice", [](json& t) { t["annotations"][1]["image_id"] = 9; }, {"not listed", "id 2", "9"}},
      {"duplicate image id", [](json& t) { t["images"][1]["id"] = 7; }, {"used twice", "images[1]"}},
      {"slice twice",
       [](json& t) {
         t["images"][1]["file_name"] = "a.png";
         t["images"][0]["study"] = "p";
       },
       {"listed twice", "images[1]"}},
      {"no width", [](json& t) { t["images"][0].erase("width"); }, {"\"width\"", "images[0], id 7"}},
      {"negative height", [](json& t) { t["images"][0]["height"] = -3; }, {"\"height\"", "images[0]"}},
      {"huge width", [](json& t) { t["images"][0]["width"] = 2000000000; }, {"not possible", "images[0]"}},
      {"other findings", [](json& t) { t["findings"] = {"OVCF"}; }, {"findings"}},
      {"unknown category", [](json& t) { t["annotations"][0]["category_id"] = 4; }, {"category", "id 1"}},
      {"vertebra without study", [](json& t) { t["images"][1].erase("study"); }, {"without a study", "id 2"}},
      {"crowd", [](json& t) { t["annotations"][0]["iscrowd"] = 1; }, {"crowd", "id 1"}},
      {"annotation a number", [](json& t) { t["annotations"][0] = 3; }, {"annotations[0]"}},
      {"no images", [](json& t) { t.erase("images"); }, {"\"images\" is missing"}},
      {"no slice",
       [](json& t) {
         t["images"] = json::array();
         t["annotations"] = json::array();
       },
       {"no slice"}},
  };
  for (const BadTruth& row : rows) {
    json truth = good_truth();
    row.change(truth);
    const auto read = parse_truth_json(truth.dump(), kClasses, "truth.json");
    ASSERT_FALSE(read.ok()) << row.name;
    EXPECT_EQ(read.status().id(), ErrorId::E_TRUTH) << row.name;
    for (const std::string& word : row.words) {
      EXPECT_NE(read.status().message().find(word), std::string::npos) << row.name << ": " << read.status().message();
    }
  }
}

TEST(Truth, NanIsNamedByItsRecord) {
  std::string text = good_truth().dump();
  text.replace(text.find("10.5"), 4, "NaN");
  const auto read = parse_truth_json(text, kClasses, "truth.json");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().id(), ErrorId::E_TRUTH);
  EXPECT_NE(read.status().message().find("annotations[1]"), std::string::npos) << read.status().message();
}

TEST(Truth, ReadsTables) {
  const auto truth = parse_truth_csv(
      "slice,x,y,width,height,labels,study\r\n\"a,1.png\",1,2,3,4,OVCF;KD,s\r\nb.png,,,,,,s\r\n\"a,1.png\",9,9,9,9,"
      "normal,s\n",
      kClasses, "truth.csv");
  ASSERT_TRUE(truth.ok()) << truth.status().to_string();
  ASSERT_EQ(truth.value().slices.size(), 2u);
  EXPECT_EQ(truth.value().slices[0].name, "a,1.png");
  EXPECT_EQ(truth.value().slices[0].vertebrae.size(), 2u);
  EXPECT_EQ(truth.value().slices[1].vertebrae.size(), 0u);
  EXPECT_EQ(truth.value().slices[0].study, "s");
}

TEST(Truth, MalformedTablesNameTheLine) {
  const std::string head = "slice,x,y,width,height,labels,id\n";
  const std::pair<std::string, std::string> rows[] = {
      {head + "a,1,2,3,4,OVCF,1\na,1,2,3,4,XX,2\n", "line 3"},
      {head + "a,nan,2,3,4,OF,1\n", "line 2"},
      {head + "a,1,2,3,1e999,OF,1\n", "line 2"},
      {head + "a,1,,3,4,OF,1\n", "line 2"},
      {head + "a,1,2,-3,4,OF,1\n", "line 2"},
      {head + "a,1,2,3,4,OF,1\na,5,2,3,4,OF,1\n", "line 3"},
      {head + "a,1,2,3,4,OF\n", "line 2"},
      {head + "\"a,1,2,3,4,OF,1\n", "line 2"},
      {head + ",1,2,3,4,OF,1\n", "line 2"},
      {"slice,x,y,width,labels\n", "\"height\" is missing"},
      {"slice,x,y,width,height,labels,colour\n", "colour"},
      {"slice,x,x,y,width,height,labels\n", "twice"},
      {head, "no slice"},
      {"", "empty"},
  };
  for (const auto& [text, word] : rows) {
    const auto read = parse_truth_csv(text, kClasses, "truth.csv");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.status().id(), ErrorId::E_TRUTH) << text;
    EXPECT_NE(read.status().message().find(word), std::string::npos) << text << read.status().message();
  }
}

TEST(Reports, ReadWhatTheProgramWrites) {
  const StudyResult study = sample::study();
  System system;
  const Status status = add_report(report_json(study, sample::facts()), "out", "report.json", system);
  ASSERT_TRUE(status.ok()) << status.to_string();
  ASSERT_EQ(system.slices.size(), study.slices.size());
  EXPECT_EQ(system.class_names, study.class_names);
  EXPECT_TRUE(system.demo);
  for (size_t i = 0; i < study.slices.size(); ++i) {
    const SliceResult& want = study.slices[i];
    const FoundSlice& got = system.slices[i];
    EXPECT_EQ(got.name, want.source);
    EXPECT_EQ(got.status, want.status);
    ASSERT_EQ(got.vertebrae.size(), want.vertebrae.size());
    for (size_t v = 0; v < want.vertebrae.size(); ++v) {
      EXPECT_EQ(got.vertebrae[v].probabilities, want.vertebrae[v].probabilities);
      EXPECT_EQ(got.vertebrae[v].box.x2, static_cast<double>(want.vertebrae[v].box[2]));
    }
  }
  EXPECT_EQ(system.slices[0].vertebrae[1].labels, LabelSet{1 | 8});
}

TEST(Reports, BadOnesAreRefusedByName) {
  const json good = json::parse(report_json(sample::study(), sample::facts()));
  const std::pair<const char*, std::function<void(json&)>> rows[] = {
      {"no report", [](json& r) { r["schema"] = "other/1"; }},
      {"whole", [](json& r) { r.erase("slices"); }},
      {"\"vertebrae\"", [](json& r) { r["slices"][0].erase("vertebrae"); }},
      {"first.png", [](json& r) { r["slices"][0]["vertebrae"][0]["score"] = 1.5; }},
      {"OVCF", [](json& r) { r["slices"][0]["vertebrae"][0]["probabilities"]["OVCF"] = "high"; }},
      {"lacks the probability", [](json& r) { r["slices"][0]["vertebrae"][0]["probabilities"].erase("KD"); }},
      {"unknown class", [](json& r) { r["slices"][0]["vertebrae"][0]["labels"] = {"XX"}; }},
      {"\"box\"",
       [](json& r) {
         r["slices"][0]["vertebrae"][0]["box"] = {1, 2, 3};
       }},
      {"\"box\"",
       [](json& r) {
         r["slices"][0]["candidates"][0]["box"] = {9, 2, 3, 4};
       }},
      {"unknown status", [](json& r) { r["slices"][1]["status"] = "fine"; }},
      {"thresholds", [](json& r) { r.erase("thresholds"); }},
      {"class_names", [](json& r) { r["model"]["class_names"] = json::array(); }},
  };
  for (const auto& [word, change] : rows) {
    json report = good;
    change(report);
    System system;
    const Status status = add_report(report.dump(), "out", "report.json", system);
    EXPECT_EQ(status.id(), ErrorId::E_REPORT) << word;
    EXPECT_NE(status.message().find(word), std::string::npos) << status.message();
  }
  json other = good;
  other["model"]["sha256"] = std::string(64, 'e');
  System system;
  ASSERT_TRUE(add_report(good.dump(), "out", "one", system).ok());
  EXPECT_EQ(add_report(other.dump(), "out", "two", system).id(), ErrorId::E_REPORT);
}

TEST(Matching, IsOneToOneByTheSmallerArea) {
  const std::vector<Rect> truth{{0, 0, 10, 10}, {0, 12, 10, 22}};
  // Inside the first, far larger than the second, nothing, a second one on the first.
  const std::vector<Rect> found{{2, 2, 8, 8}, {-5, 11, 15, 31}, {50, 50, 60, 60}, {0, 0, 10, 9}};
  const Matching matching = match_boxes(truth, found);
  EXPECT_EQ(matching.truth_to_found, (std::vector<int>{3, 1}));
  EXPECT_EQ(matching.found_to_truth, (std::vector<int>{kNoMatch, 1, kNoMatch, 0}));
  // Exactly half is no match.
  EXPECT_EQ(match_boxes(std::vector<Rect>{{0, 0, 10, 10}}, std::vector<Rect>{{5, 0, 15, 10}}).truth_to_found[0],
            kNoMatch);
  EXPECT_EQ(iom({0, 0, 0, 0}, {0, 0, 0, 0}), 0);
}

// A truth of three slices, and a system that is right about all of it.
struct Scene {
  Truth truth;
  System system;

  Scene() {
    truth.class_names = system.class_names = kClasses;
    for (const std::string& name : kClasses) system.thresholds[name] = 0.5;
    system.thresholds["score"] = 0.75;
    for (int s = 0; s < 3; ++s) {
      TruthSlice slice{"s" + std::to_string(s) + ".png", s == 2 ? "B" : "A", 100, 300, {}};
      FoundSlice found;
      found.name = slice.name;
      found.width = 100;
      found.height = 300;
      for (int v = 0; v < 4; ++v) {
        const Rect box{10, 10 + 50.0 * v, 50, 50 + 50.0 * v};
        const LabelSet labels = s == 0 && v == 0 ? kOvcf : kNormal;
        slice.vertebrae.push_back({std::to_string(10 * s + v), "V" + std::to_string(v), box, labels});
        FoundVertebra vertebra{box, 0.9, std::vector<float>(6, 0.1f), labels};
        vertebra.probabilities[labels == kOvcf ? 0 : 5] = 0.8f;
        found.vertebrae.push_back(vertebra);
        found.candidates.push_back({box, 0.9});
      }
      found.alert = s == 0 ? "positive" : "negative";
      truth.slices.push_back(slice);
      system.slices.push_back(found);
    }
  }
  Evaluation run(Absent absent = Absent::refuse) const {
    const auto pairing = pair_slices(truth, system, absent);
    EXPECT_TRUE(pairing.ok()) << pairing.status().to_string();
    return evaluate(truth, system, pairing.value());
  }
};

TEST(Evaluation, PerfectSystem) {
  const Scene scene;
  const Evaluation e = scene.run();
  EXPECT_EQ(e.completed, 3u);
  EXPECT_EQ(e.detector.voc_all_points, 1);
  EXPECT_EQ(e.detector.coco_50_95, 1);
  EXPECT_EQ(e.detector.false_negative_rate.value, 0);
  EXPECT_EQ(e.end_to_end.classes[0].sensitivity.value, 1);
  EXPECT_EQ(e.end_to_end.classes[0].confusion.true_negative, 11);
  // Nothing has OF: what cannot be computed is not 1.
  EXPECT_FALSE(e.end_to_end.classes[1].sensitivity.value);
  EXPECT_FALSE(e.end_to_end.classes[1].ppv.value);
  EXPECT_FALSE(e.end_to_end.classes[1].f1.value);
  EXPECT_FALSE(e.end_to_end.classes[1].auc);
  EXPECT_EQ(e.end_to_end.diseases.sensitivity.over, 1);
  EXPECT_EQ(e.end_to_end.diseases.classes, 5);
  ASSERT_TRUE(e.studies);
  EXPECT_EQ(e.studies->diseased[0], 1);
  EXPECT_EQ(e.studies->healthy[2], 1);
  // Four vertebrae in study A on two slices, four in B.
  EXPECT_EQ(e.vertebrae.diseased_count() + e.vertebrae.healthy_count(), 8);
}

TEST(Evaluation, CrossTableCountsConfusionsOnly) {
  Scene scene;
  scene.truth.slices[0].vertebrae[0].labels = kOvcf | 8;        // and KD
  scene.system.slices[0].vertebrae[0].labels = kOvcf | 8 | 16;  // and PS, which it has not
  scene.system.slices[0].vertebrae[1].labels = 0;
  const auto cross = scene.run().cross;
  EXPECT_EQ(cross[0], (std::vector<int64_t>{1, 0, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(cross[3], (std::vector<int64_t>{0, 0, 0, 1, 1, 0, 0, 0}));
  EXPECT_EQ(cross[5], (std::vector<int64_t>{0, 0, 0, 0, 0, 10, 1, 0}));
}

TEST(Evaluation, SlicesWithoutAResultCountAsMissed) {
  for (const char* status : {"indeterminate", "failed"}) {
    Scene scene;
    scene.system.slices[0].status = status;
    scene.system.slices[0].alert = "review";
    const Evaluation e = scene.run();
    EXPECT_EQ(e.indeterminate + e.failed, 1u);
    EXPECT_EQ(e.detector.missed, 4);
    EXPECT_LT(*e.detector.voc_all_points, 0.7);
    const ClassFigures& ovcf = e.end_to_end.classes[0];
    EXPECT_EQ(ovcf.sensitivity.value, 0);
    EXPECT_EQ(ovcf.confusion.missed, 1);
    EXPECT_EQ(ovcf.auc->area, 0);
    // The three normal ones of that slice are no true negatives of OVCF.
    EXPECT_EQ(ovcf.confusion.true_negative, 8);
    EXPECT_EQ(ovcf.confusion.left_out, 3);
    EXPECT_EQ(e.end_to_end.classes[5].confusion.false_negative, 3);
    EXPECT_EQ(e.slices.diseased[1], 1);
    EXPECT_EQ(e.studies->diseased[0], 0);
  }
}

TEST(Evaluation, FalseBoxesOfAnIndeterminateSliceStayFalse) {
  Scene scene;
  FoundVertebra stray{{60, 200, 90, 230}, 0.99, std::vector<float>(6, 0.9f), kOvcf};
  scene.system.slices[1].vertebrae.push_back(stray);
  scene.system.slices[1].candidates.insert(scene.system.slices[1].candidates.begin(), {stray.box, stray.score});
  scene.system.slices[1].status = "indeterminate";
  scene.system.slices[1].alert = "positive";
  const Evaluation e = scene.run();
  EXPECT_EQ(e.detector.false_boxes, 1);
  EXPECT_EQ(e.detector.missed, 4);
  EXPECT_LT(e.detector.curve.front().precision, 1);
  EXPECT_EQ(e.end_to_end.classes[0].confusion.false_boxes, 1);
  EXPECT_EQ(*e.end_to_end.classes[0].ppv.value, 0.5);
  EXPECT_EQ(e.vertebrae.false_alarms, 1);
  EXPECT_EQ(e.cross.back()[0], 1);
}

TEST(Evaluation, AbsentSlicesAreNeverLeftOutInSilence) {
  Scene scene;
  scene.system.slices.erase(scene.system.slices.begin());
  const auto refused = pair_slices(scene.truth, scene.system, Absent::refuse);
  EXPECT_EQ(refused.status().id(), ErrorId::E_TRUTH);
  EXPECT_NE(refused.status().message().find("s0.png"), std::string::npos);
  EXPECT_EQ(scene.run(Absent::missed).detector.missed, 4);
  EXPECT_EQ(scene.run(Absent::missed).absent, 1u);
  const Evaluation ignored = scene.run(Absent::ignore);
  EXPECT_EQ(ignored.detector.missed, 0);
  EXPECT_EQ(ignored.left_out_truth, 1u);
}

TEST(Evaluation, SlicesMustBelongTogether) {
  Scene extra;
  extra.system.slices.push_back(extra.system.slices[0]);
  EXPECT_EQ(pair_slices(extra.truth, extra.system, Absent::ignore).status().id(), ErrorId::E_REPORT);
  extra.system.slices.back().name = "other.png";
  EXPECT_EQ(pair_slices(extra.truth, extra.system, Absent::missed).status().id(), ErrorId::E_TRUTH);
  Scene size;
  size.system.slices[1].width = 99;
  EXPECT_EQ(pair_slices(size.truth, size.system, Absent::refuse).status().id(), ErrorId::E_TRUTH);
  Scene outside;
  outside.truth.slices[0].width = outside.truth.slices[0].height = 0;
  outside.truth.slices[0].vertebrae[0].box.x2 = 120;
  const auto refused = pair_slices(outside.truth, outside.system, Absent::refuse);
  EXPECT_EQ(refused.status().id(), ErrorId::E_TRUTH);
  EXPECT_NE(refused.status().message().find("id 0"), std::string::npos);
  // Equal names in two studies are told apart by the folder of the report, never guessed.
  Scene twins;
  twins.truth.slices[2].name = "s0.png";
  twins.system.slices[2].name = "s0.png";
  EXPECT_FALSE(pair_slices(twins.truth, twins.system, Absent::refuse).ok());
  twins.system.slices[0].study = "A";
  twins.system.slices[2].study = "B";
  EXPECT_TRUE(pair_slices(twins.truth, twins.system, Absent::refuse).ok());
}

TEST(Evaluation, PatchLevelNeedsALook) {
  Scene scene;
  scene.system.has_on_truth = true;
  for (FoundSlice& slice : scene.system.slices) {
    for (const FoundVertebra& vertebra : slice.vertebrae) slice.on_truth.push_back(vertebra.probabilities);
  }
  scene.system.slices[0].vertebrae.clear();  // the detector misses all, the classifier was shown them
  Evaluation e = scene.run();
  EXPECT_EQ(e.end_to_end.classes[0].sensitivity.value, 0);
  EXPECT_EQ(e.patch_level->classes[0].sensitivity.value, 1);
  scene.system.slices[0].on_truth.clear();
  e = scene.run();
  EXPECT_EQ(e.patch_level->classes[0].sensitivity.value, 0);
  EXPECT_EQ(e.patch_level->classes[0].confusion.left_out, 3);
}

TEST(Evaluation, ComparesWithAReader) {
  Scene scene;
  scene.system.slices[1].vertebrae[2].labels = kOvcf;
  scene.system.slices[2].vertebrae.pop_back();
  Evaluation e = scene.run();
  const System reader = reader_as_system(scene.truth, "reader");
  const auto pairing = pair_slices(scene.truth, reader, Absent::refuse);
  ASSERT_TRUE(pairing.ok());
  const Comparison c = compare_with(e, scene.system, reader, pairing.value());
  EXPECT_EQ(c.slices, 3u);
  EXPECT_EQ(c.classes[0].labels->only_second, 2);  // one wrong, one missed
  EXPECT_EQ(c.classes[0].labels->only_first, 0);
  EXPECT_EQ(c.classes[0].auc_left_out, 1);
  EXPECT_EQ(c.per_slice[0].test->pairs, 1);
  EXPECT_FALSE(c.per_slice[1].test);
}

TEST(Evaluation, OutputsAreWholeAndLabelled) {
  Scene scene;
  scene.truth.slices[1].name = scene.system.slices[1].name = "=<b>&\"x,y.png";
  scene.system.slices[2].status = "failed";
  scene.system.slices[2].vertebrae[0].labels = kOvcf;
  Evaluation e = scene.run();
  const System reader = reader_as_system(scene.truth, "reader<script>");
  const auto pairing = pair_slices(scene.truth, reader, Absent::refuse);
  ASSERT_TRUE(pairing.ok());
  e.comparison = compare_with(e, scene.system, reader, pairing.value());
  EvaluationFacts facts;
  facts.system = "a<model>";
  facts.no_patch_level = "reports only";
  facts.chosen = choose_thresholds(e, ThresholdGoal::youden);
  facts.chosen_goal = "youden";
  const json document = json::parse(evaluation_json(e, facts));
  EXPECT_EQ(document["label"], kResearchLabel);
  for (const char* key : {"average_precision", "auc", "sensitivity", "specificity", "ppv", "npv", "f1", "accuracy"}) {
    EXPECT_TRUE(document["overall"].contains(key)) << key;
    for (const std::string& name : kClasses) EXPECT_TRUE(document["classes"][name].contains(key)) << name << key;
  }
  EXPECT_TRUE(document["classes"]["OF"]["sensitivity"].is_null());
  EXPECT_FALSE(document["patch_level"]["available"].get<bool>());
  EXPECT_EQ(document["slices"]["failed"], 1);
  EXPECT_TRUE(document["comparison"]["per_slice"]["false_boxes"]["wilcoxon_p"].is_null());
  const std::string page = evaluation_html(e, facts, worst_errors(e));
  EXPECT_NE(page.find(kResearchLabel), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("a<model>"), std::string::npos);
  EXPECT_NE(page.find("without a usable result"), std::string::npos);
  for (const auto& [name, text] : evaluation_tables(e)) {
    const auto rows = read_csv(text, ErrorId::E_INTERNAL, name);
    ASSERT_TRUE(rows.ok()) << rows.status().to_string();
    ASSERT_GE(rows.value().size(), name == "roc.csv" ? 1u : 2u) << name;
    for (size_t i = 1; i < rows.value().size(); ++i) EXPECT_EQ(rows.value()[i].fields.back(), kResearchLabel);
    if (name == "slices.csv") {
      EXPECT_EQ(rows.value()[2].fields[1], "'=<b>&\"x,y.png");
    }
  }
}

}  // namespace
}  // namespace spinert::evaluation
