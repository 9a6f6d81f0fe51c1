#include "diagnosis/canvas.h"

#include <algorithm>

namespace spinert {
namespace {

void tight_axis(int64_t extent, int64_t size, int64_t& begin, int64_t& length) {
  // Both operands are small: pictures have at most 2^31 pixels, and anything above `size` means all of it.
  const int64_t wanted = std::min(extent, size) + 2 * kCanvasMargin;
  length = std::min(size, (wanted + kCanvasStep - 1) / kCanvasStep * kCanvasStep);
  begin = (size - length) / 2;
}

}  // namespace

std::string_view canvas_name(CanvasMode mode) {
  return mode == CanvasMode::tight ? "tight" : "fixed";
}

Result<CanvasMode> canvas_mode(std::string_view name) {
  for (const CanvasMode mode : {CanvasMode::fixed, CanvasMode::tight}) {
    if (name == canvas_name(mode)) return mode;
  }
  return error(ErrorId::E_USAGE, "no such canvas").expected("fixed or tight", std::string(name));
}

int64_t canvas_shift(int64_t extent, int64_t size) {
  return std::max<int64_t>(0, (size - extent) / 2) - std::max<int64_t>(0, (extent - size) / 2);
}

Window detector_window(CanvasMode mode, int64_t height, int64_t width, int64_t size) {
  Window window{0, 0, size, size};
  if (mode == CanvasMode::fixed) return window;
  tight_axis(height, size, window.top, window.height);
  tight_axis(width, size, window.left, window.width);
  return window;
}

}  // namespace spinert
