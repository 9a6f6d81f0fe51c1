// quantise.inl - body of quantise over a vector type S of kernels/base/simd.h; included inside an unnamed namespace.
#pragma once

template <class S>
void quantise_run(const OpCall& call, const RunContext& context) {
  const float* x = call.in[0].f32();
  auto* y = call.out[0].as<uint8_t>();
  const Quantisation& q = call.out[0].quantisation;
  const auto steps = S::set1(1.0f / q.scale);
  context.pool->run(elements_in_use(call.in[0]), [&](WorkRange range) {
    int64_t i = range.begin;
    for (; i + S::kLanes <= range.end; i += S::kLanes) {
      S::store_u8(y + i, S::mul(S::loadu(x + i), steps), q.zero, S::kLanes);
    }
    if (i < range.end) {
      S::store_u8(y + i, S::mul(S::load_n(x + i, range.end - i), steps), q.zero, range.end - i);
    }
  });
}
