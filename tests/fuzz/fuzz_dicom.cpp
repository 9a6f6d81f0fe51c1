// fuzz_dicom.cpp - any bytes as a DICOM file, decoded in this process: what spinert-dicom does inside its sandbox. A
// file that is read has the pixels that its facts promise, and facts and errors survive the way to the program.
#include <cstdint>
#include <cstdlib>

#include "apps/dicom/decode.h"
#include "diagnosis/studies/dicom_check.h"
#include "diagnosis/studies/dicom_protocol.h"
#include "diagnosis/studies/dicom_worker.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// A length of gigabytes is refused by the limit of the sandbox; here by the allocator. The largest picture needs 244
// MiB at a time.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=300";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spinert;
  static const bool ready = prepare_decoders().ok();
  check(ready);
  (void)looks_like_dicom(data, size);
  for (const bool pixels : {false, true}) {
    const auto file = decode_dicom({data, size}, pixels);
    if (!file.ok()) {
      const Status status = file.status();
      check(exit_code(status.id()) == 4 || exit_code(status.id()) == 5);
      check(decode_error(static_cast<uint32_t>(status.id()), encode_error(status)).id() == status.id());
      continue;
    }
    const DicomFacts& facts = file.value().facts;
    check(check_pixel_facts(facts).ok());
    check(decode_facts(encode_facts(facts)).ok());
    if (!pixels) continue;
    check(check_one_grey_frame(facts).ok());
    check(file.value().stored.size() == static_cast<size_t>(facts.rows) * static_cast<size_t>(facts.columns));
  }
  return 0;
}
