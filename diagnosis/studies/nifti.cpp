// nifti.cpp - the voxels, piece by piece: swapped, rescaled, rounded.
#include "diagnosis/studies/nifti.h"

#include <algorithm>
#include <new>

#include "diagnosis/studies/hounsfield.h"
#include "diagnosis/studies/nifti_header.h"

namespace spinert {
namespace {

constexpr size_t kPieceVoxels = 1 << 15;

template <class Stored>
void rescale(const std::vector<uint8_t>& raw, const NiftiHeader& header, std::vector<double>& values, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto stored = load_nifti<Stored>(raw.data() + i * sizeof(Stored), header.swapped);
    values[i] = static_cast<double>(stored) * header.slope + header.intercept;
  }
}

void rescale_any(const std::vector<uint8_t>& raw, const NiftiHeader& header, std::vector<double>& values,
                 size_t count) {
  switch (header.type) {
    case NiftiType::u8: return rescale<uint8_t>(raw, header, values, count);
    case NiftiType::i16: return rescale<int16_t>(raw, header, values, count);
    case NiftiType::i32: return rescale<int32_t>(raw, header, values, count);
    case NiftiType::f32: return rescale<float>(raw, header, values, count);
    case NiftiType::f64: return rescale<double>(raw, header, values, count);
    case NiftiType::i8: return rescale<int8_t>(raw, header, values, count);
    case NiftiType::u16: return rescale<uint16_t>(raw, header, values, count);
    case NiftiType::u32: return rescale<uint32_t>(raw, header, values, count);
  }
}

Status bad_value(const std::vector<double>& values, size_t count, size_t first, const Plane& plane,
                 const std::string& where) {
  const auto bad = [](double v) { return !(v >= -32768.5 && v < 32767.5); };
  const auto found = std::find_if(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count), bad);
  const size_t index = first + static_cast<size_t>(found - values.begin());
  const auto columns = static_cast<size_t>(plane.columns), rows = static_cast<size_t>(plane.rows);
  return error(ErrorId::E_RANGE,
               "no Hounsfield units, voxel (" + std::to_string(index % columns) + ", " +
                   std::to_string(index / columns % rows) + ", " + std::to_string(index / columns / rows) + ")",
               where)
      .expected("-32768 to 32767", std::to_string(*found))
      .hint("Check scl_slope and scl_inter, and what stands for voxels without a value.");
}

Result<NiftiFile> read(NiftiBytes& bytes, const std::string& where, NiftiTransform prefer) {
  SPINERT_TRY(bytes.begin());
  SPINERT_ASSIGN(const NiftiHeader header, read_nifti_header(bytes, prefer, where));
  NiftiFile file;
  file.transform = header.transform;
  Volume& volume = file.volume;
  volume.grid = header.grid;
  const Plane& plane = header.grid.plane;
  const size_t per_slice = static_cast<size_t>(plane.columns) * static_cast<size_t>(plane.rows);
  const auto slices = static_cast<size_t>(header.grid.slices);
  const size_t piece = std::min(kPieceVoxels, per_slice);
  std::vector<uint8_t> raw(piece * header.value_bytes);
  std::vector<double> values(piece);
  HuRange range;
  try {
    volume.slices.resize(slices);
    for (size_t slice = 0; slice < slices; ++slice) {
      std::vector<int16_t>& hu = volume.slices[slice];
      hu.resize(per_slice);
      for (size_t done = 0; done < per_slice;) {
        const size_t count = std::min(piece, per_slice - done);
        SPINERT_TRY(bytes.read(raw.data(), count * header.value_bytes));
        rescale_any(raw, header, values, count);
        if (!round_to_int16(values.data(), count, hu.data() + done)) {
          return bad_value(values, count, slice * per_slice + done, plane, where);
        }
        done += count;
      }
      range.add(hu);
    }
  } catch (const std::bad_alloc&) {
    return error(ErrorId::E_OOM_HOST, "no memory for the volume", where)
        .expected(std::to_string(per_slice * slices * sizeof(int16_t)) + " bytes", "less than that");
  }
  SPINERT_ASSIGN(file.sha256, bytes.finish());
  SPINERT_TRY(check_plausible_hu(range, where));
  return file;
}

}  // namespace

Result<NiftiFile> read_nifti(const std::string& path, NiftiTransform prefer) {
  SPINERT_ASSIGN(InputStream file, InputStream::open(path, kMaxNiftiFileBytes, ErrorId::E_NIFTI));
  NiftiBytes bytes(file, path);
  return read(bytes, path, prefer);
}

Result<NiftiFile> read_nifti(std::span<const uint8_t> memory, const std::string& where, NiftiTransform prefer) {
  NiftiBytes bytes(memory, where);
  return read(bytes, where, prefer);
}

}  // namespace spinert
