#include "diagnosis/studies/kept_pixels.h"

#include <algorithm>
#include <utility>

#include "runtime/aligned_buffer.h"

namespace spinert {
namespace {

constexpr size_t kMostBytes = size_t{384} << 20;  // 768 slices of 512 x 512
constexpr int64_t kPartOfMemory = 16;

size_t bytes_of(const std::vector<int16_t>& hu) {
  return hu.size() * sizeof(int16_t);
}

}  // namespace

size_t KeptPixels::usual_limit() {
  return std::min(kMostBytes, static_cast<size_t>(std::max<int64_t>(0, usable_memory() / kPartOfMemory)));
}

void KeptPixels::keep(const std::string& sha256, std::vector<int16_t> hu) {
  const std::lock_guard lock(mutex_);
  const size_t bytes = bytes_of(hu);
  if (bytes_ + bytes > limit_) return;
  if (slices_.try_emplace(sha256, std::move(hu)).second) bytes_ += bytes;
}

std::optional<std::vector<int16_t>> KeptPixels::take(const std::string& sha256) {
  const std::lock_guard lock(mutex_);
  auto node = slices_.extract(sha256);
  if (node.empty()) return std::nullopt;
  bytes_ -= bytes_of(node.mapped());
  return std::move(node.mapped());
}

void KeptPixels::forget(std::span<const DicomFacts> files) {
  for (const DicomFacts& file : files) (void)take(file.sha256);
}

}  // namespace spinert
