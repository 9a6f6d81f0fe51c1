// ptx_twins_tma.cpp - the tensor memory accelerator: loads that land at a later switch, stores that read at their wait.
#include <algorithm>
#include <cstring>

#include "kernels/base/emulation/ptx_mbarrier.h"
#include "kernels/base/emulation/ptx_twins.h"

namespace spinert::emulation {
namespace {

using ptx_model::BoxRow;
using ptx_model::MapFields;

constexpr int kPiece = 16, kMostRowBytes = 256 * 4, kMostOffset = 255;

MapFields checked_map(const ptx::TensorMap* map, bool im2col, int rank, uint32_t shared, const char* what) {
  const MapFields fields = ptx_model::from_map(*map);
  if (fields.magic != ptx_model::kMapMagic) report(std::string(what) + ": not a tensor map");
  if (fields.im2col != im2col || fields.rank != rank) {
    report(std::string(what) + ": the map is for " + (fields.im2col ? "im2col" : "tiles") + " of rank " +
           std::to_string(fields.rank));
  }
  check_aligned(shared, static_cast<uint32_t>(std::max(128, ptx::swizzle_period(fields.swizzle))), what);
  return fields;
}

// Elements of a row that lie inside the tensor: from `begin` to `end`, and where the first of them is.
struct Part {
  int64_t begin, end;
  const unsigned char* at;
};
Part inside_of(const MapFields& map, const BoxRow& row) {
  const int64_t begin = std::max<int64_t>(0, -row.first);
  const int64_t end = std::min<int64_t>(map.box[0], int64_t{map.dims[0]} - row.first);
  if (!row.base || end <= begin) return {0, 0, nullptr};
  return {begin, end, row.base + (row.first + begin) * map.element_bytes};
}

// Where piece `piece` of a row lies in shared memory.
unsigned char* piece_of(const MapFields& map, uint32_t shared, const BoxRow& row, int64_t piece) {
  return shared_pointer(ptx_model::swizzled(shared + static_cast<uint32_t>(row.offset + piece * kPiece), map.swizzle));
}

void load_row(const MapFields& map, uint32_t shared, const BoxRow& row) {
  unsigned char bytes[kMostRowBytes] = {};
  const auto in = inside_of(map, row);
  const int64_t size = map.element_bytes;
  if (in.at) std::memcpy(bytes + in.begin * size, in.at, static_cast<size_t>((in.end - in.begin) * size));
  for (int64_t piece = 0; piece * kPiece < map.box[0] * size; ++piece) {
    std::memcpy(piece_of(map, shared, row, piece), bytes + piece * kPiece, kPiece);
  }
}

void store_row(const MapFields& map, uint32_t shared, const BoxRow& row) {
  unsigned char bytes[kMostRowBytes];
  const auto in = inside_of(map, row);
  if (!in.at) return;
  const int64_t size = map.element_bytes;
  for (int64_t piece = 0; piece * kPiece < map.box[0] * size; ++piece) {
    std::memcpy(bytes + piece * kPiece, piece_of(map, shared, row, piece), kPiece);
  }
  std::memcpy(const_cast<unsigned char*>(in.at), bytes + in.begin * size,
              static_cast<size_t>((in.end - in.begin) * size));
}

// row_at(i) is row i of the box. Everything is noted now, the bytes move later.
template <class RowAt>
void start_load(const MapFields& map, uint32_t shared, uint32_t bar, int64_t rows, const RowAt& row_at,
                const char* what) {
  mbarrier_will_receive(bar, what);
  const int64_t bytes = ptx_model::box_bytes(map);
  const Clock clock = fork(Agent::fresh);
  for (int64_t i = 0; i < rows; ++i) {
    const auto in = inside_of(map, row_at(i));
    if (in.at) note_read(in.at, static_cast<size_t>((in.end - in.begin) * map.element_bytes), what, clock);
  }
  note_write(shared_pointer(shared), static_cast<size_t>(bytes), what, clock);
  defer([=] {
    for (int64_t i = 0; i < rows; ++i) load_row(map, shared, row_at(i));
    mbarrier_complete_tx(bar, bytes, clock, what);
  });
}

}  // namespace

void tma_load_tile(uint32_t shared, const ptx::TensorMap* map, uint32_t bar, int rank, const int* coordinates) {
  const Inside inside;
  static constexpr const char* kWhat = "TMA load";
  const MapFields fields = checked_map(map, false, rank, shared, kWhat);
  std::array<int, 5> at{};
  std::copy_n(coordinates, rank, at.begin());
  start_load(
      fields, shared, bar, ptx_model::tile_rows(fields),
      [=](int64_t row) { return ptx_model::tile_row(fields, at, row); }, kWhat);
}

void tma_load_im2col(uint32_t shared, const ptx::TensorMap* map, uint32_t bar, const int* coordinates, int offset_w,
                     int offset_h) {
  const Inside inside;
  static constexpr const char* kWhat = "TMA im2col load";
  const MapFields fields = checked_map(map, true, 4, shared, kWhat);
  const std::array<int, 4> at{coordinates[0], coordinates[1], coordinates[2], coordinates[3]};
  for (size_t d = 0; d < 2; ++d) {
    const int64_t last = int64_t{fields.dims[d + 1]} - 1 + fields.upper[d];
    if (at[d + 1] < fields.lower[d] || at[d + 1] > last || (at[d + 1] - fields.lower[d]) % fields.steps[d + 1] != 0) {
      report(std::string(kWhat) + ": it starts at " + (d == 0 ? "w " : "h ") + std::to_string(at[d + 1]) +
             ", which is not a position of the box " + std::to_string(fields.lower[d]) + " to " + std::to_string(last) +
             " in steps of " + std::to_string(fields.steps[d + 1]));
    }
  }
  if (offset_w > kMostOffset || offset_h > kMostOffset) report(std::string(kWhat) + ": offsets are 0 to 255");
  start_load(
      fields, shared, bar, fields.box[1],
      [=](int64_t pixel) {
        return ptx_model::im2col_row(fields, at, {offset_w, offset_h}, pixel);
      },
      kWhat);
}

void tma_store_tile(const ptx::TensorMap* map, uint32_t shared, int rank, const int* coordinates) {
  const Inside inside;
  static constexpr const char* kWhat = "TMA store";
  StoreOperation store{checked_map(map, false, rank, shared, kWhat), shared, {}, {}};
  std::copy_n(coordinates, rank, store.coordinates.begin());
  const auto bytes = static_cast<size_t>(ptx_model::box_bytes(store.map));
  check_fenced(shared_pointer(shared), bytes, kWhat);
  store.clock = fork(Agent::fresh);
  note_read(shared_pointer(shared), bytes, kWhat, store.clock);
  for (int64_t i = 0; i < ptx_model::tile_rows(store.map); ++i) {
    const auto in = inside_of(store.map, ptx_model::tile_row(store.map, store.coordinates, i));
    if (in.at)
      note_write(in.at, static_cast<size_t>((in.end - in.begin) * store.map.element_bytes), kWhat, store.clock);
  }
  my_ptx().stores.open.push_back(std::move(store));
}

void tma_store_commit() {
  const Inside inside;
  my_ptx().stores.commit();
}

void tma_store_wait(int youngest) {
  const Inside inside;
  my_ptx().stores.finish(youngest, [](const StoreOperation& store) {
    for (int64_t i = 0; i < ptx_model::tile_rows(store.map); ++i) {
      store_row(store.map, store.shared, ptx_model::tile_row(store.map, store.coordinates, i));
    }
    acquire(store.clock);
  });
}

}  // namespace spinert::emulation
