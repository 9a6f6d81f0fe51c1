// diagnose_one.cpp - the smallest program that uses SpineRT as a library: one picture in, its vertebrae out.
//   build/diagnose_one models/spine-demo.safetensors examples/slice_001.png
#include <cstdio>

#include "diagnosis/pipeline.h"

namespace {

int fail(const spinert::Status& status) {
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return spinert::exit_code(status.id());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return fail(spinert::error(spinert::ErrorId::E_USAGE, "give a model and a picture"));
  const auto pipeline = spinert::Pipeline::open({.model = argv[1]});
  if (!pipeline.ok()) return fail(pipeline.status());
  const auto picture = spinert::read_picture(argv[2]);
  if (!picture.ok()) return fail(picture.status());

  const spinert::SliceResult slice = pipeline.value()->diagnose(picture.value(), argv[2]);
  std::printf("%s: %s, %s. %s\n", argv[2], slice.status.c_str(), slice.alert.c_str(), spinert::kResearchLabel);
  for (const spinert::Vertebra& vertebra : slice.vertebrae) {
    std::printf("%2d  score %.3f ", vertebra.id, double(vertebra.score));
    for (const std::string& label : vertebra.labels) std::printf(" %s", label.c_str());
    std::printf("\n");
  }
  return spinert::exit_code(slice.error);
}
