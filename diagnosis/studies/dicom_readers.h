// dicom_readers.h - several workers side by side, so that a series of hundreds of files uses all cores.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "diagnosis/studies/dicom_worker.h"
#include "runtime/engine.h"

namespace spinert {

class DicomReaders {
 public:
  // Nothing is started before the first file. `program`: see DicomWorkerOptions.
  explicit DicomReaders(int count, std::string program = {}) : count_(count), program_(std::move(program)) {}

  // Calls work(worker, i) for i in [0, n), each worker in a thread of its own, and waits. The results of one index are
  // the caller's to keep apart. Ends early when `control` says so or a call returns an error, and gives the error of
  // the lowest index. E_NO_DICOM.
  Status for_each(size_t n, const RunControl& control, const std::function<Status(DicomWorker&, size_t)>& work);

 private:
  int count_;
  std::string program_;
  std::vector<std::unique_ptr<DicomWorker>> workers_;
};

}  // namespace spinert
