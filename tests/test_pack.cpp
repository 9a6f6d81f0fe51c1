// Weights on their way into their packed form: from 8-bit values without a float copy, into pages of any size.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/conv2d/conv2d.h"
#include "kernels/linear/linear.h"
#include "kernels/registry.h"
#include "runtime/aligned_buffer.h"

namespace spinert {
namespace {

struct StoredWeight {
  std::vector<int8_t> values;
  std::vector<float> scale, floats;

  explicit StoredWeight(const Shape& shape) {
    for (int64_t o = 0; o < shape.last(); ++o) scale.push_back(0.001f + 0.0137f * static_cast<float>(o % 11));
    for (int64_t i = 0; i < shape.elements(); ++i) {
      values.push_back(static_cast<int8_t>(static_cast<uint64_t>(i) * 2654435761u >> 24));
      floats.push_back(static_cast<float>(values.back()) * scale[static_cast<size_t>(i % shape.last())]);
    }
  }
};

// Packs both ways with every row of the operator that can, and returns how many rows did.
int expect_same_bytes(OpId op, const void* params, const Shape& x, const Shape& weight, const Shape& y) {
  StoredWeight stored(weight);
  int rows = 0;
  for (const KernelInfo& row : all_kernels()) {
    if (row.op != op || !row.kernel->pack_i8) continue;
    ++rows;
    std::vector<Tensor> in(2), out{{.dtype = DType::f32, .shape = y}};
    in[0] = {.dtype = DType::f32, .shape = x};
    in[1] = {.data = stored.floats.data(), .dtype = DType::f32, .shape = weight};
    const auto bytes = static_cast<size_t>(row.kernel->packed_bytes({params, in, out}));
    std::vector<unsigned char> from_floats(bytes, 0xAA);
    ThreadPool alone(1);
    row.kernel->pack({params, in, out}, from_floats.data(), alone);
    in[1].data = nullptr;
    for (const int threads : {1, 2, 5}) {
      ThreadPool pool(threads);
      std::vector<unsigned char> from_stored(bytes, 0x55);
      row.kernel->pack_i8({params, in, out}, {stored.values.data(), stored.scale.data()}, from_stored.data(), pool);
      EXPECT_EQ(std::memcmp(from_stored.data(), from_floats.data(), bytes), 0) << row.name << ", " << threads;
    }
  }
  return rows;
}

TEST(PackI8, SameBytesAsFromFloats) {
  const Conv2dParams conv2d;
  EXPECT_GE(expect_same_bytes(OpId::conv2d, &conv2d, {1, 9, 9, 32}, {3, 3, 32, 70}, {1, 7, 7, 70}), 1);
  EXPECT_GE(expect_same_bytes(OpId::conv2d, &conv2d, {1, 9, 9, 5}, {1, 1, 5, 64}, {1, 9, 9, 64}), 1);
  const LinearParams linear;
  EXPECT_GE(expect_same_bytes(OpId::linear, &linear, {7, 100}, {100, 33}, {7, 33}), 1);
  EXPECT_GE(expect_same_bytes(OpId::linear, &linear, {7, 48}, {48, 1}, {7, 1}), 1);
}

TEST(AlignedBuffer, PagesOfAnySizeAreZeroAndWritable) {
  for (const int64_t bytes : {int64_t{1}, int64_t{4096}, (int64_t{2} << 20) - 1, (int64_t{6} << 20) + 12345}) {
    for (const int threads : {1, 3}) {
      auto got = AlignedBuffer::allocate(bytes);
      ASSERT_TRUE(got.ok());
      AlignedBuffer buffer = std::move(got).value();
      EXPECT_EQ(buffer.bytes(), bytes);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
      ThreadPool pool(threads);
      if (threads == 1) {
        buffer.prefer_large_pages();
      } else {
        buffer.take_large_pages(pool);  // what it returns is up to the machine
      }
      auto* data = static_cast<unsigned char*>(buffer.data());
      EXPECT_EQ(std::count(data, data + bytes, 0), bytes);
      std::memset(data, 1, static_cast<size_t>(bytes));
    }
  }
  EXPECT_EQ(AlignedBuffer::allocate(0).value().data(), nullptr);
  EXPECT_EQ(AlignedBuffer::allocate(std::numeric_limits<int64_t>::max()).status().id(), ErrorId::E_OOM_HOST);
}

}  // namespace
}  // namespace spinert
