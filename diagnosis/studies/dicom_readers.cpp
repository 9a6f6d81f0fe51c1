#include "diagnosis/studies/dicom_readers.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <thread>

#include "diagnosis/studies/dicom_archive.h"
#include "diagnosis/studies/dicom_check.h"
#include "diagnosis/studies/hounsfield.h"
#include "diagnosis/studies/series.h"

namespace spinert {

Result<DicomFacts> DicomReaders::read_facts(DicomWorker& worker, const InputFile& from) {
  if (!kept_.has_room()) return worker.read_facts(from);
  Result<DicomFile> file = worker.read(from);
  if (!file.ok()) return worker.read_facts(from);
  if (Result<HuSlice> slice = to_hounsfield(file.value()); slice.ok()) {
    kept_.keep(file.value().facts.sha256, std::move(slice.value().hu));
  }
  return std::move(file.value().facts);
}

Result<DicomFile> DicomReaders::read_again(DicomWorker& worker, const DicomFacts& facts) {
  SPINERT_ASSIGN(DicomFile file, worker.read(file_of(facts)));
  SPINERT_TRY(check_same_file(facts, file.facts.sha256));
  return file;
}

Result<HuSlice> DicomReaders::read_slice(DicomWorker& worker, const DicomFacts& facts) {
  if (auto hu = kept_.take(facts.sha256)) {
    SPINERT_ASSIGN(const Plane plane, plane_of(facts));
    return HuSlice{plane, std::move(*hu)};
  }
  SPINERT_ASSIGN(const DicomFile file, read_again(worker, facts));
  return to_hounsfield(file);
}

Status DicomReaders::for_each(size_t n, const RunControl& control,
                              const std::function<Status(DicomWorker&, size_t)>& work) {
  const size_t threads = std::min(n, static_cast<size_t>(count_));
  while (workers_.size() < threads) {
    SPINERT_ASSIGN(auto worker, DicomWorker::start({.program = program_}));
    workers_.push_back(std::move(worker));
  }
  std::atomic<size_t> next{0};
  std::mutex mutex;
  Status first;
  size_t first_index = n;
  const auto run = [&](DicomWorker& worker) {
    for (size_t i = next++; i < n; i = next++) {
      Status status = control.check();
      try {
        if (status.ok()) status = work(worker, i);
      } catch (const std::bad_alloc&) {
        status = error(ErrorId::E_OOM_HOST, "the memory was not enough").hint("Give the process more memory.");
      }
      if (status.ok()) continue;
      next = n;  // indices below i are already taken and will be finished
      const std::lock_guard lock(mutex);
      if (i < first_index) {
        first_index = i;
        first = std::move(status);
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (size_t t = 1; t < threads; ++t) others.emplace_back([&, t] { run(*workers_[t]); });
    if (threads > 0) run(*workers_[0]);
  }
  return first;
}

}  // namespace spinert
