#include "runtime/aligned_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <utility>

#include "kernels/base/checked.h"

namespace spinert {
namespace {

constexpr int64_t kLargePage = int64_t{2} << 20;
// Zeroing 2 MB takes 0.1 to 0.5 ms; whatever takes longer had to look for the block.
constexpr auto kSlowPage = std::chrono::microseconds(1000);
constexpr auto kMostLost = std::chrono::milliseconds(10);

// Of this thread alone: waiting for a core says nothing about pages.
std::chrono::nanoseconds processor_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

AlignedBuffer::~AlignedBuffer() {
  if (mapped_) munmap(mapped_, static_cast<size_t>(mapped_bytes_));
}

void AlignedBuffer::swap(AlignedBuffer& other) noexcept {
  std::swap(mapped_, other.mapped_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
}

Result<AlignedBuffer> AlignedBuffer::allocate(int64_t bytes) {
  AlignedBuffer buffer;
  if (bytes <= 0) return buffer;
  // Only what is touched costs memory, so that the room for the boundary is free.
  const auto room = checked_add(bytes, kLargePage);
  void* mapped =
      room ? mmap(nullptr, static_cast<size_t>(*room), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
           : MAP_FAILED;
  if (mapped == MAP_FAILED) {
    return error(ErrorId::E_OOM_HOST, "memory for weights or activations was refused by the system")
        .expected(std::to_string(bytes) + " bytes", "none")
        .hint("Free memory, raise the limit of the process, or lower --batch.");
  }
  buffer.mapped_ = mapped;
  buffer.mapped_bytes_ = *room;
  const auto address = reinterpret_cast<uintptr_t>(mapped);
  const auto past = static_cast<int64_t>(address % static_cast<uintptr_t>(kLargePage));
  buffer.data_ = static_cast<unsigned char*>(mapped) + (kLargePage - past) % kLargePage;
  buffer.bytes_ = bytes;
  return buffer;
}

bool AlignedBuffer::take_large_pages(ThreadPool& pool) {
  std::atomic<bool> quick{true};
  // Whole blocks only: a large page at the end would take memory that nobody asked for.
  pool.run(bytes_ / kLargePage, [&](WorkRange range) {
    std::chrono::nanoseconds lost{};
    for (int64_t block = range.begin; block < range.end; ++block) {
      auto* const page = static_cast<volatile unsigned char*>(data_) + block * kLargePage;
      if (madvise(const_cast<unsigned char*>(page), static_cast<size_t>(kLargePage), MADV_HUGEPAGE) != 0) return;
      const auto begin = processor_time();
      *page = 0;
      const auto taken = processor_time() - begin;
      if (taken > kSlowPage) lost += taken;
      if (lost > kMostLost) {
        quick.store(false, std::memory_order_relaxed);
        return;
      }
    }
  });
  return quick.load(std::memory_order_relaxed);
}

void AlignedBuffer::prefer_large_pages() {
  const int64_t whole = bytes_ / kLargePage * kLargePage;
  if (whole > 0) madvise(data_, static_cast<size_t>(whole), MADV_HUGEPAGE);
}

double peak_memory_mb() {
  // Not getrusage: its maximum outlives exec and would show the memory of the parent.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("VmHWM:")) continue;
    std::istringstream words(line.substr(6));
    double kibibytes = 0;
    words >> kibibytes;
    return kibibytes / 1024;
  }
  return 0;
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
