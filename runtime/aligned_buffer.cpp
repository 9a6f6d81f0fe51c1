#include "runtime/aligned_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <utility>

namespace spinert {
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
  buffer.data_ = data;
  buffer.bytes_ = bytes;
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
