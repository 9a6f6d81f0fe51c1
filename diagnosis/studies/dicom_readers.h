// dicom_readers.h - several workers side by side, so that a series of hundreds of files uses all cores.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "diagnosis/studies/dicom_worker.h"
#include "diagnosis/studies/kept_pixels.h"
#include "diagnosis/studies/volume.h"
#include "runtime/engine.h"

namespace spinert {

class DicomReaders {
 public:
  // Nothing is started before the first file. `program`: see DicomWorkerOptions. kept_bytes: of pixels between the two
  // readings of a file; 0 where nobody will ask for pixels.
  explicit DicomReaders(int count, std::string program = {}, size_t kept_bytes = 0)
      : count_(count), program_(std::move(program)), kept_(kept_bytes) {}

  KeptPixels& kept() { return kept_; }
  // The facts of a file; its pixels are kept if there is room and nothing is wrong with them. What is wrong is told
  // when they are asked for. `worker`: that for_each() gives. Errors: those of DicomWorker::read_facts.
  Result<DicomFacts> read_facts(DicomWorker& worker, const InputFile& from);
  // A file whose facts are known, read once more: E_INPUT_CHANGED if it is no longer the same.
  static Result<DicomFile> read_again(DicomWorker& worker, const DicomFacts& facts);
  // Its picture: kept, or read once more. Errors also: those of to_hounsfield().
  Result<HuSlice> read_slice(DicomWorker& worker, const DicomFacts& facts);

  // Calls work(worker, i) for i in [0, n), each worker in a thread of its own, and waits. The results of one index are
  // the caller's to keep apart. Ends early when `control` says so or a call returns an error, and gives the error of
  // the lowest index. E_NO_DICOM.
  Status for_each(size_t n, const RunControl& control, const std::function<Status(DicomWorker&, size_t)>& work);

 private:
  int count_;
  std::string program_;
  std::vector<std::unique_ptr<DicomWorker>> workers_;
  KeptPixels kept_;
};

}  // namespace spinert
