// records.h - what an evaluation compares: what an expert annotated and what a system found, slice by slice. Boxes are
// x1, y1, x2, y2 in pixels of the slice; labels are sets of classes, one bit for each, in the order of the class names.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace spinert::evaluation {

struct Rect {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

using LabelSet = uint64_t;  // bit c: class c
inline constexpr size_t kMaxClasses = 64;
inline bool has_class(LabelSet labels, size_t c) {
  return (labels >> c & 1u) != 0;
}
// The bits of every class but `normal`.
LabelSet disease_mask(const std::vector<std::string>& class_names);

struct TruthVertebra {
  std::string id;        // of the annotation, for messages and the gallery
  std::string vertebra;  // the same on every slice that shows this vertebra; empty: not known
  Rect box;
  LabelSet labels = 0;  // never empty
};

struct TruthSlice {
  std::string name;               // file name without folders
  std::string study;              // empty: not known
  int64_t width = 0, height = 0;  // 0: not known
  std::vector<TruthVertebra> vertebrae;
};

struct Truth {
  std::vector<std::string> class_names;
  std::vector<TruthSlice> slices;
  std::string sha256;  // of the file's bytes; empty if it came from elsewhere

  size_t vertebrae() const;
};

struct FoundBox {
  Rect box;
  double score = 0;
};

struct FoundVertebra {
  Rect box;
  double score = 0;
  std::vector<float> probabilities;  // one for each class; of a reader 0 or 1
  LabelSet labels = 0;
};

struct FoundSlice {
  std::string name;   // as the report calls it
  std::string study;  // name of the folder of the report or picture
  std::string status = "completed", alert = "review", error = "OK", sha256;
  int64_t width = 0, height = 0;  // 0: the slice could not be read
  std::vector<FoundVertebra> vertebrae;
  std::vector<FoundBox> candidates;  // every box that the detector kept, best first
  // The classifier on the annotated boxes, [vertebra of the truth][class]; empty: it could not look at this slice.
  std::vector<std::vector<float>> on_truth;

  // Only then its result may be read; everything else is a doubt.
  bool completed() const { return status == "completed"; }
};

struct System {
  std::string name, model_sha256;
  bool demo = false;
  bool reader = false;         // a person: labels, no probabilities
  bool has_candidates = true;  // false: only boxes above the threshold are known
  bool has_on_truth = false;   // on_truth was asked for
  std::vector<std::string> class_names;
  std::map<std::string, double> thresholds;  // per class, and "score"
  std::vector<FoundSlice> slices;
};

}  // namespace spinert::evaluation
