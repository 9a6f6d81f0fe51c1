// base64.cpp - three bytes become four letters.
#include "diagnosis/images/base64.h"

namespace spinert {

std::string base64(std::span<const uint8_t> bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t have = bytes.size() - i;
    const uint32_t group = static_cast<uint32_t>(bytes[i]) << 16 |
                           (have > 1 ? static_cast<uint32_t>(bytes[i + 1]) << 8 : 0) | (have > 2 ? bytes[i + 2] : 0);
    text += kLetters[group >> 18];
    text += kLetters[group >> 12 & 63];
    text += have > 1 ? kLetters[group >> 6 & 63] : '=';
    text += have > 2 ? kLetters[group & 63] : '=';
  }
  return text;
}

}  // namespace spinert
