// kept_pixels.h - the pixels of DICOM files from the first reading, which is for the facts, until they are asked for:
// where memory allows, a file is read, hashed and decoded once.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "diagnosis/studies/dicom_file.h"

namespace spinert {

// Hounsfield units by the SHA-256 of the file that they come from. Safe from several threads.
class KeptPixels {
 public:
  // What a run may keep: a part of the memory that this process may use, and no more than a long series has.
  static size_t usual_limit();

  explicit KeptPixels(size_t limit_bytes) : limit_(limit_bytes) {}

  // Whether it is worth decoding a file for.
  bool has_room() const { return bytes_ < limit_; }
  // Nothing happens if there is no room.
  void keep(const std::string& sha256, std::vector<int16_t> hu);
  // Once: they are not kept any longer.
  std::optional<std::vector<int16_t>> take(const std::string& sha256);
  // What is left of a study that has ended.
  void forget(std::span<const DicomFacts> files);

 private:
  const size_t limit_;
  std::mutex mutex_;
  std::atomic<size_t> bytes_{0};
  std::unordered_map<std::string, std::vector<int16_t>> slices_;
};

}  // namespace spinert
