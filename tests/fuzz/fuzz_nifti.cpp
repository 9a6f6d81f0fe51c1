// fuzz_nifti.cpp - any bytes as a NIfTI file, packed or not. What is read has a sound grid, and sagittal pictures of it
// can be sampled.
#include <algorithm>
#include <cmath>

#include "diagnosis/studies/nifti.h"
#include "diagnosis/studies/reformat.h"
#include "tests/fuzz/fuzz_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spinert;
  for (const auto prefer : {NiftiTransform::automatic, NiftiTransform::sform, NiftiTransform::qform}) {
    const auto file = read_nifti({data, size}, "input", prefer);
    if (!file.ok()) {
      FUZZ_CHECK(exit_code(file.status().id()) >= 4 && exit_code(file.status().id()) <= 9);
      continue;
    }
    const Volume& volume = file.value().volume;
    const Grid& grid = volume.grid;
    FUZZ_CHECK(volume.slices.size() == static_cast<size_t>(grid.slices));
    int lowest = INT16_MAX, highest = INT16_MIN;
    for (const auto& slice : volume.slices) {
      FUZZ_CHECK(slice.size() == static_cast<size_t>(grid.plane.columns) * static_cast<size_t>(grid.plane.rows));
      const auto [low, high] = std::minmax_element(slice.begin(), slice.end());
      lowest = std::min<int>(lowest, *low);
      highest = std::max<int>(highest, *high);
    }
    const Vec3 far = grid.at(grid.plane.columns - 1, grid.plane.rows - 1, grid.slices - 1);
    FUZZ_CHECK(std::isfinite(far.x) && std::isfinite(far.y) && std::isfinite(far.z));
    // Coarse pixels: what is looked for is not in large pictures.
    const auto plan =
        plan_reformat(volume, {.mm_per_pixel = 5, .step_mm = 40, .half_width_mm = 50, .max_slice_mm = 50});
    if (!plan.ok() || plan.value().planes.front().columns * plan.value().planes.front().rows > 1 << 16) continue;
    for (const Plane& plane : plan.value().planes) {
      for (const int16_t hu : sample_plane(volume, plane).hu)
        FUZZ_CHECK(hu == kAirHu || (lowest <= hu && hu <= highest));
    }
  }
  return 0;
}
