// server.h - the loop of spinert-dicom: takes one task after the other and has each done in a process of its own.
//
// It knows the protocol and no DICOM: what decodes and writes are functions, so that tests can give it ones that crash.
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
  // Called in the same way for a task that makes a file: the bytes of the request to those of the file.
  std::function<Result<std::string>(std::span<const uint8_t> job)> write = {};
};

// Says hello on `out`, then serves requests from `in` until it is closed. The result is the exit code: 0 if `in` ended
// between two requests. It gives up (1) where the two sides could disagree about what comes next.
int serve_dicom(int in, int out, const DicomServer& server);

}  // namespace spinert
