// Heights and mean Hounsfield values of vertebral bodies: exact shapes, phantom spines with known ones (the error is
// printed; docs/tracks.md quotes it), and pictures in which nothing can be measured.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "diagnosis/phantom/random.h"
#include "diagnosis/studies/measure.h"
#include "diagnosis/studies/tracks.h"
#include "tests/support/known_bodies.h"

namespace spinert {
namespace {

constexpr double kPi = 3.14159265358979323846;

HuSlice blank(int columns, int rows, double step_x, double step_y, int16_t hu) {
  HuSlice picture;
  picture.plane = {columns, rows, {0, 0, 0}, {0, step_x, 0}, {0, 0, -step_y}};
  picture.hu.assign(static_cast<size_t>(columns) * static_cast<size_t>(rows), hu);
  return picture;
}

// A body without faults: a trapezium of 150 HU with a bright rim of 1 mm in tissue of 60 HU, leaning by `degrees`.
struct Drawn {
  HuSlice picture;
  Box box{1e9f, 1e9f, -1e9f, -1e9f};
  double along_x = 0, along_y = 1;
};
Drawn draw(double front, double back, double depth, double degrees, double step_x = 0.5, double step_y = 0.5) {
  Drawn drawn{blank(200, 200, step_x, step_y, 60)};
  const double s = std::sin(degrees * kPi / 180), c = std::cos(degrees * kPi / 180);
  drawn.along_x = s / step_x;
  drawn.along_y = c / step_y;
  constexpr int kFine = 4;  // samples of a pixel along each axis
  for (int y = 0; y < 200; ++y) {
    for (int x = 0; x < 200; ++x) {
      double sum = 0;
      for (int n = 0; n < kFine * kFine; ++n) {
        const double px = (x - 100 + (n % kFine + 0.5) / kFine) * step_x,
                     py = (y - 100 + (n / kFine + 0.5) / kFine) * step_y;
        const double u = px * c - py * s, v = px * s + py * c;
        const double half = 0.5 * (front + (back - front) * (u / depth + 0.5));
        const double inside = std::min(half - std::abs(v), depth / 2 - std::abs(u));
        sum += inside < 0 ? 60 : inside < 1 ? 500 : 150;
        if (inside < 0) continue;
        drawn.box = {std::min(drawn.box[0], float(x)), std::min(drawn.box[1], float(y)),
                     std::max(drawn.box[2], float(x + 1)), std::max(drawn.box[3], float(y + 1))};
      }
      drawn.picture.hu[static_cast<size_t>(y * 200 + x)] = static_cast<int16_t>(std::lround(sum / (kFine * kFine)));
    }
  }
  return drawn;
}

TEST(Measure, ExactBodies) {
  struct Row {
    double front, back, depth, degrees, step_x, step_y, tolerance;
  };
  // Half a pixel. Of a wedge that leans the box does not tell the depth exactly, so front and back are taken elsewhere.
  const Row rows[] = {
      {24, 24, 32, 0, 0.5, 0.5, 0.35},  {24, 24, 32, 20, 0.5, 0.5, 0.35},  {24, 24, 32, -25, 0.5, 0.5, 0.35},
      {16, 26, 32, 0, 0.5, 0.5, 0.35},  {16, 26, 32, 15, 0.5, 0.5, 0.7},   {14, 14, 30, -10, 0.5, 0.5, 0.35},
      {13, 14, 16, 10, 0.4, 0.4, 0.35}, {24, 28, 34, 12, 0.45, 0.65, 0.5}, {24, 28, 34, -12, 0.7, 0.5, 0.5}};
  for (const Row& r : rows) {
    SCOPED_TRACE(testing::Message() << r.front << " " << r.back << " at " << r.degrees << " degrees");
    const Drawn drawn = draw(r.front, r.back, r.depth, r.degrees, r.step_x, r.step_y);
    const auto m = measure_body(drawn.picture, drawn.box, drawn.along_x, drawn.along_y);
    ASSERT_TRUE(m.has_value());
    // 0.7 of the half depth on both sides.
    EXPECT_NEAR(m->anterior_mm, r.front + 0.15 * (r.back - r.front), r.tolerance);
    EXPECT_NEAR(m->middle_mm, 0.5 * (r.front + r.back), r.tolerance);
    EXPECT_NEAR(m->posterior_mm, r.back + 0.15 * (r.front - r.back), r.tolerance);
    EXPECT_NEAR(m->mean_hu, 150, 1);
    // The length of the direction does not count.
    const auto other = measure_body(drawn.picture, drawn.box, 7 * drawn.along_x, 7 * drawn.along_y);
    ASSERT_TRUE(other.has_value());
    EXPECT_NEAR(other->middle_mm, m->middle_mm, 1e-9);
  }
}

TEST(Measure, NothingWhereNothingCanBeTold) {
  const Drawn drawn = draw(24, 24, 32, 0);
  const Box box = drawn.box;
  ASSERT_TRUE(measure_body(drawn.picture, box, 0, 1));
  EXPECT_FALSE(measure_body(blank(200, 200, 0.5, 0.5, 60), box, 0, 1)) << "no edge at all";
  EXPECT_FALSE(measure_body(blank(200, 200, 0.5, 0.5, kAirHu), box, 0, 1)) << "nothing measured";
  EXPECT_FALSE(measure_body({}, box, 0, 1)) << "no picture";
  HuSlice noise = blank(200, 200, 0.5, 0.5, 60);
  phantom::Random random(1, 1, phantom::Stream::noise);
  for (int16_t& hu : noise.hu) hu = static_cast<int16_t>(60 + 30 * random.normal());
  EXPECT_FALSE(measure_body(noise, box, 0, 1)) << "noise";
  HuSlice half = drawn.picture;  // the series ends within the body
  std::fill(half.hu.begin() + 100 * 200, half.hu.end(), kAirHu);
  EXPECT_FALSE(measure_body(half, box, 0, 1));
  HuSlice edge = drawn.picture;  // and where its endplate would be
  std::fill(edge.hu.begin() + static_cast<int>(box[3]) * 200, edge.hu.end(), kAirHu);
  EXPECT_FALSE(measure_body(edge, box, 0, 1));
  for (const float shift : {-90.0f, 90.0f, 300.0f, 1e30f}) {
    EXPECT_FALSE(measure_body(drawn.picture, {box[0] + shift, box[1], box[2] + shift, box[3]}, 0, 1)) << shift;
    EXPECT_FALSE(measure_body(drawn.picture, {box[0], box[1] + shift, box[2], box[3] + shift}, 0, 1)) << shift;
  }
  EXPECT_FALSE(measure_body(drawn.picture, {box[2], box[3], box[0], box[1]}, 0, 1)) << "turned inside out";
  EXPECT_FALSE(measure_body(drawn.picture, {100, 100, 104, 104}, 0, 1)) << "too small";
  EXPECT_FALSE(measure_body(drawn.picture, {box[0], NAN, box[2], box[3]}, 0, 1));
  EXPECT_FALSE(measure_body(drawn.picture, box, 0, 0)) << "no direction";
  EXPECT_FALSE(measure_body(drawn.picture, box, 1, 0)) << "the spine lies";
  EXPECT_FALSE(measure_body(drawn.picture, box, 0, -1)) << "upside down";
  EXPECT_FALSE(measure_body(drawn.picture, box, NAN, 1));
  HuSlice flat = drawn.picture;
  flat.plane.row_step = {};
  EXPECT_FALSE(measure_body(flat, box, 0, 1));
}

// Errors of one kind of body.
struct Errors {
  std::vector<double> mm, hu;
  int bodies = 0, measured = 0;

  static double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double v : values) sum += v;
    return sum / static_cast<double>(std::max<size_t>(1, values.size()));
  }
  // The part of the absolute values that is not larger.
  static double quantile(std::vector<double> values, double part) {
    if (values.empty()) return 0;
    for (double& v : values) v = std::abs(v);
    std::ranges::sort(values);
    return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
  }
  void print(const char* name) const {
    std::printf(
        "%-28s %5d bodies, %5.1f %% measured; height mean %+.2f mm, median |error| %.2f, 95 %% %.2f; "
        "HU mean %+.1f, 95 %% %.1f\n",
        name, bodies, 100.0 * measured / std::max(1, bodies), mean(mm), quantile(mm, 0.5), quantile(mm, 0.95), mean(hu),
        quantile(hu, 0.95));
  }
};

class PhantomBodies : public testing::Test {
 protected:
  static constexpr int kSlices = 60;

  // Boxes are moved at each side by up to `jitter` of the body's size, as a detector would; the direction is that of
  // the neighbours' boxes.
  static std::map<std::string, Errors> measure_all(double jitter) {
    std::map<std::string, Errors> errors;
    static std::vector<KnownSlice> known;
    while (static_cast<int>(known.size()) < kSlices) known.push_back(known_slice(11, known.size()));
    for (int n = 0; n < kSlices; ++n) {
      const KnownSlice& slice = known[static_cast<size_t>(n)];
      phantom::Random random(5, static_cast<uint64_t>(n), phantom::Stream::noise);
      std::vector<Vertebra> vertebrae;
      for (const KnownBody& body : slice.bodies) {
        Vertebra& v = vertebrae.emplace_back();
        const double width = double(body.box[2]) - double(body.box[0]),
                     height = double(body.box[3]) - double(body.box[1]);
        for (size_t side = 0; side < 4; ++side) {
          const double size = side % 2 == 0 ? width : height;
          v.box[side] = body.box[side] + static_cast<float>(size * random.between(-jitter, jitter));
        }
      }
      for (size_t b = 0; b < slice.bodies.size(); ++b) {
        const KnownBody& body = slice.bodies[b];
        const SpineDirection along = spine_direction(vertebrae, b);
        const auto m = measure_body(slice.picture, vertebrae[b].box, along.x, along.y);
        const phantom::Disease& d = body.disease;
        using phantom::Collapse;
        const char* kind = phantom::has(d.findings, phantom::kPs)   ? "cement or screws"
                           : phantom::has(d.findings, phantom::kKd) ? "cleft"
                           : d.collapse == Collapse::wedge          ? "wedge"
                           : d.collapse == Collapse::biconcave      ? "biconcave"
                           : d.collapse == Collapse::crush          ? "crush"
                           : phantom::has(d.findings, phantom::kSn) ? "node"
                                                                    : "normal";
        for (const char* name : {kind, "all"}) {
          Errors& e = errors[name];
          ++e.bodies;
          if (!m) continue;
          ++e.measured;
          e.mm.push_back(m->anterior_mm - body.anterior_mm);
          e.mm.push_back(m->middle_mm - body.middle_mm);
          e.mm.push_back(m->posterior_mm - body.posterior_mm);
          e.hu.push_back(m->mean_hu - body.mean_hu);
        }
      }
    }
    return errors;
  }
};

// The bounds are what docs/tracks.md says, with some room.
void expect_small(const std::map<std::string, Errors>& errors, double normal_mm, double wedge_mm) {
  for (const auto& [name, e] : errors) e.print(name.c_str());
  const Errors &normal = errors.at("normal"), &wedge = errors.at("wedge"), &all = errors.at("all");
  EXPECT_GT(all.bodies, 600);
  EXPECT_GT(all.measured, 0.97 * all.bodies);
  EXPECT_LT(std::abs(Errors::mean(normal.mm)), 0.9);
  EXPECT_LT(Errors::quantile(normal.mm, 0.95), normal_mm);
  EXPECT_LT(Errors::quantile(wedge.mm, 0.95), wedge_mm);
  EXPECT_LT(Errors::quantile(all.mm, 0.95), 1.8);
  EXPECT_LT(Errors::quantile(normal.hu, 0.95), 22);
}

TEST_F(PhantomBodies, ErrorsWithExactBoxes) {
  expect_small(measure_all(0), 1.4, 2.3);
}

TEST_F(PhantomBodies, ErrorsWithBoxesOfADetector) {
  expect_small(measure_all(0.05), 1.5, 2.5);
}

}  // namespace
}  // namespace spinert
