// disease.h - what is wrong with each vertebra: how often each label comes, which labels come together, and the shape
// and severity of what is drawn.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "diagnosis/phantom/random.h"
#include "kernels/base/status.h"

namespace spinert::phantom {

// In the order of the classes of the demo model; a vertebra without any of them is "normal".
enum Finding : unsigned char { kOvcf, kOf, kSn, kKd, kPs, kFindings };
inline constexpr std::array<std::string_view, kFindings + 1> kLabelNames{"OVCF", "OF", "SN", "KD", "PS", "normal"};

// One bit per Finding.
using Findings = uint8_t;
inline bool has(Findings set, Finding one) {
  return (set >> one & 1) != 0;
}
// {"normal"}, or the findings in their order.
std::vector<std::string> label_names(Findings set);

// The part of all vertebrae that carries each finding, alone or with another.
struct Prevalence {
  std::array<double, kFindings> share{0.15, 0.10, 0.05, 0.05, 0.05};
};

// Every set of findings that may come together, with its probability; the rest is normal. The sums over the sets are
// the prevalences exactly. A fracture is fresh or old, never both. E_USAGE if a share is outside [0, 1] or the sets
// would need more than all vertebrae.
struct FindingSet {
  Findings set;
  double probability;
};
Result<std::vector<FindingSet>> finding_sets(const Prevalence& prevalence);

// One set per vertebra. clustered: screws come in neighbours; the prevalences stay.
std::vector<Findings> draw_findings(const std::vector<FindingSet>& sets, int vertebrae, bool clustered, Random& random);

enum class Collapse : unsigned char { none, wedge, biconcave, crush };

struct Disease {
  Findings findings = 0;
  Collapse collapse = Collapse::none;
  double loss = 0;       // part of the body's height that is gone where it is lowest
  double top_share = 0;  // of the loss, at the upper endplate
  bool old = false;      // healed: smooth, dense, remodelled
  bool screw = false;    // surgery with metal; else with cement
  bool node_above = true;

  // Of the height, averaged over the endplate.
  double mean_loss() const;
  // Degrees by which the upper endplate tilts forwards against the lower one, for a body of this size in mm.
  double kyphosis(double depth, double height) const;
};
Disease make_disease(Findings set, bool screws, Random& random);

}  // namespace spinert::phantom
