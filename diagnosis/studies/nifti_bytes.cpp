// nifti_bytes.cpp - plain or gzip, of one or several members; zlib checks the CRC-32 and length of each.
#include "diagnosis/studies/nifti_bytes.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/base/checked.h"

namespace spinert {
namespace {

constexpr size_t kBufferBytes = 1 << 18;
constexpr uint8_t kGzipMagic[2] = {0x1f, 0x8b};

// Never empty: a file may grow while it is read, which its end then shows.
size_t buffer_bytes(uint64_t file) {
  return static_cast<size_t>(std::clamp<uint64_t>(file, 1, kBufferBytes));
}

}  // namespace

NiftiBytes::NiftiBytes(InputStream& file, std::string where)
    : file_(&file), size_(file.size()), where_(std::move(where)), buffer_(buffer_bytes(size_)) {}

NiftiBytes::NiftiBytes(std::span<const uint8_t> memory, std::string where)
    : memory_(memory), size_(memory.size()), where_(std::move(where)), buffer_(buffer_bytes(size_)) {}

NiftiBytes::~NiftiBytes() {
  if (inflating_) inflateEnd(&stream_);
}

Status NiftiBytes::damaged(const std::string& what) const {
  return error(ErrorId::E_NIFTI, "NI-12: " + what, where_).hint("Copy or pack the file again.");
}

// Keeps what is left of the buffer out of it: called when all of it was used.
Status NiftiBytes::refill() {
  next_ = held_ = 0;
  if (file_) {
    SPINERT_ASSIGN(held_, file_->read(buffer_.data(), buffer_.size()));
  } else {
    held_ = std::min(memory_.size(), buffer_.size());
    if (held_ > 0) std::memcpy(buffer_.data(), memory_.data(), held_);
    memory_ = memory_.subspan(held_);
  }
  hash_.update(buffer_.data(), held_);
  return {};
}

Status NiftiBytes::begin() {
  SPINERT_TRY(refill());
  packed_ = held_ >= 2 && std::equal(std::begin(kGzipMagic), std::end(kGzipMagic), buffer_.begin());
  if (!packed_) return {};
  constexpr int kGzipOnly = 16;
  if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK) {
    return error(ErrorId::E_OOM_HOST, "no memory to unpack", where_);
  }
  inflating_ = true;
  return {};
}

uint64_t NiftiBytes::most_bytes() const {
  return packed_ ? checked_mul(size_, kMaxGzipRatio).value_or(std::numeric_limits<uint64_t>::max()) : size_;
}

Result<size_t> NiftiBytes::read_plain(uint8_t* to, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    if (next_ == held_) SPINERT_TRY(refill());
    if (held_ == 0) break;
    const size_t take = std::min(bytes - done, held_ - next_);
    std::memcpy(to + done, buffer_.data() + next_, take);
    next_ += take;
    done += take;
  }
  return done;
}

Result<size_t> NiftiBytes::read_packed(uint8_t* to, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    if (next_ == held_) SPINERT_TRY(refill());
    if (held_ == 0) {
      if (member_ended_) break;
      return damaged("the packed data end too early");
    }
    if (member_ended_) {
      if (inflateReset(&stream_) != Z_OK) return damaged("cannot unpack");
      member_ended_ = false;
    }
    const auto room = static_cast<uInt>(std::min<size_t>(bytes - done, 1u << 30));
    const auto there = static_cast<uInt>(held_ - next_);
    stream_.next_in = buffer_.data() + next_;
    stream_.avail_in = there;
    stream_.next_out = to + done;
    stream_.avail_out = room;
    const int answer = inflate(&stream_, Z_NO_FLUSH);
    next_ += there - stream_.avail_in;
    done += room - stream_.avail_out;
    if (answer == Z_STREAM_END) {
      member_ended_ = true;
    } else if (answer != Z_OK) {
      return damaged(std::string("cannot unpack: ") + (stream_.msg ? stream_.msg : "damaged data"));
    }
  }
  return done;
}

Result<size_t> NiftiBytes::read_some(uint8_t* to, size_t bytes) {
  return packed_ ? read_packed(to, bytes) : read_plain(to, bytes);
}

Status NiftiBytes::read(void* to, size_t bytes) {
  SPINERT_ASSIGN(const size_t got, read_some(static_cast<uint8_t*>(to), bytes));
  if (got == bytes) return {};
  return error(ErrorId::E_NIFTI, "NI-07: the file ends too early", where_)
      .expected(std::to_string(bytes) + " more bytes", std::to_string(got))
      .hint("Copy the file again.");
}

Status NiftiBytes::skip(uint64_t bytes) {
  uint8_t dropped[4096];
  while (bytes > 0) {
    const auto take = static_cast<size_t>(std::min<uint64_t>(bytes, sizeof dropped));
    SPINERT_TRY(read(dropped, take));
    bytes -= take;
  }
  return {};
}

Result<std::string> NiftiBytes::finish() {
  uint8_t beyond = 0;
  SPINERT_ASSIGN(const size_t more, read_some(&beyond, 1));
  if (more > 0) return error(ErrorId::E_NIFTI, "NI-13: bytes follow the voxels", where_);
  if (file_) SPINERT_TRY(file_->finish());
  return to_hex(hash_.finish());
}

}  // namespace spinert
