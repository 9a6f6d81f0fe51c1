// Tiles (AMX): the model of the instructions against values worked out by hand, the products of kernels/base/
// igemm_amx.inl over that model on every case of conv2d and linear, the compiled kernels with their instructions
// carried out by the model, and, on a processor that has tiles, the instructions against the model bit for bit.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/base/amx_tiles.h"
#include "kernels/base/half.h"
#include "kernels/base/igemm/igemm_amx.h"
#include "kernels/base/igemm/igemm_bf16.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_u8.h"
#include "kernels/base/quantise.h"
#include "kernels/conv2d/conv2d_igemm.h"
#include "kernels/linear/linear_igemm.h"
#include "tests/ops/op_case.h"
#include "tests/support/amx_model.h"
#include "tests/support/amx_trap.h"
#include "tests/support/tile_program.h"

namespace spinert {

extern const Kernel conv2d_igemm_32x32_amx_bf16, linear_igemm_32x32_amx_bf16;
extern const Kernel conv2d_igemm_32x32_amx_int8, linear_igemm_32x32_amx_int8;

namespace {

#include "kernels/base/igemm/igemm_amx.inl"
#include "kernels/base/igemm/igemm_row.inl"
#include "tests/support/plain_kinds.inl"

// ---- the model

TileConfig config_of(std::initializer_list<std::pair<int, int>> rows_and_bytes) {
  TileConfig config;
  config.palette = 1;
  int t = 0;
  for (const auto& [rows, bytes] : rows_and_bytes) {
    config.rows[t] = static_cast<uint8_t>(rows);
    config.row_bytes[t++] = static_cast<uint16_t>(bytes);
  }
  return config;
}

TEST(TileModel, ConfigurationsThatFault) {
  struct Case {
    const char* fault;
    void (*change)(TileConfig&);
  };
  const Case cases[] = {
      {"palette", [](TileConfig& c) { c.palette = 2; }},
      {"reserved", [](TileConfig& c) { c.reserved_0[13] = 1; }},
      {"reserved", [](TileConfig& c) { c.reserved_1[0] = 1; }},
      {"reserved", [](TileConfig& c) { c.reserved_2[7] = 1; }},
      {"too many bytes", [](TileConfig& c) { c.row_bytes[3] = 65; }},
      {"too many rows", [](TileConfig& c) { c.rows[3] = 17; }},
      {"alone", [](TileConfig& c) { c.rows[7] = 0; }},
      {"alone", [](TileConfig& c) { c.row_bytes[7] = 0; }},
  };
  for (const Case& wrong : cases) {
    TileMachine tiles;
    TileConfig config = full_tiles();
    wrong.change(config);
    const char* fault = tiles.ldtilecfg(&config);
    ASSERT_NE(fault, nullptr) << wrong.fault;
    EXPECT_NE(std::string(fault).find(wrong.fault), std::string::npos) << fault;
    EXPECT_EQ(std::string(fault).rfind("#GP", 0), 0u);
    EXPECT_FALSE(tiles.configured());
  }
  TileMachine tiles;
  const TileConfig good = full_tiles();
  EXPECT_EQ(tiles.ldtilecfg(&good), nullptr);
  EXPECT_TRUE(tiles.configured());
  TileConfig nothing;  // palette 0: back to the initial state, whatever the rest says
  nothing.rows[0] = 99;
  EXPECT_EQ(tiles.ldtilecfg(&nothing), nullptr);
  EXPECT_FALSE(tiles.configured());
}

TEST(TileModel, InstructionsThatFault) {
  TileMachine tiles;
  unsigned char memory[1024] = {};
  EXPECT_NE(tiles.tilezero(0), nullptr) << "not configured";
  EXPECT_NE(tiles.tileloadd(0, memory, 64), nullptr);
  EXPECT_NE(tiles.tilestored(0, memory, 64), nullptr);
  EXPECT_NE(tiles.tdpbusd(0, 1, 2), nullptr);
  EXPECT_EQ(tiles.tilerelease(), nullptr);

  //                                   c        a       b       other: columns of c, rows of c, rows of b, odd bytes
  const TileConfig sizes = config_of({{2, 12}, {2, 8}, {2, 12}, {2, 16}, {3, 12}, {3, 12}, {2, 10}});
  ASSERT_EQ(tiles.ldtilecfg(&sizes), nullptr);
  EXPECT_EQ(tiles.tdpbf16ps(0, 1, 2), nullptr);
  EXPECT_EQ(tiles.tdpbusd(0, 1, 2), nullptr);
  const int wrong[][3] = {{3, 1, 2}, {4, 1, 2}, {0, 1, 5}, {6, 1, 2}, {0, 6, 2},
                          {0, 0, 2}, {0, 1, 1}, {2, 1, 2}, {0, 1, 7}, {7, 1, 2}};
  for (const auto& [c, a, b] : wrong) {
    for (const char* fault : {tiles.tdpbf16ps(c, a, b), tiles.tdpbusd(c, a, b)}) {
      ASSERT_NE(fault, nullptr) << c << a << b;
      EXPECT_EQ(std::string(fault).rfind("#UD", 0), 0u);
    }
  }
  EXPECT_NE(tiles.tilezero(7), nullptr) << "a tile without rows";
  TileConfig restarted = full_tiles();
  restarted.start_row = 16;
  ASSERT_EQ(tiles.ldtilecfg(&restarted), nullptr);
  EXPECT_NE(tiles.tileloadd(0, memory, 64), nullptr);
}

TEST(TileModel, LoadsAndStoresTouchTheirRowsAlone) {
  TileMachine tiles;
  const TileConfig full = full_tiles(), small = config_of({{3, 8}});
  unsigned char from[16 * 64], to[16 * 64];
  for (int i = 0; i < 16 * 64; ++i) from[i] = static_cast<unsigned char>(i % 251 + 1);
  ASSERT_EQ(tiles.ldtilecfg(&full), nullptr);
  ASSERT_EQ(tiles.tileloadd(0, from, 64), nullptr);
  EXPECT_EQ(std::memcmp(tiles.row(0, 15), from + 15 * 64, 64), 0);

  ASSERT_EQ(tiles.ldtilecfg(&small), nullptr);
  EXPECT_EQ(tiles.row(0, 0)[0], 0) << "a configuration zeroes tiles";
  ASSERT_EQ(tiles.tileloadd(0, from, 100), nullptr);
  for (int r = 0; r < 16; ++r) {
    for (int i = 0; i < 64; ++i) {
      EXPECT_EQ(tiles.row(0, r)[i], r < 3 && i < 8 ? from[r * 100 + i] : 0) << r << " " << i;
    }
  }
  std::memset(to, 0xEE, sizeof(to));
  ASSERT_EQ(tiles.tilestored(0, to, 50), nullptr);
  for (int i = 0; i < 16 * 64; ++i) {
    const bool inside = i < 150 && i % 50 < 8;
    EXPECT_EQ(to[i], inside ? from[i / 50 * 100 + i % 50] : 0xEE) << i;
  }
  ASSERT_EQ(tiles.tilezero(0), nullptr);
  EXPECT_EQ(tiles.row(0, 2)[7], 0);
}

// One output of a tile of one row and one column; x and w by k.
float bf16_product(float c, std::vector<float> x, std::vector<float> w) {
  TileMachine tiles;
  x.resize((x.size() + 1) / 2 * 2);
  const int pairs = static_cast<int>(x.size() / 2);
  w.resize(x.size());
  const TileConfig sizes = config_of({{1, 4}, {1, pairs * 4}, {pairs, 4}});
  uint16_t a[32], b[32];
  for (size_t i = 0; i < x.size(); ++i) a[i] = f32_to_bf16(x[i]), b[i] = f32_to_bf16(w[i]);
  EXPECT_EQ(tiles.ldtilecfg(&sizes), nullptr);
  EXPECT_EQ(tiles.tileloadd(0, &c, 4), nullptr);
  EXPECT_EQ(tiles.tileloadd(1, a, 64), nullptr);
  EXPECT_EQ(tiles.tileloadd(2, b, 4), nullptr);
  EXPECT_EQ(tiles.tdpbf16ps(0, 1, 2), nullptr);
  EXPECT_EQ(tiles.tilestored(0, &c, 4), nullptr);
  return c;
}

TEST(TileModel, Bf16ByHand) {
  // 2 x 4 times 4 x 3 with b[k][n] = 10 k + n: 10 (0 a0 + a1 + 2 a2 + 3 a3) + n (a0 + a1 + a2 + a3).
  TileMachine tiles;
  const TileConfig sizes = config_of({{2, 12}, {2, 8}, {2, 12}});
  const float a[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}};
  uint16_t a_bits[2][4], b_bits[2][3][2];
  for (int m = 0; m < 2; ++m) {
    for (int k = 0; k < 4; ++k) a_bits[m][k] = f32_to_bf16(a[m][k]);
  }
  for (int k = 0; k < 4; ++k) {
    for (int n = 0; n < 3; ++n) b_bits[k / 2][n][k % 2] = f32_to_bf16(static_cast<float>(10 * k + n));
  }
  float c[2][3] = {{1, 1, 1}, {2, 2, 2}};
  ASSERT_EQ(tiles.ldtilecfg(&sizes), nullptr);
  ASSERT_EQ(tiles.tileloadd(0, c, 12), nullptr);
  ASSERT_EQ(tiles.tileloadd(1, a_bits, 8), nullptr);
  ASSERT_EQ(tiles.tileloadd(2, b_bits, 12), nullptr);
  ASSERT_EQ(tiles.tdpbf16ps(0, 1, 2), nullptr);
  ASSERT_EQ(tiles.tilestored(0, c, 12), nullptr);
  const float want[2][3] = {{201, 211, 221}, {442, 468, 494}};
  EXPECT_EQ(std::memcmp(c, want, sizeof(c)), 0);
  EXPECT_EQ(tiles.row(0, 2)[0], 0);

  // Even and odd k are two chains, added before they meet c: one by one, 2^24 would swallow both ones.
  EXPECT_EQ(bf16_product(0x1p24f, {1, 1}, {1, 1}), 0x1p24f + 2);
  // One chain for all k would lose both ones to 2^24 in turn.
  EXPECT_EQ(bf16_product(0, {0x1p12f, 1, 0, 1}, {0x1p12f, 1, 0, 1}), 0x1p24f + 2);
  // Within a chain each product is rounded to the sum so far: 2^24 + 1 + 1 stays 2^24.
  EXPECT_EQ(bf16_product(0, {0x1p12f, 0, 1, 0, 1, 0}, {0x1p12f, 0, 1, 0, 1, 0}), 0x1p24f);
  // Half to even: 2^24 + 3 lies between 2^24 + 2 and 2^24 + 4.
  EXPECT_EQ(bf16_product(0, {0x1p12f, 0, 3}, {0x1p12f, 0, 1}), 0x1p24f + 4);
  // A product is exact: (1 + 2^-7)^2 = 1 + 2^-6 + 2^-14.
  EXPECT_EQ(bf16_product(0, {0x1.02p0f}, {0x1.02p0f}), 0x1.0404p0f);

  // Denormals are zero: as an input, as a product, as a sum, as c.
  EXPECT_EQ(bf16_product(0, {0x1p-130f}, {0x1p120f}), 0.0f);
  EXPECT_EQ(bf16_product(0, {0x1p-100f, 0, 0x1p-100f}, {0x1p-27f, 0, 0x1p-27f}), 0.0f);  // exactly 2^-126, a normal
  EXPECT_EQ(bf16_product(0, {0x1p-100f, 0x1.8p-100f}, {0x1p-26f, -0x1p-26f}), 0.0f);
  EXPECT_EQ(bf16_product(0x1p-127f, {0}, {0}), 0.0f);
  EXPECT_EQ(bf16_product(0x1p-126f, {0x1p-100f}, {-0x1p-27f}), 0x1p-126f);
  EXPECT_FALSE(std::signbit(bf16_product(-0.0f, {-0.0f, -0.0f}, {1, 1})));  // the chains begin at +0

  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(bf16_product(0, {0x1p127f}, {2}), inf);
  EXPECT_TRUE(std::isnan(bf16_product(0, {inf}, {0})));
  EXPECT_TRUE(std::isnan(bf16_product(-inf, {inf}, {1})));
  EXPECT_TRUE(std::isnan(bf16_product(0, {1, NAN}, {1, 0})));
}

#if defined(__x86_64__)
// a * b + c by the processor with the bits DAZ and FTZ of MXCSR set: denormals are zero, in and out.
__attribute__((target("fma"))) float fma_by_the_processor(float a, float b, float c) {
  constexpr unsigned kFlushAndZero = 0x8040;
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | kFlushAndZero);
  __m128 sum = _mm_set_ss(c);
  __asm__ volatile("vfmadd231ss %2, %1, %0" : "+x"(sum) : "x"(_mm_set_ss(a)), "x"(_mm_set_ss(b)));
  _mm_setcsr(before);
  return _mm_cvtss_f32(sum);
}

TEST(TileModel, FusedSumsAgreeWithTheProcessor) {
  if (cpu_features().best < Level::avx2) GTEST_SKIP() << "this machine has no fused multiply-add";
  // Tiny after rounding: 2^-126 - 2^-150 has 24 bits below the smallest normal; 2^-126 - 2^-151 rounds up to it.
  EXPECT_EQ(fma_without_denormals(0x1p-75f, -0x1p-75f, 0x1p-126f), 0.0f);
  EXPECT_EQ(fma_without_denormals(0x1p-75f, -0x1p-76f, 0x1p-126f), 0x1p-126f);
  int zeros = 0, different = 0;
  for (uint64_t i = 0; i < 400000; ++i) {
    const uint64_t bits = cases::random_bits(77, i), more = cases::random_bits(78, i);
    const auto half = [](uint64_t random, int exponent) {
      return bf16_to_f32(
          static_cast<uint16_t>((random & 0x8000) | static_cast<unsigned>(exponent) << 7 | (random & 127)));
    };
    // Products around the size of c: of c in the middle, where sums cancel and round, or of c near the smallest normal.
    const int middle = i % 2 ? 127 : 64, spread = static_cast<int>(bits >> 16 & 15);
    const float a = half(bits, middle - 8 + spread),
                b = half(bits >> 20, middle - spread + static_cast<int>(more >> 8 & 15));
    const unsigned exponent = static_cast<unsigned>(i % 2 ? 100 + (more >> 16 & 63) : more >> 16 & 31);
    const float c = std::bit_cast<float>(static_cast<uint32_t>(more >> 40 & 0x7FFFFF) | exponent << 23 |
                                         static_cast<uint32_t>(more >> 63) << 31);
    const float got = fma_without_denormals(a, b, c), want = fma_by_the_processor(a, b, c);
    zeros += want == 0;
    different += std::bit_cast<uint32_t>(got) != std::bit_cast<uint32_t>(want);
  }
  EXPECT_EQ(different, 0);
  EXPECT_GT(zeros, 1000);
}
#endif

TEST(TileModel, IntegersByHand) {
  TileMachine tiles;
  const TileConfig sizes = config_of({{1, 8}, {1, 4}, {1, 8}});
  const uint8_t a[4] = {255, 1, 2, 128};
  const int8_t b[2][4] = {{-128, 127, 3, -1}, {127, 0, 0, 0}};
  int32_t c[2] = {1000, std::numeric_limits<int32_t>::max()};
  ASSERT_EQ(tiles.ldtilecfg(&sizes), nullptr);
  ASSERT_EQ(tiles.tileloadd(0, c, 8), nullptr);
  ASSERT_EQ(tiles.tileloadd(1, a, 4), nullptr);
  ASSERT_EQ(tiles.tileloadd(2, b, 8), nullptr);
  ASSERT_EQ(tiles.tdpbusd(0, 1, 2), nullptr);
  ASSERT_EQ(tiles.tilestored(0, c, 8), nullptr);
  EXPECT_EQ(c[0], 1000 - 255 * 128 + 127 + 6 - 128);
  EXPECT_EQ(c[1], std::numeric_limits<int32_t>::min() + 255 * 127 - 1) << "sums wrap";
}

// ---- products

struct ProductRow {
  KernelInfo info;
  DType type;
  bool trapped;  // a compiled kernel, its instructions carried out by the model
};

using Bf16Product = ModelProduct<PlainBf16Kind>;
using U8Product = ModelProduct<PlainU8Kind>;
const Kernel conv2d_bf16 = IgemmRow<Bf16Product, conv2d_igemm_call>::kernel();
const Kernel linear_bf16 = IgemmRow<Bf16Product, linear_igemm_call>::kernel();
const Kernel conv2d_u8 = IgemmRow<U8Product, conv2d_igemm_call>::kernel();
const Kernel linear_u8 = IgemmRow<U8Product, linear_igemm_call>::kernel();

ProductRow over_model(OpId op, DType type, const char* name, const Kernel& kernel) {
  return {{op, Backend::cpu, Level::scalar, name, &kernel}, type, false};
}
ProductRow compiled(OpId op, DType type, const char* name, const Kernel& kernel) {
  return {{op, Backend::cpu, Level::amx_bf16, name, &kernel}, type, true};
}

const ProductRow kProducts[] = {
    over_model(OpId::conv2d, DType::bf16, "conv2d_bf16_over_model", conv2d_bf16),
    over_model(OpId::linear, DType::bf16, "linear_bf16_over_model", linear_bf16),
    over_model(OpId::conv2d, DType::u8, "conv2d_u8_over_model", conv2d_u8),
    over_model(OpId::linear, DType::u8, "linear_u8_over_model", linear_u8),
    compiled(OpId::conv2d, DType::bf16, "conv2d_bf16_compiled", conv2d_igemm_32x32_amx_bf16),
    compiled(OpId::linear, DType::bf16, "linear_bf16_compiled", linear_igemm_32x32_amx_bf16),
    compiled(OpId::conv2d, DType::u8, "conv2d_u8_compiled", conv2d_igemm_32x32_amx_int8),
    compiled(OpId::linear, DType::u8, "linear_u8_compiled", linear_igemm_32x32_amx_int8),
};

// The cases of the row's operator in its type. Of bf16 also with a wide output, for which sums of small integers must
// be exact.
std::vector<std::string> cases_of(const ProductRow& row) {
  std::vector<std::string> all;
  for (const std::string& line : cases::suite(row.info.op).cases) {
    const bool codes = line.find(" dtype=u8") != std::string::npos;
    if (row.type == DType::u8 && codes) all.push_back(line);
    if (row.type != DType::bf16 || codes) continue;
    all.push_back(line + " dtype=bf16");
    all.push_back(line + " dtype=bf16 output=f32");
  }
  return all;
}

void PrintTo(const ProductRow& row, std::ostream* out) {
  *out << row.info.name;
}

class Products : public testing::TestWithParam<ProductRow> {};

TEST_P(Products, AgreeWithTheReference) {
  const ProductRow& row = GetParam();
  if (row.trapped && cpu_features().best < Level::avx512_bf16) GTEST_SKIP() << "this machine has no avx512_bf16";
  if (row.trapped && cpu_features().best >= Level::amx_int8) GTEST_SKIP() << "this machine has tiles: see test_ops";
  AmxModel::take_fault();
  const AmxTrap trap;
  const int64_t before = AmxTrap::instructions();
  int run = 0, exact = 0;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    for (const std::string& text : cases_of(row)) {
      const cases::CaseResult result = cases::check_case(text, row.info, pool);
      EXPECT_TRUE(result.status.ok()) << result.status.to_string() << " threads=" << threads;
      run += result.skipped == nullptr;
      exact += result.skipped == nullptr && text.find(" output=f32") != std::string::npos && result.max_difference == 0;
      const char* fault = AmxModel::take_fault();
      EXPECT_EQ(fault, nullptr) << fault << " " << text;
      EXPECT_EQ(AmxModel::configured_threads(), 0) << "tiles left behind: " << text;
    }
  }
  EXPECT_GT(run, 0);
  EXPECT_GT(exact, 0);
  EXPECT_EQ(AmxTrap::instructions() > before, row.trapped);
  RecordProperty("cases_run", run);
  RecordProperty("tile_instructions", std::to_string(AmxTrap::instructions() - before));
}

INSTANTIATE_TEST_SUITE_P(Amx, Products, testing::ValuesIn(kProducts),
                         [](const auto& row) { return std::string(row.param.info.name); });

TEST(AmxRows, SameBytesForEveryThreadCount) {
  for (const char* text : {"conv2d n=3 h=13 w=11 c=200 o=72 k=3 padding=1 dtype=bf16 data=real seed=5",
                           "conv2d n=2 h=17 w=19 c=64 o=96 k=1 dtype=bf16 data=real seed=6",
                           "conv2d n=3 h=13 w=11 c=400 o=72 k=3 padding=1 dtype=u8 data=real xzero=9 seed=8",
                           "linear r=300 k=3200 o=70 dtype=bf16 data=real seed=7"}) {
    auto line = cases::CaseLine::parse(text);
    ASSERT_TRUE(line.ok());
    std::vector<unsigned char> first;
    for (const int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      auto prepared = cases::prepare(line.value());
      ASSERT_TRUE(prepared.ok()) << prepared.status().to_string();
      const bool codes = line.value().text().find("dtype=u8") != std::string::npos;
      const ProductRow& row = kProducts[(line.value().op() == "linear") + 2 * codes];
      ASSERT_TRUE(cases::run_kernel(row.info, prepared.value(), pool).ok());
      const Tensor& y = prepared.value().out[0];
      const auto* bytes = y.as<unsigned char>();
      if (first.empty()) first.assign(bytes, bytes + y.bytes());
      EXPECT_EQ(std::memcmp(first.data(), bytes, first.size()), 0) << text << " threads=" << threads;
    }
    EXPECT_EQ(AmxModel::take_fault(), nullptr);
  }
}

// A tile load always reads 16 rows: the last ones of x must not come from beyond its end. x ends where memory does.
TEST(AmxRows, ReadNothingBeyondTheInput) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), room = 16 * page;
  void* memory = mmap(nullptr, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(mprotect(static_cast<char*>(memory) + room, page, PROT_NONE), 0);
  for (const char* text : {"linear r=33 k=64 o=40 dtype=bf16", "conv2d h=7 w=5 c=64 o=33 k=1 dtype=bf16",
                           "linear r=47 k=128 o=8 dtype=u8", "conv2d h=9 w=9 c=16 o=16 k=3 padding=1 dtype=u8"}) {
    auto line = cases::CaseLine::parse(text);
    ASSERT_TRUE(line.ok());
    auto prepared = cases::prepare(line.value());
    ASSERT_TRUE(prepared.ok()) << prepared.status().to_string();
    Tensor& x = prepared.value().in[0];
    void* last = static_cast<char*>(memory) + room - x.bytes();
    std::memcpy(last, x.data, static_cast<size_t>(x.bytes()));
    x.data = last;
    ThreadPool pool(2);
    const ProductRow& row = kProducts[(line.value().op() == "linear") + 2 * (x.dtype == DType::u8)];
    EXPECT_TRUE(cases::run_kernel(row.info, prepared.value(), pool).ok());
    EXPECT_EQ(AmxModel::take_fault(), nullptr) << text;
  }
  munmap(memory, room + page);
}

// ---- the instructions

// Random numbers of moderate size; every fifth program has zeros, denormals, infinities and NaN among them.
TileProgram random_program(uint64_t seed) {
  TileProgram p;
  const uint64_t sizes = cases::random_bits(seed, 0);
  p.rows = 1 + static_cast<int>(sizes % 16);
  p.columns = 1 + static_cast<int>(sizes >> 8 & 15);
  p.k = 1 + static_cast<int>(sizes >> 16 & 15);
  p.integers = (sizes >> 24 & 1) != 0;
  const bool wild = seed % 5 == 0;
  const auto half = [&](uint64_t bits) {
    if (wild && bits % 61 == 0) return static_cast<uint16_t>(bits >> 40);
    return f32_to_bf16(std::ldexp(static_cast<float>(bits >> 8 & 511) - 256, static_cast<int>(bits >> 20 & 15) - 12));
  };
  for (size_t i = 0; i < p.a.size(); ++i) {
    const uint64_t one = cases::random_bits(seed, 3 * i + 1), two = cases::random_bits(seed, 3 * i + 2);
    const uint64_t three = cases::random_bits(seed, 3 * i + 3);
    if (p.integers) {
      p.a[i] = static_cast<uint32_t>(one), p.b[i] = static_cast<uint32_t>(two), p.c[i] = static_cast<uint32_t>(three);
    } else {
      p.a[i] = half(one) | static_cast<uint32_t>(half(one * 31 + 7)) << 16;
      p.b[i] = half(two) | static_cast<uint32_t>(half(two * 31 + 7)) << 16;
      p.c[i] = static_cast<uint32_t>(half(three)) << 16;
    }
  }
  return p;
}

// Programs whose results differ; NaN equals NaN.
int programs_that_differ(int count) {
  int different = 0;
  for (int i = 0; i < count; ++i) {
    TileProgram got = random_program(static_cast<uint64_t>(i)), want = got;
    run_tile_program_amx(got);
    run_tile_program<AmxModel>(want);
    bool same = true;
    for (size_t e = 0; e < got.c.size(); ++e) {
      const bool nan =
          !got.integers && std::isnan(std::bit_cast<float>(got.c[e])) && std::isnan(std::bit_cast<float>(want.c[e]));
      same = same && (nan || got.c[e] == want.c[e]);
    }
    different += !same;
  }
  return different;
}

constexpr int kPrograms = 2000;

TEST(TileInstructions, EqualTheModelBitForBit) {
  if (cpu_features().best < Level::amx_bf16) {
    GTEST_SKIP() << "this machine has no tiles: " << kPrograms << " programs not compared";
  }
  EXPECT_EQ(programs_that_differ(kPrograms), 0);
}

// Without tiles: the compiled instructions mean what the decoder of the trap reads in them.
TEST(TileInstructions, DecodeToWhatTheyWereWrittenAs) {
  if (cpu_features().best >= Level::amx_int8 || cpu_features().best < Level::avx512_bf16) {
    GTEST_SKIP() << "needs a machine with avx512_bf16 and without tiles";
  }
  AmxModel::take_fault();
  const AmxTrap trap;
  const int64_t before = AmxTrap::instructions();
  EXPECT_EQ(programs_that_differ(kPrograms), 0);
  EXPECT_EQ(AmxTrap::instructions() - before, kPrograms * 12);
  EXPECT_EQ(AmxModel::take_fault(), nullptr);
}

}  // namespace
}  // namespace spinert
