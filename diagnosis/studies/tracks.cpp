// tracks.cpp - links boxes from slice to slice, joins pieces of one vertebra, and says what a track shows.
#include "diagnosis/studies/tracks.h"

#include <cmath>
#include <limits>

#include "diagnosis/evaluation/matching.h"
#include "diagnosis/studies/track_geometry.h"

namespace spinert {
namespace {

// Pieces are one vertebra if their centres are nearer than this part of their height along the spine, and of their
// depth across it. Neighbours of a healthy spine are more than one height apart, two collapsed ones 0.8.
constexpr double kSamePlaceAlong = 0.5, kSamePlaceAcross = 1.0;

// More pieces than this are no spine: they stay as they are, and the study is then judged to be none.
constexpr size_t kMostPieces = 1000;

double centre_x(const RectMm& r) {
  return 0.5 * (r.x1 + r.x2);
}
double centre_y(const RectMm& r) {
  return 0.5 * (r.y1 + r.y2);
}

// For sorting: what is not finite comes last.
double sort_key(double value) {
  return std::isfinite(value) ? value : std::numeric_limits<double>::infinity();
}

class Linker {
 public:
  Linker(std::span<const TrackSlice> slices, const TracksConfig& rules) : rules_(rules), axes_(StudyAxes::of(slices)) {
    for (const TrackSlice& slice : slices) {
      std::vector<RectMm>& rects = rects_.emplace_back();
      std::vector<SpineDirection>& directions = directions_.emplace_back();
      if (!slice.result) continue;
      const std::vector<Vertebra>& vertebrae = slice.result->vertebrae;
      for (size_t v = 0; v < vertebrae.size(); ++v) {
        rects.push_back(box_mm(axes_, slice.plane, vertebrae[v].box));
        directions.push_back(direction_mm(slice.plane, spine_direction(vertebrae, v)));
      }
    }
  }

  // Members of each track; tracks from top to bottom.
  std::vector<std::vector<TrackMember>> run() {
    for (size_t s = 0; s < rects_.size(); ++s) link_slice(static_cast<int>(s));
    if (pieces_.size() <= kMostPieces) join_pieces();
    std::vector<std::vector<TrackMember>> tracks;
    for (Members& piece : pieces_) {
      if (!piece.empty()) tracks.push_back(std::move(piece));
    }
    return tracks;
  }

  const RectMm& rect(const TrackMember& m) const {
    return rects_[static_cast<size_t>(m.slice)][static_cast<size_t>(m.vertebra)];
  }

 private:
  using Members = std::vector<TrackMember>;

  SpineDirection direction_mm(const Plane& plane, const SpineDirection& d) const {
    const Vec3 step = d.x * plane.column_step + d.y * plane.row_step;
    const double x = axes_.x(step), y = axes_.y(step), size = std::hypot(x, y);
    return size > 0 ? SpineDirection{x / size, y / size} : SpineDirection{};
  }

  void link_slice(int s) {
    struct Link {
      double iou;
      int gap;
      size_t piece;
      int box;
    };
    const std::vector<RectMm>& boxes = rects_[static_cast<size_t>(s)];
    std::vector<Link> links;
    for (size_t p = 0; p < pieces_.size(); ++p) {
      const int gap = s - pieces_[p].back().slice - 1;
      if (gap > rules_.max_gap) continue;
      for (size_t b = 0; b < boxes.size(); ++b) {
        const double iou = evaluation::iou(rect(pieces_[p].back()), boxes[b]);
        if (iou >= rules_.link_iou) links.push_back({iou, gap, p, static_cast<int>(b)});
      }
    }
    std::ranges::sort(links, [](const Link& a, const Link& b) {
      if (a.iou != b.iou) return a.iou > b.iou;
      if (a.gap != b.gap) return a.gap < b.gap;
      return a.piece != b.piece ? a.piece < b.piece : a.box < b.box;
    });
    std::vector<Link> taken;
    std::vector<bool> used(boxes.size());
    for (const Link& link : links) {
      const auto excludes = [&](const Link& other) {
        if (other.piece == link.piece || other.box == link.box) return true;
        const double before = centre_y(rect(pieces_[link.piece].back())) - centre_y(rect(pieces_[other.piece].back()));
        const double now =
            centre_y(boxes[static_cast<size_t>(link.box)]) - centre_y(boxes[static_cast<size_t>(other.box)]);
        return before * now < 0;  // they would change their order
      };
      if (std::ranges::any_of(taken, excludes)) continue;
      taken.push_back(link);
      used[static_cast<size_t>(link.box)] = true;
    }
    for (const Link& link : taken) pieces_[link.piece].push_back({s, link.box});
    for (size_t b = 0; b < boxes.size(); ++b) {
      if (!used[b]) pieces_.push_back({{s, static_cast<int>(b)}});
    }
  }

  struct Place {
    double x = 0, y = 0, width = 0, height = 0;
    SpineDirection along;
  };

  Place place_of(const Members& piece) const {
    Place place;
    std::vector<double> widths, heights;
    place.along = {0, 0};
    const auto count = static_cast<double>(piece.size());
    for (const TrackMember& m : piece) {
      const RectMm& r = rect(m);
      place.x += centre_x(r) / count;
      place.y += centre_y(r) / count;
      widths.push_back(sort_key(r.x2 - r.x1));
      heights.push_back(sort_key(r.y2 - r.y1));
      const SpineDirection& d = directions_[static_cast<size_t>(m.slice)][static_cast<size_t>(m.vertebra)];
      place.along.x += d.x / count;
      place.along.y += d.y / count;
    }
    place.width = median_of(widths);
    place.height = median_of(heights);
    return place;
  }

  // Distance along the spine if two pieces lie at the same place; negative otherwise.
  static double same_place(const Place& a, const Place& b) {
    const double x = a.along.x + b.along.x, y = a.along.y + b.along.y, size = std::hypot(x, y);
    if (!(size > 0)) return -1;
    const double dx = b.x - a.x, dy = b.y - a.y;
    const double along = std::abs(dx * x + dy * y) / size, across = std::abs(dx * y - dy * x) / size;
    const bool same =
        along < kSamePlaceAlong * 0.5 * (a.height + b.height) && across < kSamePlaceAcross * 0.5 * (a.width + b.width);
    return same ? along : -1;
  }

  static bool share_slice(const Members& a, const Members& b) {
    for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
      if (a[i].slice == b[j].slice) return true;
      a[i].slice < b[j].slice ? ++i : ++j;
    }
    return false;
  }

  // Whether some other piece lies above one of the two and below the other, each in a slice that both show.
  bool cross(size_t a, size_t b, const std::vector<std::vector<size_t>>& owner) const {
    std::vector<signed char> side(pieces_.size());
    const auto look = [&](const Members& piece, bool compare) {
      for (const TrackMember& m : piece) {
        const auto s = static_cast<size_t>(m.slice);
        for (size_t v = 0; v < rects_[s].size(); ++v) {
          if (static_cast<int>(v) == m.vertebra) continue;
          const double off = centre_y(rects_[s][v]) - centre_y(rect(m));
          const auto sign = static_cast<signed char>(off > 0 ? 1 : off < 0 ? -1 : 0);
          signed char& known = side[owner[s][v]];
          if (compare && sign * known < 0) return true;
          if (!compare) known = sign;
        }
      }
      return false;
    };
    look(pieces_[a], false);
    return look(pieces_[b], true);
  }

  void join_pieces() {
    struct Pair {
      double along;
      size_t a, b;
    };
    std::vector<Place> places;
    for (const Members& piece : pieces_) places.push_back(place_of(piece));
    std::vector<Pair> pairs;
    for (size_t a = 0; a < pieces_.size(); ++a) {
      for (size_t b = a + 1; b < pieces_.size(); ++b) {
        if (share_slice(pieces_[a], pieces_[b])) continue;
        const double along = same_place(places[a], places[b]);
        if (along >= 0) pairs.push_back({along, a, b});
      }
    }
    std::ranges::sort(pairs, [](const Pair& p, const Pair& q) {
      if (p.along != q.along) return p.along < q.along;
      return p.a != q.a ? p.a < q.a : p.b < q.b;
    });
    std::vector<std::vector<size_t>> owner;  // piece of each box
    for (const auto& rects : rects_) owner.emplace_back(rects.size());
    std::vector<size_t> now(pieces_.size());  // where a piece went
    for (size_t p = 0; p < pieces_.size(); ++p) {
      now[p] = p;
      for (const TrackMember& m : pieces_[p]) owner[static_cast<size_t>(m.slice)][static_cast<size_t>(m.vertebra)] = p;
    }
    for (const Pair& pair : pairs) {
      const size_t a = now[pair.a], b = now[pair.b];
      if (a == b || share_slice(pieces_[a], pieces_[b])) continue;
      // What was joined before may have moved the place of the whole.
      if (same_place(place_of(pieces_[a]), place_of(pieces_[b])) < 0 || cross(a, b, owner)) continue;
      for (const TrackMember& m : pieces_[b]) owner[static_cast<size_t>(m.slice)][static_cast<size_t>(m.vertebra)] = a;
      for (size_t& p : now) {
        if (p == b) p = a;
      }
      pieces_[a].insert(pieces_[a].end(), pieces_[b].begin(), pieces_[b].end());
      std::ranges::sort(pieces_[a], {}, &TrackMember::slice);
      pieces_[b].clear();
    }
  }

  const TracksConfig& rules_;
  StudyAxes axes_;
  std::vector<std::vector<RectMm>> rects_;  // by slice
  std::vector<std::vector<SpineDirection>> directions_;
  std::vector<Members> pieces_;
};

// Probabilities, counts and labels from the members.
void read_members(std::span<const TrackSlice> slices, const PipelineConfig& config, Track& track) {
  const std::vector<float> thresholds = config.classifier.threshold_list();
  const std::vector<std::string>& names = config.classifier.class_names;
  const auto slice_count = static_cast<int64_t>(track.members.size());
  const int64_t wanted = std::min(config.tracks.alert_slices, slice_count);
  bool normal = false, disease = false;
  for (size_t c = 0; c < names.size(); ++c) {
    float sum = 0, most = 0;
    int positive = 0;
    for (const TrackMember& m : track.members) {
      const Vertebra& v = slices[static_cast<size_t>(m.slice)].result->vertebrae[static_cast<size_t>(m.vertebra)];
      // A class that a vertebra lacks is no number; judge_study() finds it.
      const float p = c < v.probabilities.size() ? v.probabilities[c] : std::numeric_limits<float>::quiet_NaN();
      sum += p;
      most = p > most || std::isnan(p) ? p : most;
      positive += p >= thresholds[c] ? 1 : 0;
    }
    track.probabilities.push_back(config.tracks.probability == "max" ? most : sum / static_cast<float>(slice_count));
    track.positive_slices.push_back(positive);
    const bool is_normal = names[c] == kNormalClass;
    if (is_normal ? 2 * positive > slice_count : positive >= wanted) {
      track.labels.push_back(names[c]);
      (is_normal ? normal : disease) = true;
    }
  }
  track.consistency = track.labels.empty() ? "none" : normal && disease ? "contradictory" : "ok";
}

}  // namespace

SpineDirection spine_direction(std::span<const Vertebra> ordered, size_t index) {
  const auto centre = [&](size_t i, int axis) {
    const Box& box = ordered[i].box;
    return 0.5 * (double(box[static_cast<size_t>(axis)]) + double(box[static_cast<size_t>(axis) + 2]));
  };
  const size_t above = index > 0 ? index - 1 : index, below = index + 1 < ordered.size() ? index + 1 : index;
  const SpineDirection d{centre(below, 0) - centre(above, 0), centre(below, 1) - centre(above, 1)};
  return d.x * d.x + d.y * d.y > 0 ? d : SpineDirection{};
}

std::vector<Track> link_tracks(std::span<const TrackSlice> slices, const PipelineConfig& config) {
  Linker linker(slices, config.tracks);
  const StudyAxes axes = StudyAxes::of(slices);
  std::vector<Track> tracks;
  for (auto& members : linker.run()) {
    Track& track = tracks.emplace_back();
    track.members = std::move(members);
    std::vector<double> heights;
    for (const TrackMember& m : track.members) {
      const TrackSlice& slice = slices[static_cast<size_t>(m.slice)];
      const Box& box = slice.result->vertebrae[static_cast<size_t>(m.vertebra)].box;
      const Vec3 centre =
          place_mm(slice.plane, 0.5 * (double(box[0]) + double(box[2])), 0.5 * (double(box[1]) + double(box[3])));
      track.centre = track.centre + (1.0 / static_cast<double>(track.members.size())) * centre;
      const RectMm& rect = linker.rect(m);
      heights.push_back(sort_key(rect.y2 - rect.y1));
    }
    track.height_mm = median_of(heights);
    read_members(slices, config, track);
  }
  std::ranges::stable_sort(tracks, [&](const Track& a, const Track& b) {
    const double ya = sort_key(axes.y(a.centre)), yb = sort_key(axes.y(b.centre));
    return ya != yb ? ya < yb : sort_key(axes.x(a.centre)) < sort_key(axes.x(b.centre));
  });
  for (size_t i = 0; i < tracks.size(); ++i) tracks[i].id = static_cast<int>(i) + 1;
  return tracks;
}

}  // namespace spinert
