#include "diagnosis/input.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "diagnosis/images/sniff.h"
#include "diagnosis/report/text.h"
#include "diagnosis/studies/dicom_archive.h"
#include "diagnosis/studies/dicom_worker.h"
#include "weights/file_reader.h"

namespace spinert {
namespace {

constexpr int kMaxFolderDepth = 64;       // deeper nesting is a mistake or an attack
constexpr size_t kSniffBytes = 1024;      // the farthest signature ends at byte 348; text is judged by its first 512
constexpr size_t kMaxInputs = 1'000'000;  // bounds the memory of the list

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The run of digits at the front of text without leading zeros, cut from text.
std::string_view take_number(std::string_view& text) {
  size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  std::string_view number = text.substr(0, length);
  text.remove_prefix(length);
  while (number.size() > 1 && number.front() == '0') number.remove_prefix(1);
  return number;
}

// ASCII only: std::tolower would follow the locale.
std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// The kind that a file's name claims; nothing if it claims none of ours.
std::optional<InputKind> kind_of_name(std::string_view name) {
  const std::string lower = lower_case(name);
  const auto ends = [&lower](std::string_view ending) { return lower.ends_with(ending); };
  if (ends(".png") || ends(".jpg") || ends(".jpeg")) return InputKind::picture;
  if (ends(".dcm") || ends(".dicom") || ends(".ima")) return InputKind::dicom;
  if (ends(".nii") || ends(".nii.gz")) return InputKind::nifti;
  return std::nullopt;
}

struct Look {
  Content content;
  bool readable = false;
};

Look look_at(std::span<const uint8_t> head) {
  Content content = sniff(head);
  // DICOM without its preamble has no signature, only a likely first element.
  const bool dicom = content.kind == ContentKind::unknown && looks_like_dicom(head.data(), head.size());
  if (dicom) content.kind = ContentKind::dicom;
  return {content, true};
}

Look look_at(const std::string& path) {
  std::array<uint8_t, kSniffBytes> bytes;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return {};
  const ssize_t got = ::read(file, bytes.data(), bytes.size());
  ::close(file);
  if (got < 0) return {};
  return look_at(std::span(bytes).first(static_cast<size_t>(got)));
}

// What a file is read as; nothing for one that is none of ours. A damaged file is what its name claims, so that the
// reader of that kind says what is wrong with it.
std::optional<InputKind> kind_of(const Look& look, std::string_view name) {
  switch (look.content.kind) {
    case ContentKind::dicom: return InputKind::dicom;
    case ContentKind::nifti: return InputKind::nifti;
    case ContentKind::png:
    case ContentKind::jpeg:
    case ContentKind::other_picture: return InputKind::picture;
    case ContentKind::gzip:
    case ContentKind::zip:
    case ContentKind::unknown: break;
  }
  return kind_of_name(name);
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

bool is_archive(const Look& look, std::string_view name) {
  return look.content.kind == ContentKind::zip || (!kind_of(look, name) && lower_case(name).ends_with(".zip"));
}

class FolderWalk {
 public:
  FolderWalk(InputList& list, bool archives) : list_(list), archives_(archives) {}

  // The DICOM files of a zip archive. What is wrong with the archive is one input, of no study that others have.
  Status archive(const std::string& path) {
    const auto opened = DicomArchive::open(path);
    if (!opened.ok()) {
      ++list_.files_seen;
      list_.inputs.push_back({path, opened.status(), InputKind::dicom});
      return {};
    }
    const auto& archive = opened.value();
    const size_t before = list_.inputs.size();
    std::vector<size_t> order(archive->size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(
        order, [&archive](size_t a, size_t b) { return natural_less(archive->entry_name(a), archive->entry_name(b)); });
    for (const size_t entry : order) SPINERT_TRY(archive_entry(archive, entry));
    if (list_.inputs.size() == before) {
      list_.inputs.push_back({path,
                              error(ErrorId::E_INPUT_EMPTY, "no DICOM file in the archive", path)
                                  .expected("DICOM files", list_.describe())
                                  .hint("Unpack pictures and NIfTI volumes; a checkpoint goes to 'spinert convert'."),
                              InputKind::dicom});
    }
    return {};
  }

  Status walk(const std::string& folder, int depth) {
    if (depth > kMaxFolderDepth) return skip("folder nested too deeply");
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0) return unreadable(folder);
    // Each folder once: links may point upwards.
    if (!visited_.insert({info.st_dev, info.st_ino}).second) return skip("link to a folder that was seen before");
    std::vector<std::string> names;
    {
      const std::unique_ptr<DIR, CloseFolder> handle(::opendir(folder.c_str()));
      if (!handle) return unreadable(folder);
      errno = 0;
      for (const dirent* entry = ::readdir(handle.get()); entry; entry = ::readdir(handle.get())) {
        names.emplace_back(entry->d_name);
      }
      if (errno != 0) return unreadable(folder);
    }
    std::ranges::sort(names, natural_less);
    for (const std::string& name : names) {
      if (name == "." || name == "..") continue;
      SPINERT_TRY(entry(folder, name, depth));
    }
    return {};
  }

 private:
  Status entry(const std::string& folder, const std::string& name, int depth) {
    if (name.front() == '.') return see("hidden");
    const std::string path = folder.back() == '/' ? folder + name : folder + '/' + name;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return see(errno == ELOOP ? "link loop" : "link to nothing");
    if (S_ISDIR(info.st_mode)) return walk(path, depth + 1);
    // Pipes and devices are never opened: reading them may block for ever.
    if (!S_ISREG(info.st_mode)) return see("not a regular file");
    if (name == "DICOMDIR") return see("DICOMDIR");  // an index of files that are found anyway
    const Look look = look_at(path);
    // Many files of other programs are zip archives too.
    if (archives_ && is_archive(look, name) && lower_case(name).ends_with(".zip")) return archive(path);
    const std::optional<InputKind> kind = kind_of(look, name);
    if (kind) return take({path, {}, *kind});
    return see(look.readable ? std::string(look.content.name) : "not readable");
  }

  Status archive_entry(const std::shared_ptr<const DicomArchive>& archive, size_t entry) {
    const std::string& name = archive->entry_name(entry);
    if (name.ends_with('/')) return {};
    for (size_t begin = 0; begin < name.size();) {
      if (name[begin] == '.' || name.compare(begin, 9, "__MACOSX/") == 0) return see("hidden");
      begin = std::min(name.find_first_of("/\\", begin), name.size() - 1) + 1;
    }
    if (name.substr(name.find_last_of("/\\") + 1) == "DICOMDIR") return see("DICOMDIR");
    Input input{archive->shown(entry), {}, InputKind::dicom, archive, entry};
    const auto head = archive->head(entry, kSniffBytes);
    // Its reader will say what is wrong with it.
    if (!head.ok()) return take(std::move(input));
    const Look look = look_at(head.value());
    const std::optional<InputKind> kind = kind_of(look, name);
    if (kind == InputKind::dicom) return take(std::move(input));
    return see(kind ? std::string(look.content.name) + " in an archive" : std::string(look.content.name));
  }

  Status take(Input input) {
    ++list_.files_seen;
    if (list_.inputs.size() >= kMaxInputs) {
      return error(ErrorId::E_USAGE, "too many files", input.path).hint("Give at most a million slices in one run.");
    }
    list_.inputs.push_back(std::move(input));
    return {};
  }
  Status see(const std::string& reason) {
    ++list_.files_seen;
    return skip(reason);
  }
  Status skip(const std::string& reason) {
    ++list_.skipped[reason];
    return {};
  }
  // What lies in an unreadable folder is unknown, so it counts as a failed slice.
  Status unreadable(const std::string& folder) {
    list_.inputs.push_back({folder,
                            error(ErrorId::E_INPUT_EMPTY, "cannot read the folder: " + system_error(errno), folder)
                                .hint("Make it readable or leave it out."),
                            InputKind::picture});
    return {};
  }

  InputList& list_;
  bool archives_;
  std::set<std::pair<dev_t, ino_t>> visited_;
};

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  std::string_view x = a, y = b;
  while (!x.empty() && !y.empty()) {
    if (is_digit(x.front()) && is_digit(y.front())) {
      const std::string_view m = take_number(x), n = take_number(y);
      if (m.size() != n.size()) return m.size() < n.size();
      if (m != n) return m < n;
      continue;
    }
    if (x.front() != y.front()) return static_cast<unsigned char>(x.front()) < static_cast<unsigned char>(y.front());
    x.remove_prefix(1);
    y.remove_prefix(1);
  }
  if (x.size() != y.size()) return x.size() < y.size();
  // Equal but for leading zeros: any fixed order will do.
  return a < b;
}

std::string InputList::describe() const {
  std::string text = counted(files_seen, "file") + " seen";
  const char* separator = "; skipped: ";
  for (const auto& [reason, count] : skipped) {
    text += separator + std::to_string(count) + ' ' + reason;
    separator = ", ";
  }
  return text;
}

Result<InputList> expand_inputs(std::span<const std::string> arguments, bool archives) {
  InputList list;
  FolderWalk walk(list, archives);
  for (const std::string& argument : arguments) {
    struct stat info {};
    if (::stat(argument.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
      const Look look = S_ISREG(info.st_mode) ? look_at(argument) : Look();
      if (archives && look.readable && is_archive(look, argument)) {
        SPINERT_TRY(walk.archive(argument));
        continue;
      }
      ++list.files_seen;
      const std::optional<InputKind> kind = look.readable ? kind_of(look, argument) : std::nullopt;
      list.inputs.push_back({argument, {}, kind.value_or(InputKind::picture)});
      continue;
    }
    const size_t before = list.inputs.size();
    SPINERT_TRY(walk.walk(argument, 0));
    if (list.inputs.size() == before) {
      list.inputs.push_back({argument,
                             error(ErrorId::E_INPUT_EMPTY, "no picture in the folder", argument)
                                 .expected("PNG, JPEG, DICOM or NIfTI", list.describe())
                                 .hint("Check the path; hidden files are skipped."),
                             InputKind::picture});
    }
  }
  const bool any = std::ranges::any_of(list.inputs, [](const Input& input) { return input.problem.ok(); });
  if (any) return list;
  if (!list.inputs.empty()) return list.inputs.front().problem;
  return error(ErrorId::E_INPUT_EMPTY, "no input was named").hint("Give at least one picture or folder.");
}

}  // namespace spinert
