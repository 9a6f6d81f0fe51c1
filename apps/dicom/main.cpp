// main.cpp - spinert-dicom: decodes DICOM files and writes those of results for spinert, which starts it
// (docs/dicom.md).
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "apps/dicom/decode.h"
#include "apps/dicom/server.h"
#include "apps/dicom/write.h"

int main(int count, char** arguments) {
  using namespace spinert;
  const std::string_view wish = count == 2 ? arguments[1] : "";
  if (wish == "--version" || wish == "--serve") {
    if (const Status status = prepare_decoders(); !status.ok()) {
      std::fprintf(stderr, "spinert-dicom: error %s\n", status.to_string().c_str());
      return exit_code(status.id());
    }
  }
  if (wish == "--serve")
    return serve_dicom(STDIN_FILENO, STDOUT_FILENO, {decode_dicom, decoder_libraries(), dicom_limits, write_dicom});
  if (wish == "--version") {
    std::printf("spinert-dicom with %s\n", decoder_libraries().c_str());
    return 0;
  }
  std::fprintf(
      wish == "--help" ? stdout : stderr,
      "spinert-dicom decodes and writes DICOM files for spinert, which starts it; it is of no use by itself.\n\n"
      "  spinert-dicom --version   the libraries; fails if their data files are missing\n"
      "  spinert-dicom --serve     tasks on standard input, answers on standard output\n");
  return wish == "--help" ? 0 : exit_code(ErrorId::E_USAGE);
}
