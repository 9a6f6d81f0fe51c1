// ptx_on_card.cu - runs every wrapper of ptx.cuh on a real card with random lanes and compares with the functions that
// the emulation computes with (emulation/ptx_model.h). One line per wrapper. Exit codes: 0 all equal, 12 a difference,
// 8 no card or an error of the card.
#include "tests/cuda_card/ptx_on_card.h"

namespace spinert::on_card {
namespace {

constexpr int kExitDifferent = 12, kWarp = ptx_model::kLanes;

// ---- conversions
struct Converted {
  uint16_t f16_bits, bf16_bits;
  uint32_t f16_pair, bf16_pair, tf32;
  float from_f16, from_bf16;
};
__global__ void convert(const float* in, int count, Converted* out) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += 128) {
    const float next = in[(i + 1) % count];
    const f16 half = ptx::from_float<f16>(in[i]);
    const bf16 brain = ptx::from_float<bf16>(in[i]);
    out[i] = {half.bits,
              brain.bits,
              ptx::pack_x2<f16>(in[i], next),
              ptx::pack_x2<bf16>(in[i], next),
              ptx::to_tf32(in[i]),
              ptx::to_float(half),
              ptx::to_float(brain)};
  }
}
void check_conversions(Bench& bench) {
  // Every exponent with random mantissas, halves between neighbours, and the ends; no NaN, whose payload is free.
  std::vector<float> in = {0.0f,
                           -0.0f,
                           65504.0f,
                           65519.9f,
                           65520.0f,
                           -65520.0f,
                           1.0f + 0x1p-11f,
                           1.0f + 3 * 0x1p-11f,
                           1.0f + 0x1p-8f,
                           1.0f + 3 * 0x1p-8f,
                           0x1p-24f,
                           0x1p-25f,
                           0x1.8p-25f,
                           0x1p-149f,
                           INFINITY,
                           -INFINITY};
  while (in.size() < 65536) {
    const uint32_t bits = static_cast<uint32_t>(bench.random()()) & (bench.random()() % 4 == 0 ? 0xFFFFF000u : ~0u);
    if (const float value = std::bit_cast<float>(bits); std::isfinite(value)) in.push_back(value);
  }
  Converted* out = bench.upload(std::vector<Converted>(in.size()));
  bench.run(128, 0, convert, bench.upload(in), static_cast<int>(in.size()), out);
  const std::vector<Converted> got = bench.download(out, in.size());
  const auto compare = [&](const char* name, auto member, auto model) {
    std::vector<decltype(model(size_t{0}))> card, expected;
    for (size_t i = 0; i < in.size(); ++i) {
      card.push_back(got[i].*member);
      expected.push_back(model(i));
    }
    bench.equal(name, card, expected);
  };
  const auto next = [&](size_t i) { return in[(i + 1) % in.size()]; };
  compare("from_float<f16>", &Converted::f16_bits, [&](size_t i) { return f32_to_f16(in[i]); });
  compare("from_float<bf16>", &Converted::bf16_bits, [&](size_t i) { return f32_to_bf16(in[i]); });
  compare("pack_f16x2", &Converted::f16_pair,
          [&](size_t i) { return f32_to_f16(in[i]) | uint32_t{f32_to_f16(next(i))} << 16; });
  compare("pack_bf16x2", &Converted::bf16_pair,
          [&](size_t i) { return f32_to_bf16(in[i]) | uint32_t{f32_to_bf16(next(i))} << 16; });
  compare("to_tf32", &Converted::tf32, [&](size_t i) { return ptx_model::to_tf32(in[i]); });
  compare("to_float(f16)", &Converted::from_f16, [&](size_t i) { return f16_to_f32(f32_to_f16(in[i])); });
  compare("to_float(bf16)", &Converted::from_bf16, [&](size_t i) { return bf16_to_f32(f32_to_bf16(in[i])); });
}

// ---- ldmatrix: lane i gives row rows[i] of 32
enum class Matrices { x1, x1_trans, x2, x2_trans, x4, x4_trans };
template <Matrices what>
__global__ void load_matrices(const uint16_t* in, const int* rows, uint32_t* out) {
  SPINERT_SHARED(uint16_t, tile, kWarp * 8 + 8);
  const int lane = static_cast<int>(threadIdx.x);
  uint16_t* aligned = tile + (8 - ptx::shared_address(tile) / 2 % 8) % 8;
  for (int i = lane; i < kWarp * 8; i += kWarp) aligned[i] = in[i];
  __syncwarp();
  const uint32_t address = ptx::shared_address(aligned + rows[lane] * 8);
  uint32_t one[1], two[2], four[4];
  switch (what) {
    case Matrices::x1: ptx::ldmatrix_x1(one, address); break;
    case Matrices::x1_trans: ptx::ldmatrix_x1_trans(one, address); break;
    case Matrices::x2: ptx::ldmatrix_x2(two, address); break;
    case Matrices::x2_trans: ptx::ldmatrix_x2_trans(two, address); break;
    case Matrices::x4: ptx::ldmatrix_x4(four, address); break;
    case Matrices::x4_trans: ptx::ldmatrix_x4_trans(four, address); break;
  }
  constexpr bool kOne = what == Matrices::x1 || what == Matrices::x1_trans;
  constexpr bool kTwo = what == Matrices::x2 || what == Matrices::x2_trans;
  for (int m = 0; m < (kOne ? 1 : kTwo ? 2 : 4); ++m) out[lane * 4 + m] = kOne ? one[0] : kTwo ? two[m % 2] : four[m];
}
template <Matrices what>
void check_ldmatrix(Bench& bench, const char* name, int matrices, bool trans) {
  std::vector<uint16_t> in(kWarp * 8);
  for (uint16_t& value : in) value = static_cast<uint16_t>(bench.random()());
  std::vector<int> rows(kWarp);
  for (int& row : rows) row = static_cast<int>(bench.random()() % kWarp);
  uint32_t* out = bench.upload(std::vector<uint32_t>(kWarp * 4));
  bench.run(kWarp, 0, load_matrices<what>, bench.upload(in), bench.upload(rows), out);
  const unsigned char* addresses[kWarp];
  for (int i = 0; i < kWarp; ++i) addresses[i] = reinterpret_cast<const unsigned char*>(in.data() + rows[i] * 8);
  uint32_t model[kWarp][4] = {};
  ptx_model::ldmatrix(matrices, trans, addresses, model);
  bench.equal(name, bench.download(out, kWarp * 4), std::vector<uint32_t>(&model[0][0], &model[0][0] + kWarp * 4));
}

// ---- mma: registers of all lanes as they come
template <class T>
__global__ void multiply(const uint32_t* a, const uint32_t* b, float* d) {
  const int lane = static_cast<int>(threadIdx.x);
  uint32_t from_a[4], from_b[2];
  float sums[4];
  for (int i = 0; i < 4; ++i) from_a[i] = a[lane * 4 + i];
  for (int i = 0; i < 2; ++i) from_b[i] = b[lane * 2 + i];
  for (int i = 0; i < 4; ++i) sums[i] = d[lane * 4 + i];
  if constexpr (std::is_same_v<T, float>) {
    ptx::mma_m16n8k8_tf32(sums, from_a, from_b);
  } else {
    ptx::mma_m16n8k16<T>(sums, from_a, from_b);
  }
  for (int i = 0; i < 4; ++i) d[lane * 4 + i] = sums[i];
}
template <class T>
void check_mma(Bench& bench, const std::string& name, bool integers) {
  constexpr size_t kPerRegister = 4 / sizeof(T);
  const std::vector<T> a = operands<T>(bench, kWarp * 4 * kPerRegister, integers);
  const std::vector<T> b = operands<T>(bench, kWarp * 2 * kPerRegister, integers);
  const std::vector<float> d = operands<float>(bench, kWarp * 4, integers);
  uint32_t model_a[kWarp][4], model_b[kWarp][2];
  float model[kWarp][4];
  std::memcpy(model_a, a.data(), sizeof model_a);
  std::memcpy(model_b, b.data(), sizeof model_b);
  std::memcpy(model, d.data(), sizeof model);
  const std::vector<uint32_t> bits_a(&model_a[0][0], &model_a[0][0] + kWarp * 4);
  const std::vector<uint32_t> bits_b(&model_b[0][0], &model_b[0][0] + kWarp * 2);
  float* out = bench.upload(d);
  bench.run(kWarp, 0, multiply<T>, bench.upload(bits_a), bench.upload(bits_b), out);
  if constexpr (std::is_same_v<T, float>) {
    ptx_model::mma_m16n8k8_tf32(model_a, model_b, model);
  } else {
    ptx_model::mma_m16n8k16(std::is_same_v<T, bf16>, model_a, model_b, model);
  }
  const std::vector<float> expected(&model[0][0], &model[0][0] + kWarp * 4), got = bench.download(out, kWarp * 4);
  if (integers) {
    bench.equal(name + ", integers", got, expected);
  } else {
    bench.close(name + ", fractions", got, expected, 17);
  }
}

// ---- cp.async with every number of valid bytes; groups waited for one by one
template <int kBytes>
__global__ void copy(const unsigned char* in, unsigned char* out) {
  SPINERT_SHARED(uint4, tile, 17 * kWarp);
  auto* bytes = reinterpret_cast<unsigned char*>(tile);
  const int lane = static_cast<int>(threadIdx.x);
  for (int valid = 0; valid <= kBytes; ++valid) {
    const int at = (valid * kWarp + lane) * kBytes;
    const uint32_t to = ptx::shared_address(bytes + at);
    if (kBytes == 16) ptx::cp_async_16(to, in + at, valid);
    if (kBytes == 8) ptx::cp_async_8(to, in + at, valid);
    if (kBytes == 4) ptx::cp_async_4(to, in + at, valid);
    ptx::cp_async_commit();
  }
  ptx::cp_async_wait<1>();
  ptx::cp_async_wait<0>();
  for (int i = 0; i < (kBytes + 1) * kBytes; ++i) {
    const int at = (i / kBytes * kWarp + lane) * kBytes + i % kBytes;
    out[at] = bytes[at];
  }
}
template <int kBytes>
void check_copy(Bench& bench, const char* name) {
  constexpr size_t kSize = static_cast<size_t>(kBytes + 1) * kWarp * kBytes;
  std::vector<unsigned char> in(kSize), expected(kSize);
  for (size_t i = 0; i < kSize; ++i) {
    in[i] = static_cast<unsigned char>(bench.random()());
    expected[i] = static_cast<int>(i % kBytes) < static_cast<int>(i / (kWarp * kBytes)) ? in[i] : 0;
  }
  unsigned char* out = bench.upload(std::vector<unsigned char>(kSize, 0xEE));
  bench.run(kWarp, 0, copy<kBytes>, bench.upload(in), out);
  bench.equal(name, bench.download(out, kSize), expected);
}

// ---- named barriers: two pairs of warps hand values over independently; the launch controls do nothing visible
__global__ void hand_over(const int* in, int* out) {
  SPINERT_SHARED(int, box, 128);
  ptx::grid_dependency_wait();
  const int thread = static_cast<int>(threadIdx.x), pair = thread / 64, lane = thread % 32;
  for (int round = 0; round < 8; ++round) {
    if (thread % 64 < 32) {
      if (round > 0) ptx::named_barrier_sync(3 + pair, 64);
      box[pair * 32 + lane] = in[(round * 2 + pair) * 32 + lane];
      ptx::named_barrier_arrive(1 + pair, 64);
    } else {
      ptx::named_barrier_sync(1 + pair, 64);
      out[(round * 2 + pair) * 32 + lane] = box[pair * 32 + 31 - lane];
      if (round < 7) ptx::named_barrier_arrive(3 + pair, 64);
    }
  }
  ptx::grid_dependency_launch();
}
void check_barriers(Bench& bench) {
  std::vector<int> in(512), expected(512);
  for (int& value : in) value = static_cast<int>(bench.random()());
  for (size_t i = 0; i < in.size(); ++i) expected[i] = in[i / 32 * 32 + 31 - i % 32];
  int* out = bench.upload(std::vector<int>(512));
  bench.run(128, 0, hand_over, bench.upload(in), out);
  bench.equal("named_barrier_sync, named_barrier_arrive", bench.download(out, 512), expected);
}

int run() {
  auto device = CudaDevice::open(0);
  if (!device.ok()) {
    std::printf("nothing checked: %s\n", device.status().to_string().c_str());
    return exit_code(device.status().id());
  }
  Bench bench(*device.value());
  std::printf("%s, compute capability %d.%d\n", bench.card().name.c_str(), bench.card().major, bench.card().minor);
  check_conversions(bench);
  check_ldmatrix<Matrices::x1>(bench, "ldmatrix_x1", 1, false);
  check_ldmatrix<Matrices::x1_trans>(bench, "ldmatrix_x1_trans", 1, true);
  check_ldmatrix<Matrices::x2>(bench, "ldmatrix_x2", 2, false);
  check_ldmatrix<Matrices::x2_trans>(bench, "ldmatrix_x2_trans", 2, true);
  check_ldmatrix<Matrices::x4>(bench, "ldmatrix_x4", 4, false);
  check_ldmatrix<Matrices::x4_trans>(bench, "ldmatrix_x4_trans", 4, true);
  for (const bool integers : {true, false}) {
    check_mma<f16>(bench, "mma_m16n8k16<f16>", integers);
    check_mma<bf16>(bench, "mma_m16n8k16<bf16>", integers);
    check_mma<float>(bench, "mma_m16n8k8_tf32", integers);
  }
  check_copy<4>(bench, "cp_async_4");
  check_copy<8>(bench, "cp_async_8");
  check_copy<16>(bench, "cp_async_16");
  check_barriers(bench);
  if (bench.card().level() == Level::sm90a) {
    check_sm90a(bench);
  } else {
    std::printf("not checked: mbarrier, TMA, wgmma, setmaxnreg; they need compute capability 9.0\n");
  }
  std::printf("%d wrappers differ\n", bench.differences());
  return bench.differences() == 0 ? 0 : kExitDifferent;
}

}  // namespace
}  // namespace spinert::on_card

int main() {
  return spinert::on_card::run();
}
