// igemm_bf16.inl - the implicit matrix product over bf16 for AVX-512 with bf16 products. Included by files of that
// level and above, inside an unnamed namespace. Intrinsics stand here because no other level has these products.
#pragma once

#include "kernels/base/activate_vector.inl"

// Y: the type of y, bf16 or float.
template <class Y>
struct Bf16Kind {
  using Acc = __m512;
  using A = __m512bh;
  using B = __m512bh;
  static constexpr DType kX = DType::bf16;
  static constexpr int64_t kLanes = 16;

  explicit Bf16Kind(const IgemmCall& p)
      : bias(p.bias), residual(p.residual.as<const bf16>()), y(p.y.as<Y>()), activation(p.activation) {}
  const float* bias;
  const bf16* residual;
  Y* y;
  Activation activation;

  static A broadcast(const unsigned char* pair) {
    int32_t bits;
    std::memcpy(&bits, pair, sizeof bits);
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(bits));
  }
  static B load(const unsigned char* b) { return reinterpret_cast<__m512bh>(_mm512_loadu_si512(b)); }
  // gcc 12 moves accumulators to memory around the intrinsic; as an instruction of its own it leaves them in place.
  static inline __attribute__((always_inline)) Acc dot(Acc acc, A a, B b) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
    return acc;
  }
  static void keep(unsigned char* to, Acc acc) { _mm512_storeu_ps(to, acc); }
  static Acc kept(const unsigned char* from) { return _mm512_loadu_ps(from); }
  static Acc start(int64_t /*column*/) { return _mm512_setzero_ps(); }

  template <bool kWhole>
  void finish(Acc sum, int64_t column, int64_t residual_at, int64_t y_at, int64_t left) const {
    using V = SimdAvx512;
    if (!kWhole && left <= 0) return;
    const bool all = kWhole || left >= kLanes;
    if (bias) sum = _mm512_add_ps(sum, all ? V::loadu(bias + column) : V::load_n(bias + column, left));
    if (residual) {
      const bf16* from = residual + residual_at;
      sum = _mm512_add_ps(sum, all ? V::loadu(from) : V::load_n(from, left));
    }
    put(y + y_at, activate_vector<V>(activation, sum), all, left);
  }

  static void put(float* to, __m512 value, bool all, int64_t left) {
    all ? SimdAvx512::storeu(to, value) : SimdAvx512::store_n(to, value, left);
  }
  static void put(bf16* to, __m512 value, bool all, int64_t left) {
    const auto half = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value));
    if (all) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half);
    } else {
      _mm256_mask_storeu_epi16(to, SimdAvx512::mask_n(left), half);
    }
  }
};

// Body<Kind>: how the sums are made, over vectors or in tiles; kPanel: the columns of one of its panels.
template <int64_t kPanel, template <class> class Body>
class IgemmBf16 {
 public:
  static constexpr unsigned kAlsoTakes = kTakesBf16;

  static const char* rejects(const IgemmCall& p) { return igemm_bf16_rejects(p); }
  static int64_t packed_bytes(const IgemmCall& p) { return igemm_bf16_packed_bytes(p, kPanel); }
  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) {
    igemm_bf16_pack(p, kPanel, static_cast<bf16*>(packed), pool);
  }
  static int64_t scratch_bytes(const IgemmCall& p, int threads) {
    return Body<Bf16Kind<float>>::scratch_bytes(p, threads);
  }
  static void run(const IgemmCall& p, void* scratch, ThreadPool& pool) {
    if (p.y.dtype == DType::f32) {
      Body<Bf16Kind<float>>::run(p, Bf16Kind<float>(p), scratch, pool);
    } else {
      Body<Bf16Kind<bf16>>::run(p, Bf16Kind<bf16>(p), scratch, pool);
    }
  }
};
