// stored_values.cpp - PS3.5, section 8.1.1: what bits above BitsStored may hold.
#include "apps/dicom/stored_values.h"

#include <limits>
#include <optional>

namespace spinert {
namespace {

constexpr uint32_t ones(int bits) {
  return bits >= 32 ? 0xFFFFFFFFu : (1u << bits) - 1;
}

int32_t extend(uint32_t word, int bits) {
  const int unused = 32 - bits;
  return static_cast<int32_t>(word << unused) >> unused;
}

std::optional<int32_t> value_of(uint32_t word, int allocated, const DicomFacts& facts) {
  const int stored = facts.bits_stored;
  const uint32_t above = stored >= 32 ? 0 : (word & ones(allocated)) >> stored;
  const bool negative = facts.is_signed && (word >> (stored - 1) & 1) != 0;
  if (above == 0 || (negative && above == ones(allocated - stored))) {
    if (facts.is_signed) return extend(word, stored);
    if (word > static_cast<uint32_t>(std::numeric_limits<int32_t>::max())) return {};
    return static_cast<int32_t>(word);
  }
  const int32_t whole = facts.is_signed ? extend(word, allocated) : static_cast<int32_t>(word);
  if (facts.padding_value && whole == *facts.padding_value) return whole;
  return {};
}

}  // namespace

Result<std::vector<int32_t>> stored_values(const std::vector<uint32_t>& words, int bits_allocated,
                                           const DicomFacts& facts) {
  std::vector<int32_t> values(words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    const auto value = value_of(words[i], bits_allocated, facts);
    if (!value) {
      const auto columns = static_cast<size_t>(facts.columns);
      return error(ErrorId::E_DICOM_VALUE, "stored value outside BitsStored at row " + std::to_string(i / columns) +
                                               ", column " + std::to_string(i % columns))
          .expected(std::to_string(facts.bits_stored) + (facts.is_signed ? " bits with sign" : " bits without sign"),
                    std::to_string(words[i]));
    }
    values[i] = *value;
  }
  return values;
}

}  // namespace spinert
