// disease.cpp - probabilities of label sets and the draw of severities.
#include "diagnosis/phantom/disease.h"

#include <algorithm>

namespace spinert::phantom {
namespace {

constexpr Findings bit(Finding one) {
  return static_cast<Findings>(1u << one);
}

// How much of a finding comes together with a fracture: clefts and cement belong to fractures, nodes rarely do.
struct Company {
  Finding finding;
  double with_fresh, with_old;
};
constexpr Company kCompany[] = {{kKd, 0.36, 0}, {kPs, 0.20, 0.26}, {kSn, 0.05, 0.05}};

}  // namespace

std::vector<std::string> label_names(Findings set) {
  std::vector<std::string> names;
  for (int i = 0; i < kFindings; ++i) {
    if (has(set, static_cast<Finding>(i))) names.emplace_back(kLabelNames[static_cast<size_t>(i)]);
  }
  if (names.empty()) names.emplace_back(kLabelNames[kFindings]);
  return names;
}

Result<std::vector<FindingSet>> finding_sets(const Prevalence& prevalence) {
  for (int i = 0; i < kFindings; ++i) {
    const double share = prevalence.share[static_cast<size_t>(i)];
    if (!(share >= 0 && share <= 1)) {
      return error(ErrorId::E_USAGE, "a prevalence is no share", std::string(kLabelNames[static_cast<size_t>(i)]))
          .expected("0 to 1", std::to_string(share))
          .hint("Give the part of all vertebrae that carries the label.");
    }
  }
  // Few fractures cannot keep much company: then more of the other findings come alone.
  double wanted_fresh = 0, wanted_old = 0;
  for (const Company& c : kCompany) {
    wanted_fresh += c.with_fresh * prevalence.share[c.finding];
    wanted_old += c.with_old * prevalence.share[c.finding];
  }
  const double fresh = prevalence.share[kOvcf], old = prevalence.share[kOf];
  const double scale_fresh = wanted_fresh > fresh ? fresh / wanted_fresh : 1;
  const double scale_old = wanted_old > old ? old / wanted_old : 1;
  std::vector<FindingSet> sets{{bit(kOvcf), std::max(0.0, fresh - wanted_fresh * scale_fresh)},
                               {bit(kOf), std::max(0.0, old - wanted_old * scale_old)}};
  for (const Company& c : kCompany) {
    const double share = prevalence.share[c.finding];
    const double with_fresh = c.with_fresh * scale_fresh * share, with_old = c.with_old * scale_old * share;
    sets.push_back({bit(c.finding), share - with_fresh - with_old});
    sets.push_back({static_cast<Findings>(bit(c.finding) | bit(kOvcf)), with_fresh});
    sets.push_back({static_cast<Findings>(bit(c.finding) | bit(kOf)), with_old});
  }
  double sum = 0;
  for (const FindingSet& s : sets) sum += s.probability;
  constexpr double kRounding = 1e-9;
  if (sum > 1 + kRounding) {
    return error(ErrorId::E_USAGE, "the prevalences leave less than nothing for normal vertebrae", "--prevalence")
        .expected("label sets that sum to at most 1", std::to_string(sum))
        .hint("Lower one of them.");
  }
  sets.push_back({0, std::max(0.0, 1 - sum)});
  return sets;
}

std::vector<Findings> draw_findings(const std::vector<FindingSet>& sets, int vertebrae, bool clustered,
                                    Random& random) {
  constexpr double kNeighbour = 0.6;  // chance that a vertebra is operated on if and only if the one above is
  const auto draw = [&](auto allowed) {
    double total = 0;
    for (const FindingSet& s : sets) total += allowed(s.set) ? s.probability : 0;
    double left = random.uniform() * total;
    Findings last = 0;
    for (const FindingSet& s : sets) {
      if (!allowed(s.set) || s.probability <= 0) continue;
      last = s.set;
      if ((left -= s.probability) < 0) break;
    }
    return last;
  };
  std::vector<Findings> drawn;
  for (int i = 0; i < vertebrae; ++i) {
    const bool follow = random.chance(kNeighbour) && clustered && i > 0;
    const bool operated = follow && has(drawn.back(), kPs);
    drawn.push_back(draw([&](Findings set) { return !follow || has(set, kPs) == operated; }));
  }
  return drawn;
}

double Disease::mean_loss() const {
  switch (collapse) {
    case Collapse::wedge: return loss * 0.55;
    case Collapse::biconcave: return loss * 0.6;
    case Collapse::crush: return loss;
    case Collapse::none: break;
  }
  return 0;
}

double Disease::kyphosis(double depth, double height) const {
  constexpr double kDegrees = 180 / 3.14159265358979323846;
  // The discs take up some of the wedge. A small angle: its tangent is good enough.
  return collapse == Collapse::wedge ? kDegrees * 0.55 * loss * height / depth : 0;
}

Disease make_disease(Findings set, bool screws, Random& random) {
  Disease d;
  d.findings = set;
  d.old = has(set, kOf);
  d.screw = screws && has(set, kPs);
  d.node_above = random.chance(0.6);
  const double kind = random.uniform(), severity = random.uniform(), share = random.uniform();
  const bool cleft = has(set, kKd);
  if (!has(set, kOvcf) && !has(set, kOf) && !cleft) return d;
  d.collapse = kind < 0.45 ? Collapse::wedge : kind < 0.75 ? Collapse::biconcave : Collapse::crush;
  d.loss = cleft ? mix(0.22, 0.45, severity) : mix(0.20, 0.52, severity);
  if (d.collapse == Collapse::crush) d.loss *= 0.85;
  // A fresh impaction may hardly change the shape yet.
  if (has(set, kOvcf) && share > 0.8) d.loss *= 0.6;
  d.top_share = d.collapse == Collapse::biconcave ? mix(0.45, 0.7, share) : mix(0.6, 1, share);
  return d;
}

}  // namespace spinert::phantom
