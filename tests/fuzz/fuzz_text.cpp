// fuzz_text.cpp - any text as the config of a pipeline, as truth in JSON or in CSV; the first byte says which.
#include <string>

#include "config/pipeline_config.h"
#include "diagnosis/evaluation/truth.h"
#include "tests/fuzz/fuzz_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spinert;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<std::string> classes = {"OVCF", "OF", "SN", "KD", "PS", "normal"};
  Status status;
  switch (data[0] % 3) {
    case 0: status = parse_pipeline_config(text).status(); break;
    case 1: status = evaluation::parse_truth_json(text, classes, "truth.json").status(); break;
    default: status = evaluation::parse_truth_csv(text, classes, "truth.csv").status();
  }
  FUZZ_CHECK(status.ok() || (exit_code(status.id()) >= 2 && exit_code(status.id()) <= 9));
  return 0;
}
