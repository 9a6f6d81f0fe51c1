// tiles.cpp - cuts a picture into tiles, runs them, and puts their boxes together.
#include "diagnosis/studies/tiles.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "diagnosis/evaluation/matching.h"
#include "diagnosis/slice_start.h"
#include "diagnosis/spine.h"

namespace spinert {
namespace {

constexpr int kShared = 4;        // neighbouring tiles share size / kShared
constexpr int kEdge = 64;         // a box nearer to an inner edge than size / kEdge may be cut
constexpr double kCovered = 0.5;  // of the smaller box: a dropped box is found elsewhere
constexpr int kLeastLit = 64;     // the smallest picture that is read (images/picture.h)

// Where tiles begin along one axis, and their length.
std::vector<int> cuts(int extent, int size, int overlap) {
  if (extent <= size) return {0};
  const int step = size - overlap;
  const int64_t intervals = (int64_t{extent} - size + step - 1) / step;
  std::vector<int> begins;
  for (int64_t i = 0; i <= intervals; ++i) begins.push_back(static_cast<int>(i * (extent - size) / intervals));
  return begins;
}

evaluation::Rect rect(const Box& b) {
  return {double(b[0]), double(b[1]), double(b[2]), double(b[3])};
}

// A candidate of a tile in pixels of the whole picture.
struct Found {
  Box box{};
  float score = 0;
  const Vertebra* vertebra = nullptr;  // if its score reached the threshold
  double depth = 0;                    // from the nearest edge of its tile inside the picture
  size_t tile = 0;
  float dx = 0, dy = 0;  // where the tile begins
};

class TiledSlice {
 public:
  TiledSlice(Pipeline& pipeline, const Picture& picture, const std::string& source, const RunControl& control)
      : pipeline_(pipeline), picture_(picture), control_(control) {
    const std::vector<float> grey = grey_of(picture, pipeline.config().detector.input.window);
    whole_ = begin_slice(picture, source, grey);
    lit_ = lit_part(grey, picture.width, picture.height, std::min(kLeastLit, canvas_side()));
    frame_ = picture;
    frame_.value = {};
  }

  SliceResult run() {
    const int size = canvas_side();
    for (const Tile& tile : tiles_of(lit_.width, lit_.height, size, size / kShared)) {
      const Tile placed{lit_.x + tile.x, lit_.y + tile.y, tile.width, tile.height};
      if (Status stopped = control_.check(); !stopped.ok()) return failed(stopped.at(whole_.source));
      SliceResult part = pipeline_.diagnose(cut(placed), whole_.source, control_);
      for (const auto& [stage, time] : part.milliseconds) whole_.milliseconds[stage] += time;
      // That a tile shows no spine says nothing about the whole.
      const bool usable =
          part.status == "completed" || (part.status == "indeterminate" &&
                                         (part.error == ErrorId::E_NO_VERTEBRA || part.error == ErrorId::E_COVERAGE));
      if (!usable) return failed(std::move(part));
      std::ranges::copy_if(part.reasons, std::back_inserter(whole_.reasons),
                           [](const Reason& reason) { return reason.code == "capped"; });
      parts_.push_back(std::move(part));
      placed_.push_back(placed);
    }
    collect(size);
    merge();
    order_and_number(whole_.vertebrae);
    judge(whole_, pipeline_.config());
    look_for_lost();
    return std::move(whole_);
  }

 private:
  int canvas_side() const { return static_cast<int>(pipeline_.config().detector.input.size); }

  Picture cut(const Tile& tile) const {
    Picture part = frame_;
    part.width = tile.width;
    part.height = tile.height;
    part.value.reserve(static_cast<size_t>(tile.width) * static_cast<size_t>(tile.height));
    for (int y = tile.y; y < tile.y + tile.height; ++y) {
      const auto row = picture_.value.begin() + static_cast<std::ptrdiff_t>(y) * picture_.width + tile.x;
      part.value.insert(part.value.end(), row, row + tile.width);
    }
    return part;
  }

  SliceResult failed(const Status& status) {
    SliceResult part;
    part.status = "failed";
    part.error = status.id();
    part.reasons.push_back({std::string(error_name(status.id())), status.message()});
    return failed(std::move(part));
  }
  // Half a result could be taken for a whole one.
  SliceResult failed(SliceResult part) {
    whole_.status = part.status;
    whole_.alert = "review";
    whole_.error = part.error;
    for (Reason& reason : part.reasons) {
      if (reason.code == error_name(part.error)) whole_.reasons.push_back(std::move(reason));
    }
    return std::move(whole_);
  }

  // How far a box stays away from the edges of its tile that lie inside the lit part.
  double depth_in(const Tile& tile, const Box& box) const {
    double depth = INFINITY;
    if (tile.x > lit_.x) depth = std::min(depth, double(box[0]) - tile.x);
    if (tile.y > lit_.y) depth = std::min(depth, double(box[1]) - tile.y);
    if (tile.x + tile.width < lit_.x + lit_.width) depth = std::min(depth, tile.x + tile.width - double(box[2]));
    if (tile.y + tile.height < lit_.y + lit_.height) depth = std::min(depth, tile.y + tile.height - double(box[3]));
    return depth;
  }

  void collect(int size) {
    const int edge = std::max(1, size / kEdge);
    for (size_t t = 0; t < parts_.size(); ++t) {
      const Tile& tile = placed_[t];
      const auto dx = static_cast<float>(tile.x), dy = static_cast<float>(tile.y);
      std::vector<const Vertebra*> vertebra_of(parts_[t].candidates.size());
      for (const Vertebra& v : parts_[t].vertebrae) vertebra_of[static_cast<size_t>(v.candidate)] = &v;
      for (size_t c = 0; c < parts_[t].candidates.size(); ++c) {
        const Candidate& candidate = parts_[t].candidates[c];
        const Box& b = candidate.box;
        Found found{{b[0] + dx, b[1] + dy, b[2] + dx, b[3] + dy}, candidate.score, vertebra_of[c], 0, t, dx, dy};
        found.depth = depth_in(tile, found.box);
        if (found.depth >= edge) {
          found_.push_back(found);
        } else if (found.vertebra) {
          dropped_.push_back(found.box);
        }
      }
    }
  }

  void merge() {
    // Best first; equal scores in the order of the tiles.
    std::ranges::stable_sort(found_, [](const Found& a, const Found& b) { return a.score > b.score; });
    const double limit = pipeline_.config().detector.box.nms_threshold;
    std::vector<bool> gone(found_.size());
    for (size_t i = 0; i < found_.size(); ++i) {
      if (gone[i]) continue;
      const Found* deepest = &found_[i];
      for (size_t j = i + 1; j < found_.size(); ++j) {
        // Within a tile the detector has suppressed what overlaps.
        if (gone[j] || found_[j].tile == found_[i].tile) continue;
        if (!(evaluation::iou(rect(found_[i].box), rect(found_[j].box)) > limit)) continue;
        gone[j] = true;
        if (found_[j].vertebra && found_[j].depth > deepest->depth) deepest = &found_[j];
      }
      const int candidate = static_cast<int>(whole_.candidates.size());
      whole_.candidates.push_back({found_[i].box, found_[i].score});
      if (!found_[i].vertebra) continue;
      Vertebra kept = *deepest->vertebra;
      kept.candidate = candidate;
      kept.box = found_[i].box;
      kept.score = found_[i].score;
      for (PatchWindow& patch : kept.patches) {
        patch.centre_x += double(deepest->dx);
        patch.centre_y += double(deepest->dy);
      }
      whole_.vertebrae.push_back(std::move(kept));
    }
  }

  // A dropped box is whole in another tile, or else a vertebra may be lost.
  void look_for_lost() {
    const auto covered = [&](const Box& box) {
      return std::ranges::any_of(
          whole_.vertebrae, [&](const Vertebra& v) { return evaluation::iom(rect(box), rect(v.box)) >= kCovered; });
    };
    for (const Box& box : dropped_) {
      if (covered(box)) continue;
      whole_.reasons.push_back({"tile_edge", "a vertebra about (" + std::to_string(std::lround((box[0] + box[2]) / 2)) +
                                                 ", " + std::to_string(std::lround((box[1] + box[3]) / 2)) +
                                                 ") was not seen whole in any tile"});
      if (whole_.alert == "negative") whole_.alert = "review";
    }
  }

  Pipeline& pipeline_;
  const Picture& picture_;
  const RunControl& control_;
  SliceResult whole_;
  Picture frame_;  // everything about the picture but its pixels
  Tile lit_;
  std::vector<SliceResult> parts_;
  std::vector<Tile> placed_;
  std::vector<Found> found_;
  std::vector<Box> dropped_;
};

}  // namespace

std::vector<Tile> tiles_of(int width, int height, int size, int overlap) {
  std::vector<Tile> tiles;
  for (const int y : cuts(height, size, overlap)) {
    for (const int x : cuts(width, size, overlap))
      tiles.push_back({x, y, std::min(width, size), std::min(height, size)});
  }
  return tiles;
}

Tile lit_part(const std::vector<float>& grey, int width, int height, int least) {
  int left = width, right = 0, top = height, bottom = 0;
  for (int y = 0; y < height; ++y) {
    const float* row = grey.data() + static_cast<size_t>(y) * static_cast<size_t>(width);
    for (int x = 0; x < width; ++x) {
      if (row[x] == 0) continue;
      left = std::min(left, x);
      right = std::max(right, x + 1);
      top = std::min(top, y);
      bottom = std::max(bottom, y + 1);
    }
  }
  const auto widen = [least](int& begin, int& end, int extent) {
    if (begin >= end) begin = end = extent / 2;
    const int wanted = std::min(least, extent);
    if (end - begin >= wanted) return;
    begin = std::clamp((begin + end - wanted) / 2, 0, extent - wanted);
    end = begin + wanted;
  };
  widen(left, right, width);
  widen(top, bottom, height);
  return {left, top, right - left, bottom - top};
}

SliceResult diagnose_in_tiles(Pipeline& pipeline, const Picture& picture, const std::string& source,
                              const RunControl& control) {
  const int64_t size = pipeline.config().detector.input.size;
  if (picture.width <= size && picture.height <= size) return pipeline.diagnose(picture, source, control);
  return TiledSlice(pipeline, picture, source, control).run();
}

}  // namespace spinert
