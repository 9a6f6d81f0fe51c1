// fuzz_model.cpp - any bytes as a model file: its header, its table of tensors and, if these are sound, its weights.
#include <vector>

#include "kernels/base/thread_pool.h"
#include "tests/fuzz/fuzz_file.h"
#include "weights/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spinert;
  const auto file = ModelFile::open(fuzz_path(data, size));
  if (!file.ok()) {
    FUZZ_CHECK(exit_code(file.status().id()) >= 3 && exit_code(file.status().id()) <= 9);
    return 0;
  }
  static ThreadPool pool(1);
  WeightStream stream(file.value(), pool);
  std::vector<float> values;
  for (const Weight& weight : file.value().weights()) {
    FUZZ_CHECK(weight.elements <= size);  // a value takes a byte at least
    values.resize(weight.elements);
    if (!stream.read_f32(weight, values).ok()) return 0;
  }
  (void)stream.finish();
  return 0;
}
