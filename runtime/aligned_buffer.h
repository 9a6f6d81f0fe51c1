// aligned_buffer.h - large zeroed memory from the system, aligned for every vector width, freed when it goes out of
// scope. Pages come on first touch. Tried: asking for huge pages (MADV_HUGEPAGE). The detector ran 5 to 10 % faster,
// but the first process to open the demo model took 550 to 680 ms instead of 130 to 150, while the system made such
// pages.
#pragma once

#include <cstdint>

#include "kernels/base/status.h"

namespace spinert {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  // E_OOM_HOST with the size if the system refuses. Zero bytes give an empty buffer.
  static Result<AlignedBuffer> allocate(int64_t bytes);

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void swap(AlignedBuffer& other) noexcept;

  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Memory that this process may use: what the machine has, capped by the limit of its control group (v2). The system
// grants address space far beyond that and kills the process when the pages are touched.
int64_t usable_memory();

}  // namespace spinert
