#include "diagnosis/own_place.h"

#include <dlfcn.h>
#include <sys/auxv.h>

#include <filesystem>

namespace spinert {
namespace {

namespace fs = std::filesystem;

// The loader knows a program by the name that it was called with, which says nothing about its folder; of a library it
// knows the path.
fs::path own_folder() {
  static const char here = 0;
  Dl_info own{}, program{};
  std::error_code failure;
  fs::path file = "/proc/self/exe";
  if (dladdr(&here, &own) != 0 && dladdr(reinterpret_cast<void*>(getauxval(AT_PHDR)), &program) != 0 &&
      own.dli_fbase != program.dli_fbase) {
    file = own.dli_fname;
  }
  file = fs::canonical(file, failure);
  return failure ? fs::path() : file.parent_path();
}

}  // namespace

std::string find_own_file(const std::string& name, std::initializer_list<const char*> places) {
  const fs::path folder = own_folder();
  if (folder.empty()) return {};
  for (const char* place : places) {
    std::error_code failure;
    const fs::path file = (folder / place / name).lexically_normal();
    if (fs::is_regular_file(file, failure)) return file.string();
  }
  return {};
}

}  // namespace spinert
