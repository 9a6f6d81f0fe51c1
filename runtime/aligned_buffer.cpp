#include "runtime/aligned_buffer.h"

#include <sys/mman.h>

#include <utility>

namespace spinert {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

}  // namespace

AlignedBuffer::~AlignedBuffer() {
  if (data_) munmap(data_, static_cast<size_t>(bytes_));
}

void AlignedBuffer::swap(AlignedBuffer& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
}

Result<AlignedBuffer> AlignedBuffer::allocate(int64_t bytes) {
  AlignedBuffer buffer;
  if (bytes <= 0) return buffer;
  void* data = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    return error(ErrorId::E_OOM_HOST, "memory for weights or activations was refused by the system")
        .expected(std::to_string(bytes) + " bytes", "none")
        .hint("Free memory, raise the limit of the process, or lower --batch.");
  }
  if (bytes >= kHugePage) madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);  // advice only
  buffer.data_ = data;
  buffer.bytes_ = bytes;
  return buffer;
}

}  // namespace spinert
