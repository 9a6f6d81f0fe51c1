#include "runtime/aligned_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <utility>

namespace spinert {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

}  // namespace

AlignedBuffer::~AlignedBuffer() {
  if (mapping_) munmap(mapping_, static_cast<size_t>(mapped_bytes_));
}

void AlignedBuffer::swap(AlignedBuffer& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
}

Result<AlignedBuffer> AlignedBuffer::allocate(int64_t bytes) {
  AlignedBuffer buffer;
  if (bytes <= 0) return buffer;
  // Room to begin at a huge page boundary; address space that is not touched costs nothing.
  const bool large = bytes >= kHugePage;
  const int64_t mapped = large ? bytes + kHugePage : bytes;
  void* mapping =
      mmap(nullptr, static_cast<size_t>(mapped), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    return error(ErrorId::E_OOM_HOST, "memory for weights or activations was refused by the system")
        .expected(std::to_string(bytes) + " bytes", "none")
        .hint("Free memory, raise the limit of the process, or lower --batch.");
  }
  buffer.mapping_ = buffer.data_ = mapping;
  buffer.mapped_bytes_ = mapped;
  buffer.bytes_ = bytes;
  if (large) {
    const auto address = reinterpret_cast<uintptr_t>(mapping);
    const auto boundary = (address + kHugePage - 1) / kHugePage * kHugePage;
    buffer.data_ = static_cast<unsigned char*>(mapping) + (boundary - address);
    madvise(buffer.data_, static_cast<size_t>(bytes), MADV_HUGEPAGE);  // advice only: its failure changes nothing
  }
  return buffer;
}

int64_t usable_memory() {
  const int64_t pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  int64_t bytes = pages > 0 && page_bytes > 0 ? pages * page_bytes : std::numeric_limits<int64_t>::max();
  std::ifstream file("/sys/fs/cgroup/memory.max");
  int64_t limit = 0;  // reading "max" fails and leaves the machine in charge
  if (file >> limit && limit > 0) bytes = std::min(bytes, limit);
  return bytes;
}

}  // namespace spinert
