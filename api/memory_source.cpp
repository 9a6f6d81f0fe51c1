#include "api/memory_source.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/images/limits.h"
#include "diagnosis/study.h"
#include "kernels/base/checked.h"
#include "weights/sha256.h"

namespace spinert::api {
namespace {

constexpr double kSquare = 0.01;         // sides of pixels may differ by so much
constexpr int kSignedShift = 32768;      // signed pixels are moved to where Picture can hold them
constexpr double kLargestSpacing = 1e3;  // mm

size_t bytes_per_pixel(const spinert_picture& picture) {
  return picture.format == SPINERT_U8 ? 1 : 2;
}

Status picture_misuse(size_t index, const std::string& what) {
  return misuse("slices[" + std::to_string(index) + "]" + what);
}

bool is_spacing(double spacing) {
  return spacing >= 0 && spacing <= kLargestSpacing;
}

// Rows and bytes of a picture of pixels. Sizes beyond the limits are left to the slice: nothing is read of it then.
bool size_in_limits(const spinert_picture& picture) {
  const auto side = [](int32_t n) { return n >= kMinPictureSide && n <= static_cast<int32_t>(kMaxPictureSide); };
  return side(picture.width) && side(picture.height) &&
         static_cast<uint64_t>(picture.width) * static_cast<uint64_t>(picture.height) <= kMaxPicturePixels;
}

Status check_pixels(spinert_picture& picture, size_t index) {
  if (picture.width < 1 || picture.height < 1) {
    return picture_misuse(index, " has no size")
        .expected("width and height of at least 1",
                  std::to_string(picture.width) + " x " + std::to_string(picture.height));
  }
  if (picture.format == SPINERT_I16 && picture.has_hu_offset == 0) {
    return picture_misuse(index, ": signed values are Hounsfield units").hint("Set has_hu_offset, hu_offset 0.");
  }
  if (!size_in_limits(picture)) return {};
  const size_t row = static_cast<size_t>(picture.width) * bytes_per_pixel(picture);
  if (picture.stride == 0) picture.stride = row;
  const auto before_last = checked_mul(picture.stride, static_cast<size_t>(picture.height) - 1);
  const auto needed = before_last ? checked_add(*before_last, row) : std::nullopt;
  if (picture.stride < row || !needed || *needed > picture.size) {
    return picture_misuse(index, " has too few bytes")
        .expected(std::to_string(picture.height) + " rows of " + std::to_string(row) + " bytes",
                  std::to_string(picture.size) + " bytes, stride " + std::to_string(picture.stride));
  }
  return {};
}

Status check_picture(spinert_picture& picture, size_t index) {
  if (picture.format < SPINERT_ENCODED || picture.format > SPINERT_I16) {
    return picture_misuse(index, ".format").expected("0 to 3", std::to_string(picture.format));
  }
  if (!picture.data && picture.size > 0) return picture_misuse(index, ".data is null");
  if (picture.has_hu_offset != 0) SPINERT_TRY(check_hu_offset(picture.hu_offset));
  const double x = picture.spacing_x, y = picture.spacing_y;
  if (!is_spacing(x) || !is_spacing(y) || (x > 0) != (y > 0)) {
    return picture_misuse(index, ": spacing")
        .expected("two numbers of millimetres, or 0 and 0", std::to_string(x) + " and " + std::to_string(y));
  }
  if (x > 0 && std::abs(x - y) > kSquare * std::min(x, y)) {
    return error(ErrorId::E_GEOM_MISSING, "the pixels are not square", "slices[" + std::to_string(index) + "]")
        .expected("equal spacing", std::to_string(x) + " and " + std::to_string(y) + " mm")
        .hint("Resample the slice to square pixels.");
  }
  return picture.format == SPINERT_ENCODED ? Status() : check_pixels(picture, index);
}

Result<Picture> take_pixels(const spinert_picture& from, const std::string& name) {
  if (!size_in_limits(from)) {
    return error(ErrorId::E_IMAGE_SIZE, "picture too small or too large", name)
        .expected("sides of " + std::to_string(kMinPictureSide) + " to " + std::to_string(kMaxPictureSide) +
                      ", at most " + std::to_string(kMaxPicturePixels) + " pixels",
                  std::to_string(from.width) + " x " + std::to_string(from.height));
  }
  Picture picture;
  picture.width = from.width;
  picture.height = from.height;
  picture.bits = from.format == SPINERT_U8 ? 8 : 16;
  const auto columns = static_cast<size_t>(from.width), rows = static_cast<size_t>(from.height);
  picture.value.resize(columns * rows);
  Sha256 hash;
  const auto* row = static_cast<const unsigned char*>(from.data);
  for (size_t y = 0; y < rows; ++y, row += from.stride) {
    uint16_t* out = picture.value.data() + y * columns;
    hash.update(row, columns * bytes_per_pixel(from));
    if (from.format == SPINERT_U8) {
      std::copy_n(row, columns, out);
      continue;
    }
    std::memcpy(out, row, columns * sizeof *out);  // rows need not be aligned
    if (from.format == SPINERT_U16) continue;
    for (size_t x = 0; x < columns; ++x) out[x] = static_cast<uint16_t>(static_cast<int16_t>(out[x]) + kSignedShift);
  }
  picture.sha256 = to_hex(hash.finish());
  if (from.has_hu_offset != 0) {
    picture.hu_offset = from.format == SPINERT_I16 ? from.hu_offset + kSignedShift : from.hu_offset;
  }
  return picture;
}

Result<Picture> decode(const spinert_picture& from, const std::string& name) {
  if (from.size > kMaxPictureFileBytes) {
    return error(ErrorId::E_IMAGE_SIZE, "picture too large", name)
        .expected("at most " + std::to_string(kMaxPictureFileBytes) + " bytes", std::to_string(from.size));
  }
  SPINERT_ASSIGN(Picture picture, decode_picture({static_cast<const uint8_t*>(from.data), from.size}, name));
  if (from.has_hu_offset != 0) picture.hu_offset = from.hu_offset;
  return picture;
}

class MemorySource : public SliceSource {
 public:
  explicit MemorySource(std::vector<spinert_picture> pictures) : pictures_(std::move(pictures)) {
    SourceNames names;
    for (size_t i = 0; i < pictures_.size(); ++i) {
      const std::string given = text_of(pictures_[i].name);
      names_.push_back(names.add(given.empty() ? "slice-" + std::to_string(i + 1) : given));
    }
  }

  size_t size() const override { return pictures_.size(); }
  const std::string& name(size_t index) const override { return names_[index]; }
  const std::string& path(size_t) const override { return no_path_; }
  const Examination& examination() const override { return examination_; }

  Result<SourceSlice> read(size_t index) override {
    const spinert_picture& from = pictures_[index];
    SPINERT_ASSIGN(Picture picture,
                   from.format == SPINERT_ENCODED ? decode(from, names_[index]) : take_pixels(from, names_[index]));
    return SourceSlice{std::move(picture), {}};
  }

 private:
  std::vector<spinert_picture> pictures_;
  std::vector<std::string> names_;
  std::string no_path_;
  Examination examination_;
};

}  // namespace

Result<std::unique_ptr<SliceSource>> memory_source(std::span<const spinert_picture* const> pictures) {
  std::vector<spinert_picture> checked(pictures.size());
  for (size_t i = 0; i < pictures.size(); ++i) {
    SPINERT_TRY(read_struct(pictures[i], checked[i], ("slices[" + std::to_string(i) + "]").c_str()));
    SPINERT_TRY(check_picture(checked[i], i));
  }
  return std::unique_ptr<SliceSource>(std::make_unique<MemorySource>(std::move(checked)));
}

}  // namespace spinert::api
