// server.h - the loop of spinert-dicom: takes one file after the other and has each decoded in a process of its own.
//
// It knows the protocol and no DICOM: what decodes is a function, so that tests can give it one that crashes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "diagnosis/studies/dicom_file.h"
#include "diagnosis/studies/dicom_protocol.h"
#include "kernels/base/status.h"

namespace spinert {

struct DicomServer {
  // Called in a new process for every file; without `pixels` only the facts are wanted.
  std::function<Result<DicomFile>(std::span<const uint8_t> bytes, bool pixels)> decode;
  std::string libraries;
  std::function<DicomLimits(uint64_t)> limits = dicom_limits;
};

// Says hello on `out`, then serves requests from `in` until it is closed. The result is the exit code: 0 if `in` ended
// between two requests. It gives up (1) where the two sides could disagree about what comes next.
int serve_dicom(int in, int out, const DicomServer& server);

}  // namespace spinert
