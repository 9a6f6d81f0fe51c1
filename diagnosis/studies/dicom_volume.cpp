#include "diagnosis/studies/dicom_volume.h"

#include <algorithm>
#include <mutex>

#include "diagnosis/studies/hounsfield.h"
#include "runtime/aligned_buffer.h"

namespace spinert {

Result<Volume> read_dicom_volume(std::span<const DicomFacts> study, const SeriesGeometry& geometry,
                                 DicomReaders& readers, const RunControl& control) {
  Volume volume;
  volume.grid = geometry.grid;
  const Grid& grid = volume.grid;
  const size_t per_slice = static_cast<size_t>(grid.plane.columns) * static_cast<size_t>(grid.plane.rows);
  const size_t voxels = per_slice * static_cast<size_t>(grid.slices);
  const auto bytes = static_cast<int64_t>(voxels * sizeof(int16_t));
  if (const int64_t limit = usable_memory() / 2; bytes > limit) {
    return error(ErrorId::E_OOM_HOST, "the volume does not fit the memory")
        .expected("at most " + std::to_string(limit) + " bytes", std::to_string(bytes))
        .hint("Give a part of the series, or the process more memory.");
  }
  volume.slices.resize(static_cast<size_t>(grid.slices));
  std::mutex mutex;
  HuRange range;
  SPINERT_TRY(readers.for_each(geometry.order.size(), control, [&](DicomWorker& worker, size_t i) -> Status {
    SPINERT_ASSIGN(HuSlice slice, readers.read_slice(worker, study[geometry.order[i]]));
    HuRange of_slice;
    of_slice.add(slice.hu);
    volume.slices[static_cast<size_t>(geometry.place[i])] = std::move(slice.hu);
    const std::lock_guard lock(mutex);
    range.add(of_slice);
    return {};
  }));
  SPINERT_TRY(check_plausible_hu(range, "series"));
  SPINERT_TRY(check_duplicates(study, geometry, readers, control));
  return volume;
}

Status check_duplicates(std::span<const DicomFacts> study, const SeriesGeometry& geometry, DicomReaders& readers,
                        const RunControl& control) {
  return readers.for_each(geometry.duplicates.size(), control, [&](DicomWorker& worker, size_t i) -> Status {
    const Duplicate& twice = geometry.duplicates[i];
    SPINERT_ASSIGN(const DicomFile kept, DicomReaders::read_again(worker, study[twice.of]));
    SPINERT_ASSIGN(const DicomFile other, DicomReaders::read_again(worker, study[twice.file]));
    return check_duplicate(kept, other);
  });
}

}  // namespace spinert
