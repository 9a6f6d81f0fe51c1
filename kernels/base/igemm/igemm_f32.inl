// igemm_f32.inl - the implicit matrix product in float over the vector type V of kernels/base/simd.h. Included by one
// file per instruction set, inside an unnamed namespace.
#pragma once

#include "kernels/base/activate_vector.inl"
#include "kernels/base/igemm/igemm_vectors.inl"

template <class V>
struct F32Kind {
  using Acc = typename V::V;
  using A = typename V::V;
  using B = typename V::V;
  static constexpr int64_t kLanes = V::kLanes;

  explicit F32Kind(const IgemmCall& p)
      : bias(p.bias), residual(p.residual.f32()), y(p.y.f32()), activation(p.activation) {}
  const float *bias, *residual;
  float* y;
  Activation activation;

  static const float* floats(const unsigned char* bytes) { return reinterpret_cast<const float*>(bytes); }
  static A broadcast(const unsigned char* unit) { return V::set1(*floats(unit)); }
  static B load(const unsigned char* b) { return V::loadu(floats(b)); }
  static Acc dot(Acc acc, A a, B b) { return V::madd(a, b, acc); }
  static void keep(unsigned char* to, Acc acc) { V::storeu(reinterpret_cast<float*>(to), acc); }
  static Acc kept(const unsigned char* from) { return V::loadu(floats(from)); }
  static Acc start(int64_t /*column*/) { return V::zero(); }

  template <bool kWhole>
  void finish(Acc sum, int64_t column, int64_t residual_at, int64_t y_at, int64_t left) const {
    if (!kWhole && left <= 0) return;
    const bool all = kWhole || left >= kLanes;
    const auto load_some = [&](const float* from) { return all ? V::loadu(from) : V::load_n(from, left); };
    if (bias) sum = V::add(sum, load_some(bias + column));
    if (residual) sum = V::add(sum, load_some(residual + residual_at));
    sum = activate_vector<V>(activation, sum);
    all ? V::storeu(y + y_at, sum) : V::store_n(y + y_at, sum, left);
  }
};

template <class V, int kTileRows, int kTileVectors>
class IgemmF32 {
  using Vectors = IgemmVectors<F32Kind<V>, kTileRows, kTileVectors>;
  static constexpr int64_t kPanel = kTileVectors * V::kLanes;

 public:
  static constexpr unsigned kAlsoTakes = 0;

  static const char* rejects(const IgemmCall& p) { return p.groups != 1 ? "groups != 1" : nullptr; }
  static int64_t packed_bytes(const IgemmCall& p) { return igemm_f32_packed(p, kPanel) * int64_t{sizeof(float)}; }
  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) {
    igemm_f32_pack(p, kPanel, static_cast<float*>(packed), pool);
  }
  static void pack_i8(const IgemmCall& p, const StoredI8& weight, void* packed, ThreadPool& pool) {
    igemm_f32_pack_i8(p, weight, kPanel, static_cast<float*>(packed), pool);
  }
  static int64_t scratch_bytes(const IgemmCall& p, int threads) { return Vectors::scratch_bytes(p, threads); }
  static void run(const IgemmCall& p, void* scratch, ThreadPool& pool) {
    Vectors::run(p, F32Kind<V>(p), scratch, pool);
  }
};
