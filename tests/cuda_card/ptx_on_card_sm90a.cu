// ptx_on_card_sm90a.cu - the part of ptx_on_card for what only compute capability 9.0 has: mbarriers, the tensor memory
// accelerator, wgmma.
#include <numeric>

#include "kernels/base/tensor_map.h"
#include "tests/cuda_card/ptx_on_card.h"

namespace spinert::on_card {
namespace {

using ptx::Swizzle;
using ptx::TensorMap;

constexpr int kThreads = ptx_model::kGroupThreads;
constexpr Swizzle kSwizzles[] = {Swizzle::none, Swizzle::bytes32, Swizzle::bytes64, Swizzle::bytes128};
constexpr const char* kSwizzleNames[] = {"no swizzle", "swizzle 32", "swizzle 64", "swizzle 128"};

TensorMap taken(Result<TensorMap> made) {
  if (made.ok()) return made.value();
  std::printf("%s\n", made.status().to_string().c_str());
  std::exit(exit_code(made.status().id()));
}

// ---- TMA: a box to shared memory, and all bytes of it out; or the way back
struct Copy {
  int rank;  // 2 to 4; 0: im2col
  int at[4];
  uint16_t offsets[2];
  int bytes;
};
__global__ void load_box(const __grid_constant__ TensorMap map, Copy copy, unsigned char* out) {
  SPINERT_SHARED(uint64_t, bars, 1);
  unsigned char* shared = dynamic_shared();
  const uint32_t bar = ptx::shared_address(bars), to = ptx::shared_address(shared);
  const int* c = copy.at;
  if (threadIdx.x == 0) {
    ptx::prefetch_tensor_map(&map);
    ptx::mbarrier_init(bar, 1);
    ptx::fence_mbarrier_init();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    ptx::mbarrier_expect_tx(bar, static_cast<uint32_t>(copy.bytes));
    switch (copy.rank) {
      case 2: ptx::tma_load_tile_2d(to, &map, bar, c[0], c[1]); break;
      case 3: ptx::tma_load_tile_3d(to, &map, bar, c[0], c[1], c[2]); break;
      case 4: ptx::tma_load_tile_4d(to, &map, bar, c[0], c[1], c[2], c[3]); break;
      default: ptx::tma_load_im2col_4d(to, &map, bar, c[0], c[1], c[2], c[3], copy.offsets[0], copy.offsets[1]);
    }
  }
  ptx::mbarrier_wait(bar, 0);
  for (int i = static_cast<int>(threadIdx.x); i < copy.bytes; i += kThreads) out[i] = shared[i];
}
__global__ void store_box(const __grid_constant__ TensorMap map, Copy copy, const unsigned char* in) {
  unsigned char* shared = dynamic_shared();
  const int* c = copy.at;
  for (int i = static_cast<int>(threadIdx.x); i < copy.bytes; i += kThreads) shared[i] = in[i];
  ptx::fence_proxy_async();
  __syncthreads();
  if (threadIdx.x == 0) {
    const uint32_t from = ptx::shared_address(shared);
    switch (copy.rank) {
      case 2: ptx::tma_store_tile_2d(&map, from, c[0], c[1]); break;
      case 3: ptx::tma_store_tile_3d(&map, from, c[0], c[1], c[2]); break;
      default: ptx::tma_store_tile_4d(&map, from, c[0], c[1], c[2], c[3]); break;
    }
    ptx::tma_store_commit();
    ptx::tma_store_wait<0>();
  }
}

std::vector<unsigned char> random_bytes(Bench& bench, size_t count) {
  std::vector<unsigned char> values(count);
  for (unsigned char& value : values) value = static_cast<unsigned char>(bench.random()());
  return values;
}

// Calls visit(byte of the box, byte of the tensor or -1) for all bytes, after the model.
template <class Visit>
void walk(const ptx_model::MapFields& map, const Copy& copy, const Visit& visit) {
  const int64_t row_bytes = int64_t{map.box[0]} * map.element_bytes;
  const int64_t rows = ptx_model::box_bytes(map) / row_bytes;
  for (int64_t i = 0; i < rows; ++i) {
    const ptx_model::BoxRow row =
        map.im2col ? ptx_model::im2col_row(map, {copy.at[0], copy.at[1], copy.at[2], copy.at[3]},
                                           {copy.offsets[0], copy.offsets[1]}, i)
                   : ptx_model::tile_row(map, {copy.at[0], copy.at[1], copy.at[2], copy.at[3], 0}, i);
    for (int64_t byte = 0; byte < row_bytes; ++byte) {
      const int64_t element = row.first + byte / map.element_bytes;
      const bool inside = row.base && element >= 0 && element < int64_t{map.dims[0]};
      const auto place = ptx_model::swizzled(static_cast<uint32_t>(row.offset + byte), map.swizzle);
      visit(place, inside ? row.base - map.base + element * map.element_bytes + byte % map.element_bytes : int64_t{-1});
    }
  }
}

// Bytes of the tensor that a map describes.
int64_t tensor_bytes(const ptx_model::MapFields& map) {
  return int64_t{map.dims[map.rank - 1]} * static_cast<int64_t>(map.strides[map.rank - 2]);
}

template <class Map>
void check_load(Bench& bench, const std::string& name, Map map, const std::vector<Copy>& copies) {
  static constexpr int kBase = 256;
  map.base = reinterpret_cast<const void*>(kBase);
  const std::vector<unsigned char> tensor =
      random_bytes(bench, static_cast<size_t>(tensor_bytes(ptx_model::fields(map))));
  map.base = bench.upload(tensor);
  const TensorMap made = taken([&] {
    if constexpr (std::is_same_v<Map, TileMap>) {
      return make_tile_map(map);
    } else {
      return make_im2col_map(map);
    }
  }());
  std::vector<unsigned char> card, model;
  for (Copy copy : copies) {
    const ptx_model::MapFields fields = ptx_model::fields(map);
    copy.bytes = static_cast<int>(ptx_model::box_bytes(fields));
    unsigned char* out = bench.upload(std::vector<unsigned char>(static_cast<size_t>(copy.bytes)));
    bench.run(kThreads, copy.bytes, load_box, made, copy, out);
    const std::vector<unsigned char> got = bench.download(out, static_cast<size_t>(copy.bytes));
    std::vector<unsigned char> expected(got.size());
    walk(fields, copy,
         [&](uint32_t place, int64_t from) { expected[place] = from < 0 ? 0 : tensor[static_cast<size_t>(from)]; });
    card.insert(card.end(), got.begin(), got.end());
    model.insert(model.end(), expected.begin(), expected.end());
  }
  bench.equal(name, card, model);
}

void check_store(Bench& bench, const std::string& name, TileMap map, const std::vector<Copy>& copies) {
  std::vector<unsigned char> card, model;
  for (Copy copy : copies) {
    map.base = reinterpret_cast<const void*>(256);
    const auto bytes = static_cast<size_t>(tensor_bytes(ptx_model::fields(map)));
    std::vector<unsigned char> expected(bytes, 0xEE);
    const unsigned char* tensor = bench.upload(expected);
    map.base = tensor;
    const ptx_model::MapFields fields = ptx_model::fields(map);
    copy.bytes = static_cast<int>(ptx_model::box_bytes(fields));
    const std::vector<unsigned char> in = random_bytes(bench, static_cast<size_t>(copy.bytes));
    bench.run(kThreads, copy.bytes, store_box, taken(make_tile_map(map)), copy, bench.upload(in));
    walk(fields, copy, [&](uint32_t place, int64_t to) {
      if (to >= 0) expected[static_cast<size_t>(to)] = in[place];
    });
    const std::vector<unsigned char> got = bench.download(tensor, bytes);
    card.insert(card.end(), got.begin(), got.end());
    model.insert(model.end(), expected.begin(), expected.end());
  }
  bench.equal(name, card, model);
}

void check_tma(Bench& bench) {
  for (int s = 0; s < 4; ++s) {
    TileMap map;
    const int width = kSwizzles[s] == Swizzle::none ? 24 : ptx::swizzle_span(kSwizzles[s]) / 2;
    map.dims = {80, 21, 5, 3};
    map.strides = {160, 160 * 21, 160 * 21 * 5};
    map.swizzle = kSwizzles[s];
    map.rank = 2;
    map.box = {width, 16};
    const std::vector<Copy> flat = {{2, {0, 0}}, {2, {8, 3}}, {2, {-5, -2}}, {2, {71, 13}}, {2, {100, 0}}};
    check_load(bench, std::string("tma_load_tile_2d, ") + kSwizzleNames[s], map, flat);
    check_store(bench, std::string("tma_store_tile_2d, ") + kSwizzleNames[s], map, flat);
    map.rank = 3;
    map.box = {width, 7, 3};
    const std::vector<Copy> cubes = {{3, {0, 0, 0}}, {3, {8, 18, 3}}, {3, {-3, -2, -1}}};
    check_load(bench, std::string("tma_load_tile_3d, ") + kSwizzleNames[s], map, cubes);
    check_store(bench, std::string("tma_store_tile_3d, ") + kSwizzleNames[s], map, cubes);
    map.rank = 4;
    map.box = {width, 6, 3, 2};
    const std::vector<Copy> volumes = {{4, {0, 0, 0, 0}}, {4, {16, 17, 3, 2}}, {4, {-3, -2, -1, -1}}};
    check_load(bench, std::string("tma_load_tile_4d, ") + kSwizzleNames[s], map, volumes);
    check_store(bench, std::string("tma_store_tile_4d, ") + kSwizzleNames[s], map, volumes);
    map.steps = {1, 2, 2, 1};
    check_load(bench, std::string("tma_load_tile_4d in steps, ") + kSwizzleNames[s], map, volumes);

    // 3 x 3 with padding 1 in steps of 1 and 2, 5 x 5 with padding 2, from several starts and taps.
    for (const auto& [kernel, step] : {std::pair{3, 1}, {3, 2}, {5, 2}}) {
      Im2colMap columns;
      const int padding = kernel / 2;
      columns.dims = {80, 9, 7, 3};
      columns.strides = {160, 160 * 9, 160 * 9 * 7};
      columns.lower = {-padding, -padding};
      columns.upper = {padding - (kernel - 1), padding - (kernel - 1)};
      columns.steps = {step, step};
      columns.channels = width;
      columns.pixels = 48;
      columns.swizzle = kSwizzles[s];
      std::vector<Copy> copies;
      for (const int start : {0, 1, 2}) {
        for (const int tap : {0, 1, kernel - 1}) {
          const int at = start * step - padding;
          copies.push_back(
              {0, {start * 8, at, at, start}, {static_cast<uint16_t>(tap), static_cast<uint16_t>(kernel - 1 - tap)}});
        }
      }
      check_load(bench,
                 "tma_load_im2col_4d, " + std::to_string(kernel) + " x " + std::to_string(kernel) + " step " +
                     std::to_string(step) + ", " + kSwizzleNames[s],
                 columns, copies);
    }
  }
}

// ---- mbarriers: warps 1 to 3 hand values to warp 0 through eight phases; register budgets change on the way
__global__ void __launch_bounds__(kThreads, 1) phases(const int* in, int* out) {
  SPINERT_SHARED(uint64_t, bars, 2);
  SPINERT_SHARED(int, box, 96);
  const uint32_t full = ptx::shared_address(bars), empty = full + 8;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) {
    ptx::mbarrier_init(full, 96);
    ptx::mbarrier_init(empty, 32);
    ptx::fence_mbarrier_init();
  }
  __syncthreads();
  ptx::setmaxnreg_dec<64>();
  for (int round = 0; round < 8; ++round) {
    const uint32_t parity = static_cast<uint32_t>(round) % 2;
    if (thread >= 32) {
      ptx::mbarrier_wait(empty, parity ^ 1);
      box[thread - 32] = in[round * 96 + thread - 32];
      ptx::mbarrier_arrive(full);
    } else {
      ptx::mbarrier_wait(full, parity);
      for (int i = thread; i < 96; i += 32) out[round * 96 + i] = box[95 - i];
      ptx::mbarrier_arrive(empty);
    }
  }
  __syncthreads();
  ptx::setmaxnreg_inc<128>();
}
void check_mbarriers(Bench& bench) {
  std::vector<int> in(8 * 96), expected(8 * 96);
  std::iota(in.begin(), in.end(), static_cast<int>(bench.random()() % 1000));
  for (size_t i = 0; i < in.size(); ++i) expected[i] = in[i / 96 * 96 + 95 - i % 96];
  int* out = bench.upload(std::vector<int>(in.size()));
  bench.run(kThreads, 0, phases, bench.upload(in), out);
  bench.equal("mbarrier_*, setmaxnreg_*", bench.download(out, in.size()), expected);
}

// ---- wgmma: the operands lie where the model's descriptor says that the card looks for them
constexpr int kRows = 64, kK = 16;
struct Product {
  int leading, stride;
  Swizzle swizzle;
  int scale_d, operand_bytes;
};
template <class T, int N>
__global__ void __launch_bounds__(kThreads) multiply(const unsigned char* in, Product product, float* d) {
  unsigned char* shared = dynamic_shared();
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < 2 * product.operand_bytes; i += kThreads) shared[i] = in[i];
  float sums[N / 2];
  for (int i = 0; i < N / 2; ++i) sums[i] = d[thread * (N / 2) + i];
  ptx::fence_proxy_async();
  __syncthreads();
  const uint32_t at = ptx::shared_address(shared);
  const uint64_t a = ptx::wgmma_descriptor(at, product.leading, product.stride, product.swizzle);
  const uint64_t b = ptx::wgmma_descriptor(at + static_cast<uint32_t>(product.operand_bytes), product.leading,
                                           product.stride, product.swizzle);
  ptx::wgmma_fence();
  ptx::wgmma_m64k16<T, N>(sums, a, b, product.scale_d != 0);
  ptx::wgmma_commit();
  ptx::wgmma_wait<0>();
  for (int i = 0; i < N / 2; ++i) d[thread * (N / 2) + i] = sums[i];
}

// Puts [rows][16] where a descriptor with its start at 0 finds them.
template <class T>
void lay_out(const std::vector<T>& values, const Product& product, unsigned char* to) {
  const ptx_model::Descriptor descriptor{0, product.leading, product.stride, 0, product.swizzle};
  for (size_t i = 0; i < values.size(); i += 8) {
    const uint32_t at = ptx_model::operand_address(descriptor, static_cast<int>(i / kK), static_cast<int>(i % kK / 8));
    std::memcpy(to + at, &values[i], 16);
  }
}

template <class T, int N>
void check_wgmma(Bench& bench, Swizzle swizzle, bool integers, bool scale_d) {
  const int span = swizzle == Swizzle::none ? 32 : ptx::swizzle_span(swizzle);
  const Product product{swizzle == Swizzle::none ? 128 : 16, 8 * span, swizzle, scale_d, 256 * span};
  const std::vector<T> a = operands<T>(bench, kRows * kK, integers), b = operands<T>(bench, N * kK, integers);
  const std::vector<float> d = operands<float>(bench, kThreads * (N / 2), integers);
  std::vector<unsigned char> in(static_cast<size_t>(2 * product.operand_bytes));
  lay_out(a, product, in.data());
  lay_out(b, product, in.data() + product.operand_bytes);
  float* out = bench.upload(d);
  bench.run(kThreads, 2 * product.operand_bytes, multiply<T, N>, bench.upload(in), product, out);
  std::vector<float> model = d;
  std::vector<float*> rows(kThreads);
  for (int i = 0; i < kThreads; ++i) rows[static_cast<size_t>(i)] = model.data() + i * (N / 2);
  std::vector<uint16_t> bits_a(a.size()), bits_b(b.size());
  std::memcpy(bits_a.data(), a.data(), a.size() * 2);
  std::memcpy(bits_b.data(), b.data(), b.size() * 2);
  ptx_model::wgmma_m64k16(std::is_same_v<T, bf16>, N, bits_a.data(), bits_b.data(), scale_d, rows.data());
  const std::string name = "wgmma_m64k16<" + std::string(std::is_same_v<T, bf16> ? "bf16" : "f16") + ", " +
                           std::to_string(N) + ">, " + kSwizzleNames[static_cast<int>(swizzle)] +
                           (scale_d ? "" : ", d = a b") + (integers ? "" : ", fractions");
  const std::vector<float> got = bench.download(out, d.size());
  if (integers) {
    bench.equal(name, got, model);
  } else {
    bench.close(name, got, model, kK + 1);
  }
}
template <int N>
void check_width(Bench& bench) {
  check_wgmma<f16, N>(bench, Swizzle::bytes128, true, true);
  check_wgmma<bf16, N>(bench, Swizzle::bytes128, true, true);
}

}  // namespace

void check_sm90a(Bench& bench) {
  check_mbarriers(bench);
  check_tma(bench);
  check_width<8>(bench);
  check_width<16>(bench);
  check_width<32>(bench);
  check_width<48>(bench);
  check_width<64>(bench);
  check_width<96>(bench);
  check_width<128>(bench);
  check_width<160>(bench);
  check_width<192>(bench);
  check_width<256>(bench);
  for (const Swizzle swizzle : kSwizzles) {
    check_wgmma<f16, 64>(bench, swizzle, true, false);
    check_wgmma<f16, 64>(bench, swizzle, false, true);
    check_wgmma<bf16, 64>(bench, swizzle, false, true);
  }
}

}  // namespace spinert::on_card
