// phantom.h - synthetic sagittal CT slices of a spine in Hounsfield units, with a box and labels for every vertebra.
//
//   SPINERT_ASSIGN(const Phantom phantom, Phantom::create({.seed = 7}));
//   PhantomSlice slice = phantom.slice(0);
//
// A slice depends on the options and its number alone: not on the machine, the threads, or what was made before. Slices
// look like CT as far as tests, benches and training need; what is found on them says nothing about patients.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diagnosis/images/picture.h"
#include "diagnosis/phantom/disease.h"
#include "kernels/base/status.h"

namespace spinert {

struct Range {
  double low = 0, high = 0;  // low <= high
};

struct PhantomOptions {
  uint64_t seed = 1;
  Range width{380, 860}, height{480, 970};  // pixels, whole numbers, 128 to 2048
  Range spacing{0.42, 0.72};                // mm of a pixel's side, 0.2 to 2
  phantom::Prevalence prevalence;
  std::optional<HuWindow> window;  // level and width of 8-bit pictures; drawn for each slice without
};

// One vertebra of which at least two thirds are on the slice.
struct PhantomVertebra {
  std::string level;                // "C3" to "L5"
  double x = 0, y = 0;              // upper left corner of the box in pixels, within the slice
  double width = 0, height = 0;     // of the box, in pixels
  std::vector<std::string> labels;  // of OVCF, OF, SN, KD, PS; or "normal" alone
};

struct PhantomSlice {
  int width = 0, height = 0;
  double spacing = 0;
  HuWindow window;                         // offset is kPhantomOffset
  std::vector<int16_t> hu;                 // [height][width], kLowestHu to kHighestHu
  std::vector<PhantomVertebra> vertebrae;  // from top to bottom
};

inline constexpr int kLowestHu = -1024, kHighestHu = 3071;
inline constexpr int kPhantomOffset = 1024;  // 16-bit pictures store HU + offset: diagnose --hu-offset 1024

class Phantom {
 public:
  // Errors: E_USAGE names the option that is out of range.
  static Result<Phantom> create(const PhantomOptions& options);

  // number: 0 and up. May be called from several threads at once.
  PhantomSlice slice(uint64_t number) const;

 private:
  PhantomOptions options_;
  std::vector<phantom::FindingSet> sets_;
};

// 16 bits: HU + offset.
Picture phantom_picture(const PhantomSlice& slice);
// Errors of both: E_INTERNAL, E_OOM_HOST. The 8-bit picture holds what diagnose makes of the 16-bit one with the
// slice's window.
Result<std::vector<uint8_t>> phantom_png8(const PhantomSlice& slice);
Result<std::vector<uint8_t>> phantom_png16(const PhantomSlice& slice);

}  // namespace spinert
