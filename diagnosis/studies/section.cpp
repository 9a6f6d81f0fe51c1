// section.cpp - bilinear sampling. What does not change along a row or a column is computed once.
#include "diagnosis/studies/section.h"

#include <cmath>

#include "diagnosis/studies/volume.h"

namespace spinert {
namespace {

int16_t to_hu(double value) {
  return std::isnan(value) ? kAirHu : static_cast<int16_t>(std::rint(value));  // a mean of 16-bit values fits
}

double mix(double low, double high, double weight) {
  return low * (1 - weight) + high * weight;
}

}  // namespace

Tap tap_of(double position, int extent) {
  const double last = extent - 1;
  if (!(position >= -kEdgeTolerance && position <= last + kEdgeTolerance)) return {};
  int low = static_cast<int>(position);
  double weight = position - low;
  if (weight > 1 - kEdgeTolerance) {
    ++low;
    weight = 0;
  } else if (weight < kEdgeTolerance) {
    weight = 0;
  }
  return {low, weight > 0 ? low + 1 : low, weight};
}

std::vector<int16_t> sample_section(const Section& section, int columns, int rows, const Affine& across,
                                    const Affine& down) {
  const auto width = static_cast<size_t>(columns), section_width = static_cast<size_t>(section.columns);
  std::vector<int16_t> out(width * static_cast<size_t>(rows), kAirHu);
  const bool fixed_across = std::abs(across.per_row) * rows < kNoChange;
  const bool fixed_down = std::abs(down.per_column) * columns < kNoChange;
  std::vector<Tap> taps(width);
  std::vector<double> line(section_width);
  for (int y = 0; y < rows; ++y) {
    if (y == 0 || !fixed_across) {
      for (int x = 0; x < columns; ++x) taps[static_cast<size_t>(x)] = tap_of(across.at(x, y), section.columns);
    }
    int16_t* to = out.data() + static_cast<size_t>(y) * width;
    if (fixed_down) {
      // The usual case: two rows of the section become one, then that is read at the positions of the pixels.
      const Tap row = tap_of(down.at(0, y), section.rows);
      if (row.low < 0) continue;
      const float* low = section.values.data() + static_cast<size_t>(row.low) * section_width;
      const float* high = section.values.data() + static_cast<size_t>(row.high) * section_width;
      if (row.weight > 0) {
        for (size_t i = 0; i < section_width; ++i) line[i] = mix(low[i], high[i], row.weight);
      } else {
        for (size_t i = 0; i < section_width; ++i) line[i] = low[i];
      }
      for (size_t x = 0; x < width; ++x) {
        const Tap& tap = taps[x];
        if (tap.low < 0) continue;
        const double value = line[static_cast<size_t>(tap.low)];
        to[x] = to_hu(tap.weight > 0 ? mix(value, line[static_cast<size_t>(tap.high)], tap.weight) : value);
      }
      continue;
    }
    for (int x = 0; x < columns; ++x) {
      const Tap& tap = taps[static_cast<size_t>(x)];
      if (tap.low < 0) continue;
      const Tap row = tap_of(down.at(x, y), section.rows);
      if (row.low < 0) continue;
      const auto column_of = [&](int column) -> double {
        const float low = section.values[static_cast<size_t>(row.low) * section_width + static_cast<size_t>(column)];
        if (row.weight == 0) return low;
        return mix(low, section.values[static_cast<size_t>(row.high) * section_width + static_cast<size_t>(column)],
                   row.weight);
      };
      const double value = column_of(tap.low);
      to[x] = to_hu(tap.weight > 0 ? mix(value, column_of(tap.high), tap.weight) : value);
    }
  }
  return out;
}

}  // namespace spinert
