// max_pool2d_codes.inl - body of max_pool2d on u8 codes: the order of codes is that of the numbers that they mean. The
// loops over channels are plain; the compiler turns them into byte vectors of the file's level.
#pragma once

#include <algorithm>

#include "kernels/max_pool2d/max_pool2d.h"

namespace spinert {
namespace {

const char* max_pool2d_codes_rejects(const OpCall& call) {
  return call.in[0].dtype == DType::u8 ? nullptr : "takes activations of u8 only";
}

void max_pool2d_codes_run(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<MaxPool2dParams>();
  const Shape &x = call.in[0].shape, &y = call.out[0].shape;
  const int64_t height = x[1], width = x[2], channels = x[3];
  context.pool->run(call.in[0].rows() * y[1], [&](WorkRange range) {
    for (int64_t r = range.begin; r < range.end; ++r) {
      const uint8_t* image = call.in[0].as<uint8_t>() + r / y[1] * height * width * channels;
      const int64_t top = r % y[1] * p.stride - p.padding;
      const int64_t y0 = std::max<int64_t>(0, top), y1 = std::min(height, top + p.kernel);
      for (int64_t ox = 0; ox < y[2]; ++ox) {
        const int64_t left = ox * p.stride - p.padding;
        const int64_t x0 = std::max<int64_t>(0, left), x1 = std::min(width, left + p.kernel);
        uint8_t* largest = call.out[0].as<uint8_t>() + (r * y[2] + ox) * channels;
        std::fill(largest, largest + channels, uint8_t{0});
        for (int64_t iy = y0; iy < y1; ++iy) {
          const uint8_t* pixel = image + (iy * width + x0) * channels;
          for (int64_t ix = x0; ix < x1; ++ix, pixel += channels) {
            for (int64_t c = 0; c < channels; ++c) largest[c] = std::max(largest[c], pixel[c]);
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace spinert
