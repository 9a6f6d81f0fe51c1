#include "weights/sha256.h"

#include <openssl/evp.h>

#include <algorithm>

namespace spinert {
namespace {

// Looked up once: OpenSSL 3 otherwise searches its providers on every use.
const EVP_MD* algorithm() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return md;
}

}  // namespace

std::string to_hex(const Sha256Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  ok_ = context_ && algorithm() && EVP_DigestInit_ex(context_, algorithm(), nullptr) == 1;
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(context_);
}

void Sha256::update(const void* data, size_t bytes) {
  if (ok_ && bytes > 0) ok_ = EVP_DigestUpdate(context_, data, bytes) == 1;
}

void Sha256::update_u64(uint64_t value) {
  uint8_t bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
  update(bytes, sizeof bytes);
}

Sha256Digest Sha256::finish() {
  Sha256Digest digest;
  ok_ = ok_ && EVP_DigestFinal_ex(context_, digest.data(), nullptr) == 1;
  if (!ok_) digest.fill(0xFF);
  return digest;
}

Sha256Digest sha256(const void* data, size_t bytes) {
  Sha256 hash;
  hash.update(data, bytes);
  return hash.finish();
}

void PieceSha256::update(const void* data, size_t bytes) {
  const char* p = static_cast<const char*>(data);
  while (bytes > 0) {
    const size_t take = std::min(bytes, kPieceBytes - pending_.size());
    pending_.append(p, take);
    p += take;
    bytes -= take;
    if (pending_.size() == kPieceBytes) {
      const Sha256Digest piece = sha256(pending_.data(), pending_.size());
      outer_.update(piece.data(), piece.size());
      pending_.clear();
    }
  }
}

Sha256Digest PieceSha256::finish() {
  if (!pending_.empty()) {
    const Sha256Digest piece = sha256(pending_.data(), pending_.size());
    outer_.update(piece.data(), piece.size());
  }
  return outer_.finish();
}

}  // namespace spinert
