// test_storage.cpp - conversions of stored weights, exhaustively for the 16-bit types, and files that appear whole or
// not at all.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/files.h"
#include "weights/atomic_file.h"
#include "weights/storage.h"

namespace spinert {
namespace {

TEST(Storage, HalfPrecisionRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_EQ(bits & 0x7C00u, 0x7C00u);
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
    } else {
      ASSERT_EQ(f32_to_f16(value), half) << bits;
    }
    if (!std::isnan(bf16_to_f32(half))) {
      ASSERT_EQ(f32_to_bf16(bf16_to_f32(half)), half) << bits;
    }
  }
  EXPECT_EQ(f16_to_f32(0x0001), 0x1p-24f);
  EXPECT_EQ(f16_to_f32(0x7BFF), 65504.0f);
  EXPECT_EQ(f32_to_f16(65519.9f), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7C00);
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f), 0x3C00);  // half to even
  EXPECT_EQ(f32_to_f16(1.0f + 3 * 0x1p-11f), 0x3C02);
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0x0000);  // half to even among subnormals
  EXPECT_EQ(f32_to_f16(3 * 0x1p-25f), 0x0002);
  EXPECT_EQ(f32_to_bf16(1.0f + 0x1p-8f), 0x3F80);
}

TEST(Storage, QuantisationFollowsTheFormula) {
  const std::vector<float> w = {127,   0, -3,   0,
                                63.5f, 0, 2.5f, 1.5f};  // channel 0: 127, -3, 63.5, 2.5; channel 1: 0 0 0 1.5
  const QuantisedTensor q = quantise_i8(w, 2);
  EXPECT_EQ(q.scale[0], 1.0f);
  EXPECT_EQ(q.scale[1], 1.5f / 127.0f);
  EXPECT_EQ(q.values, (std::vector<int8_t>{127, 0, -3, 0, 64, 0, 2, 127}));  // half to even: 63.5 -> 64, 2.5 -> 2
  const QuantisedTensor zeros = quantise_i8(std::vector<float>(4, 0.0f), 2);
  EXPECT_EQ(zeros.scale, (std::vector<float>{1, 1}));
}

TEST(AtomicFile, AppearsWholeOrNotAtAll) {
  const TempDir dir;
  const std::string path = dir.file("result");
  write_file(path, "old");
  {
    auto file = AtomicFile::create(path, AtomicFile::Existing::replace);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file.value().write("new").ok());
    EXPECT_EQ(read_file(path), "old");
  }
  EXPECT_EQ(read_file(path), "old");  // not committed
  EXPECT_EQ(dir.entries(), 1u);
  auto file = AtomicFile::create(path, AtomicFile::Existing::replace);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file.value().write("new").ok());
  ASSERT_TRUE(file.value().commit().ok());
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(dir.entries(), 1u);
  EXPECT_EQ(AtomicFile::create(path, AtomicFile::Existing::refuse).status().id(), ErrorId::E_OUTPUT);
  EXPECT_EQ(AtomicFile::create(dir.file("no/such/place"), AtomicFile::Existing::replace).status().id(),
            ErrorId::E_OUTPUT);
  EXPECT_EQ(AtomicFile::create(dir.file("."), AtomicFile::Existing::replace).status().id(), ErrorId::E_OUTPUT);
  // A target that appears between create and commit is not replaced either.
  auto late = AtomicFile::create(dir.file("late"), AtomicFile::Existing::refuse);
  ASSERT_TRUE(late.ok());
  ASSERT_TRUE(late.value().write("mine").ok());
  write_file(dir.file("late"), "theirs");
  EXPECT_EQ(late.value().commit().id(), ErrorId::E_OUTPUT);
  EXPECT_EQ(read_file(dir.file("late")), "theirs");
}

}  // namespace
}  // namespace spinert
