// nifti_writer.h - forged NIfTI files: every field can be set to what no honest writer writes.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace spinert::test {

// A sound int16 volume of 4 x 3 x 2 voxels of 1 x 2 x 3 mm, the value -1000 + 10 * index, unless changed.
struct NiftiSpec {
  int version = 1;
  bool swapped = false;
  std::array<int64_t, 8> dim{3, 4, 3, 2, 1, 1, 1, 1};
  int datatype = 4, bitpix = 16;
  std::array<double, 8> pixdim{1, 1, 2, 3, 1, 1, 1, 1};
  double vox_offset = 0;  // 0: right behind the header and its four bytes
  int64_t vox_offset2 = 0;
  double slope = 0, inter = 0;
  int units = 2, qform = 0, sform = 1;
  std::array<double, 3> quaternion{}, shift{10, 20, 30};
  std::array<std::array<double, 4>, 3> srow{{{1, 0, 0, 10}, {0, 2, 0, 20}, {0, 0, 3, 30}}};
  std::string magic;           // empty: the right one
  int32_t header_bytes = 0;    // 0: the right one
  std::string extension;       // between header and voxels
  std::vector<double> values;  // stored ones; empty: as above
};

class NiftiWriter {
 public:
  explicit NiftiWriter(const NiftiSpec& spec) : spec_(spec), bytes_(spec.version == 2 ? 540 : 348, 0) {}

  std::string write() {
    const bool second = spec_.version == 2;
    put<int32_t>(0, spec_.header_bytes ? spec_.header_bytes : static_cast<int32_t>(bytes_.size()));
    second ? fields_2() : fields_1();
    bytes_ += std::string(4, 0) + spec_.extension;
    for (const double value : values()) append(value);
    return bytes_;
  }

 private:
  template <class Stored, class Value>
  void put(size_t place, Value value) {
    const auto stored = static_cast<Stored>(value);
    char raw[sizeof stored];
    std::memcpy(raw, &stored, sizeof raw);
    if (spec_.swapped) std::reverse(raw, raw + sizeof raw);
    bytes_.replace(place, sizeof raw, raw, sizeof raw);
  }
  template <class Stored, class Values>
  void put_all(size_t place, const Values& values) {
    for (size_t i = 0; i < values.size(); ++i) put<Stored>(place + i * sizeof(Stored), values[i]);
  }
  double offset() const {
    return spec_.vox_offset != 0 ? spec_.vox_offset : static_cast<double>(bytes_.size() + 4 + spec_.extension.size());
  }

  void fields_1() {
    put_all<int16_t>(40, spec_.dim);
    put<int16_t>(70, spec_.datatype);
    put<int16_t>(72, spec_.bitpix);
    put_all<float>(76, spec_.pixdim);
    put<float>(108, offset());
    put<float>(112, spec_.slope);
    put<float>(116, spec_.inter);
    put<uint8_t>(123, spec_.units);
    put<int16_t>(252, spec_.qform);
    put<int16_t>(254, spec_.sform);
    put_all<float>(256, spec_.quaternion);
    put_all<float>(268, spec_.shift);
    for (size_t i = 0; i < 3; ++i) put_all<float>(280 + 16 * i, spec_.srow[i]);
    std::string magic = spec_.magic.empty() ? "n+1" : spec_.magic;
    magic.resize(4);
    bytes_.replace(344, 4, magic);
  }

  void fields_2() {
    std::string magic = spec_.magic.empty() ? std::string("n+2\0\r\n\032\n", 8) : spec_.magic;
    magic.resize(8);
    bytes_.replace(4, 8, magic);
    put<int16_t>(12, spec_.datatype);
    put<int16_t>(14, spec_.bitpix);
    put_all<int64_t>(16, spec_.dim);
    put_all<double>(104, spec_.pixdim);
    put<int64_t>(168, spec_.vox_offset2 ? spec_.vox_offset2 : static_cast<int64_t>(offset()));
    put<double>(176, spec_.slope);
    put<double>(184, spec_.inter);
    put<int32_t>(344, spec_.qform);
    put<int32_t>(348, spec_.sform);
    put_all<double>(352, spec_.quaternion);
    put_all<double>(376, spec_.shift);
    for (size_t i = 0; i < 3; ++i) put_all<double>(400 + 32 * i, spec_.srow[i]);
    put<int32_t>(500, spec_.units);
  }

  std::vector<double> values() const {
    if (!spec_.values.empty()) return spec_.values;
    std::vector<double> ramp(24);
    for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = -1000 + 10.0 * static_cast<double>(i);
    return ramp;
  }

  template <class Stored>
  void append_as(double value) {
    const size_t place = bytes_.size();
    bytes_.resize(place + sizeof(Stored));
    put<Stored>(place, value);
  }
  void append(double value) {
    switch (spec_.datatype) {
      case 2: return append_as<uint8_t>(value);
      case 256: return append_as<int8_t>(value);
      case 512: return append_as<uint16_t>(value);
      case 8: return append_as<int32_t>(value);
      case 768: return append_as<uint32_t>(value);
      case 16: return append_as<float>(value);
      case 64: return append_as<double>(value);
      default: return append_as<int16_t>(value);
    }
  }

  const NiftiSpec& spec_;
  std::string bytes_;
};

inline std::string nifti(const NiftiSpec& spec) {
  return NiftiWriter(spec).write();
}

// One gzip member.
inline std::string gzipped(const std::string& bytes) {
  z_stream stream{};
  std::string packed;
  if (deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) return packed;
  packed.resize(deflateBound(&stream, bytes.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int answer = deflate(&stream, Z_FINISH);
  packed.resize(answer == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return packed;
}

}  // namespace spinert::test
