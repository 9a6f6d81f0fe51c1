// make_model.cpp - writes the reduced model into a folder and prints its path: for tests that are not C++.
#include <cstdio>

#include "tests/support/reduced_model.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto model = spinert::reduced::make(argv[1]);
  std::printf("%s\n", model.ok() ? model.value().c_str() : model.status().to_string().c_str());
  return spinert::exit_code(model.status().id());
}
