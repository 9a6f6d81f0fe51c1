// picture.h - a grey picture from a PNG or JPEG file: read, verified, decoded.
//
// Accepted: PNG of 1, 2, 4, 8 or 16 bits, grey, palette or RGB, with or without alpha, interlaced or not; 8-bit
// baseline JPEG. Colour formats pass only if every pixel has R = G = B and is opaque. Content decides, never the file's
// name. Errors: E_PNG, E_JPEG (damaged; the text begins with the rule), E_IMAGE_SIZE (a side under 64), E_IMAGE_COLOUR,
// E_IMAGE_FORMAT (a whole picture of a kind that is not read), E_IMAGE_UNKNOWN (not a picture), E_OOM_HOST; from
// read_picture also those of input_file.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

struct Picture {
  int width = 0, height = 0;
  int bits = 8;                       // 8: values 0..255, 16: values 0..65535
  std::vector<uint16_t> value;        // [height][width]; 1/2/4-bit samples are widened as v * 255 / (2^bits - 1)
  std::optional<double> hu_offset;    // values are HU + offset: the model's window applies
  bool lossy = false;                 // from JPEG: small damage inside the scan cannot be seen
  std::vector<std::string> warnings;  // each begins with its code, as in "W_EXTENSION: ..."
  std::string sha256;                 // of the file's bytes, 64 hex digits
};

Result<Picture> read_picture(const std::string& path);
// The same for bytes in memory; `name` is used in messages and for W_EXTENSION. Pure.
Result<Picture> decode_picture(std::span<const uint8_t> bytes, std::string_view name);

// Turns stored values into Hounsfield units and those into grey: HU = v - offset, window [level - width/2, level +
// width/2].
struct HuWindow {
  double offset = 0;
  double level = 400, width = 1800;
};

// Grey 0..255 per pixel, [height][width]. Without a window: 8 bits as they are, 16 bits v * 255 / 65535, not rounded.
// With one: clip(round_half_even((HU - (level - width/2)) / width * 255), 0, 255), in double. width must be positive.
std::vector<float> to_grey(const Picture& picture, const std::optional<HuWindow>& window);

}  // namespace spinert
