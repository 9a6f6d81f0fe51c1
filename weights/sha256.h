// sha256.h - SHA-256 (OpenSSL, which uses the processor's SHA instructions) of memory and of data that comes in pieces.
//
// If the library refuses to work, a digest is all 0xFF: no file carries that value, so every comparison fails closed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace spinert {

using Sha256Digest = std::array<uint8_t, 32>;

// 64 lower-case hexadecimal digits.
std::string to_hex(const Sha256Digest& digest);

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(const void* data, size_t bytes);
  void update(std::string_view text) { update(text.data(), text.size()); }
  // Eight bytes, little-endian.
  void update_u64(uint64_t value);
  // May be called once.
  Sha256Digest finish();

 private:
  evp_md_ctx_st* context_;
  bool ok_;
};

Sha256Digest sha256(const void* data, size_t bytes);

// The hash of the data part of a model: SHA-256 over the SHA-256s of its pieces of 1 MiB (the last one may be shorter).
// Pieces can be hashed by several threads; this class is for a writer that has the bytes in order.
inline constexpr size_t kPieceBytes = size_t{1} << 20;

class PieceSha256 {
 public:
  void update(const void* data, size_t bytes);
  Sha256Digest finish();

 private:
  std::string pending_;  // the piece that is not full yet
  Sha256 outer_;
};

}  // namespace spinert
