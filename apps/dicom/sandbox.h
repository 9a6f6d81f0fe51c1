// sandbox.h - what the process that decodes one file may do: use so much memory and time, and write into its pipe.
#pragma once

#include <sys/types.h>

#include "diagnosis/studies/dicom_protocol.h"

namespace spinert {

// Limits this process for good: address space, processor time, no new files, no bytes into files, no core; no new
// privileges; it dies with `parent`. On x86-64 a filter lets through only the system calls that memory and finished
// descriptors need; the others fail with EPERM. False if one of the limits cannot be set.
bool enter_sandbox(const DicomLimits& limits, pid_t parent);

}  // namespace spinert
