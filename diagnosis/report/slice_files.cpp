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
  const bool deep = picture.bits == 16;
  const std::vector<uint8_t> narrow(picture.value.begin(), deep ? picture.value.begin() : picture.value.end());
  SPINERT_ASSIGN(const std::vector<uint8_t> png, deep ? encode_png_grey16(picture.width, picture.height, picture.value)
                                                      : encode_png_grey(picture.width, picture.height, narrow));
  return output_.add(free_name(names_, slice_file_name, name(index)),
                     {reinterpret_cast<const char*>(png.data()), png.size()}, name(index));
}

}  // namespace spinert
