// nifti_bytes.h - the bytes of a NIfTI file in order, unpacked on the way if they are gzip, and hashed as they lie in
// the file. Memory: one buffer, whatever the file claims.
//
// A reader asks for exactly as much as the header makes it expect, after it has held that against the size of the file
// (most_bytes), so that a small file cannot ask for much.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "diagnosis/images/input_file.h"
#include "kernels/base/status.h"
#include "weights/sha256.h"

namespace spinert {

// Deflate makes at most 1032 bytes of one; what claims more is a lie.
inline constexpr uint64_t kMaxGzipRatio = 1100;

class NiftiBytes {
 public:
  // `file` must live on. Errors carry `where`.
  NiftiBytes(InputStream& file, std::string where);
  // Bytes in memory, for tests and fuzzing.
  NiftiBytes(std::span<const uint8_t> memory, std::string where);
  ~NiftiBytes();
  NiftiBytes(const NiftiBytes&) = delete;
  NiftiBytes& operator=(const NiftiBytes&) = delete;

  // Before anything else.
  Status begin();
  bool packed() const { return packed_; }
  // How many bytes the file can hold at most; exactly so many if it is not packed.
  uint64_t most_bytes() const;

  // Exactly so many of the unpacked bytes; E_NIFTI if there are not so many, or the packing is damaged.
  Status read(void* to, size_t bytes);
  Status skip(uint64_t bytes);
  // E_NIFTI if anything follows, E_INPUT_CHANGED if the file has changed; then the hash, 64 hex digits.
  Result<std::string> finish();

 private:
  Status refill();
  Status damaged(const std::string& what) const;
  // Up to `bytes`, fewer only where the file ends.
  Result<size_t> read_some(uint8_t* to, size_t bytes);
  Result<size_t> read_plain(uint8_t* to, size_t bytes);
  Result<size_t> read_packed(uint8_t* to, size_t bytes);

  InputStream* file_ = nullptr;
  std::span<const uint8_t> memory_;
  uint64_t size_ = 0;
  std::string where_;
  Sha256 hash_;
  bool packed_ = false, member_ended_ = false, inflating_ = false;
  z_stream stream_{};
  std::vector<uint8_t> buffer_;
  size_t next_ = 0, held_ = 0;  // of buffer_
};

}  // namespace spinert
