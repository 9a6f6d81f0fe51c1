// study_judgement.cpp - the rules of study_judgement.h, one function each.
#include "diagnosis/studies/study_judgement.h"

#include <cmath>

#include "diagnosis/studies/track_geometry.h"

namespace spinert {
namespace {

// As for the boxes of one slice (diagnosis/spine.cpp).
constexpr double kNearest = 0.5, kFurthest = 4.0, kGap = 1.8;
constexpr size_t kAround = 2;  // tracks on each side of a pair whose heights count
constexpr double kFewSlices = 1.0 / 3;

class StudyJudge {
 public:
  StudyJudge(std::span<const TrackSlice> slices, std::span<const Track> tracks, const PipelineConfig& config)
      : slices_(slices), tracks_(tracks), config_(config), axes_(StudyAxes::of(slices)) {}

  StudyJudgement run() {
    look_at_slices();
    look_at_numbers();
    look_at_spine();
    for (const Track& track : tracks_) look_at_track(track);
    decide();
    return std::move(judged_);
  }

 private:
  void doubt(std::string code, std::string text) {
    review_ = true;
    judged_.reasons.push_back({std::move(code), std::move(text)});
  }
  void uncertain(ErrorId id, std::string text) {
    if (uncertain_ == ErrorId::OK) uncertain_ = id;
    doubt(std::string(error_name(id)), std::move(text));
  }
  static std::string name(const Track& track) { return "vertebra " + std::to_string(track.id); }
  static std::string in_slices(int64_t count) { return std::to_string(count) + (count == 1 ? " slice" : " slices"); }

  void look_at_slices() {
    for (const TrackSlice& slice : slices_) {
      const SliceResult* result = slice.result;
      const bool failed = !result || result->status == "failed";
      if (!failed) {
        ++ran_;
        carry_cuts(*result);
        // Few or no vertebrae, or no row of them, are no doubt about a slice of a study.
        const bool usable = result->status == "completed" ||
                            (result->status == "indeterminate" &&
                             (result->error == ErrorId::E_NO_VERTEBRA || result->error == ErrorId::E_COVERAGE));
        if (usable) continue;
      }
      ErrorId id = result ? result->error : ErrorId::E_INTERNAL;
      if (id == ErrorId::OK) id = ErrorId::E_INTERNAL;
      const std::string text = (result ? result->source : std::string("a slice")) + ": " + first_reason(result, id);
      if (failed) {
        if (first_failure_ == ErrorId::OK) first_failure_ = id;
        if (stopped_ == ErrorId::OK && (id == ErrorId::E_CANCELLED || id == ErrorId::E_TIMEOUT)) stopped_ = id;
        doubt(std::string(error_name(id)), text);
      } else {
        uncertain(id, text);
      }
    }
  }

  static std::string first_reason(const SliceResult* result, ErrorId id) {
    if (result) {
      for (const Reason& reason : result->reasons) {
        if (reason.code == error_name(id)) return reason.text;
      }
    }
    return "no result";
  }

  void carry_cuts(const SliceResult& result) {
    for (const Reason& reason : result.reasons) {
      if (reason.code == "cropped" || reason.code == "capped" || reason.code == "tile_edge")
        doubt(reason.code, result.source + ": " + reason.text);
    }
  }

  void look_at_numbers() {
    const size_t classes = config_.classifier.class_names.size();
    size_t found = 0, members = 0;
    const auto finite = [](float value) { return std::isfinite(value); };
    for (const TrackSlice& slice : slices_) {
      if (!slice.result) continue;
      for (const Vertebra& v : slice.result->vertebrae) {
        ++found;
        if (std::ranges::all_of(v.box, finite) && std::ranges::all_of(v.probabilities, finite) &&
            v.probabilities.size() == classes) {
          continue;
        }
        uncertain(ErrorId::E_NONFINITE, slice.result->source + ": a number of vertebra " + std::to_string(v.id) +
                                            " is missing or not finite");
      }
    }
    for (const Track& track : tracks_) members += track.members.size();
    if (found != members) {
      doubt("unlinked", std::to_string(members) + " of " + std::to_string(found) + " boxes belong to a vertebra");
    }
  }

  // A study of one slice has no tracks of two.
  bool is_short(const Track& track) const {
    const int64_t least = std::min(config_.tracks.min_slices, ran_);
    return static_cast<int64_t>(track.members.size()) < least;
  }

  double distance(const Track& a, const Track& b) const {
    return std::hypot(axes_.x(b.centre) - axes_.x(a.centre), axes_.y(b.centre) - axes_.y(a.centre));
  }

  void look_at_spine() {
    std::vector<const Track*> spine;
    for (const Track& track : tracks_) {
      if (!is_short(track)) spine.push_back(&track);
    }
    int row = 0;
    bool broken = false;
    for (size_t i = 0; i < spine.size(); ++i) {
      bool connected = false;
      if (i > 0) {
        const Track &above = *spine[i - 1], &below = *spine[i];
        std::vector<double> heights;
        const size_t first = i > kAround ? i - kAround : 0, last = std::min(spine.size(), i + kAround);
        for (size_t k = first; k < last; ++k) heights.push_back(spine[k]->height_mm);
        const double height = median_of(heights), off = distance(above, below);
        connected = off >= kNearest * height && off <= kFurthest * height;  // NaN is no neighbour
        if (off > kGap * height) {
          doubt("gap",
                "a vertebra may be missing between " + std::to_string(above.id) + " and " + std::to_string(below.id));
        }
      }
      broken = broken || (i > 0 && !connected);
      row = connected ? row + 1 : 1;
      judged_.chain = std::max(judged_.chain, row);
    }
    const int64_t wanted = std::max<int64_t>(1, config_.diagnosis.min_vertebrae);
    if (judged_.chain < wanted) {
      uncertain(ErrorId::E_NO_VERTEBRA, std::to_string(judged_.chain) + " of at least " + std::to_string(wanted) +
                                            " vertebrae in a row found: this is no negative result");
    } else if (broken) {
      uncertain(ErrorId::E_COVERAGE, "the vertebrae form no single spine: neighbours must be 0.5 to 4 heights apart");
    }
    const auto all = static_cast<int64_t>(slices_.size());
    if (2 * ran_ < all) {
      uncertain(ErrorId::E_COVERAGE, in_slices(ran_) + " of " + std::to_string(all) + " gave a result");
    }
    std::vector<double> counts;
    for (const Track* track : spine) counts.push_back(static_cast<double>(track->members.size()));
    const double usual = median_of(counts);
    for (const Track* track : spine) {
      if (static_cast<double>(track->members.size()) < kFewSlices * usual) {
        doubt("few_slices", name(*track) + " was found in " + in_slices(static_cast<int64_t>(track->members.size())) +
                                ", far fewer than the others");
      }
    }
  }

  void look_at_track(const Track& track) {
    const auto count = static_cast<int64_t>(track.members.size());
    if (is_short(track)) doubt("short", name(track) + " was found in " + in_slices(count) + " only");
    for (size_t m = 1; m < track.members.size(); ++m) {
      const int missed = track.members[m].slice - track.members[m - 1].slice - 1;
      if (missed <= config_.tracks.max_gap) continue;
      doubt("interrupted", name(track) + " was not found in " + in_slices(missed) + " between others");
      break;
    }
    disease_ = disease_ || std::ranges::any_of(track.labels, [](const auto& label) { return label != kNormalClass; });
    const std::vector<std::string>& names = config_.classifier.class_names;
    for (size_t c = 0; c < names.size() && c < track.positive_slices.size(); ++c) {
      const bool labelled = std::ranges::find(track.labels, names[c]) != track.labels.end();
      if (names[c] != kNormalClass && !labelled && track.positive_slices[c] > 0) {
        doubt("below_alert", name(track) + " shows " + names[c] + " in " + in_slices(track.positive_slices[c]) +
                                 ", fewer than tracks.alert_slices");
      }
    }
    if (track.consistency == "contradictory") {
      judged_.reasons.push_back({"contradictory", name(track) + " is labelled normal and with a disease"});
    }
    if (track.labels.empty()) doubt("unlabelled", name(track) + " has no label");
  }

  void decide() {
    const auto all = static_cast<int64_t>(slices_.size());
    StudyJudgement& j = judged_;
    if (all == 0) {
      j.error = ErrorId::E_INPUT_EMPTY;
    } else if (stopped_ != ErrorId::OK) {
      j.error = stopped_;
    } else if (ran_ == 0) {
      j.error = first_failure_;
    } else if (ran_ < all) {
      j.status = "partial";
      j.error = uncertain_ != ErrorId::OK ? uncertain_ : ErrorId::E_PARTIAL;
    } else if (uncertain_ != ErrorId::OK) {
      j.status = "indeterminate";
      j.error = uncertain_;
    } else {
      j.status = "completed";
    }
    j.exit_code = exit_code(j.error);
    // What was uncertain without a failure keeps code 13 even where a slice's own error says something else.
    if (uncertain_ != ErrorId::OK && j.status != "failed") j.exit_code = exit_code(ErrorId::E_COVERAGE);
    j.alert = disease_ ? "positive" : review_ || j.status != "completed" ? "review" : "negative";
  }

  std::span<const TrackSlice> slices_;
  std::span<const Track> tracks_;
  const PipelineConfig& config_;
  StudyAxes axes_;
  StudyJudgement judged_;
  int64_t ran_ = 0;  // slices with a result
  bool review_ = false, disease_ = false;
  ErrorId uncertain_ = ErrorId::OK, first_failure_ = ErrorId::OK, stopped_ = ErrorId::OK;
};

}  // namespace

StudyJudgement judge_study(std::span<const TrackSlice> slices, std::span<const Track> tracks,
                           const PipelineConfig& config) {
  return StudyJudge(slices, tracks, config).run();
}

}  // namespace spinert
