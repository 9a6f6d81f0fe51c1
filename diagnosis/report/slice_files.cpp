#include "diagnosis/report/slice_files.h"

#include "diagnosis/images/png_write.h"

namespace spinert {

Result<SourceSlice> SliceFiles::read(size_t index) {
  Result<SourceSlice> slice = source_.read(index);
  if (slice.ok() && status_.ok() && !written_[index]) {
    written_[index] = true;
    status_ = write(index, slice.value().picture);
  }
  return slice;
}

Status SliceFiles::write(size_t index, const Picture& picture) {
  const auto encode = [&picture] {
    if (picture.bits == 16) return encode_png_grey16(picture.width, picture.height, picture.value);
    return encode_png_grey(picture.width, picture.height,
                           std::vector<uint8_t>(picture.value.begin(), picture.value.end()));
  };
  SPINERT_ASSIGN(const std::vector<uint8_t> png, encode());
  return output_.add(free_name(names_, slice_file_name, name(index)),
                     {reinterpret_cast<const char*>(png.data()), png.size()}, name(index));
}

}  // namespace spinert
