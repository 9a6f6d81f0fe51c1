// nifti_header.cpp - rules NI-01 to NI-11. Field places are those of nifti1.h and nifti2.h.
#include "diagnosis/studies/nifti_header.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "diagnosis/studies/series.h"
#include "kernels/base/checked.h"

namespace spinert {
namespace {

constexpr int32_t kBytes1 = 348, kBytes2 = 540;
constexpr double kSameTransformMm = 1e-3;
constexpr double kSameSpacing = 0.01;     // relative, of pixdim and the sform
constexpr double kMinIndependence = 0.7;  // volume of a voxel by the product of its sides: 1 is a box, sin(45 degrees)
constexpr double kQuaternionExcess = 1e-5;  // of the squares over 1, by rounding to float

// The header as it is in the file, numbers widened.
struct Raw {
  int64_t dim[8];
  int datatype, bitpix;
  double pixdim[8], slope, intercept;
  double offset;  // NIfTI-1: a float
  int64_t offset2;
  int units, qform, sform;
  double quaternion[3], shift[3], rows[3][4];
};

class Fields {
 public:
  Fields(const uint8_t* bytes, bool swapped) : bytes_(bytes), swapped_(swapped) {}
  template <class Stored, class Value>
  void get(size_t place, Value& value) const {
    value = static_cast<Value>(load_nifti<Stored>(bytes_ + place, swapped_));
  }
  template <class Stored, class Value, size_t count>
  void get(size_t place, Value (&values)[count]) const {
    for (size_t i = 0; i < count; ++i) get<Stored>(place + i * sizeof(Stored), values[i]);
  }

 private:
  const uint8_t* bytes_;
  bool swapped_;
};

Raw fields_of_1(const Fields& f) {
  Raw h{};
  f.get<int16_t>(40, h.dim);
  f.get<int16_t>(70, h.datatype);
  f.get<int16_t>(72, h.bitpix);
  f.get<float>(76, h.pixdim);
  f.get<float>(108, h.offset);
  f.get<float>(112, h.slope);
  f.get<float>(116, h.intercept);
  f.get<uint8_t>(123, h.units);
  f.get<int16_t>(252, h.qform);
  f.get<int16_t>(254, h.sform);
  f.get<float>(256, h.quaternion);
  f.get<float>(268, h.shift);
  for (size_t i = 0; i < 3; ++i) f.get<float>(280 + 16 * i, h.rows[i]);
  return h;
}

Raw fields_of_2(const Fields& f) {
  Raw h{};
  f.get<int16_t>(12, h.datatype);
  f.get<int16_t>(14, h.bitpix);
  f.get<int64_t>(16, h.dim);
  f.get<double>(104, h.pixdim);
  f.get<int64_t>(168, h.offset2);
  f.get<double>(176, h.slope);
  f.get<double>(184, h.intercept);
  f.get<int32_t>(344, h.qform);
  f.get<int32_t>(348, h.sform);
  f.get<double>(352, h.quaternion);
  f.get<double>(376, h.shift);
  for (size_t i = 0; i < 3; ++i) f.get<double>(400 + 32 * i, h.rows[i]);
  f.get<int32_t>(500, h.units);
  return h;
}

// What every check needs.
struct Judge {
  const std::string& where;
  Status refuse(std::string what) const { return error(ErrorId::E_NIFTI, std::move(what), where); }
  Status unread(std::string what) const { return error(ErrorId::E_NIFTI_KIND, std::move(what), where); }
};

Status check_magic(const uint8_t* header, bool second, const Judge& judge) {
  const char* magic = reinterpret_cast<const char*>(header) + (second ? 4 : 344);
  const bool single = second ? std::memcmp(magic, "n+2\0\r\n\032\n", 8) == 0 : std::memcmp(magic, "n+1\0", 4) == 0;
  if (single) return {};
  if (std::memcmp(magic, second ? "ni2" : "ni1", 3) == 0) {
    return judge.unread("header and voxels in two files").hint("Convert it to one file (.nii).");
  }
  return judge.refuse("NI-02: the magic of a NIfTI file is missing")
      .hint("Analyze files have no orientation; convert.");
}

Status check_dims(const Raw& h, const Judge& judge) {
  if (h.dim[0] < 1 || h.dim[0] > 7) {
    return judge.refuse("NI-03: number of dimensions").expected("1 to 7", std::to_string(h.dim[0]));
  }
  for (int64_t i = 1; i <= h.dim[0]; ++i) {
    if (h.dim[i] < 1 || h.dim[i] > kMaxNiftiSide) {
      return judge.refuse("NI-04: size of dimension " + std::to_string(i))
          .expected("1 to " + std::to_string(kMaxNiftiSide), std::to_string(h.dim[i]));
    }
  }
  if (h.dim[0] < 3) return judge.unread("not a volume").expected("3 dimensions", std::to_string(h.dim[0]));
  for (int64_t i = 4; i <= h.dim[0]; ++i) {
    if (h.dim[i] != 1) {
      return judge.unread("more than one volume")
          .expected("1 along dimension " + std::to_string(i), std::to_string(h.dim[i]))
          .hint("Give one volume alone.");
    }
  }
  const auto area = checked_mul(h.dim[1], h.dim[2]);
  const auto voxels = area ? checked_mul(*area, h.dim[3]) : area;
  if (!voxels || *voxels > kMaxNiftiVoxels) {
    return judge.refuse("NI-04: too many voxels")
        .expected("at most " + std::to_string(kMaxNiftiVoxels),
                  std::to_string(h.dim[1]) + " x " + std::to_string(h.dim[2]) + " x " + std::to_string(h.dim[3]));
  }
  return {};
}

Result<size_t> bytes_of_type(const Raw& h, const Judge& judge) {
  static constexpr struct {
    int code, bits;
    const char* unread;  // nullptr: read
  } kTypes[] = {{2, 8, nullptr},
                {4, 16, nullptr},
                {8, 32, nullptr},
                {16, 32, nullptr},
                {64, 64, nullptr},
                {256, 8, nullptr},
                {512, 16, nullptr},
                {768, 32, nullptr},
                {1, 1, "single bits"},
                {32, 64, "complex numbers"},
                {128, 24, "colours"},
                {1024, 64, "64-bit integers"},
                {1280, 64, "64-bit integers"},
                {1536, 128, "128-bit numbers"},
                {1792, 128, "complex numbers"},
                {2048, 256, "complex numbers"},
                {2304, 32, "colours"}};
  for (const auto& type : kTypes) {
    if (type.code != h.datatype) continue;
    if (type.unread) {
      return judge.unread(std::string("voxels that are ") + type.unread).hint("Convert it to 16-bit integers.");
    }
    if (type.bits != h.bitpix) {
      return judge.refuse("NI-05: bitpix does not fit the type of the voxels")
          .expected(std::to_string(type.bits), std::to_string(h.bitpix));
    }
    return static_cast<size_t>(type.bits) / 8;
  }
  return judge.refuse("NI-05: unknown type of voxels").expected("a code of the format", std::to_string(h.datatype));
}

Result<uint64_t> voxel_offset(const Raw& h, bool second, const Judge& judge) {
  const double least = (second ? kBytes2 : kBytes1) + 4, most = static_cast<double>(kMaxNiftiOffset);
  // A double holds every offset that passes, and what it rounds is beyond the limit.
  const double offset = second ? static_cast<double>(h.offset2) : h.offset;
  if (!(offset >= least && offset <= most) || offset != std::floor(offset)) {
    return judge.refuse("NI-06: where the voxels begin")
        .expected("a whole number from " + std::to_string(static_cast<int>(least)), std::to_string(offset));
  }
  return static_cast<uint64_t>(offset);
}

Status check_size(const NiftiBytes& bytes, uint64_t offset, uint64_t data, const Judge& judge) {
  const auto needed = checked_add(offset, data);
  const uint64_t most = bytes.most_bytes();
  if (needed && (bytes.packed() ? *needed <= most : *needed == most)) return {};
  const std::string demand = (needed ? std::to_string(*needed) : "more than 2^64") + " bytes by its header";
  if (bytes.packed()) {
    return judge.refuse("NI-12: the file is too small to unpack to its size")
        .expected(demand, "at most " + std::to_string(most));
  }
  if (needed && *needed < most)
    return judge.refuse("NI-13: bytes follow the voxels").expected(demand, std::to_string(most));
  return judge.refuse("NI-07: the file ends too early")
      .expected(demand, std::to_string(most))
      .hint("Copy the file again.");
}

// Index to millimetres in NIfTI's coordinates: [x y z][i j k shift].
using Matrix = std::array<std::array<double, 4>, 3>;

Result<std::optional<Matrix>> sform_of(const Raw& h, const Judge& judge) {
  if (h.sform == 0) return std::optional<Matrix>();
  if (h.sform < 0 || h.sform > 5) return judge.refuse("NI-09: sform_code").expected("0 to 5", std::to_string(h.sform));
  Matrix m;
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 4; ++j) m[i][j] = h.rows[i][j];
  }
  return std::optional<Matrix>(m);
}

Result<std::optional<Matrix>> qform_of(const Raw& h, const Judge& judge) {
  if (h.qform == 0) return std::optional<Matrix>();
  if (h.qform < 0 || h.qform > 5) return judge.refuse("NI-09: qform_code").expected("0 to 5", std::to_string(h.qform));
  const double b = h.quaternion[0], c = h.quaternion[1], d = h.quaternion[2], squares = b * b + c * c + d * d;
  if (!(squares <= 1 + kQuaternionExcess)) {
    return judge.refuse("NI-09: the quaternion is no rotation")
        .expected("squares of at most 1", std::to_string(squares));
  }
  const double a = std::sqrt(std::max(0.0, 1 - squares));
  const double sign = h.pixdim[0] < 0 ? -1 : 1;  // qfac
  const double rotation[3][3] = {{a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
                                 {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
                                 {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};
  Matrix m;
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) m[i][j] = rotation[i][j] * h.pixdim[j + 1] * (j == 2 ? sign : 1);
    m[i][3] = h.shift[i];
  }
  return std::optional<Matrix>(m);
}

Vec3 column(const Matrix& m, size_t j) {
  return {m[0][j], m[1][j], m[2][j]};
}

double largest_difference(const Matrix& a, const Matrix& b, const Raw& h) {
  double most = 0;
  for (int corner = 0; corner < 8; ++corner) {
    Vec3 off = column(a, 3) - column(b, 3);
    for (size_t j = 0; j < 3; ++j) {
      if (corner >> j & 1) off = off + static_cast<double>(h.dim[j + 1] - 1) * (column(a, j) - column(b, j));
    }
    const double distance = length(off);
    if (!(distance <= most)) most = distance;  // not a number stays
  }
  return most;
}

Status check_matrix(const Matrix& m, const Judge& judge) {
  const Vec3 a = column(m, 0), b = column(m, 1), c = column(m, 2), shift = column(m, 3);
  for (const Vec3& step : {a, b, c}) {
    const double spacing = length(step);
    if (!(spacing >= kMinSpacingMm && spacing <= kMaxSpacingMm)) {
      return judge.refuse("NI-10: size of a voxel")
          .expected(std::to_string(kMinSpacingMm) + " to " + std::to_string(kMaxSpacingMm) + " mm",
                    std::to_string(spacing));
    }
  }
  const double independence = std::abs(dot(a, cross(b, c))) / (length(a) * length(b) * length(c));
  if (!(independence >= kMinIndependence)) {
    return judge.refuse("NI-10: the axes of the volume are not independent")
        .expected("at least " + std::to_string(kMinIndependence), std::to_string(independence));
  }
  if (!(length(shift) <= kMaxPositionMm)) {
    return judge.refuse("NI-10: position of the first voxel")
        .expected("within " + std::to_string(kMaxPositionMm) + " mm", std::to_string(length(shift)));
  }
  return {};
}

Status check_pixdim(const Raw& h, const Judge& judge) {
  for (size_t i = 1; i <= 3; ++i) {
    if (!(h.pixdim[i] > 0) || !std::isfinite(h.pixdim[i])) {
      return judge.refuse("NI-10: pixdim[" + std::to_string(i) + "]").expected("above 0", std::to_string(h.pixdim[i]));
    }
  }
  return {};
}

struct Chosen {
  Matrix matrix;
  const char* name;
};

Result<Chosen> choose_transform(const Raw& h, NiftiTransform prefer, const Judge& judge) {
  SPINERT_ASSIGN(const std::optional<Matrix> sform, sform_of(h, judge));
  // The qform takes its sizes from pixdim; if the user names the sform, neither is asked.
  std::optional<Matrix> qform;
  if (prefer != NiftiTransform::sform) {
    if (h.qform != 0) SPINERT_TRY(check_pixdim(h, judge));
    SPINERT_ASSIGN(qform, qform_of(h, judge));
  }
  if ((prefer == NiftiTransform::sform && !sform) || (prefer == NiftiTransform::qform && !qform) ||
      (!sform && !qform)) {
    return error(ErrorId::E_GEOM_MISSING, "no transform from voxels to the patient", judge.where)
        .expected(prefer == NiftiTransform::sform   ? "an sform"
                  : prefer == NiftiTransform::qform ? "a qform"
                                                    : "an sform or a qform",
                  "codes " + std::to_string(h.sform) + " and " + std::to_string(h.qform));
  }
  if (prefer == NiftiTransform::qform || !sform) return Chosen{*qform, "qform"};
  if (prefer == NiftiTransform::sform) return Chosen{*sform, "sform"};
  if (qform) {
    const double difference = largest_difference(*sform, *qform, h);
    if (!(difference <= kSameTransformMm)) {
      return judge.refuse("NI-11: sform and qform differ")
          .expected("at most 0.001 mm at every corner", std::to_string(difference) + " mm")
          .hint("Name the one that is right.");
    }
  }
  for (size_t i = 0; i < 3; ++i) {
    const double spacing = length(column(*sform, i));
    if (!(std::abs(spacing - h.pixdim[i + 1]) <= kSameSpacing * spacing)) {
      return judge.refuse("NI-11: sform and pixdim differ in the size of a voxel")
          .expected(std::to_string(spacing) + " mm", std::to_string(h.pixdim[i + 1]))
          .hint("Name the sform if it is right.");
    }
  }
  return Chosen{*sform, "sform"};
}

}  // namespace

Result<NiftiHeader> read_nifti_header(NiftiBytes& bytes, NiftiTransform prefer, const std::string& where) {
  const Judge judge{where};
  uint8_t header[kBytes2];
  SPINERT_TRY(bytes.read(header, 4));
  NiftiHeader result;
  int32_t size = 0;
  for (const bool swapped : {false, true}) {
    Fields(header, swapped).get<int32_t>(0, size);
    result.swapped = swapped;
    if (size == kBytes1 || size == kBytes2) break;
  }
  if (size != kBytes1 && size != kBytes2) {
    return judge.refuse("NI-01: not a NIfTI file").expected("a header of 348 or 540 bytes", "something else");
  }
  const bool second = size == kBytes2;
  SPINERT_TRY(bytes.read(header + 4, static_cast<size_t>(size) - 4));
  SPINERT_TRY(check_magic(header, second, judge));
  const Fields fields(header, result.swapped);
  const Raw raw = second ? fields_of_2(fields) : fields_of_1(fields);

  SPINERT_TRY(check_dims(raw, judge));
  SPINERT_ASSIGN(result.value_bytes, bytes_of_type(raw, judge));
  result.type = static_cast<NiftiType>(raw.datatype);
  SPINERT_ASSIGN(const uint64_t offset, voxel_offset(raw, second, judge));
  const auto voxels = static_cast<uint64_t>(raw.dim[1] * raw.dim[2] * raw.dim[3]);  // checked above
  SPINERT_TRY(check_size(bytes, offset, voxels * result.value_bytes, judge));
  if (raw.slope != 0) {
    if (!std::isfinite(raw.slope) || !std::isfinite(raw.intercept)) {
      return judge.refuse("NI-08: scl_slope or scl_inter is not finite")
          .expected("finite numbers", std::to_string(raw.slope) + ", " + std::to_string(raw.intercept));
    }
    result.slope = raw.slope;
    result.intercept = raw.intercept;
  }
  const int space = raw.units & 7;
  if (space == 1 || space == 3) return judge.unread(space == 1 ? "lengths in metres" : "lengths in micrometres");

  SPINERT_ASSIGN(const Chosen chosen, choose_transform(raw, prefer, judge));
  SPINERT_TRY(check_matrix(chosen.matrix, judge));
  result.transform = chosen.name;
  // NIfTI's x grows to the right of the patient and y to the front; DICOM's to the left and the back.
  const auto turned = [&](size_t j) {
    const Vec3 v = column(chosen.matrix, j);
    return Vec3{-v.x, -v.y, v.z};
  };
  result.grid = {{static_cast<int>(raw.dim[1]), static_cast<int>(raw.dim[2]), turned(3), turned(0), turned(1)},
                 static_cast<int>(raw.dim[3]),
                 turned(2)};
  SPINERT_TRY(bytes.skip(offset - static_cast<uint64_t>(size)));
  return result;
}

}  // namespace spinert
