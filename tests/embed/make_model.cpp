// make_model.cpp - writes the reduced model and slice.png, in which it finds something, into a folder and prints the
// model's path: for tests that are not C++.
#include <cstdio>
#include <fstream>

#include "diagnosis/images/png_write.h"
#include "tests/support/reduced_model.h"

int main(int argc, char** argv) {
  using namespace spinert;
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  const auto model = reduced::make(folder);
  const Picture picture = reduced::picture(120, 100, 3);
  const std::vector<uint8_t> grey(picture.value.begin(), picture.value.end());
  const auto png = encode_png_grey(picture.width, picture.height, grey);
  if (!model.ok() || !png.ok()) return 1;
  std::ofstream(folder + "/slice.png", std::ios::binary)
      .write(reinterpret_cast<const char*>(png.value().data()), static_cast<std::streamsize>(png.value().size()));
  std::printf("%s\n", model.value().c_str());
  return 0;
}
