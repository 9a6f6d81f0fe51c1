// fuzz_zip.cpp - any bytes as a zip archive of DICOM files: listed, each entry's first bytes and all of them. What is
// read has the size that was declared and begins with what was shown of it.
#include <algorithm>

#include "diagnosis/studies/dicom_archive.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spinert;
  constexpr uint64_t kMaxEntry = 1 << 20;
  constexpr size_t kHead = 1024;
  const auto archive = DicomArchive::open(fuzz_path(data, size));
  if (!archive.ok()) {
    FUZZ_CHECK(exit_code(archive.status().id()) >= 4 && exit_code(archive.status().id()) <= 9);
    return 0;
  }
  for (size_t i = 0; i < archive.value()->size(); ++i) {
    const auto head = archive.value()->head(i, kHead);
    const auto whole = archive.value()->read(i, kMaxEntry);
    FUZZ_CHECK(head.ok() || head.status().id() == ErrorId::E_DICOM);
    if (!whole.ok()) continue;
    FUZZ_CHECK(head.ok() && head.value().size() == std::min(kHead, whole.value().size()));
    FUZZ_CHECK(std::equal(head.value().begin(), head.value().end(), whole.value().begin()));
  }
  return 0;
}
