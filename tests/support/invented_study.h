// invented_study.h - sagittal slices with boxes given in millimetres, as link_tracks() and judge_study() get them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>

#include "diagnosis/spine.h"
#include "diagnosis/studies/study_judgement.h"
#include "tests/support/reduced_model.h"

namespace spinert {

// Classes OVCF, OF, SN, KD, PS, normal.
inline const std::vector<float> kHealthy{0, 0, 0, 0, 0, 0.9f}, kFractured{0.8f, 0, 0, 0, 0, 0.1f};

struct InventedStudy {
  static constexpr double kStep = 3, kPixel = 0.5;                 // mm: between slices, of a pixel
  static constexpr double kHeight = 24, kDepth = 32, kPitch = 30;  // mm of a body, of its neighbour's distance

  PipelineConfig config;
  std::deque<SliceResult> results;

  explicit InventedStudy(int slices) {
    auto parsed = parse_pipeline_config(reduced::config_text());
    EXPECT_TRUE(parsed.ok()) << parsed.status().to_string();
    config = parsed.value();
    results.resize(static_cast<size_t>(slices));
    for (size_t s = 0; s < results.size(); ++s) results[s].source = "slice " + std::to_string(s);
  }

  // A box about (x, y), mm in the plane.
  Vertebra& add(int slice, double y, const std::vector<float>& probabilities = kHealthy, double x = 60,
                double height = kHeight, double depth = kDepth) {
    Vertebra v;
    // The middle of the first pixel lies at 0 mm, its edge at 0 in a box.
    const auto place = [](double mm) { return static_cast<float>(mm / kPixel + 0.5); };
    v.box = {place(x - depth / 2), place(y - height / 2), place(x + depth / 2), place(y + height / 2)};
    v.score = 0.9f;
    v.probabilities = probabilities;
    return results[static_cast<size_t>(slice)].vertebrae.emplace_back(v);
  }
  // Vertebra `level` of a straight spine in slices first to last.
  void add_level(int level, int first, int last, const std::vector<float>& probabilities = kHealthy) {
    for (int s = first; s <= last; ++s) add(s, kPitch * (level + 1), probabilities);
  }
  void add_spine(int levels, int first, int last) {
    for (int level = 0; level < levels; ++level) add_level(level, first, last);
  }
  void fail(int slice, const std::string& status, ErrorId id) {
    SliceResult& result = results[static_cast<size_t>(slice)];
    result.vertebrae.clear();
    result.status = status;
    result.error = id;
    result.reasons.push_back({std::string(error_name(id)), "it broke"});
  }

  std::vector<TrackSlice> slices() {
    std::vector<TrackSlice> list;
    for (size_t s = 0; s < results.size(); ++s) {
      SliceResult& result = results[s];
      if (result.status == "completed" && result.reasons.empty()) {
        order_and_number(result.vertebrae);
        for (Vertebra& v : result.vertebrae) label(v, config.classifier);
        judge(result, config);
      }
      const double position = kStep * static_cast<double>(s);
      list.push_back({&result, {400, 600, {position, 0, 0}, {0, kPixel, 0}, {0, 0, -kPixel}}, position});
    }
    return list;
  }
  std::vector<Track> tracks() {
    const auto list = slices();
    auto made = link_tracks(list, config);
    check(made);
    return made;
  }
  StudyJudgement judged() {
    const auto list = slices();
    const auto made = link_tracks(list, config);
    check(made);
    return judge_study(list, made, config);
  }

  // What holds for tracks of whatever boxes.
  void check(const std::vector<Track>& tracks) const {
    std::set<std::pair<int, int>> seen;
    size_t boxes = 0;
    for (const SliceResult& result : results) boxes += result.vertebrae.size();
    for (size_t t = 0; t < tracks.size(); ++t) {
      EXPECT_EQ(tracks[t].id, static_cast<int>(t) + 1);
      ASSERT_FALSE(tracks[t].members.empty());
      for (size_t m = 0; m < tracks[t].members.size(); ++m) {
        const TrackMember& member = tracks[t].members[m];
        EXPECT_TRUE(m == 0 || tracks[t].members[m - 1].slice < member.slice) << "two boxes of one slice";
        EXPECT_TRUE(seen.insert({member.slice, member.vertebra}).second) << "a box in two tracks";
      }
    }
    EXPECT_EQ(seen.size(), boxes) << "a box in no track";
  }
};

inline bool has_reason(const StudyJudgement& judged, const std::string& code) {
  return std::ranges::any_of(judged.reasons, [&](const Reason& r) { return r.code == code; });
}

}  // namespace spinert
