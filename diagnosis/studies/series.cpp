// series.cpp - which files are one series, and which series is read.
#include "diagnosis/studies/series.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "diagnosis/studies/dicom_check.h"

namespace spinert {
namespace {

constexpr size_t kListed = 20;  // series in an error message

bool is_localizer(const DicomFacts& facts) {
  return std::find(facts.image_type.begin(), facts.image_type.end(), "LOCALIZER") != facts.image_type.end();
}

// Why a file is no picture of a CT volume, whatever its geometry.
Status kind_problem(const DicomFacts& facts) {
  if (Status status = check_ct_object(facts); !status.ok()) return status.at(facts.path);
  if (is_localizer(facts)) return error(ErrorId::E_MODALITY, "a localizer, not a slice", facts.path);
  return {};
}

// What separates files before their orientation is asked.
struct Kind {
  std::string uid;
  int columns, rows;
  ErrorId problem;
  bool localizer;
  auto operator<=>(const Kind&) const = default;
};

// One line for a list, for example "axial, 512 x 512, 100 files, 1.2.3 (Abdomen)".
std::string describe(const Series& series, std::span<const DicomFacts> files) {
  std::string text = orientation_name(series.orientation);
  if (!series.files.empty()) {
    const DicomFacts& first = files[series.files.front()];
    text += ", " + std::to_string(first.columns) + " x " + std::to_string(first.rows);
  }
  text += ", " + std::to_string(series.files.size()) + " files, " + series.uid;
  if (!series.description.empty()) text += " (" + series.description + ")";
  return text;
}

std::string list_of(std::span<const Series> series, std::span<const DicomFacts> files,
                    const std::vector<size_t>& which) {
  std::string text;
  for (size_t i = 0; i < std::min(which.size(), kListed); ++i) {
    text += (i ? "; " : "") + describe(series[which[i]], files);
  }
  if (which.size() > kListed) text += "; and " + std::to_string(which.size() - kListed) + " more";
  return text;
}

// The series with most files; nothing if two have as many.
std::optional<size_t> largest(std::span<const Series> series, const std::vector<size_t>& which) {
  size_t best = which.front(), as_many = 0;
  for (const size_t i : which) {
    const size_t count = series[i].files.size(), most = series[best].files.size();
    if (count > most) {
      best = i;
      as_many = 1;
    } else if (count == most) {
      ++as_many;
    }
  }
  if (as_many > 1) return std::nullopt;
  return best;
}

}  // namespace

const char* orientation_name(Orientation orientation) {
  switch (orientation) {
    case Orientation::sagittal: return "sagittal";
    case Orientation::coronal: return "coronal";
    case Orientation::axial: return "axial";
  }
  return "axial";
}

Orientation orientation_of(const Vec3& normal) {
  const double x = std::abs(normal.x), y = std::abs(normal.y), z = std::abs(normal.z);
  if (x > y && x > z) return Orientation::sagittal;
  return y > z ? Orientation::coronal : Orientation::axial;
}

bool same_direction(const Vec3& a, const Vec3& b) {
  const Vec3 d = a - b;
  return std::abs(d.x) <= kDirectionTolerance && std::abs(d.y) <= kDirectionTolerance &&
         std::abs(d.z) <= kDirectionTolerance;
}

std::vector<Series> split_series(std::span<const DicomFacts> files) {
  std::vector<Series> series;
  std::map<Kind, std::vector<size_t>> groups;  // indices into `series`
  struct Lost {
    size_t file;
    Kind kind;
    Status problem;
  };
  std::vector<Lost> lost_files;
  for (size_t i = 0; i < files.size(); ++i) {
    const DicomFacts& facts = files[i];
    const Status problem = kind_problem(facts);
    const Kind kind{facts.series, facts.columns, facts.rows, problem.id(), is_localizer(facts)};
    if (problem.ok()) {
      if (Status lost = check_orientation(facts); !lost.ok()) {
        lost_files.push_back({i, kind, std::move(lost)});
        continue;
      }
    }
    std::vector<size_t>& group = groups[kind];
    const auto fits = [&](size_t s) {
      if (!problem.ok()) return true;
      const DicomFacts& first = files[series[s].files.front()];
      return same_direction(*first.row_direction, *facts.row_direction) &&
             same_direction(*first.column_direction, *facts.column_direction);
    };
    const auto found = std::find_if(group.begin(), group.end(), fits);
    if (found != group.end()) {
      series[*found].files.push_back(i);
      continue;
    }
    group.push_back(series.size());
    Series one{facts.series, facts.series_description, Orientation::axial, {i}, problem};
    if (facts.row_direction && facts.column_direction) {
      one.orientation = orientation_of(cross(*facts.row_direction, *facts.column_direction));
    }
    series.push_back(std::move(one));
  }

  // A slice that lies nowhere belongs to some stack of its series, so that none of them is known to be whole.
  for (const auto& [file, kind, problem] : lost_files) {
    std::vector<size_t>& group = groups[kind];
    if (group.empty()) {
      group.push_back(series.size());
      series.push_back({kind.uid, files[file].series_description, Orientation::axial, {}, problem});
    }
    std::vector<size_t>& members = series[group.front()].files;
    members.insert(std::upper_bound(members.begin(), members.end(), file), file);
    for (const size_t s : group) {
      if (series[s].problem.ok()) series[s].problem = problem;
    }
  }
  std::stable_sort(series.begin(), series.end(),
                   [](const Series& a, const Series& b) { return a.files.front() < b.files.front(); });
  return series;
}

Result<SeriesChoice> choose_series(std::span<const Series> series, std::span<const DicomFacts> files,
                                   const std::string& uid) {
  std::vector<size_t> named, usable;
  for (size_t i = 0; i < series.size(); ++i) {
    if (!uid.empty() && series[i].uid != uid) continue;
    named.push_back(i);
    if (series[i].problem.ok()) usable.push_back(i);
  }
  if (named.empty()) {
    std::vector<size_t> all(series.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    return error(ErrorId::E_SERIES, uid.empty() ? "no series" : "no series of this UID")
        .expected(uid.empty() ? "at least one" : uid, all.empty() ? "none" : list_of(series, files, all));
  }
  if (usable.empty()) {
    // A localizer beside a broken series is not the news.
    const auto main = std::max_element(named.begin(), named.end(), [&](size_t a, size_t b) {
      return series[a].files.size() < series[b].files.size();
    });
    return series[*main].problem;
  }

  std::set<std::string> studies;
  for (const size_t i : usable) studies.insert(files[series[i].files.front()].study);
  if (studies.size() > 1) {
    return error(ErrorId::E_SERIES, "series of different studies")
        .expected("one study", list_of(series, files, usable))
        .hint("Give each study for itself, or name one series.");
  }
  const std::string why = uid.empty() ? "" : "named by the user; ";
  if (usable.size() == 1) {
    return SeriesChoice{usable.front(), why + (named.size() == 1 ? "the only one" : "the only one that can be used")};
  }
  std::vector<size_t> sagittal, other;
  for (const size_t i : usable) {
    (series[i].orientation == Orientation::sagittal ? sagittal : other).push_back(i);
  }
  const std::vector<size_t>& preferred = sagittal.empty() ? other : sagittal;
  if (preferred.size() == 1) return SeriesChoice{preferred.front(), why + "the only sagittal series"};
  const auto best = largest(series, preferred);
  if (!best) {
    return error(ErrorId::E_SERIES, "several series could be meant")
        .expected("one with more slices than the others", list_of(series, files, preferred))
        .hint("Name one by its UID.");
  }
  return SeriesChoice{*best, why + "most slices of " + std::to_string(preferred.size()) +
                                 (sagittal.empty() ? " series" : " sagittal series")};
}

}  // namespace spinert
