// Pictures larger than the canvas: tiles that cover them, black margins, and boxes put together again. A pipeline that
// finds marked rectangles stands in for the networks; the reduced model shows that the real one fits.
#include "diagnosis/studies/tiles.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>

#include "diagnosis/phantom/random.h"
#include "diagnosis/spine.h"
#include "tests/support/reduced_model.h"

namespace spinert {
namespace {

constexpr int kSize = 128, kOverlap = 32, kLongestWhole = 28;

TEST(Tiles, CoverThePictureAndOverlap) {
  for (int extent = 1; extent < 700; ++extent) {
    const auto tiles = tiles_of(extent, 100, kSize, kOverlap);
    ASSERT_EQ(tiles.front().x, 0);
    ASSERT_EQ(tiles.back().x + tiles.back().width, extent);
    const auto needed = extent <= kSize ? 1 : (extent - kOverlap + kSize - kOverlap - 1) / (kSize - kOverlap);
    ASSERT_EQ(static_cast<int>(tiles.size()), needed) << extent;
    for (size_t i = 0; i < tiles.size(); ++i) {
      ASSERT_EQ(tiles[i].width, std::min(extent, kSize));
      ASSERT_EQ(tiles[i].height, 100);
      if (i == 0) continue;
      const int step = tiles[i].x - tiles[i - 1].x;
      ASSERT_LE(step, kSize - kOverlap) << extent;
      ASSERT_LE(std::abs(step - (tiles[1].x - tiles[0].x)), 1) << "even distances";
    }
  }
  EXPECT_EQ(tiles_of(300, 300, kSize, kOverlap).size(), 9u);
  EXPECT_EQ(tiles_of(1500, 800, 1024, 256), (std::vector<Tile>{{0, 0, 1024, 800}, {476, 0, 1024, 800}}));
  EXPECT_EQ(tiles_of(200000000, 1, 1024, 256).back().x, 200000000 - 1024) << "no overflow";
}

TEST(Tiles, LitPart) {
  std::vector<float> grey(300 * 200);
  EXPECT_EQ(lit_part(grey, 300, 200, 64), (Tile{118, 68, 64, 64})) << "all black";
  grey[50 * 300 + 70] = 1;
  grey[149 * 300 + 259] = 0.5f;
  EXPECT_EQ(lit_part(grey, 300, 200, 64), (Tile{70, 50, 190, 100}));
  EXPECT_EQ(lit_part(grey, 300, 200, 250), (Tile{40, 0, 250, 200})) << "no longer than the picture";
  grey.assign(grey.size(), 0);
  grey[0] = 9;
  EXPECT_EQ(lit_part(grey, 300, 200, 64), (Tile{0, 0, 64, 64})) << "at the corner";
  grey.assign(grey.size(), 7);
  EXPECT_EQ(lit_part(grey, 300, 200, 64), (Tile{0, 0, 300, 200}));
}

// Values from here on mark vertebrae, each with one of its own.
constexpr int kFirstMark = 100;
constexpr float kLeastFound = 6;  // pixels; of less nothing is recognised

// "Detects" the rectangles of a picture. What a tile cuts is found as what is left of it.
class MarkFinder : public Pipeline {
 public:
  MarkFinder() {
    auto parsed = parse_pipeline_config(reduced::config_text());
    EXPECT_TRUE(parsed.ok());
    config_ = parsed.value();
  }
  Engine& engine() override { std::abort(); }
  Plan& plan(std::string_view) override { std::abort(); }
  const PipelineConfig& config() const override { return config_; }
  int batch() const override { return 1; }
  CanvasMode canvas() const override { return CanvasMode::fixed; }
  int depth() const override { return 1; }
  void start(const Picture&, const std::string&, const RunControl&) override { std::abort(); }
  SliceResult finish() override { std::abort(); }
  Result<std::vector<std::vector<float>>> classify_boxes(const Picture&, std::span<const Box>,
                                                         const RunControl&) override {
    std::abort();
  }

  SliceResult diagnose(const Picture& picture, const std::string& source, const RunControl&) override {
    ++calls;
    last = picture;
    if (on_call) on_call(calls);
    EXPECT_EQ(picture.value.size(), static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height));
    SliceResult slice;
    slice.source = source;
    slice.milliseconds = {{"detector", 1}};
    if (const auto broken = broken_calls.find(calls); broken != broken_calls.end()) {
      slice.status = broken->second == ErrorId::E_NONFINITE ? "indeterminate" : "failed";
      slice.error = broken->second;
      slice.reasons.push_back({std::string(error_name(broken->second)), "it broke"});
      return slice;
    }
    EXPECT_LE(picture.width, kSize);
    EXPECT_LE(picture.height, kSize);
    for (const auto& [mark, box] : marks(picture)) {
      if (std::min(box[2] - box[0], box[3] - box[1]) < kLeastFound) continue;
      phantom::Random random(static_cast<uint64_t>(mark), static_cast<uint64_t>(calls), phantom::Stream::noise);
      Candidate candidate{box, static_cast<float>(0.7 + 0.2 * random.uniform())};
      for (float& side : candidate.box) side += static_cast<float>(jitter * random.between(-1, 1));
      Vertebra v;
      v.candidate = static_cast<int>(slice.candidates.size());
      v.box = candidate.box;
      v.score = candidate.score;
      const auto share = [](float low, float high, int extent) {
        return std::min(low, static_cast<float>(extent) - high);
      };
      const float depth = std::min(share(box[0], box[2], picture.width), share(box[1], box[3], picture.height));
      v.probabilities = {ill.contains(mark) ? 0.9f : 0.1f, depth / 1000, 0, 0, 0, 0.8f};
      label(v, config_.classifier);
      v.patches = {{0.5 * double(v.box[0] + v.box[2]), 0.5 * double(v.box[1] + v.box[3]), 30}};
      slice.candidates.push_back(candidate);
      slice.vertebrae.push_back(std::move(v));
    }
    order_and_number(slice.vertebrae);
    judge(slice, config_);
    return slice;
  }

  static std::map<int, Box> marks(const Picture& picture) {
    std::map<int, Box> found;
    for (int y = 0; y < picture.height; ++y) {
      for (int x = 0; x < picture.width; ++x) {
        const int value = picture.value[static_cast<size_t>(y * picture.width + x)];
        if (value < kFirstMark) continue;
        const auto [at, fresh] = found.try_emplace(value, Box{1e9f, 1e9f, 0, 0});
        Box& b = at->second;
        b = {std::min(b[0], float(x)), std::min(b[1], float(y)), std::max(b[2], float(x + 1)),
             std::max(b[3], float(y + 1))};
      }
    }
    return found;
  }

  int calls = 0;
  double jitter = 0;                    // pixels
  std::map<int, ErrorId> broken_calls;  // by number of the call
  std::map<int, bool> ill;              // marks with a disease
  std::function<void(int)> on_call;
  Picture last;

 private:
  PipelineConfig config_;
};

// A picture of that size with a spine of rectangles; everything else is dark, not black.
struct Marked {
  Picture picture;
  int next = kFirstMark;

  Marked(int width, int height) {
    picture.width = width;
    picture.height = height;
    picture.value.assign(static_cast<size_t>(width) * static_cast<size_t>(height), 5);
  }
  int add(int x, int y, int width, int height) {
    for (int r = y; r < y + height; ++r) {
      std::fill_n(picture.value.begin() + r * picture.width + x, width, static_cast<uint16_t>(next));
    }
    return next++;
  }
  // Vertebrae 20 wide and 16 high, one below the other.
  void add_spine(int x, int y, int count) {
    for (int i = 0; i < count; ++i) add(x, y + 22 * i, 20, 16);
  }
};

TEST(TiledSlice, ALongSpineIsWhole) {
  Marked marked(150, 500);
  marked.add_spine(60, 10, 21);
  marked.picture.sha256 = "abc";
  marked.picture.lossy = true;
  marked.picture.bits = 8;
  marked.picture.warnings = {"W_LOSSY: small damage cannot be seen"};
  MarkFinder finder;
  const SliceResult slice = diagnose_in_tiles(finder, marked.picture, "long.png");
  EXPECT_EQ(finder.calls, 10);
  ASSERT_EQ(slice.vertebrae.size(), 21u);
  EXPECT_EQ(slice.candidates.size(), 21u);
  for (int i = 0; i < 21; ++i) {
    const Vertebra& v = slice.vertebrae[static_cast<size_t>(i)];
    const auto y = static_cast<float>(10 + 22 * i);
    EXPECT_EQ(v.box, (Box{60, y, 80, y + 16}));
    EXPECT_EQ(v.id, i + 1);
    EXPECT_EQ(slice.candidates[static_cast<size_t>(v.candidate)].box, v.box);
    EXPECT_EQ(slice.candidates[static_cast<size_t>(v.candidate)].score, v.score);
    EXPECT_EQ(v.patches[0].centre_x, 70);
    EXPECT_EQ(v.patches[0].centre_y, 18 + 22 * i);
  }
  for (size_t c = 1; c < 21; ++c) EXPECT_GE(slice.candidates[c - 1].score, slice.candidates[c].score);
  EXPECT_EQ(slice.status, "completed");
  EXPECT_EQ(slice.alert, "negative");
  EXPECT_EQ(slice.source, "long.png");
  EXPECT_EQ(slice.sha256, "abc");
  EXPECT_TRUE(slice.lossy);
  EXPECT_EQ(slice.width, 150);
  EXPECT_EQ(slice.height, 500);
  EXPECT_EQ(slice.preview.size(), size_t{150} * 500);
  EXPECT_EQ(slice.preview[0], 5);
  ASSERT_EQ(slice.reasons.size(), 1u) << "those of the picture once, none of a tile";
  EXPECT_EQ(slice.reasons[0].code, "W_LOSSY");
  EXPECT_EQ(slice.milliseconds.at("detector"), 10);
  // A tile knows all that the picture knows.
  EXPECT_EQ(finder.last.sha256, "abc");
  EXPECT_TRUE(finder.last.lossy);
  EXPECT_EQ(finder.last.warnings, marked.picture.warnings);
}

TEST(TiledSlice, RandomSpinesAreFoundOnceEach) {
  for (uint64_t n = 0; n < 2000; ++n) {
    phantom::Random random(8, n, phantom::Stream::noise);
    Marked marked(random.whole(20, 330), random.whole(100, 420));
    const int most_wide = std::min(kLongestWhole - 4, marked.picture.width - 4);
    int y = random.whole(0, 30);
    std::vector<Box> truth;
    while (true) {
      const int width = random.whole(std::min(14, most_wide), most_wide), height = random.whole(12, kLongestWhole - 4);
      if (y + height > marked.picture.height) break;
      const int x =
          std::clamp(marked.picture.width / 2 - width / 2 + random.whole(-6, 6), 0, marked.picture.width - width);
      marked.add(x, y, width, height);
      truth.push_back({float(x), float(y), float(x + width), float(y + height)});
      y += height + random.whole(2, 9);
    }
    MarkFinder finder;
    finder.jitter = 1;
    const SliceResult slice = diagnose_in_tiles(finder, marked.picture, "s");
    ASSERT_EQ(slice.vertebrae.size(), truth.size()) << n;
    for (size_t i = 0; i < truth.size(); ++i) {
      for (size_t k = 0; k < 4; ++k) ASSERT_NEAR(slice.vertebrae[i].box[k], truth[i][k], 1.01f) << n;
    }
    for (const Reason& reason : slice.reasons) ASSERT_NE(reason.code, "tile_edge") << n;
  }
}

TEST(TiledSlice, APictureThatFitsIsLeftToThePipeline) {
  Marked marked(128, 128);
  marked.add_spine(60, 10, 5);
  MarkFinder finder;
  const SliceResult slice = diagnose_in_tiles(finder, marked.picture, "s");
  EXPECT_EQ(finder.calls, 1);
  EXPECT_EQ(finder.last.value, marked.picture.value);
  EXPECT_TRUE(slice.preview.empty()) << "as this pipeline left it";
}

TEST(TiledSlice, ProbabilitiesAreThoseOfTheDeepest) {
  // Tiles begin at 0 and 92. The second vertebra lies 8 pixels from the end of the first, 20 from the second's.
  Marked marked(100, 220);
  marked.add_spine(40, 80, 3);
  marked.add_spine(40, 180, 1);
  MarkFinder finder;
  const SliceResult slice = diagnose_in_tiles(finder, marked.picture, "s");
  ASSERT_EQ(slice.vertebrae.size(), 4u);
  EXPECT_EQ(slice.vertebrae[1].box, (Box{40, 102, 60, 118}));
  // In the first tile the distance of this mark to the nearest edge is 10, in the second 10 as well: from 92 to 102.
  EXPECT_EQ(slice.vertebrae[1].probabilities[1], 0.010f);
  // The first one is whole in the first tile only, 32 pixels from its end.
  EXPECT_EQ(slice.vertebrae[0].probabilities[1], 32 / 1000.0f);
  for (int shift = 1; shift <= 4; ++shift) {
    Marked moved(100, 220);
    moved.add_spine(40, 80 + shift, 3);
    MarkFinder other;
    const SliceResult result = diagnose_in_tiles(other, moved.picture, "s");
    ASSERT_EQ(result.vertebrae.size(), 3u);
    EXPECT_EQ(result.vertebrae[1].probabilities[1], static_cast<float>(10 + shift) / 1000) << "deeper in the second";
    EXPECT_EQ(result.vertebrae[1].patches[0].centre_y, 110 + shift) << "its patches, in the whole picture";
  }
}

TEST(TiledSlice, OneDiseasedVertebraAlerts) {
  Marked marked(150, 500);
  marked.add_spine(60, 10, 21);
  for (const int mark : {100, 105, 110, 120}) {
    MarkFinder finder;
    finder.ill[mark] = true;
    EXPECT_EQ(diagnose_in_tiles(finder, marked.picture, "s").alert, "positive");
  }
}

TEST(TiledSlice, TooLongForEveryTileAsksForReview) {
  Marked marked(100, 220);
  marked.add(40, 88, 20, 44);  // cut by the ends of both tiles
  marked.add_spine(40, 10, 3);
  marked.add_spine(40, 146, 3);
  MarkFinder finder;
  const SliceResult slice = diagnose_in_tiles(finder, marked.picture, "s");
  EXPECT_EQ(slice.vertebrae.size(), 6u);
  EXPECT_EQ(slice.alert, "review");
  ASSERT_FALSE(slice.reasons.empty());
  EXPECT_EQ(slice.reasons.back().code, "tile_edge");
}

TEST(TiledSlice, BlackMarginsNeedNoTile) {
  Marked marked(600, 600);
  marked.picture.value.assign(marked.picture.value.size(), 0);
  for (int y = 200; y < 320; ++y) std::fill_n(marked.picture.value.begin() + y * 600 + 250, 110, uint16_t{3});
  marked.add_spine(300, 205, 5);
  MarkFinder finder;
  const SliceResult slice = diagnose_in_tiles(finder, marked.picture, "s");
  EXPECT_EQ(finder.calls, 1);
  EXPECT_EQ(finder.last.width, 110);
  EXPECT_EQ(finder.last.height, 120);
  ASSERT_EQ(slice.vertebrae.size(), 5u);
  EXPECT_EQ(slice.vertebrae[0].box, (Box{300, 205, 320, 221}));
  EXPECT_EQ(slice.alert, "negative");
  EXPECT_EQ(slice.width, 600);
  EXPECT_EQ(slice.preview.size(), size_t{600} * 600);
  // Nothing but black: no vertebra, which is no negative result.
  marked.picture.value.assign(marked.picture.value.size(), 0);
  MarkFinder other;
  const SliceResult black = diagnose_in_tiles(other, marked.picture, "s");
  EXPECT_EQ(other.calls, 1);
  EXPECT_EQ(black.status, "indeterminate");
  EXPECT_EQ(black.error, ErrorId::E_NO_VERTEBRA);
  EXPECT_EQ(black.alert, "review");
}

TEST(TiledSlice, BlackIsWhatTheWindowMakesBlack) {
  Marked marked(600, 200);
  Picture& picture = marked.picture;
  picture.bits = 16;
  picture.hu_offset = 1024;
  picture.value.assign(picture.value.size(), 524);  // -500 HU, the lower end of the window
  for (int y = 0; y < 100; ++y) std::fill_n(picture.value.begin() + y * 600 + 400, 100, uint16_t{1100});
  MarkFinder finder;
  (void)diagnose_in_tiles(finder, picture, "s");
  EXPECT_EQ(finder.calls, 1);
  EXPECT_EQ(finder.last.width, 100);
  EXPECT_EQ(finder.last.hu_offset, 1024);
  EXPECT_EQ(finder.last.bits, 16);
  EXPECT_EQ(finder.last.value[0], 1100);
  picture.hu_offset = 0;  // the same numbers are bone now
  MarkFinder other;
  (void)diagnose_in_tiles(other, picture, "s");
  EXPECT_EQ(other.calls, 12);
}

TEST(TiledSlice, AFaultInOneTileIsOneOfTheSlice) {
  Marked marked(150, 500);
  marked.add_spine(60, 10, 21);
  for (const int call : {1, 4, 10}) {
    for (const ErrorId id : {ErrorId::E_NONFINITE, ErrorId::E_DEVICE, ErrorId::E_CANCELLED}) {
      MarkFinder finder;
      finder.broken_calls[call] = id;
      const SliceResult slice = diagnose_in_tiles(finder, marked.picture, "s");
      EXPECT_EQ(slice.status, id == ErrorId::E_NONFINITE ? "indeterminate" : "failed");
      EXPECT_EQ(slice.error, id);
      EXPECT_EQ(slice.alert, "review");
      EXPECT_TRUE(slice.vertebrae.empty());
      EXPECT_TRUE(slice.candidates.empty());
      EXPECT_EQ(finder.calls, call) << "the rest is not run";
      ASSERT_EQ(slice.reasons.size(), 1u);
      EXPECT_EQ(slice.reasons[0].code, error_name(id));
    }
  }
}

TEST(TiledSlice, StopsBetweenTiles) {
  Marked marked(150, 500);
  std::atomic<int> cancel = 0;
  MarkFinder finder;
  finder.on_call = [&](int call) { cancel = call == 3 ? 1 : 0; };
  const SliceResult slice = diagnose_in_tiles(finder, marked.picture, "s", {.cancel = &cancel});
  EXPECT_EQ(slice.error, ErrorId::E_CANCELLED);
  EXPECT_EQ(slice.status, "failed");
  EXPECT_EQ(finder.calls, 3);
  MarkFinder late;
  const SliceResult over = diagnose_in_tiles(late, marked.picture, "s", {.deadline = std::chrono::steady_clock::now()});
  EXPECT_EQ(over.error, ErrorId::E_TIMEOUT);
  EXPECT_EQ(late.calls, 0);
}

// The real pipeline with random weights: its findings mean nothing, but they must be the same wherever a slice lies in
// a black picture, and for every number of threads.
TEST(TiledSlice, ReducedModel) {
  const auto model = reduced::make(testing::TempDir() + "/spinert_test_tiles");
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  const auto open = [&](int threads) {
    auto pipeline = Pipeline::open({.model = model.value(), .engine = {.device = "cpu", .threads = threads}});
    EXPECT_TRUE(pipeline.ok()) << pipeline.status().to_string();
    return std::move(pipeline).value();
  };
  const auto one = open(1), three = open(3);
  Picture small = reduced::picture(120, 100, 7);
  for (const size_t corner : {size_t{0}, small.value.size() - 1}) small.value[corner] = 9;
  const SliceResult want = one->diagnose(small, "s");
  ASSERT_GE(want.vertebrae.size(), 3u);
  Picture large = small;
  large.width = 400;
  large.height = 300;
  large.value.assign(400 * 300, 0);
  for (int y = 0; y < 120; ++y) {
    std::copy_n(small.value.begin() + y * 100, 100, large.value.begin() + (150 + y) * 400 + 231);
  }
  const SliceResult got = diagnose_in_tiles(*one, large, "s");
  ASSERT_EQ(got.vertebrae.size(), want.vertebrae.size());
  for (size_t i = 0; i < want.vertebrae.size(); ++i) {
    EXPECT_EQ(got.vertebrae[i].probabilities, want.vertebrae[i].probabilities);
    EXPECT_NEAR(got.vertebrae[i].box[0], want.vertebrae[i].box[0] + 231, 1e-3f);
    EXPECT_NEAR(got.vertebrae[i].box[1], want.vertebrae[i].box[1] + 150, 1e-3f);
  }
  EXPECT_EQ(got.alert, want.alert);

  const Picture wide = reduced::picture(260, 220, 3);
  const SliceResult tiled = diagnose_in_tiles(*one, wide, "s"), again = diagnose_in_tiles(*three, wide, "s");
  EXPECT_FALSE(tiled.candidates.empty());
  ASSERT_EQ(tiled.candidates.size(), again.candidates.size());
  for (size_t i = 0; i < tiled.candidates.size(); ++i) EXPECT_EQ(tiled.candidates[i].box, again.candidates[i].box);
  for (const Reason& reason : tiled.reasons) EXPECT_NE(reason.code, "cropped");
}

}  // namespace
}  // namespace spinert
