// base64.h - bytes as text for data: URLs (RFC 4648, with padding, no line breaks).
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace spinert {

std::string base64(std::span<const uint8_t> bytes);

}  // namespace spinert
