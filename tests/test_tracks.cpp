// Vertebrae through the slices of a study, from invented boxes: which belong together, in which order, what a vertebra
// is called.
#include <chrono>

#include "diagnosis/phantom/random.h"
#include "tests/support/invented_study.h"

namespace spinert {
namespace {

std::vector<size_t> counts(const std::vector<Track>& tracks) {
  std::vector<size_t> list;
  for (const Track& track : tracks) list.push_back(track.members.size());
  return list;
}
using Counts = std::vector<size_t>;

TEST(Tracks, StraightSpine) {
  InventedStudy study(9);
  study.add_spine(5, 0, 8);
  const auto tracks = study.tracks();
  ASSERT_EQ(counts(tracks), Counts(5, 9));
  for (int level = 0; level < 5; ++level) {
    const Track& track = tracks[static_cast<size_t>(level)];
    EXPECT_NEAR(track.centre.x, 12, 1e-4);  // the middle slice
    EXPECT_NEAR(track.centre.y, 60, 1e-4);
    EXPECT_NEAR(track.centre.z, -30 * (level + 1), 1e-4);  // downwards is towards the feet
    EXPECT_NEAR(track.height_mm, 24, 1e-4);
    EXPECT_EQ(track.positive_slices, (std::vector<int>{0, 0, 0, 0, 0, 9}));
    EXPECT_EQ(track.labels, std::vector<std::string>{"normal"});
    EXPECT_EQ(track.consistency, "ok");
  }
}

// A spine that bends to the side: each vertebra is turned, so that its boxes climb from slice to slice, and lies in
// slices of its own; their front moves as well.
TEST(Tracks, Scoliosis) {
  for (const double climb : {-1.7, -0.8, 0.8, 1.7}) {  // mm a slice: up to 30 degrees
    InventedStudy study(24);
    for (int level = 0; level < 8; ++level) {
      const int first = level < 4 ? 2 * level : 14 - 2 * level + 2;
      for (int s = first; s <= first + 12; ++s)
        study.add(s, 30 * (level + 1) + climb * (s - first - 6), kHealthy, 60 + 0.6 * s);
    }
    const auto tracks = study.tracks();
    ASSERT_EQ(counts(tracks), Counts(8, 13)) << climb;
    EXPECT_EQ(study.judged().alert, "negative") << climb;
  }
}

TEST(Tracks, ObliqueAndShiftedPlanesAreComparedInThePatient) {
  InventedStudy study(6);
  study.add_spine(4, 0, 5);
  auto slices = study.slices();
  // Slice 3 was cut from the patient 40 pixels further down and right: the same places, other pixels.
  for (Vertebra& v : study.results[3].vertebrae) {
    for (size_t i = 0; i < 4; ++i) v.box[i] -= 40;
  }
  slices[3].plane.origin = slices[3].plane.at(40, 40);
  EXPECT_EQ(counts(link_tracks(slices, study.config)), Counts(4, 6));
  slices[3].plane.origin = slices[2].plane.origin;
  EXPECT_NE(counts(link_tracks(slices, study.config)), Counts(4, 6)) << "the plane must count";
}

TEST(Tracks, AVertebraMissedInOneSliceStaysOne) {
  InventedStudy study(9);
  for (const int level : {0, 1, 3, 4}) study.add_level(level, 0, 8);
  study.add_level(2, 0, 3);
  study.add_level(2, 5, 8);
  EXPECT_EQ(counts(study.tracks()), (Counts{9, 9, 8, 9, 9}));
  EXPECT_EQ(study.judged().alert, "negative");
  study.config.tracks.max_gap = 0;
  EXPECT_EQ(counts(study.tracks()), (Counts{9, 9, 8, 9, 9})) << "pieces at one place are joined";
  EXPECT_TRUE(has_reason(study.judged(), "interrupted"));
}

TEST(Tracks, PiecesFarApartAreJoinedAndAskForReview) {
  InventedStudy study(14);
  for (const int level : {0, 1, 3}) study.add_level(level, 0, 13);
  for (const int s : {0, 1, 2, 3, 10, 11, 12, 13}) study.add(s, 90 + 0.6 * (s - 6));
  EXPECT_EQ(counts(study.tracks()), (Counts{14, 14, 8, 14}));
  const StudyJudgement judged = study.judged();
  EXPECT_EQ(judged.alert, "review");
  EXPECT_TRUE(has_reason(judged, "interrupted"));
}

TEST(Tracks, PiecesOfNeighboursAreNotJoined) {
  InventedStudy study(14);
  study.add_level(0, 0, 13);
  study.add_level(1, 0, 4);  // two neighbours, each seen on one side only
  study.add_level(2, 9, 13);
  study.add_level(3, 0, 13);
  EXPECT_EQ(counts(study.tracks()), (Counts{14, 5, 5, 14}));
  // Nor two collapsed ones, 20 mm apart.
  InventedStudy flat(14);
  for (int s = 0; s <= 4; ++s) flat.add(s, 60, kFractured, 60, 12);
  for (int s = 9; s <= 13; ++s) flat.add(s, 76, kFractured, 60, 12);
  EXPECT_EQ(counts(flat.tracks()), (Counts{5, 5}));
}

TEST(Tracks, OneFalseBox) {
  for (const double x : {-40.0, 60.0}) {  // in front of the spine; between two vertebrae
    InventedStudy study(9);
    study.add_spine(5, 0, 8);
    study.add(4, 75, kHealthy, x, 14, 14);
    const auto tracks = study.tracks();
    EXPECT_EQ(counts(tracks), (Counts{9, 9, 1, 9, 9, 9})) << x;
    EXPECT_EQ(study.judged().status, "completed") << x;
    EXPECT_EQ(study.judged().alert, "review") << x;
    EXPECT_TRUE(has_reason(study.judged(), "short")) << x;
    study.config.tracks.min_slices = 1;
    EXPECT_NE(study.judged().alert, "negative") << x;
  }
}

TEST(Tracks, TwoHalfVertebrae) {
  InventedStudy study(9);
  study.add_spine(5, 0, 8);
  auto& vertebrae = study.results[4].vertebrae;
  vertebrae.erase(vertebrae.begin() + 2);
  study.add(4, 90 - 6.5, kHealthy, 60, 11);
  study.add(4, 90 + 6.5, kHealthy, 60, 11);
  const auto tracks = study.tracks();
  ASSERT_EQ(tracks.size(), 6u);
  size_t whole = 0;
  for (const Track& track : tracks) whole += track.members.size() == 9 ? 1 : 0;
  EXPECT_EQ(whole, 5u) << "one half belongs to the vertebra";
  EXPECT_EQ(study.judged().alert, "review");
}

TEST(Tracks, TwoVertebraeInOneBox) {
  InventedStudy study(9);
  study.add_spine(5, 0, 8);
  auto& vertebrae = study.results[4].vertebrae;
  vertebrae.erase(vertebrae.begin() + 1, vertebrae.begin() + 3);
  study.add(4, 75, kHealthy, 60, 54);
  const auto tracks = study.tracks();
  ASSERT_EQ(tracks.size(), 5u);
  EXPECT_EQ(tracks[1].members.size() + tracks[2].members.size(), 17u);
  // Seen as one in every slice: the neighbours are too far away for their height.
  InventedStudy merged(9);
  for (const int level : {0, 3, 4}) merged.add_level(level, 0, 8);
  for (int s = 0; s < 9; ++s) merged.add(s, 75, kHealthy, 60, 54);
  EXPECT_EQ(counts(merged.tracks()), Counts(4, 9));
  EXPECT_NE(merged.judged().alert, "negative");
}

TEST(Tracks, TwoTracksDoNotCross) {
  InventedStudy study(2);
  study.add(0, 100, kHealthy, 50, 24, 16);
  study.add(0, 104, kHealthy, 70, 24, 16);
  study.add(1, 106, kHealthy, 50, 24, 16);  // now the lower one
  study.add(1, 102, kHealthy, 70, 24, 16);
  const auto tracks = study.tracks();
  EXPECT_EQ(tracks.size(), 3u);
}

TEST(Tracks, EqualOverlapsAreDecidedTheSameWay) {
  InventedStudy study(3);
  study.add(0, 100);
  study.add(1, 94);
  study.add(1, 106);
  const auto first = study.tracks();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].members.size(), 2u) << "the upper of two equal ones";
  for (int again = 0; again < 3; ++again) EXPECT_EQ(counts(study.tracks()), counts(first));
}

TEST(Tracks, OneSliceAndNone) {
  InventedStudy one(1);
  one.add_spine(4, 0, 0);
  EXPECT_EQ(counts(one.tracks()), Counts(4, 1));
  EXPECT_EQ(one.judged().alert, "negative");
  InventedStudy empty(0);
  EXPECT_TRUE(empty.tracks().empty());
  EXPECT_EQ(empty.judged().status, "failed");
  EXPECT_EQ(empty.judged().error, ErrorId::E_INPUT_EMPTY);
  InventedStudy bare(7);
  EXPECT_TRUE(bare.tracks().empty());
  EXPECT_EQ(bare.judged().error, ErrorId::E_NO_VERTEBRA);
}

TEST(Tracks, TwoHundredCandidatesInEverySlice) {
  InventedStudy study(40);
  phantom::Random random(3, 0, phantom::Stream::noise);
  for (int s = 0; s < 40; ++s) {
    for (int b = 0; b < 200; ++b) {
      study.add(s, random.between(0, 300), kHealthy, random.between(0, 200), random.between(8, 40),
                random.between(8, 40));
    }
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto tracks = study.tracks();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  EXPECT_GT(tracks.size(), 200u);
  EXPECT_LT(time.count(), 20) << "seconds";
  EXPECT_NE(study.judged().alert, "negative");
  EXPECT_EQ(study.judged().status, "indeterminate");
}

TEST(Tracks, RandomStudiesKeepTheirRules) {
  for (uint64_t n = 0; n < 400; ++n) {
    phantom::Random random(4, n, phantom::Stream::noise);
    InventedStudy study(random.whole(1, 12));
    study.config.tracks.max_gap = random.whole(0, 3);
    study.config.tracks.link_iou = random.between(0.05, 0.7);
    study.config.tracks.min_slices = random.whole(1, 4);
    study.config.tracks.alert_slices = random.whole(1, 3);
    bool disease = false;
    for (int s = 0; s < static_cast<int>(study.results.size()); ++s) {
      for (int level = 0; level < 7; ++level) {
        if (random.chance(0.15)) continue;
        const bool ill = random.chance(0.03);
        disease = disease || ill;
        study.add(s, 30 * (level + 1) + random.between(-3, 3), ill ? kFractured : kHealthy, random.between(55, 65),
                  random.between(18, 26));
      }
      if (random.chance(0.1)) study.add(s, random.between(0, 240), kHealthy, random.between(0, 120));
    }
    const StudyJudgement judged = study.judged();  // checks the tracks
    EXPECT_FALSE(disease && judged.alert == "negative") << n;
    EXPECT_FALSE(disease && study.config.tracks.alert_slices == 1 && judged.alert != "positive") << n;
    // The same for the same slices.
    const auto first = study.tracks(), second = study.tracks();
    ASSERT_EQ(first.size(), second.size());
    for (size_t t = 0; t < first.size(); ++t) EXPECT_EQ(first[t].probabilities, second[t].probabilities);
  }
}

TEST(Tracks, ProbabilitiesByRule) {
  InventedStudy study(4);
  const float values[] = {0.1f, 0.2f, 0.6f, 0.3f};
  for (int n = 0; n < 4; ++n) study.add(n, 60, {values[n], 0, 0, 0, 0, 0.9f});
  auto tracks = study.tracks();
  ASSERT_EQ(tracks.size(), 1u);
  EXPECT_NEAR(tracks[0].probabilities[0], 0.3f, 1e-6f);
  EXPECT_EQ(tracks[0].positive_slices[0], 1);
  EXPECT_EQ(tracks[0].labels, (std::vector<std::string>{"OVCF", "normal"}));
  EXPECT_EQ(tracks[0].consistency, "contradictory");
  study.config.tracks.probability = "max";
  EXPECT_EQ(study.tracks()[0].probabilities[0], 0.6f);
  EXPECT_EQ(study.tracks()[0].labels, tracks[0].labels) << "labels go by counts";
  study.config.tracks.alert_slices = 2;
  EXPECT_EQ(study.tracks()[0].labels, (std::vector<std::string>{"normal"}));
}

TEST(Tracks, AShortTrackNeedsAllItsSlices) {
  InventedStudy study(9);
  study.add_spine(5, 0, 8);
  study.config.tracks.alert_slices = 3;
  study.add_level(5, 3, 4, kFractured);
  EXPECT_EQ(study.tracks()[5].labels, (std::vector<std::string>{"OVCF"}));
  EXPECT_EQ(study.judged().alert, "positive");
}

TEST(Tracks, NormalNeedsMoreThanHalfOfTheSlices) {
  InventedStudy study(4);
  study.add_level(0, 0, 1);
  study.add_level(0, 2, 3, std::vector<float>(6, 0.2f));
  EXPECT_TRUE(study.tracks()[0].labels.empty());
  EXPECT_EQ(study.tracks()[0].consistency, "none");
  study.results[2].vertebrae[0].probabilities = kHealthy;
  EXPECT_EQ(study.tracks()[0].labels, (std::vector<std::string>{"normal"}));
}

TEST(Tracks, ThresholdIsInclusive) {
  InventedStudy study(1);
  study.add(0, 60, {0.5f, std::nextafter(0.5f, 0.0f), 0, 0, 0, 0});
  EXPECT_EQ(study.tracks()[0].positive_slices, (std::vector<int>{1, 0, 0, 0, 0, 0}));
}

TEST(Tracks, DirectionOfTheSpine) {
  std::vector<Vertebra> v(3);
  v[0].box = {0, 0, 10, 10};
  v[1].box = {4, 20, 14, 30};
  v[2].box = {10, 40, 20, 50};
  const auto expect = [&](size_t i, double x, double y) {
    EXPECT_EQ(spine_direction(v, i).x, x);
    EXPECT_EQ(spine_direction(v, i).y, y);
  };
  expect(0, 4, 20);
  expect(1, 10, 40);
  expect(2, 6, 20);
  v.resize(1);
  expect(0, 0, 1);
  v.push_back(v[0]);  // twice the same
  expect(1, 0, 1);
}

}  // namespace
}  // namespace spinert
