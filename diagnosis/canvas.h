// canvas.h - where a slice lies on the square canvas, and which part of the canvas the detector looks at.
//
// The slice is placed about the centre: cropped along an axis that is longer than the canvas, surrounded by black along
// one that is shorter (kernels/place/place.h). The classifier always reads the whole canvas. The detector reads a
// window of it: all of it (fixed), or the part about the slice, in whole blocks with a margin (tight). Extents of
// windows are multiples of the coarsest stride, so that every stride is exact; what differs is what lies beyond: black
// there, nothing here.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/base/status.h"

namespace spinert {

enum class CanvasMode : unsigned char { fixed, tight };
std::string_view canvas_name(CanvasMode mode);
// E_USAGE for a name that is neither "fixed" nor "tight".
Result<CanvasMode> canvas_mode(std::string_view name);

// Extents of windows are multiples of this, the stride of the coarsest feature map.
inline constexpr int64_t kCanvasStep = 64;

// Black on each side of the slice that a tight window keeps, where the canvas has it. Nearer the ends of the window the
// convolutions see its end; with 64 and 96 boxes appear and move (docs/PERFORMANCE.md, "Tight canvas").
inline constexpr int64_t kCanvasMargin = 128;

struct Window {
  int64_t top = 0, left = 0, height = 0, width = 0;  // pixels of the canvas
  bool operator==(const Window&) const = default;
};

// Offset of one axis: position on the canvas = position in the slice + shift. Negative where the slice is cropped.
int64_t canvas_shift(int64_t extent, int64_t size);

// What the detector sees of a slice of that height and width. size: of the canvas.
Window detector_window(CanvasMode mode, int64_t height, int64_t width, int64_t size);

}  // namespace spinert
