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

// All words to values without a branch in the loop; false if one of them is not what it should be, which hardly ever
// is.
template <class Word>
bool extend_all(std::span<const Word> words, int allocated, const DicomFacts& facts, int32_t* values) {
  const int stored = facts.bits_stored, unused = 32 - stored;
  const uint32_t above = ones(allocated) & ~ones(stored);
  uint32_t wrong = 0;
  if (facts.is_signed) {
    for (size_t i = 0; i < words.size(); ++i) {
      const uint32_t word = words[i];
      const int32_t value = static_cast<int32_t>(word << unused) >> unused;
      const uint32_t copies = static_cast<uint32_t>(value >> 31) & above;  // of the sign
      wrong |= static_cast<uint32_t>((word & above) != 0) & static_cast<uint32_t>((word & above) != copies);
      values[i] = value;
    }
  } else {
    const uint32_t outside = above | uint32_t{1} << 31;
    for (size_t i = 0; i < words.size(); ++i) {
      wrong |= words[i] & outside;
      values[i] = static_cast<int32_t>(words[i]);
    }
  }
  return wrong == 0;
}

}  // namespace

template <class Word>
Result<std::vector<int32_t>> stored_values(std::span<const Word> words, int bits_allocated, const DicomFacts& facts) {
  std::vector<int32_t> values(words.size());
  if (extend_all(words, bits_allocated, facts, values.data())) return values;
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

template Result<std::vector<int32_t>> stored_values(std::span<const uint16_t>, int, const DicomFacts&);
template Result<std::vector<int32_t>> stored_values(std::span<const uint32_t>, int, const DicomFacts&);

}  // namespace spinert
