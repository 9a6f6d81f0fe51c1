#include "diagnosis/report/study_output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "diagnosis/report/earlier_files.h"
#include "weights/atomic_file.h"
#include "weights/file_reader.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockName = ".spinert-lock";
constexpr const char* kStagePrefix = ".spinert-stage-";
constexpr int kMaxSuffix = 9999;

Status output_error(const std::string& what, const std::string& path, int code) {
  const ErrorId id = code == ENAMETOOLONG ? ErrorId::E_USAGE : ErrorId::E_OUTPUT;
  return error(id, what + ": " + system_error(code), path).hint("Give another folder with -o.");
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// Absolute and free of links as far as the path exists; empty if it cannot be told.
std::string canonical(const std::string& path) {
  std::error_code code;
  fs::path result = fs::weakly_canonical(fs::path(path), code);
  if (code) return {};
  std::string text = result.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

bool inside(const std::string& path, const std::string& folder) {
  if (folder.empty() || path.empty()) return false;
  if (path == folder || folder == "/") return true;
  return path.size() > folder.size() && path.compare(0, folder.size(), folder) == 0 && path[folder.size()] == '/';
}

// Removes a folder of staged files; it holds regular files only.
void remove_stage(const std::string& stage) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(stage, code)) ::unlink(entry.path().c_str());
  ::rmdir(stage.c_str());
}

std::string plain_name(std::string name, std::string_view source, std::string_view suffix) {
  constexpr size_t kLongest = 120;
  if (source.ends_with(suffix)) source.remove_suffix(suffix.size());
  for (const char c : source.substr(0, kLongest)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    name += plain ? c : '_';
  }
  return name.append(suffix);
}

}  // namespace

StudyOutput::StudyOutput(StudyOutput&& other) noexcept
    : folder_(std::move(other.folder_)),
      stage_(std::exchange(other.stage_, {})),
      last_(std::move(other.last_)),
      overwrite_(other.overwrite_),
      inputs_(std::move(other.inputs_)),
      files_(std::move(other.files_)),
      lock_(std::exchange(other.lock_, -1)),
      created_(other.created_) {}

StudyOutput::~StudyOutput() {
  abandon();
}

void StudyOutput::abandon() {
  if (!stage_.empty()) remove_stage(stage_);
  stage_.clear();
  if (lock_ < 0) return;
  // The name goes first: whoever opens the file afterwards gets one of his own.
  ::unlink((folder_ + '/' + kLockName).c_str());
  ::close(lock_);
  lock_ = -1;
  if (created_) ::rmdir(folder_.c_str());  // fails, as it should, unless the folder is empty
}

// Exclusive creation decides between two processes; the lock on the file tells a live owner from a dead one.
Status StudyOutput::lock() {
  const std::string path = folder_ + '/' + kLockName;
  for (int attempt = 0; attempt < 100; ++attempt) {
    int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0 && errno == EEXIST) file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) {
      if (errno == ENOENT) continue;  // its owner removed it between the two calls
      return output_error("cannot write into the output folder", folder_, errno);
    }
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      ::close(file);
      return error(ErrorId::E_OUTPUT, "another run is writing to the output folder", folder_)
          .hint("Wait for it, or give another folder with -o.");
    }
    struct stat held {
    }, named{};
    const bool same = ::fstat(file, &held) == 0 && ::lstat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
                      held.st_dev == named.st_dev;
    if (same) {
      lock_ = file;
      return {};
    }
    ::close(file);  // the name was removed or renewed meanwhile
  }
  return error(ErrorId::E_OUTPUT, "cannot lock the output folder", folder_).hint("Give another folder with -o.");
}

bool StudyOutput::holds_result() const {
  return exists(folder_ + '/' + last_) || exists(folder_ + "/report.html");
}

Status StudyOutput::prepare(const std::string& folder) {
  folder_ = folder;
  created_ = !exists(folder_);
  std::error_code code;
  fs::create_directories(fs::path(folder_), code);
  struct stat info {};
  if (::stat(folder_.c_str(), &info) != 0) {
    return output_error("cannot create the output folder", folder_, code ? code.value() : errno);
  }
  if (!S_ISDIR(info.st_mode)) return output_error("the output is not a folder", folder_, ENOTDIR);
  const Status status = lock();
  if (!status.ok() && created_) ::rmdir(folder_.c_str());  // fails, as it should, unless the folder is empty
  return status;
}

Result<StudyOutput> StudyOutput::open(const std::string& folder, Overwrite overwrite,
                                      std::span<const std::string> inputs, const std::string& last) {
  if (folder.empty()) return error(ErrorId::E_USAGE, "the output folder has no name", "-o");
  StudyOutput output;
  output.overwrite_ = overwrite;
  output.last_ = last;
  const std::string target = canonical(folder);
  for (const std::string& input : inputs) {
    const std::string path = canonical(input);
    if (path.empty()) continue;
    std::error_code code;
    if (!fs::is_directory(path, code)) {
      output.inputs_.push_back(path);
    } else if (inside(target, path)) {
      return error(ErrorId::E_OUTPUT, "the output folder lies inside an input folder", folder)
          .hint("Give a folder beside " + input + " with -o: results must never become inputs of the next run.");
    }
  }
  std::string name = folder;
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  SPINERT_TRY(output.prepare(name));
  for (int suffix = 2; overwrite == Overwrite::suffix && output.holds_result(); ++suffix) {
    if (suffix > kMaxSuffix) return error(ErrorId::E_OUTPUT, "no free folder name is left", folder);
    output.abandon();
    SPINERT_TRY(output.prepare(name + '-' + std::to_string(suffix)));
  }
  if (overwrite == Overwrite::never && output.holds_result()) {
    return error(ErrorId::E_OUTPUT, "the output folder already holds a result", output.folder_)
        .hint("Give another folder with -o, or --overwrite replace or suffix.");
  }
  // Left by a process that was killed; the lock proves that nobody uses it.
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(output.folder_, code)) {
    if (entry.path().filename().string().starts_with(kStagePrefix)) remove_stage(entry.path().string());
  }
  std::string stage = output.folder_ + '/' + kStagePrefix + "XXXXXX";
  if (!::mkdtemp(stage.data())) return output_error("cannot write into the output folder", output.folder_, errno);
  output.stage_ = stage;
  return output;
}

Status StudyOutput::add(const std::string& name, std::string_view bytes, const std::string& source) {
  return add_parts(
      name, [bytes](const Put& put) { return put(bytes); }, source);
}

Status StudyOutput::add_parts(const std::string& name, const PutParts& parts, const std::string& source) {
  const std::string target = folder_ + '/' + name;
  if (exists(target)) {
    if (overwrite_ != Overwrite::replace) {
      return error(ErrorId::E_OUTPUT, "will not replace a file", target)
          .hint("Give another folder with -o, or --overwrite replace or suffix.");
    }
    if (std::ranges::find(inputs_, canonical(target)) != inputs_.end()) {
      return error(ErrorId::E_OUTPUT, "will not replace an input of this run", target)
          .hint("Give another folder with -o.");
    }
  }
  SPINERT_ASSIGN(AtomicFile file, AtomicFile::create(stage_ + '/' + name, AtomicFile::Existing::refuse));
  Sha256 hash;
  SPINERT_TRY(parts([&](std::string_view part) {
    hash.update(part);
    return file.write(part);
  }));
  SPINERT_TRY(file.commit());
  files_.push_back({name, to_hex(hash.finish()), source});
  return {};
}

// Makes the names in the folder durable. Some file systems cannot sync a folder; the files are durable either way.
Status StudyOutput::sync_folder() const {
  const int handle = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int synced = handle < 0 ? -1 : ::fsync(handle);
  const int code = errno;
  if (handle >= 0) ::close(handle);
  if (synced == 0 || code == EINVAL || code == ENOTSUP) return {};
  return output_error("cannot sync the output folder", folder_, code);
}

// Only what the report of the earlier run names and nobody has changed since.
void StudyOutput::remove_stale(const std::vector<WrittenFile>& earlier) const {
  for (const WrittenFile& file : earlier) {
    const std::string path = folder_ + '/' + file.name;
    if (std::ranges::find(files_, file.name, &WrittenFile::name) != files_.end()) continue;
    if (std::ranges::find(inputs_, canonical(path)) != inputs_.end() || !unchanged(folder_, file)) continue;
    ::unlink(path.c_str());
  }
}

Status StudyOutput::publish() {
  std::vector<WrittenFile> earlier;
  // A run that leaves the report where it is, as an evaluation does, leaves its previews, too.
  const bool new_report = std::ranges::find(files_, "report.json", &WrittenFile::name) != files_.end();
  if (overwrite_ == Overwrite::replace && new_report) earlier = earlier_files(folder_);
  std::vector<std::string> fresh;  // names that were free before; taken back if the run cannot be published as a whole
  Status status;
  for (size_t i = 0; i < files_.size() && status.ok(); ++i) {
    const std::string from = stage_ + '/' + files_[i].name, to = folder_ + '/' + files_[i].name;
    // The last file may not become durable before the files that it names.
    if (i + 1 == files_.size()) status = sync_folder();
    if (!status.ok()) break;
    const bool replaces = exists(to);
    if (::rename(from.c_str(), to.c_str()) != 0) {
      status = output_error("cannot rename a finished file", to, errno);
    } else if (!replaces) {
      fresh.push_back(to);
    }
  }
  if (status.ok()) status = sync_folder();
  if (status.ok()) remove_stale(earlier);
  if (!status.ok()) {
    for (auto path = fresh.rbegin(); path != fresh.rend(); ++path) ::unlink(path->c_str());
    return status;
  }
  created_ = false;
  return {};
}

std::string preview_name(const std::string& source) {
  return plain_name("preview-", source, ".png");
}

std::string slice_file_name(const std::string& source) {
  return plain_name("slice-", source, ".png");
}

std::string dicom_name(const std::string& name) {
  return plain_name("dicom-", name, ".dcm");
}

std::string free_name(std::set<std::string>& taken, std::string (*name_of)(const std::string&),
                      const std::string& source) {
  std::string name = name_of(source);
  for (int i = 2; !taken.insert(name).second; ++i) name = name_of(source + '-' + std::to_string(i));
  return name;
}

}  // namespace spinert
