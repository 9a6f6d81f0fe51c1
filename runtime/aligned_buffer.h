// aligned_buffer.h - large zeroed memory from the system, aligned for every vector width, freed when it goes out of
// scope. Pages come on first touch, small ones unless large ones were asked for.
//
// Large pages take a 2 MB block in one fault instead of 512, which is most of the time of opening a model. But where
// the system has to find such a block first (a guest whose host took the free memory back, a fragmented machine), one
// can cost milliseconds: asking for all of them without looking made a fresh process take 550 to 680 ms to open.
#pragma once

#include <cstdint>

#include "kernels/base/status.h"
#include "kernels/base/thread_pool.h"

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

  // Takes the memory in large pages, on all threads, for as long as they come quickly: a thread that has spent
  // kMostLost on slow ones leaves the rest of its share to small pages on first touch. For memory that is going to be
  // written as a whole. Returns whether no thread gave up. Does nothing where the system has no large pages.
  bool take_large_pages(ThreadPool& pool);
  // Large pages on first touch, without looking at what they cost.
  void prefer_large_pages();

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void swap(AlignedBuffer& other) noexcept;

  void* mapped_ = nullptr;  // what the system gave; data_ is its first large-page boundary
  int64_t mapped_bytes_ = 0;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Memory that this process may use: what the machine has, capped by the limit of its control group (v2). The system
// grants address space far beyond that and kills the process when the pages are touched.
int64_t usable_memory();

// MiB that this process had in memory at once, at most, so far; 0 where the system does not say.
double peak_memory_mb();

}  // namespace spinert
