#include "diagnosis/slice_start.h"

#include <algorithm>
#include <cmath>

namespace spinert {

std::vector<float> grey_of(const Picture& picture, const WindowConfig& window) {
  std::optional<HuWindow> in_hu;
  if (picture.hu_offset) in_hu = {*picture.hu_offset, window.level, window.width};
  return to_grey(picture, in_hu);
}

SliceResult begin_slice(const Picture& picture, const std::string& source, const std::vector<float>& grey) {
  SliceResult slice;
  slice.source = source;
  slice.sha256 = picture.sha256;
  slice.width = picture.width;
  slice.height = picture.height;
  slice.lossy = picture.lossy;
  slice.hu_offset = picture.hu_offset;
  for (const std::string& warning : picture.warnings) {
    slice.reasons.push_back({warning.substr(0, warning.find(':')), warning});
  }
  slice.preview.resize(grey.size());
  std::ranges::transform(grey, slice.preview.begin(),
                         [](float v) { return static_cast<unsigned char>(std::lround(std::clamp(v, 0.0f, 255.0f))); });
  return slice;
}

}  // namespace spinert
