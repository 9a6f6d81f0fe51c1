#include "diagnosis/studies/study_inputs.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "diagnosis/picture_source.h"
#include "diagnosis/report/text.h"
#include "diagnosis/studies/dicom_archive.h"
#include "diagnosis/studies/dicom_volume.h"
#include "diagnosis/studies/hounsfield.h"
#include "diagnosis/studies/reformat.h"
#include "diagnosis/studies/series.h"
#include "diagnosis/studies/volume_source.h"
#include "diagnosis/study.h"
#include "weights/file_reader.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

// Of a reformat where the model does not say what it was trained at.
constexpr double kDefaultMmPerPixel = 0.5;
constexpr int kFastPlanes = 2;

// Where a file lies: files that cannot be read belong to the study of that place.
std::string folder_of(const Input& input) {
  const std::string& path = input.archive ? input.archive->entry_name(input.entry) : input.path;
  const size_t slash = path.find_last_of(input.archive ? "/\\" : "/");
  const std::string folder = slash == std::string::npos ? std::string() : path.substr(0, slash);
  return input.archive ? input.archive->path() + ":" + folder : folder;
}

// Letters, digits, '.', '-' and '_' of a text that came from a file.
std::string folder_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '_' || (c == '.' && !name.empty());
    if (plain) name += c;
  }
  constexpr size_t kMaxName = 100;
  return name.empty() ? "study" : name.substr(0, kMaxName);
}

struct FactsOfFile {
  std::optional<DicomFacts> facts;
  Status problem;
};

std::vector<FactsOfFile> read_all_facts(const std::vector<Input>& inputs, DicomReaders& readers,
                                        const RunControl& control) {
  std::vector<FactsOfFile> found(inputs.size());
  const Status status = readers.for_each(inputs.size(), control, [&](DicomWorker& worker, size_t i) {
    auto facts = readers.read_facts(worker, {inputs[i].path, inputs[i].archive, inputs[i].entry});
    facts.ok() ? void(found[i].facts = std::move(facts).value()) : void(found[i].problem = facts.status());
    return Status();
  });
  for (FactsOfFile& file : found) {
    if (!file.facts && file.problem.ok()) file.problem = status;
  }
  return found;
}

// The studies of DICOM files, by StudyInstanceUID in the order of their first files.
std::vector<StudyInput> dicom_studies(const std::vector<Input>& inputs, DicomReaders& readers,
                                      const RunControl& control) {
  std::vector<FactsOfFile> files = read_all_facts(inputs, readers, control);
  std::vector<StudyInput> studies;
  std::map<std::string, size_t> by_uid;
  std::map<std::string, std::set<size_t>> of_folder;
  std::map<std::string, size_t> lost;  // by folder: the study of what belongs to no other
  for (size_t i = 0; i < files.size(); ++i) {
    if (!files[i].facts) continue;
    const std::string& uid = files[i].facts->study;
    const auto [entry, is_new] = by_uid.try_emplace(uid, studies.size());
    if (is_new) {
      studies.emplace_back();
      studies.back().name = uid;
    }
    studies[entry->second].dicom.push_back(std::move(*files[i].facts));
    of_folder[folder_of(inputs[i])].insert(entry->second);
  }
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].problem.ok()) continue;
    std::set<size_t>& owners = of_folder[folder_of(inputs[i])];
    size_t owner = owners.size() == 1 ? *owners.begin() : studies.size();
    if (owners.size() != 1) {
      // Of several studies or of none: one study of all such files of the folder. Its name must not be a file's.
      const auto [entry, is_new] = lost.try_emplace(folder_of(inputs[i]), studies.size());
      owner = entry->second;
      if (is_new) {
        studies.emplace_back();
        studies.back().name = "unreadable";
      }
    }
    studies[owner].unread.push_back(inputs[i]);
    studies[owner].unread.back().problem = files[i].problem;
  }
  return studies;
}

// What is not there although it should be, as reasons of a study that is then "partial".
void note_missing(const StudyInput& study, const SeriesGeometry& geometry, Examination& examination) {
  const double step = length(geometry.grid.slice_step);
  for (const int missing : geometry.missing) examination.stack->gaps_mm.push_back(missing * step);
  if (!geometry.missing.empty()) {
    examination.notes.push_back({"E_GEOM_GAP", counted(geometry.missing.size(), "slice") +
                                                   " of the series missing, the first " +
                                                   fixed_number(geometry.missing.front() * step, 1) +
                                                   " mm from its start; nothing was interpolated there"});
  }
  if (!study.unread.empty()) {
    examination.notes.push_back({std::string(error_name(study.unread.front().problem.id())),
                                 counted(study.unread.size(), "file") + " of the study could not be read"});
  }
  examination.incomplete = !examination.notes.empty();
  if (!geometry.duplicates.empty()) {
    examination.notes.push_back(
        {"W_DUPLICATE", counted(geometry.duplicates.size(), "slice") + " lies twice with the same pixels; read once"});
  }
}

// What the files say, or do not say, about themselves.
void note_facts(std::span<const DicomFacts> files, Examination& examination) {
  const auto count = [files](auto holds) { return static_cast<size_t>(std::ranges::count_if(files, holds)); };
  if (const size_t n = count(assumes_hu); n > 0) {
    examination.notes.push_back(
        {"W_RESCALE", counted(n, "file") + " without RescaleSlope: signed values of 16 bits were taken with a "
                                           "slope of 1, and as Hounsfield units where the intercept is missing"});
  }
  if (const size_t n = count(std::mem_fn(&DicomFacts::burned_in_text)); n > 0) {
    examination.notes.push_back({"W_BURNED_IN", counted(n, "file") +
                                                    " with text in the pixels (BurnedInAnnotation): it may hide or "
                                                    "imitate bone, and the previews may show a patient's name"});
  }
  if (examination.patient_position.empty()) {
    examination.notes.push_back({"W_PATIENT_POSITION",
                                 "the files do not say how the patient lay; the pictures are turned by the direction "
                                 "cosines alone, as always"});
  }
}

void note_fast(const StudyOptions& options, Examination& examination) {
  if (!options.fast) return;
  examination.notes.push_back({"W_FAST",
                               "--fast: every second sagittal plane was left out; what only those show was not seen, "
                               "and a vertebra or a disease in few planes may be missed"});
}

ReformatRules rules_of(const PipelineConfig& config, const StudyOptions& options) {
  ReformatRules rules;
  rules.mm_per_pixel = config.spacing.mm_per_pixel > 0 ? config.spacing.mm_per_pixel : kDefaultMmPerPixel;
  rules.step_mm = config.spacing.sagittal_step;
  rules.half_width_mm = config.spacing.half_width;
  rules.max_slice_mm = config.spacing.max_slice;
  if (options.fast) rules.every = kFastPlanes;
  return rules;
}

Result<std::unique_ptr<SliceSource>> open_dicom(const StudyInput& study, const StudyOptions& options,
                                                const PipelineConfig& config, DicomReaders& readers,
                                                const RunControl& control) {
  if (study.dicom.empty()) return study.unread.front().problem;
  if (study.unread.size() > static_cast<size_t>(options.allow_gaps)) {
    Status problem = study.unread.front().problem;
    if (options.allow_gaps > 0) problem.hint("More files cannot be read than --allow-gaps allows.");
    return problem;
  }
  const std::vector<Series> series = split_series(study.dicom);
  SPINERT_ASSIGN(const SeriesChoice choice, choose_series(series, study.dicom, options.series_uid));
  const Series& chosen = series[choice.index];
  SPINERT_ASSIGN(const SeriesGeometry geometry, arrange_series(study.dicom, chosen.files, options.allow_gaps));
  std::vector<DicomFacts> files;
  for (const size_t index : geometry.order) files.push_back(study.dicom[index]);
  Examination examination;
  examination.kind = "dicom";
  examination.study_uid = files.front().study;
  examination.series_uid = chosen.uid;
  examination.frame_of_reference_uid = files.front().frame_of_reference;
  examination.patient_position = files.front().patient_position;
  std::set<std::string> syntaxes;
  for (const DicomFacts& file : files) {
    syntaxes.insert(file.transfer_syntax);
    examination.lossy |= file.lossy;
  }
  examination.transfer_syntaxes.assign(syntaxes.begin(), syntaxes.end());
  examination.files = static_cast<int>(files.size());
  examination.files_sha256 = study_sha256(study);
  examination.series_choice = choice.why;
  examination.stack = {geometry.grid, orientation_name(chosen.orientation), geometry.tilt_degrees, {}};
  note_missing(study, geometry, examination);
  note_facts(files, examination);
  if (chosen.orientation == Orientation::sagittal) {
    SPINERT_TRY(check_duplicates(study.dicom, geometry, readers, control));
    return native_source(std::move(files), config.spacing.mm_per_pixel, std::move(examination), readers);
  }
  if (!config.spacing.reformat) {
    return error(ErrorId::E_GEOM_COARSE, "the model's config forbids reformatted slices (spacing.reformat)", chosen.uid)
        .hint("Give a native sagittal series.");
  }
  SPINERT_ASSIGN(Volume volume, read_dicom_volume(study.dicom, geometry, readers, control));
  note_fast(options, examination);
  return reformat_source(std::move(volume), rules_of(config, options), std::move(examination), std::move(files));
}

}  // namespace

std::vector<StudyInput> group_studies(std::vector<Input> inputs, DicomReaders& readers, const RunControl& control) {
  StudyInput pictures;
  pictures.name = "pictures";
  std::vector<Input> dicom;
  std::vector<StudyInput> archives, volumes;
  for (Input& input : inputs) {
    if (input.problem.ok() && input.kind == InputKind::dicom) {
      dicom.push_back(std::move(input));
    } else if (input.kind == InputKind::dicom) {
      archives.emplace_back();
      archives.back().name = file_name_of(input.path);
      archives.back().unread.push_back(std::move(input));
    } else if (input.problem.ok() && input.kind == InputKind::nifti) {
      volumes.emplace_back();
      volumes.back().name = file_name_of(input.path);
      volumes.back().nifti = std::move(input.path);
    } else {
      pictures.pictures.push_back(std::move(input));
    }
  }
  std::vector<StudyInput> studies;
  if (!pictures.pictures.empty()) studies.push_back(std::move(pictures));
  if (!dicom.empty()) std::ranges::move(dicom_studies(dicom, readers, control), std::back_inserter(studies));
  std::ranges::move(archives, std::back_inserter(studies));
  std::ranges::move(volumes, std::back_inserter(studies));
  SourceNames names;
  for (StudyInput& study : studies) study.name = names.add(folder_name(study.name));
  return studies;
}

std::string study_sha256(const StudyInput& study) {
  if (!study.nifti.empty()) {
    const auto file = FileReader::open(study.nifti);
    const auto hash = file.ok() ? whole_file_sha256(file.value()) : Result<std::string>(file.status());
    return hash.ok() ? hash.value() : std::string();
  }
  if (study.dicom.empty() || !study.unread.empty()) return {};
  std::vector<std::string> hashes;
  for (const DicomFacts& file : study.dicom) hashes.push_back(file.sha256);
  std::ranges::sort(hashes);
  Sha256 hash;
  for (const std::string& one : hashes) hash.update(one);
  return to_hex(hash.finish());
}

Result<std::unique_ptr<SliceSource>> nifti_source(NiftiFile file, const StudyOptions& options,
                                                  const PipelineConfig& config) {
  Examination examination;
  examination.kind = "nifti";
  examination.files = 1;
  examination.files_sha256 = file.sha256;
  examination.transform = file.transform;
  const Grid& grid = file.volume.grid;
  examination.stack = {
      grid, orientation_name(orientation_of(cross(grid.plane.column_step, grid.plane.row_step))), 0, {}};
  note_fast(options, examination);
  return reformat_source(std::move(file.volume), rules_of(config, options), std::move(examination));
}

Result<std::unique_ptr<SliceSource>> open_study(const StudyInput& study, const StudyOptions& options,
                                                const PipelineConfig& config, DicomReaders& readers,
                                                const RunControl& control) {
  if (!study.pictures.empty()) return picture_source(study.pictures, options.hu_offset);
  if (!study.nifti.empty()) {
    SPINERT_ASSIGN(NiftiFile file, read_nifti(study.nifti, options.transform));
    return nifti_source(std::move(file), options, config);
  }
  return open_dicom(study, options, config, readers, control);
}

}  // namespace spinert
