#include "diagnosis/report/structured_report.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "config/pipeline_config.h"
#include "diagnosis/report/text.h"
#include "diagnosis/report/wording.h"
#include "diagnosis/study.h"

namespace spinert {
namespace {

constexpr size_t kMaxMeaning = 64, kMaxCodeValue = 16, kMaxDecimal = 16, kMaxText = 1000;

const DicomCode kNoUnits{"1", "UCUM", "no units"}, kMillimetre{"mm", "UCUM", "millimeter"},
    kHounsfield{"[hnsf'U]", "UCUM", "Hounsfield unit"};

DicomCode ours(const std::string& value, const std::string& meaning) {
  return {value, kSpinertScheme, ascii_text(meaning, kMaxMeaning)};
}
DicomCode dcm(const char* value, const char* meaning) {
  return {value, "DCM", meaning};
}

// As exact as the 16 characters of a decimal in DICOM allow: a float, as probabilities are, always is.
std::string decimal(double value) {
  const auto single = static_cast<float>(value);
  std::string text = double{single} == value ? exact_number(single) : exact_number(value);
  if (text.size() <= kMaxDecimal) return text;
  char buffer[40];
  constexpr int kDigits = 9;  // with sign, point and exponent 15 characters
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, kDigits).ptr};
}

class Builder {
 public:
  SrItem& add(int depth, SrRelation relation, SrKind kind, DicomCode name) {
    SrItem item;
    item.depth = static_cast<uint8_t>(depth);
    item.relation = relation;
    item.kind = kind;
    item.name = std::move(name);
    items_.push_back(std::move(item));
    return items_.back();
  }
  void container(int depth, DicomCode name, const char* template_id = "") {
    add(depth, depth == 0 ? SrRelation::root : SrRelation::contains, SrKind::container, std::move(name)).template_id =
        template_id;
  }
  void text(int depth, SrRelation relation, DicomCode name, const std::string& value) {
    add(depth, relation, SrKind::text, std::move(name)).text = ascii_text(value, kMaxText);
  }
  void uid(int depth, SrRelation relation, DicomCode name, const std::string& value) {
    add(depth, relation, SrKind::uid, std::move(name)).text = value;
  }
  void code(int depth, SrRelation relation, DicomCode name, DicomCode value) {
    add(depth, relation, SrKind::code, std::move(name)).code = std::move(value);
  }
  void number(int depth, DicomCode name, double value, const DicomCode& unit) {
    finite_ = finite_ && std::isfinite(value);
    SrItem& item = add(depth, SrRelation::contains, SrKind::number, std::move(name));
    item.text = decimal(value);
    item.code = unit;
  }
  // A polygon that ends where it begins.
  void polygon(int depth, const std::string& frame_of_reference, std::span<const Vec3> corners) {
    SrItem& item = add(depth, SrRelation::contains, SrKind::polygon, dcm("111030", "Image Region"));
    item.text = frame_of_reference;
    for (size_t i = 0; i <= corners.size(); ++i) {
      const Vec3& corner = corners[i % corners.size()];
      for (const double value : {corner.x, corner.y, corner.z}) {
        finite_ = finite_ && std::isfinite(value);
        item.points.push_back(static_cast<float>(value));
      }
    }
  }
  bool finite() const { return finite_; }
  std::vector<SrItem> take() { return std::move(items_); }

 private:
  std::vector<SrItem> items_;
  bool finite_ = true;
};

void observation_context(Builder& sr, const StudyResult& study, const SrMaker& maker) {
  constexpr auto kContext = SrRelation::observation_context;
  sr.code(1, SrRelation::concept_modifier, dcm("121049", "Language of Content Item and Descendants"),
          {"en", "RFC5646", "English"});
  sr.code(1, kContext, dcm("121005", "Observer Type"), dcm("121007", "Device"));
  sr.uid(1, kContext, dcm("121012", "Device Observer UID"), maker.device_uid);
  sr.text(1, kContext, dcm("121013", "Device Observer Name"), "SpineRT " + maker.software);
  sr.text(1, kContext, dcm("121014", "Device Observer Manufacturer"), "SpineRT");
  sr.text(1, kContext, dcm("121015", "Device Observer Model Name"), maker.model);
  sr.text(1, kContext, dcm("121016", "Device Observer Serial Number"), study.model_sha256);
  sr.code(1, SrRelation::concept_modifier, dcm("121058", "Procedure reported"),
          {"25045-6", "LN", "CT unspecified body region"});
}

void image_library(Builder& sr, const StudyResult& study, std::span<const DicomInstance> sources) {
  constexpr auto kContext = SrRelation::acquisition_context;
  sr.container(1, dcm("111028", "Image Library"));
  sr.container(2, dcm("126200", "Image Library Group"));
  sr.code(3, kContext, dcm("121139", "Modality"), dcm("CT", "Computed Tomography"));
  sr.uid(3, kContext, dcm("112227", "Frame of Reference UID"), study.examination.frame_of_reference_uid);
  for (const DicomInstance& source : sources) {
    sr.add(3, SrRelation::contains, SrKind::image, {}).image = source;
  }
}

// TID 4019; the thresholds and the arithmetic are its parameters.
void algorithm(Builder& sr, const StudyResult& study, const SrMaker& maker) {
  constexpr auto kModifier = SrRelation::concept_modifier;
  sr.text(3, kModifier, dcm("111001", "Algorithm Name"), "SpineRT with model " + maker.model);
  sr.text(3, kModifier, dcm("111003", "Algorithm Version"),
          "SpineRT " + maker.software + ", model SHA-256 " + study.model_sha256);
  std::string parameters =
      "precision " + study.precision + ", instructions " + study.isa + ", canvas " + study.canvas + ", thresholds";
  for (const auto& [name, threshold] : study.thresholds) parameters += " " + name + " " + exact_number(threshold);
  sr.text(3, kModifier, dcm("111002", "Algorithm Parameters"), parameters);
}

DicomCode status_code(const std::string& status) {
  if (status == "completed") return ours("COMPLETED", "Completed: every slice was looked at");
  if (status == "partial") return ours("PARTIAL", "Partial: what is missing is unknown, it is not negative");
  return ours("INDETERMINATE", "Indeterminate: must not be read as negative");
}

DicomCode vertebra_alert(const Track& track) {
  const bool disease =
      std::ranges::any_of(track.labels, [](const std::string& label) { return label != kNormalClass; });
  if (disease) return ours("DISEASE-LABEL", "A disease label is assigned");
  if (track.consistency != "ok") return ours("REVIEW", "Review: a person must look");
  return ours("NO-DISEASE-LABEL", "No disease label; see the status of the study");
}

DicomCode consistency_code(const std::string& consistency) {
  if (consistency == "ok") return ours("CONSISTENT", "The labels do not contradict each other");
  if (consistency == "contradictory") return ours("CONTRADICTORY", "Normal and a disease are both assigned");
  return ours("NO-LABEL", "No class reaches its threshold");
}

void classes(Builder& sr, const StudyResult& study, const Track& track) {
  for (size_t i = 0; i < std::min(study.class_names.size(), track.probabilities.size()); ++i) {
    const std::string& name = study.class_names[i];
    const std::string title(class_title(name));
    sr.number(3, ours("P-" + name, "Probability of " + title), double{track.probabilities[i]}, kNoUnits);
    sr.number(3, ours("N-" + name, "Slices positive for " + title), track.positive_slices[i],
              {"{slices}", "UCUM", "slices"});
    const bool assigned = std::ranges::find(track.labels, name) != track.labels.end();
    sr.code(3, SrRelation::contains, ours("L-" + name, "Label " + title),
            assigned ? ours("ASSIGNED", "Assigned: reached in enough slices")
                     : ours("NOT-ASSIGNED", "Not assigned; this does not exclude the finding"));
  }
}

void measures(Builder& sr, const BodyMeasures& measures) {
  sr.number(3, ours("HEIGHT-ANTERIOR", "Anterior height of the vertebral body"), measures.anterior_mm, kMillimetre);
  sr.number(3, ours("HEIGHT-MIDDLE", "Middle height of the vertebral body"), measures.middle_mm, kMillimetre);
  sr.number(3, ours("HEIGHT-POSTERIOR", "Posterior height of the vertebral body"), measures.posterior_mm, kMillimetre);
  sr.number(3, dcm("112031", "Attenuation Coefficient"), measures.mean_hu, kHounsfield);
  sr.code(4, SrRelation::concept_modifier, dcm("121401", "Derivation"), {"373098007", "SCT", "Mean"});
}

// The box on the slice in the middle of the track, the one that is measured.
Status region(Builder& sr, const StudyResult& study, const TrackResult& result) {
  const Track& track = result.track;
  const TrackMember& member = track.members[track.members.size() / 2];
  const SliceResult& slice = study.slices[static_cast<size_t>(member.slice)];
  if (!slice.place) return error(ErrorId::E_INTERNAL, "a vertebra lies on a slice without a place", slice.source);
  const Box& box = slice.vertebrae[static_cast<size_t>(member.vertebra)].box;
  // The edges of a box are edges of pixels; positions are those of centres.
  const auto corner = [&](float x, float y) { return slice.place->plane.at(double{x} - 0.5, double{y} - 0.5); };
  const Vec3 corners[] = {corner(box[0], box[1]), corner(box[2], box[1]), corner(box[2], box[3]),
                          corner(box[0], box[3])};
  sr.polygon(3, study.examination.frame_of_reference_uid, corners);
  return {};
}

Status vertebra(Builder& sr, const StudyResult& study, const TrackResult& result, const SrMaker& maker) {
  const Track& track = result.track;
  const std::string number = std::to_string(track.id);
  sr.container(2, dcm("125007", "Measurement Group"), "1410");
  sr.text(3, SrRelation::observation_context, dcm("112039", "Tracking Identifier"),
          "Vertebra " + number + " from the top of the field of view");
  sr.uid(3, SrRelation::observation_context, dcm("112040", "Tracking Unique Identifier"),
         uid_of_text("track " + number + " of " + maker.run_key));
  algorithm(sr, study, maker);
  sr.code(3, SrRelation::contains, dcm("121071", "Finding"), {"51282000", "SCT", "Vertebra"});
  SPINERT_TRY(region(sr, study, result));
  // Again at every vertebra: whoever sees one group alone must see it.
  sr.code(3, SrRelation::contains, ours("STATUS", "Status of the study"), status_code(study.status));
  sr.code(3, SrRelation::contains, ours("VERTEBRA-ALERT", "Alert of the vertebra"), vertebra_alert(track));
  sr.code(3, SrRelation::contains, ours("CONSISTENCY", "Consistency of the labels"),
          consistency_code(track.consistency));
  sr.number(3, ours("SLICES", "Slices that show the vertebra"), static_cast<double>(track.members.size()),
            {"{slices}", "UCUM", "slices"});
  classes(sr, study, track);
  if (result.measures) measures(sr, *result.measures);
  return {};
}

DicomCode alert_code(const std::string& alert, const std::string& status) {
  if (alert == "positive") return ours("POSITIVE", "Positive: a vertebra has a disease label");
  // Whatever else says so: a study that is not completed is not negative.
  if (alert == "negative" && status == "completed") {
    return ours("NEGATIVE", "Negative: a spine was seen, no vertebra has a disease label");
  }
  return ours("REVIEW", "Review: a person must look");
}

void evaluation(Builder& sr, const StudyResult& study) {
  constexpr auto kContains = SrRelation::contains;
  sr.container(1, {"C0034375", "UMLS", "Qualitative Evaluations"});
  sr.text(2, kContains, ours("LABEL", "Label of the result"), kResearchLabel);
  if (study.demo_model) sr.text(2, kContains, ours("LABEL", "Label of the result"), kDemoNotice);
  sr.code(2, kContains, ours("STATUS", "Status of the study"), status_code(study.status));
  sr.code(2, kContains, ours("ALERT", "Alert of the study"), alert_code(study.alert, study.status));
  for (const Reason& reason : study.reasons) {
    const std::string title(reason_title(reason.code));
    sr.text(2, kContains, ours("REASON", "Reason of the status or alert"),
            reason.code + (title.empty() ? "" : " (" + title + ")") + ": " + reason.text);
  }
}

}  // namespace

Result<std::vector<SrItem>> structured_report(const StudyResult& study, std::span<const DicomInstance> sources,
                                              const SrMaker& maker) {
  for (const std::string& name : study.class_names) {
    if (name.empty() || name.size() + 2 > kMaxCodeValue || ascii_text(name, kMaxCodeValue) != name) {
      return error(ErrorId::E_CONFIG, "a class of the model has a name that makes no code of a DICOM report")
          .expected("1 to 14 ASCII characters", name)
          .hint("Leave --dicom-output out, or convert the model with shorter class names.");
    }
  }
  Builder sr;
  sr.container(0, dcm("126000", "Imaging Measurement Report"), "1500");
  observation_context(sr, study, maker);
  image_library(sr, study, sources);
  if (!study.tracks.empty()) sr.container(1, dcm("126010", "Imaging Measurements"));
  for (const TrackResult& track : study.tracks) SPINERT_TRY(vertebra(sr, study, track, maker));
  evaluation(sr, study);
  if (!sr.finite()) return error(ErrorId::E_INTERNAL, "a number of the DICOM report is not finite");
  return sr.take();
}

}  // namespace spinert
