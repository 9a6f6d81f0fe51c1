// place_sm80.cu - backend cuda, from sm_80 on: a slice onto the canvas
// Layout    f32 [1,h,w,1] to f32 [1,size,size,1]
// Tile      one pixel of the canvas per thread: it copies or writes 0, so that no pass for filling is needed
// Work      one division, two comparisons, at most one load, one store
// Bound     memory: a canvas of 1024 x 1024 moves 8.4 MB -> 2.0 us at 4.3 TB/s
// Measured  not yet: no card was available; predicted 4 us, half of it the start of a launch
// Rejects   nothing
// Numerics  values are copied bit for bit
// Tried     nothing else: rows of a slice need not start on 16 bytes
#include "kernels/base/elementwise.cuh"
#include "kernels/place/place.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;

// Source pixel = canvas pixel + shift along each axis.
struct PlaceShape {
  int32_t size, height, width, shift_y, shift_x;
};

__global__ void __launch_bounds__(kThreads) place_kernel(const uint32_t* slice, uint32_t* canvas, PlaceShape s) {
  ptx::grid_dependency_wait();
  const int64_t item = thread_item();
  if (item >= int64_t{s.size} * s.size) return;
  auto rest = static_cast<uint32_t>(item);
  const int32_t x = take_axis(rest, s.size) + s.shift_x, y = static_cast<int32_t>(rest) + s.shift_y;
  const bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
  canvas[item] = inside ? slice[int64_t{y} * s.width + x] : 0;  // bits of 0.0f
}

void run(const OpCall& call, const RunContext& context) {
  const int64_t size = call.as<PlaceParams>().size, height = call.in[0].shape[1], width = call.in[0].shape[2];
  // Whole numbers rounded towards zero on both sides, as the contract's two offsets are: a difference of -1 shifts by
  // 0.
  const auto shift = [&](int64_t extent) { return static_cast<int32_t>((extent - size) / 2); };
  const PlaceShape s{static_cast<int32_t>(size), static_cast<int32_t>(height), static_cast<int32_t>(width),
                     shift(height), shift(width)};
  launch(context, {.grid_x = item_blocks(size * size, kThreads), .block = kThreads, .waits = true}, place_kernel,
         call.in[0].as<uint32_t>(), call.out[0].as<uint32_t>(), s);
}

}  // namespace

extern const Kernel place_sm80;
const Kernel place_sm80 = {.run = run};

}  // namespace spinert
