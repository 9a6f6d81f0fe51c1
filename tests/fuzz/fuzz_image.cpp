// fuzz_image.cpp - any bytes as a picture, PNG or JPEG. What is read has the size that it says and values of its bits.
#include <algorithm>

#include "diagnosis/images/limits.h"
#include "diagnosis/images/picture.h"
#include "tests/fuzz/fuzz_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spinert;
  const auto picture = decode_picture({data, size}, "input.png");
  if (!picture.ok()) {
    FUZZ_CHECK(exit_code(picture.status().id()) >= 4 && exit_code(picture.status().id()) <= 9);
    return 0;
  }
  const Picture& p = picture.value();
  constexpr int kMost = kMaxPictureSide;
  FUZZ_CHECK(p.width > 0 && p.height > 0 && p.width <= kMost && p.height <= kMost);
  FUZZ_CHECK(p.value.size() == static_cast<size_t>(p.width) * static_cast<size_t>(p.height));
  FUZZ_CHECK(p.bits == 16 || (p.bits == 8 && *std::max_element(p.value.begin(), p.value.end()) <= 255));
  return 0;
}
