#include "diagnosis/report/nifti_mask.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace spinert {
namespace {

// A stream of gzip without name and time.
class Gzip {
 public:
  explicit Gzip(const Put& put) : put_(put), packed_(kPart) {
    constexpr int kGzip = 16, kMemory = 8;
    ready_ = deflateInit2(&stream_, kLevel, Z_DEFLATED, MAX_WBITS + kGzip, kMemory, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Gzip() {
    if (ready_) deflateEnd(&stream_);
  }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  Status write(const void* bytes, size_t count) { return deflate_all(bytes, count, Z_NO_FLUSH); }
  Status finish() { return deflate_all(nullptr, 0, Z_FINISH); }

 private:
  static constexpr size_t kPart = 1 << 16;
  static constexpr int kLevel = 3;  // nearly all of a mask is zero

  Status deflate_all(const void* bytes, size_t count, int flush) {
    if (!ready_) return error(ErrorId::E_OOM_HOST, "no memory to compress the mask");
    stream_.next_in = static_cast<Bytef*>(const_cast<void*>(bytes));
    stream_.avail_in = static_cast<uInt>(count);
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(packed_.data());
      stream_.avail_out = static_cast<uInt>(packed_.size());
      deflate(&stream_, flush);
      SPINERT_TRY(put_({packed_.data(), packed_.size() - stream_.avail_out}));
    } while (stream_.avail_out == 0);
    return {};
  }

  const Put& put_;
  std::vector<char> packed_;
  z_stream stream_{};
  bool ready_ = false;
};

// The grid that all slices with a place lie on, and the slice of the study at each of its planes, or -1.
struct MaskGrid {
  Grid grid;
  std::vector<int> slice_at;
};

Result<MaskGrid> grid_of(const StudyResult& study) {
  std::vector<int> placed;
  for (size_t i = 0; i < study.slices.size(); ++i) {
    if (study.slices[i].place) placed.push_back(static_cast<int>(i));
  }
  const auto plane = [&](size_t i) -> const Plane& {
    return study.slices[static_cast<size_t>(placed[i])].place->plane;
  };
  MaskGrid mask;
  if (placed.empty()) return error(ErrorId::E_INTERNAL, "a mask without a slice that has a place");
  mask.grid.plane = plane(0);
  const Examination& examination = study.examination;
  const double nominal = examination.reformat ? examination.reformat->step_mm
                         : examination.stack  ? length(examination.stack->grid.slice_step)
                                              : 0;
  if (nominal <= 0) return error(ErrorId::E_INTERNAL, "a mask without the distance of the slices");
  const Vec3 all = plane(placed.size() - 1).origin - plane(0).origin;
  const auto steps = static_cast<int>(std::lround(length(all) / nominal));
  mask.grid.slices = steps + 1;
  mask.grid.slice_step = steps > 0 ? 1.0 / steps * all : nominal * unit(cross(plane(0).column_step, plane(0).row_step));
  mask.slice_at.assign(static_cast<size_t>(mask.grid.slices), -1);
  const double step = length(mask.grid.slice_step);
  for (size_t i = 0; i < placed.size(); ++i) {
    const auto at = std::lround(dot(plane(i).origin - plane(0).origin, mask.grid.slice_step) / (step * step));
    Plane expected = mask.grid.plane;
    expected.origin = mask.grid.at(0, 0, static_cast<double>(at));
    const bool same = plane(i).columns == expected.columns && plane(i).rows == expected.rows &&
                      length(plane(i).column_step - expected.column_step) < 1e-4 * length(expected.column_step) &&
                      length(plane(i).row_step - expected.row_step) < 1e-4 * length(expected.row_step) &&
                      length(plane(i).origin - expected.origin) < 0.1 * step;
    if (at < 0 || at >= mask.grid.slices || !same || mask.slice_at[static_cast<size_t>(at)] >= 0) {
      return error(ErrorId::E_INTERNAL, "slices lie in no regular stack",
                   study.slices[static_cast<size_t>(placed[i])].source);
    }
    mask.slice_at[static_cast<size_t>(at)] = placed[i];
  }
  return mask;
}

template <class Stored, class Value>
void put_number(std::string& header, size_t place, Value value) {
  const auto stored = static_cast<Stored>(value);
  std::memcpy(header.data() + place, &stored, sizeof stored);
}

// The fields and their places are those of nifti1.h; the byte order is the machine's, which readers recognise.
std::string header_of(const Grid& grid) {
  constexpr size_t kHeader = 348, kData = kHeader + 4;
  constexpr int kInt16 = 4, kLabels = 1002, kMillimetres = 2, kScanner = 1;
  std::string header(kData, '\0');
  put_number<int32_t>(header, 0, kHeader);
  const int sides[] = {3, grid.plane.columns, grid.plane.rows, grid.slices, 1, 1, 1, 1};
  const double steps[] = {
      1, length(grid.plane.column_step), length(grid.plane.row_step), length(grid.slice_step), 1, 1, 1, 1};
  for (size_t i = 0; i < 8; ++i) {
    put_number<int16_t>(header, 40 + 2 * i, sides[i]);
    put_number<float>(header, 76 + 4 * i, steps[i]);
  }
  put_number<int16_t>(header, 68, kLabels);
  put_number<int16_t>(header, 70, kInt16);
  put_number<int16_t>(header, 72, 16);
  put_number<float>(header, 108, kData);
  put_number<float>(header, 112, 1);
  put_number<uint8_t>(header, 123, kMillimetres);
  std::string("SpineRT boxes of vertebrae. ").append(kResearchLabel).copy(&header[148], 79);
  put_number<int16_t>(header, 254, kScanner);
  // LPS to RAS: x and y change their signs.
  const Vec3 columns[] = {grid.plane.column_step, grid.plane.row_step, grid.slice_step, grid.plane.origin};
  for (size_t c = 0; c < 4; ++c) {
    put_number<float>(header, 280 + 4 * c, -columns[c].x);
    put_number<float>(header, 296 + 4 * c, -columns[c].y);
    put_number<float>(header, 312 + 4 * c, columns[c].z);
  }
  std::memcpy(&header[344], "n+1", 3);
  return header;
}

struct LabelledBox {
  int16_t label = 0;
  Box box{};

  double far(double x, double y) const {
    const double dx = x - (double{box[0]} + box[2]) / 2, dy = y - (double{box[1]} + box[3]) / 2;
    return dx * dx + dy * dy;
  }
};

// Pixels of one slice; the edges of a box are edges of pixels.
void paint(const std::vector<LabelledBox>& boxes, int columns, int rows, std::vector<int16_t>& pixels) {
  std::ranges::fill(pixels, int16_t{0});
  const auto first = [](float edge, int side) {
    return static_cast<int>(std::clamp(std::ceil(double{edge} - 0.5), 0.0, static_cast<double>(side)));
  };
  for (const LabelledBox& own : boxes) {
    for (int y = first(own.box[1], rows); y < first(own.box[3], rows); ++y) {
      for (int x = first(own.box[0], columns); x < first(own.box[2], columns); ++x) {
        int16_t& pixel = pixels[static_cast<size_t>(y) * static_cast<size_t>(columns) + static_cast<size_t>(x)];
        const auto other = std::ranges::find(boxes, pixel, &LabelledBox::label);
        if (other == boxes.end() || own.far(x + 0.5, y + 0.5) < other->far(x + 0.5, y + 0.5)) pixel = own.label;
      }
    }
  }
}

}  // namespace

Status check_mask(const Examination& examination) {
  if (examination.kind != "pictures") return {};
  return error(ErrorId::E_USAGE, "--mask-output needs an examination", "pictures")
      .hint("Pictures do not say where they lie: leave the option out, or give the DICOM series or the NIfTI volume.");
}

Status write_nifti_mask(const StudyResult& study, const Put& put) {
  SPINERT_ASSIGN(const MaskGrid mask, grid_of(study));
  std::vector<std::vector<LabelledBox>> boxes(study.slices.size());
  for (const TrackResult& track : study.tracks) {
    for (const TrackMember& member : track.track.members) {
      const auto slice = static_cast<size_t>(member.slice), vertebra = static_cast<size_t>(member.vertebra);
      boxes[slice].push_back({static_cast<int16_t>(track.track.id), study.slices[slice].vertebrae[vertebra].box});
    }
  }
  Gzip gzip(put);
  const std::string header = header_of(mask.grid);
  SPINERT_TRY(gzip.write(header.data(), header.size()));
  const int columns = mask.grid.plane.columns, rows = mask.grid.plane.rows;
  std::vector<int16_t> pixels(static_cast<size_t>(columns) * static_cast<size_t>(rows));
  for (const int slice : mask.slice_at) {
    paint(slice < 0 ? std::vector<LabelledBox>() : boxes[static_cast<size_t>(slice)], columns, rows, pixels);
    SPINERT_TRY(gzip.write(pixels.data(), pixels.size() * sizeof(int16_t)));
  }
  return gzip.finish();
}

}  // namespace spinert
