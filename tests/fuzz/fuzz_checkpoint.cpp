// fuzz_checkpoint.cpp - any bytes as a checkpoint, .pth or safetensors. A tensor that is read has as many values as its
// shape says.
#include "converter/checkpoint.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spinert;
  const auto checkpoint = read_checkpoint(fuzz_path(data, size));
  if (!checkpoint.ok()) {
    FUZZ_CHECK(exit_code(checkpoint.status().id()) >= 3 && exit_code(checkpoint.status().id()) <= 9);
    return 0;
  }
  for (const SourceTensor& tensor : checkpoint.value().tensors) {
    uint64_t count = 1;
    for (const int64_t extent : tensor.shape) {
      FUZZ_CHECK(extent >= 0);
      count *= static_cast<uint64_t>(extent);
    }
    FUZZ_CHECK(tensor.values.size() + tensor.integers.size() == count);
  }
  return 0;
}
