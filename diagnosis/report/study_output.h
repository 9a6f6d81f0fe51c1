// study_output.h - the folder that a study's results, or a set of phantoms, go to.
//
// All files of a run are first written, whole and durable, into a hidden folder inside the output folder; publish()
// then renames them to their names, report.json (of phantoms truth.json, of an evaluation evaluation.json) last. So a
// result is complete when that file is there, a full disk leaves what was there before, and a process that dies leaves
// nothing that looks finished.
// Two processes never write one folder at a time: a lock file is created exclusively and held until the end. A lock
// left by a dead process is recognised, because the lock on the file itself died with it.
// Errors: E_OUTPUT with the system's reason; E_USAGE for a path that the system calls too long.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "diagnosis/report/report_json.h"
#include "diagnosis/report/spill.h"
#include "kernels/base/status.h"

namespace spinert {

enum class Overwrite : unsigned char {
  never,    // refuse if the folder holds a result
  replace,  // replace it, file by file; previews, slices and DICOM files of the old result that the new one lacks are
            // removed
  suffix,   // take the first free of OUT, OUT-2, OUT-3, ...
};

class StudyOutput {
 public:
  // Creates the folder with its parents, locks it and looks for a result in it. `inputs`: the arguments of the command
  // line; a folder inside one of them is refused, and no file of theirs is ever replaced. `last`: the name of the file
  // that is published last.
  static Result<StudyOutput> open(const std::string& folder, Overwrite overwrite, std::span<const std::string> inputs,
                                  const std::string& last = "report.json");
  // Without publish(): everything staged is removed, and the folder too if it was made for this run.
  ~StudyOutput();
  StudyOutput(StudyOutput&& other) noexcept;
  StudyOutput& operator=(StudyOutput&&) = delete;
  // What the destructor does without publish(), now.
  void abandon();

  const std::string& folder() const { return folder_; }

  // Stages one file; name has no slash. `source` goes into the record only.
  Status add(const std::string& name, std::string_view bytes, const std::string& source = {});
  Status add_parts(const std::string& name, const PutParts& parts, const std::string& source = {});
  // For text that waits for the end of the run; removed with everything staged.
  Result<Spill> spill() const { return Spill::create(stage_); }
  // What has been added so far, for report.json.
  const std::vector<WrittenFile>& files() const { return files_; }
  // Gives the files their names in the order of add(); the file that completes the result must have been added last.
  Status publish();

 private:
  StudyOutput() = default;
  Status lock();
  Status sync_folder() const;
  void remove_stale(const std::vector<WrittenFile>& earlier) const;
  bool holds_result() const;
  Status prepare(const std::string& folder);

  std::string folder_, stage_, last_;
  Overwrite overwrite_ = Overwrite::never;
  std::vector<std::string> inputs_;  // canonical paths of named files
  std::vector<WrittenFile> files_;
  int lock_ = -1;
  bool created_ = false;
};

// "preview-<name>.png" with only letters, digits, '.', '-' and '_' of the slice's name. Two names may give the same
// one: free_name() numbers them.
std::string preview_name(const std::string& source);
// "slice-<name>.png" in the same way.
std::string slice_file_name(const std::string& source);
// "dicom-<name>.dcm" in the same way.
std::string dicom_name(const std::string& name);
// What name_of() gives for `source`, else for "<source>-2", "<source>-3", ...: the first one that `taken` lacks, which
// then holds it.
std::string free_name(std::set<std::string>& taken, std::string (*name_of)(const std::string&),
                      const std::string& source);

}  // namespace spinert
