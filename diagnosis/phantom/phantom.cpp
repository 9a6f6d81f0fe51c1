// phantom.cpp - puts a slice together: spine, diseases, tissue, bone, metal, artefacts, noise, boxes.
#include "diagnosis/phantom/phantom.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/images/png_write.h"
#include "diagnosis/phantom/artefacts.h"
#include "diagnosis/phantom/ct_noise.h"
#include "diagnosis/phantom/posterior.h"
#include "diagnosis/phantom/tissue.h"
#include "diagnosis/phantom/vertebra.h"
#include "diagnosis/report/text.h"

namespace spinert {
namespace {

using phantom::Canvas;
using phantom::Extent;
using phantom::Random;
using phantom::Stream;

constexpr double kLeastVisible = 0.67;  // of a body's box; less gets no box
constexpr Range kSides{128, 2048}, kSpacings{0.2, 2}, kLevels{-1000, 3000}, kWidths{1, 4000};
// Windows of bone and their wide variants.
constexpr Range kRandomLevel{150, 550}, kRandomWidth{900, 2600};

Status check(const Range& range, const Range& allowed, const char* name, bool whole) {
  const auto inside = [&](double x) { return x >= allowed.low && x <= allowed.high && (!whole || x == std::floor(x)); };
  if (inside(range.low) && inside(range.high) && range.low <= range.high) return {};
  return error(ErrorId::E_USAGE, std::string("a range for a slice's ") + name + " is not allowed")
      .expected((whole ? "whole numbers LOW <= HIGH from " : "LOW <= HIGH from ") + exact_number(allowed.low) + " to " +
                    exact_number(allowed.high),
                exact_number(range.low) + ',' + exact_number(range.high));
}

// A body that the slice's end cuts keeps the node on its other side.
void keep_node_visible(phantom::Spine& spine, double height_mm) {
  for (phantom::Vertebra& v : spine.vertebrae) {
    const double half = v.depth / 2;
    if (v.frame.centre.y - half < 0) v.disease.node_above = false;
    if (v.frame.centre.y + half > height_mm) v.disease.node_above = true;
  }
}

// The box in pixels of the slice, unless too little of it is visible.
std::optional<PhantomVertebra> boxed(const Extent& e, const Canvas& canvas, const phantom::Vertebra& v) {
  const double x1 = e.x1 / canvas.spacing, y1 = e.y1 / canvas.spacing;
  const double x2 = e.x2 / canvas.spacing, y2 = e.y2 / canvas.spacing;
  const double left = std::max(x1, 0.0), top = std::max(y1, 0.0);
  const double right = std::min(x2, static_cast<double>(canvas.width));
  const double bottom = std::min(y2, static_cast<double>(canvas.height));
  if (right <= left || bottom <= top) return {};
  if ((right - left) * (bottom - top) < kLeastVisible * (x2 - x1) * (y2 - y1)) return {};
  return PhantomVertebra{
      phantom::level_name(v.level), left, top, right - left, bottom - top, phantom::label_names(v.disease.findings)};
}

void mirror(PhantomSlice& slice) {
  for (int y = 0; y < slice.height; ++y) {
    const auto row = slice.hu.begin() + static_cast<std::ptrdiff_t>(y) * slice.width;
    std::reverse(row, row + slice.width);
  }
  for (PhantomVertebra& v : slice.vertebrae) v.x = slice.width - v.x - v.width;
}

}  // namespace

Result<Phantom> Phantom::create(const PhantomOptions& options) {
  SPINERT_TRY(check(options.width, kSides, "width", true));
  SPINERT_TRY(check(options.height, kSides, "height", true));
  SPINERT_TRY(check(options.spacing, kSpacings, "spacing", false));
  if (options.window) {
    SPINERT_TRY(check({options.window->level, options.window->level}, kLevels, "window level", false));
    SPINERT_TRY(check({options.window->width, options.window->width}, kWidths, "window width", false));
  }
  Phantom made;
  made.options_ = options;
  SPINERT_ASSIGN(made.sets_, phantom::finding_sets(options.prevalence));
  return made;
}

PhantomSlice Phantom::slice(uint64_t number) const {
  Random picture(options_.seed, number, Stream::picture), anatomy(options_.seed, number, Stream::spine);
  Random illness(options_.seed, number, Stream::disease), around(options_.seed, number, Stream::tissue);
  Random scanner(options_.seed, number, Stream::noise);

  PhantomSlice slice;
  slice.width = picture.whole(static_cast<int>(options_.width.low), static_cast<int>(options_.width.high));
  slice.height = picture.whole(static_cast<int>(options_.height.low), static_cast<int>(options_.height.high));
  slice.spacing = picture.between(options_.spacing.low, options_.spacing.high);
  slice.window.offset = kPhantomOffset;
  slice.window.level = std::floor(picture.between(kRandomLevel.low, kRandomLevel.high));
  slice.window.width = std::floor(picture.between(kRandomWidth.low, kRandomWidth.high));
  if (options_.window) {
    slice.window.level = options_.window->level;
    slice.window.width = options_.window->width;
  }
  const bool mirrored = picture.chance(0.5), off_middle = picture.chance(0.15);

  const bool screws = illness.chance(0.35);
  std::vector<phantom::Disease> diseases;
  for (const phantom::Findings set : phantom::draw_findings(sets_, phantom::kSacrum, screws, illness)) {
    diseases.push_back(phantom::make_disease(set, screws, illness));
  }
  Canvas canvas(slice.width, slice.height, slice.spacing);
  const double height_mm = slice.height * slice.spacing;
  phantom::Spine spine = phantom::make_spine(slice.width * slice.spacing, height_mm, diseases, anatomy);
  keep_node_visible(spine, height_mm);

  const phantom::Bone bone = phantom::make_bone(anatomy);
  phantom::paint_tissue(canvas, spine, bone, around);
  phantom::paint_discs(canvas, spine, anatomy);
  // Screws lie in the pedicles, beside the middle.
  bool metal = false;
  for (const phantom::Vertebra& v : spine.vertebrae) metal = metal || v.disease.screw;
  phantom::paint_posterior(canvas, spine, bone, off_middle || metal, anatomy);
  for (const phantom::Vertebra& v : spine.vertebrae) {
    // A stream for each: what ails one changes no other.
    Random own(anatomy.bits(), static_cast<uint64_t>(v.level), Stream::spine);
    const phantom::BodyShape shape(v, own);
    phantom::paint_body(canvas, v, shape, bone, own);
    if (v.level >= phantom::kSacrum) continue;
    if (auto box = boxed(shape.extent(), canvas, v)) slice.vertebrae.push_back(std::move(*box));
  }
  phantom::paint_screws(canvas, spine, anatomy);

  phantom::add_artefacts(canvas, spine.vertebrae[phantom::kFirstThoracic].frame.centre.y, scanner);
  phantom::blur(canvas, scanner);
  phantom::add_noise(canvas, scanner);
  slice.hu.reserve(canvas.hu.size());
  for (const float hu : canvas.hu) {
    const float kept = std::clamp(hu, static_cast<float>(kLowestHu), static_cast<float>(kHighestHu));
    slice.hu.push_back(static_cast<int16_t>(phantom::floor_int(static_cast<double>(kept) + 0.5)));
  }
  if (mirrored) mirror(slice);
  return slice;
}

Picture phantom_picture(const PhantomSlice& slice) {
  Picture picture;
  picture.width = slice.width;
  picture.height = slice.height;
  picture.bits = 16;
  picture.value.reserve(slice.hu.size());
  for (const int16_t hu : slice.hu) picture.value.push_back(static_cast<uint16_t>(hu + kPhantomOffset));
  return picture;
}

Result<std::vector<uint8_t>> phantom_png8(const PhantomSlice& slice) {
  std::vector<uint8_t> grey;
  grey.reserve(slice.hu.size());
  for (const float value : to_grey(phantom_picture(slice), slice.window)) grey.push_back(static_cast<uint8_t>(value));
  return encode_png_grey(slice.width, slice.height, grey);
}

Result<std::vector<uint8_t>> phantom_png16(const PhantomSlice& slice) {
  return encode_png_grey16(slice.width, slice.height, phantom_picture(slice).value);
}

}  // namespace spinert
