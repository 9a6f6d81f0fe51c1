// fuzz_dicom.cpp - any bytes as a DICOM file, decoded in this process: what spinert-dicom does inside its sandbox. A
// file that is read has the pixels that its facts promise, and facts and errors survive the way to the program. Results
// are made for the patient of such a file, and are DICOM files or errors.
#include <cstdint>
#include <cstdlib>

#include "apps/dicom/decode.h"
#include "apps/dicom/write.h"
#include "diagnosis/studies/dicom_check.h"
#include "diagnosis/studies/dicom_object.h"
#include "diagnosis/studies/dicom_protocol.h"
#include "diagnosis/studies/dicom_worker.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

// A picture and a report as small as can be, made twice: the same bytes.
void make_results(std::span<const uint8_t> source, const spinert::DicomFacts& facts) {
  using namespace spinert;
  const uint8_t pixels[3] = {1, 2, 3};
  for (const bool report : {false, true}) {
    DicomObject object;
    object.is_report = report;
    object.instance_uid = object.series_uid = object.device_uid = "2.25.1";
    object.source_series_uid = facts.series;
    object.sources = {{facts.sop_class, facts.sop_instance}};
    object.columns = object.rows = report ? 0 : 1;
    SrItem root;
    root.relation = SrRelation::root;
    root.name = {"126000", "DCM", "Imaging Measurement Report"};
    object.items = {root};
    const auto encoded = encode_dicom_object(object);
    check(encoded.ok());
    const auto job = encode_dicom_job(encoded.value(), source, report ? std::span<const uint8_t>() : std::span(pixels));
    check(job.ok());
    const std::span bytes(reinterpret_cast<const uint8_t*>(job.value().data()), job.value().size());
    const auto made = write_dicom(bytes), again = write_dicom(bytes);
    check(made.ok() == again.ok());
    if (made.ok()) {
      check(made.value() == again.value());
      check(looks_like_dicom(reinterpret_cast<const unsigned char*>(made.value().data()), made.value().size()));
    }
  }
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
    if (!pixels) {
      make_results({data, size}, facts);
      continue;
    }
    check(check_one_grey_frame(facts).ok());
    check(file.value().stored.size() == static_cast<size_t>(facts.rows) * static_cast<size_t>(facts.columns));
  }
  return 0;
}
