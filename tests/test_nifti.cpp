// test_nifti.cpp - the NIfTI reader: what is read to the last value and millimetre, and every forged file with its
// rule.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <functional>
#include <limits>

#include "diagnosis/studies/nifti.h"
#include "tests/support/files.h"
#include "tests/support/nifti_writer.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

using test::gzipped;
using test::nifti;
using test::NiftiSpec;

Result<NiftiFile> read(const std::string& bytes, NiftiTransform prefer = NiftiTransform::automatic) {
  return read_nifti({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "input", prefer);
}

void expect_at(const Vec3& got, const Vec3& wanted, double tolerance = 1e-9) {
  EXPECT_LE(length(got - wanted), tolerance) << got.x << ", " << got.y << ", " << got.z;
}

std::vector<int16_t> voxels(const NiftiFile& file) {
  std::vector<int16_t> all;
  for (const auto& slice : file.volume.slices) all.insert(all.end(), slice.begin(), slice.end());
  return all;
}

void expect_ramp(const Result<NiftiFile>& file) {
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  const std::vector<int16_t> hu = voxels(file.value());
  ASSERT_EQ(hu.size(), 24u);
  for (size_t i = 0; i < 24; ++i) EXPECT_EQ(hu[i], -1000 + 10 * static_cast<int>(i)) << i;
}

TEST(Nifti, BothVersionsAndByteOrdersPlainAndPacked) {
  for (const int version : {1, 2}) {
    for (const bool swapped : {false, true}) {
      SCOPED_TRACE("version " + std::to_string(version) + (swapped ? ", swapped" : ""));
      NiftiSpec spec;
      spec.version = version;
      spec.swapped = swapped;
      const std::string bytes = nifti(spec);
      for (const std::string& file :
           {bytes, gzipped(bytes), gzipped(bytes.substr(0, 360)) + gzipped(bytes.substr(360))}) {
        const auto read_file = read(file);
        expect_ramp(read_file);
        if (!read_file.ok()) continue;
        EXPECT_EQ(read_file.value().sha256, to_hex(sha256(file.data(), file.size())));
        EXPECT_EQ(read_file.value().transform, "sform");
        const Grid& grid = read_file.value().volume.grid;
        EXPECT_EQ(grid.plane.columns, 4);
        EXPECT_EQ(grid.plane.rows, 3);
        EXPECT_EQ(grid.slices, 2);
        expect_at(grid.at(0, 0, 0), {-10, -20, 30});
        expect_at(grid.at(3, 2, 1), {-13, -24, 33});
      }
    }
  }
}

TEST(Nifti, EveryTypeOfVoxel) {
  const struct {
    int code, bits;
    double low, high;  // stored
  } kTypes[] = {{2, 8, 0, 255},         {256, 8, -128, 127},        {4, 16, -32768, 32767}, {512, 16, 0, 65535},
                {8, 32, -40000, 40000}, {768, 32, 0, 4294967295.0}, {16, 32, -1.5, 2.5},    {64, 64, -1.5, 2.5}};
  for (const auto& type : kTypes) {
    for (const bool swapped : {false, true}) {
      SCOPED_TRACE(type.code);
      NiftiSpec spec;
      spec.swapped = swapped;
      spec.datatype = type.code;
      spec.bitpix = type.bits;
      // Exact in float: powers of two that bring the type into -1024 .. 1024.
      spec.slope = type.high > 1e9 ? 1.0 / (1 << 22) : type.high > 255 ? 1.0 / 32 : 1;
      spec.inter = -512;
      spec.values.assign(24, type.low);
      spec.values[23] = type.high;
      spec.values[22] = type.low + 1;
      const auto file = read(nifti(spec));
      ASSERT_TRUE(file.ok()) << file.status().to_string();
      for (const size_t i : {size_t{0}, size_t{22}, size_t{23}}) {
        EXPECT_EQ(voxels(file.value())[i], std::nearbyint(spec.values[i] * spec.slope - 512)) << i;
      }
    }
  }
}

TEST(Nifti, ValuesAreRoundedHalfToEven) {
  NiftiSpec spec;
  spec.datatype = 16;
  spec.bitpix = 32;
  spec.values = {-1.5, -0.5, 0.5, 1.5, 2.5, 2.75, -32768.5, 32767.25};
  spec.dim = {3, 2, 2, 2, 1, 1, 1, 1};
  const auto file = read(nifti(spec));
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  EXPECT_EQ(voxels(file.value()), (std::vector<int16_t>{-2, 0, 0, 2, 2, 3, -32768, 32767}));
}

TEST(Nifti, SlopeZeroMeansNoScaling) {
  NiftiSpec spec;
  spec.inter = std::numeric_limits<double>::quiet_NaN();
  expect_ramp(read(nifti(spec)));
}

// By hand: a turn about z by 90 degrees takes i to y and j to -x; qfac -1 turns k round.
TEST(Nifti, QformIsAQuaternionWithQfac) {
  for (const double qfac : {1.0, 0.0, -1.0}) {
    NiftiSpec spec;
    spec.sform = 0;
    spec.qform = 1;
    spec.pixdim[0] = qfac;
    spec.quaternion = {0, 0, std::sqrt(0.5)};
    const auto file = read(nifti(spec));
    ASSERT_TRUE(file.ok()) << file.status().to_string();
    EXPECT_EQ(file.value().transform, "qform");
    const Grid& grid = file.value().volume.grid;
    // RAS (10 - 2 j, 20 + i, 30 +- 3 k), so LPS with the first two negated. The quaternion is stored as float.
    expect_at(grid.at(3, 2, 1), {-(10 - 4.0), -(20 + 3.0), 30 + (qfac < 0 ? -3.0 : 3.0)}, 1e-6);
  }
}

TEST(Nifti, SformAndQformMustAgreeUnlessOneIsNamed) {
  NiftiSpec spec;
  spec.qform = 1;
  expect_ramp(read(nifti(spec)));
  spec.shift[0] += 0.0009;
  expect_ramp(read(nifti(spec)));
  spec.shift[0] += 0.0002;
  const auto refused = read(nifti(spec));
  EXPECT_EQ(refused.status().id(), ErrorId::E_NIFTI);
  EXPECT_NE(refused.status().message().find("NI-11: sform and qform differ"), std::string::npos);
  const auto sform = read(nifti(spec), NiftiTransform::sform), qform = read(nifti(spec), NiftiTransform::qform);
  ASSERT_TRUE(sform.ok() && qform.ok());
  EXPECT_EQ(sform.value().transform, "sform");
  EXPECT_EQ(qform.value().transform, "qform");
  EXPECT_NEAR(qform.value().volume.grid.plane.origin.x - sform.value().volume.grid.plane.origin.x, -0.0011, 1e-5);

  // A corner far away is off although the first voxel agrees.
  NiftiSpec turned;
  turned.qform = 1;
  turned.quaternion = {0, 0, 0.0005};
  EXPECT_EQ(read(nifti(turned)).status().id(), ErrorId::E_NIFTI);

  NiftiSpec none;
  none.sform = 0;
  EXPECT_EQ(read(nifti(none)).status().id(), ErrorId::E_GEOM_MISSING);
  EXPECT_EQ(read(nifti({}), NiftiTransform::qform).status().id(), ErrorId::E_GEOM_MISSING);
}

TEST(Nifti, ExtensionsAreSkipped) {
  NiftiSpec spec;
  spec.extension = std::string(5000, 'x');
  expect_ramp(read(nifti(spec)));
  spec.dim = {5, 4, 3, 2, 1, 1, 7, 7};  // what lies beyond dim[0] is not asked
  expect_ramp(read(gzipped(nifti(spec))));
}

struct Forgery {
  const char* name;
  std::function<void(NiftiSpec&)> change;
  ErrorId id;
  const char* rule;
};

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

const Forgery kForgeries[] = {
    {"header of 349 bytes", [](NiftiSpec& s) { s.header_bytes = 349; }, ErrorId::E_NIFTI, "NI-01"},
    {"bad magic", [](NiftiSpec& s) { s.magic = "n+3"; }, ErrorId::E_NIFTI, "NI-02"},
    {"Analyze", [](NiftiSpec& s) { s.magic = std::string(8, 0); }, ErrorId::E_NIFTI, "NI-02"},
    {"a pair", [](NiftiSpec& s) { s.magic = s.version == 2 ? "ni2\0\r\n\032\n" : "ni1"; }, ErrorId::E_NIFTI_KIND,
     "two files"},
    {"dim[0] 200", [](NiftiSpec& s) { s.dim[0] = 200; }, ErrorId::E_NIFTI, "NI-03"},
    {"dim[0] -1", [](NiftiSpec& s) { s.dim[0] = -1; }, ErrorId::E_NIFTI, "NI-03"},
    {"dim[0] 0", [](NiftiSpec& s) { s.dim[0] = 0; }, ErrorId::E_NIFTI, "NI-03"},
    {"dim[0] 2", [](NiftiSpec& s) { s.dim[0] = 2; }, ErrorId::E_NIFTI_KIND, "not a volume"},
    {"dim[1] 0", [](NiftiSpec& s) { s.dim[1] = 0; }, ErrorId::E_NIFTI, "NI-04"},
    {"dim[3] -2", [](NiftiSpec& s) { s.dim[3] = -2; }, ErrorId::E_NIFTI, "NI-04"},
    {"2^31 voxels", [](NiftiSpec& s) { s.dim = {3, 2048, 1024, 1024, 1, 1, 1, 1}; }, ErrorId::E_NIFTI, "NI-04"},
    {"dims overflow", [](NiftiSpec& s) { s.dim = {7, 32767, 32767, 32767, 32767, 32767, 32767, 32767}; },
     ErrorId::E_NIFTI_KIND, "more than one volume"},
    {"four dimensions", [](NiftiSpec& s) { s.dim = {4, 4, 3, 1, 2, 1, 1, 1}; }, ErrorId::E_NIFTI_KIND,
     "more than one volume"},
    {"unknown type", [](NiftiSpec& s) { s.datatype = 5; }, ErrorId::E_NIFTI, "NI-05"},
    {"type 0", [](NiftiSpec& s) { s.datatype = 0; }, ErrorId::E_NIFTI, "NI-05"},
    {"bitpix", [](NiftiSpec& s) { s.bitpix = 8; }, ErrorId::E_NIFTI, "NI-05"},
    {"RGB", [](NiftiSpec& s) { s.datatype = 128, s.bitpix = 24; }, ErrorId::E_NIFTI_KIND, "colours"},
    {"complex", [](NiftiSpec& s) { s.datatype = 32, s.bitpix = 64; }, ErrorId::E_NIFTI_KIND, "complex"},
    {"int64", [](NiftiSpec& s) { s.datatype = 1024, s.bitpix = 64; }, ErrorId::E_NIFTI_KIND, "64-bit"},
    {"offset inside the header", [](NiftiSpec& s) { s.vox_offset = 300; }, ErrorId::E_NIFTI, "NI-06"},
    {"offset -352", [](NiftiSpec& s) { s.vox_offset = -352, s.vox_offset2 = -352; }, ErrorId::E_NIFTI, "NI-06"},
    {"offset far away", [](NiftiSpec& s) { s.vox_offset = 1e12; }, ErrorId::E_NIFTI, "NI-06"},
    {"offset one voxel late", [](NiftiSpec& s) { s.vox_offset = (s.version == 2 ? 544 : 352) + 2; }, ErrorId::E_NIFTI,
     "NI-07"},
    {"a voxel missing", [](NiftiSpec& s) { s.values.assign(23, -5); }, ErrorId::E_NIFTI, "NI-07"},
    {"a voxel too much", [](NiftiSpec& s) { s.values.assign(25, -5); }, ErrorId::E_NIFTI, "NI-13"},
    {"slope not a number", [](NiftiSpec& s) { s.slope = kNan; }, ErrorId::E_NIFTI, "NI-08"},
    {"intercept infinite", [](NiftiSpec& s) { s.slope = 1, s.inter = kInf; }, ErrorId::E_NIFTI, "NI-08"},
    {"sform_code", [](NiftiSpec& s) { s.sform = -3; }, ErrorId::E_NIFTI, "NI-09"},
    {"qform_code", [](NiftiSpec& s) { s.qform = 77; }, ErrorId::E_NIFTI, "NI-09"},
    {"quaternion too long",
     [](NiftiSpec& s) {
       s.qform = 1, s.quaternion = {1, 1, 0};
     },
     ErrorId::E_NIFTI, "NI-09"},
    {"quaternion not a number", [](NiftiSpec& s) { s.qform = 1, s.quaternion[1] = kNan; }, ErrorId::E_NIFTI, "NI-09"},
    {"voxel of 0 mm",
     [](NiftiSpec& s) {
       s.srow[0] = {0, 0, 0, 1};
     },
     ErrorId::E_NIFTI, "NI-1"},
    {"voxel of 1 km", [](NiftiSpec& s) { s.srow[0][0] = s.pixdim[1] = 1e6; }, ErrorId::E_NIFTI, "NI-10"},
    {"sform not a number", [](NiftiSpec& s) { s.srow[2][2] = kNan; }, ErrorId::E_NIFTI, "NI-1"},
    {"axes in a plane",
     [](NiftiSpec& s) {
       s.srow[2] = {0, 0, 0, 0}, s.srow[1] = {0, 2, 3, 0};
     },
     ErrorId::E_NIFTI, "NI-10"},
    {"far away", [](NiftiSpec& s) { s.srow[1][3] = 1e30; }, ErrorId::E_NIFTI, "NI-10"},
    {"qform, pixdim 0", [](NiftiSpec& s) { s.qform = 1, s.pixdim[2] = 0; }, ErrorId::E_NIFTI, "NI-10"},
    {"pixdim differs", [](NiftiSpec& s) { s.pixdim[2] = 1; }, ErrorId::E_NIFTI, "NI-11"},
    {"metres", [](NiftiSpec& s) { s.units = 1; }, ErrorId::E_NIFTI_KIND, "metres"},
    {"micrometres", [](NiftiSpec& s) { s.units = 3 | 8; }, ErrorId::E_NIFTI_KIND, "micrometres"},
    {"outside 16 bits", [](NiftiSpec& s) { s.slope = 1000; }, ErrorId::E_RANGE, "voxel (0, 0, 0)"},
    {"a window burnt in", [](NiftiSpec& s) { s.values.assign(24, 0), s.values[3] = 255; }, ErrorId::E_RANGE,
     "not Hounsfield"},
    {"all -32768", [](NiftiSpec& s) { s.values.assign(24, -32768); }, ErrorId::E_RANGE, "not Hounsfield"},
};

// BI-22, every row in both versions, byte orders, plain and packed. A size that a packed file can only show by ending
// is found there as well.
TEST(Nifti, EveryForgeryIsRefusedByItsRule) {
  for (const Forgery& forgery : kForgeries) {
    for (int kind = 0; kind < 8; ++kind) {
      NiftiSpec spec;
      spec.version = kind & 1 ? 2 : 1;
      spec.swapped = kind & 2;
      forgery.change(spec);
      const std::string bytes = nifti(spec);
      const auto file = read(kind & 4 ? gzipped(bytes) : bytes);
      SCOPED_TRACE(std::string(forgery.name) + ", kind " + std::to_string(kind) + ": " + file.status().to_string());
      EXPECT_EQ(file.status().id(), forgery.id);
      EXPECT_NE(file.status().message().find(forgery.rule), std::string::npos);
      EXPECT_NE(file.status().message().find("input"), std::string::npos) << "names no file";
    }
  }
}

TEST(Nifti, OffsetsOnlyOneVersionCanWrite) {
  for (const double offset : {kNan, kInf, -kInf, 352.5}) {
    NiftiSpec spec;
    spec.vox_offset = offset;
    EXPECT_NE(read(nifti(spec)).status().message().find("NI-06"), std::string::npos) << offset;
  }
  NiftiSpec spec;
  spec.version = 2;
  for (const int64_t offset :
       {std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min(), int64_t{543}}) {
    spec.vox_offset2 = offset;
    EXPECT_NE(read(nifti(spec)).status().message().find("NI-06"), std::string::npos) << offset;
  }
  spec.vox_offset2 = 0;
  spec.dim = {3, int64_t{1} << 62, int64_t{1} << 62, 4, 1, 1, 1, 1};
  EXPECT_NE(read(nifti(spec)).status().message().find("NI-04"), std::string::npos);
}

TEST(Nifti, AVoxelThatIsNoNumberIsNamed) {
  NiftiSpec spec;
  spec.datatype = 64;
  spec.bitpix = 64;
  spec.values.assign(24, -100);
  spec.values[1 * 12 + 2 * 4 + 3] = kNan;
  const auto file = read(nifti(spec));
  EXPECT_EQ(file.status().id(), ErrorId::E_RANGE);
  EXPECT_NE(file.status().message().find("voxel (3, 2, 1)"), std::string::npos) << file.status().to_string();
}

// BI-18: what is blank ends as indeterminate, for which it must be read.
TEST(Nifti, ABlankVolumeIsRead) {
  NiftiSpec spec;
  for (const double value : {-1024.0, 0.0}) {
    spec.values.assign(24, value);
    EXPECT_TRUE(read(nifti(spec)).ok()) << value;
    EXPECT_TRUE(read(gzipped(nifti(spec))).ok()) << value;
  }
}

TEST(Nifti, TruncatedAtEveryByte) {
  const std::string plain = nifti({}), packed = gzipped(plain);
  for (const std::string& whole : {plain, packed}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      const auto file = read(whole.substr(0, size));
      ASSERT_EQ(file.status().id(), ErrorId::E_NIFTI) << size << ": " << file.status().to_string();
    }
    EXPECT_NE(read(whole + "x").status().message().find("NI-1"), std::string::npos);
  }
}

TEST(Nifti, EveryFlippedBitOfAPackedFileIsSeenOrHarmless) {
  const std::string packed = gzipped(nifti({}));
  const Grid grid = read(packed).value().volume.grid;
  size_t harmless = 0;
  for (size_t bit = 0; bit < 8 * packed.size(); ++bit) {
    std::string damaged = packed;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    const auto file = read(damaged);
    // Some bits say when the file was packed, or nothing; the CRC covers the rest.
    if (file.ok()) {
      ++harmless;
      expect_ramp(file);
      EXPECT_EQ(file.value().volume.grid, grid);
    }
  }
  EXPECT_LT(harmless, 100u);
}

// A file of a few hundred bytes that claims gigabytes: refused before anything of that size is touched.
TEST(Nifti, BombsAreRefusedByTheirSize) {
  NiftiSpec spec;
  spec.dim = {3, 1024, 1024, 1000, 1, 1, 1, 1};
  spec.datatype = 64;
  spec.bitpix = 64;
  const std::string plain = nifti(spec);
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  EXPECT_NE(read(plain).status().message().find("NI-07"), std::string::npos);
  EXPECT_NE(read(gzipped(plain)).status().message().find("NI-12"), std::string::npos);
  // A real bomb: 64 MB of zeros in 64 kB, of which the header wants 24 voxels. It is not unpacked beyond them.
  const std::string bomb = gzipped(nifti({}) + std::string(64 << 20, 0));
  EXPECT_LT(bomb.size(), 100'000u);
  EXPECT_NE(read(bomb).status().message().find("NI-13"), std::string::npos);
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 300 * 1024) << "kB; the bomb itself was made here";
}

TEST(Nifti, FilesThatCannotBeRead) {
  const TempDir dir;
  EXPECT_EQ(read_nifti(dir.file("missing.nii")).status().id(), ErrorId::E_INPUT_EMPTY);
  write_file(dir.file("page.nii.gz"), "<html><body>Sign in</body></html>");
  const auto page = read_nifti(dir.file("page.nii.gz"));
  EXPECT_EQ(page.status().id(), ErrorId::E_NIFTI);
  EXPECT_NE(page.status().message().find("NI-01"), std::string::npos);
  EXPECT_NE(page.status().message().find("page.nii.gz"), std::string::npos);
  write_file(dir.file("empty.nii"), "");
  EXPECT_EQ(read_nifti(dir.file("empty.nii")).status().id(), ErrorId::E_NIFTI);
  write_file(dir.file("good.anything"), gzipped(nifti({})));
  expect_ramp(read_nifti(dir.file("good.anything")));
}

}  // namespace
}  // namespace spinert
