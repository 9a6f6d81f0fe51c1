// weight_stream.cpp - reads, hashes and converts the data part of a model in one pass.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "config/json.h"
#include "weights/model_file.h"
#include "weights/storage.h"

namespace spinert {
namespace {

// Pieces read by one fill. Two per thread balance the load; eight MiB in all are still in the last-level cache when
// they are converted, and stay small beside the packed weights.
constexpr size_t kMinGroup = 8;
constexpr size_t kMaxGroup = 64;
constexpr size_t kFront = 64;  // room in front of the pieces for the rest of an element

// Elements per work item of a conversion; smaller tensors are converted by one thread.
constexpr int64_t kItemElements = 1 << 16;

}  // namespace

WeightStream::WeightStream(const ModelFile& model, ThreadPool& pool)
    : model_(model), pool_(pool), pieces_((model.header().data_bytes + kPieceBytes - 1) / kPieceBytes) {
  const size_t wanted = std::clamp<size_t>(2 * static_cast<size_t>(pool.size()), kMinGroup, kMaxGroup);
  group_ = std::min(wanted, std::max<size_t>(1, pieces_.size()));
  buffer_ = std::make_unique_for_overwrite<std::byte[]>(kFront + group_ * kPieceBytes);
  window_ = buffer_.get() + kFront;
}

// Reads and hashes the next pieces. What is left of the window (less than one element) moves in front of them.
Status WeightStream::fill() {
  const size_t rest = static_cast<size_t>(window_end_ - window_begin_);
  std::byte* const pieces = buffer_.get() + kFront;
  std::memmove(pieces - rest, window_, rest);
  const size_t first = static_cast<size_t>(window_end_ / kPieceBytes);
  const uint64_t data_bytes = model_.header().data_bytes;
  const size_t count = std::min(group_, pieces_.size() - first);

  std::vector<Status> problems(count);
  pool_.run(static_cast<int64_t>(count), [&](WorkRange range) {
    for (auto i = static_cast<size_t>(range.begin); i < static_cast<size_t>(range.end); ++i) {
      const uint64_t offset = (first + i) * kPieceBytes;
      const auto bytes = static_cast<size_t>(std::min<uint64_t>(kPieceBytes, data_bytes - offset));
      std::byte* const place = pieces + i * kPieceBytes;
      problems[i] = model_.file().read(model_.header().data_offset + offset, place, bytes);
      pieces_[first + i] = sha256(place, bytes);
    }
  });
  for (Status& problem : problems) SPINERT_TRY(std::move(problem));
  window_ = pieces - rest;
  window_end_ = std::min<uint64_t>(data_bytes, window_end_ + count * kPieceBytes);
  return {};
}

// Passes the tensors before `tensor`, reading the scales among them.
Status WeightStream::skip_to(size_t tensor) {
  const auto& table = model_.header().tensors;
  constexpr std::string_view kSuffix = ".scale";
  for (; next_ < tensor; ++next_) {
    const TensorInfo& info = table[next_];
    if (!info.name.ends_with(kSuffix)) continue;
    const std::string base = info.name.substr(0, info.name.size() - kSuffix.size());
    const Weight* weight = model_.find(base);
    if (!weight || weight->storage != StorageType::I8) continue;
    std::vector<float> scale(info.elements);
    SPINERT_TRY(read_tensor(info, {}, scale.data()));
    for (size_t i = 0; i < scale.size(); ++i) {
      // The product with the largest stored value must be finite too; NaN fails the comparison.
      if (!(scale[i] > 0 && scale[i] <= std::numeric_limits<float>::max() / 128)) {
        return error(ErrorId::E_MODEL_VALUE, "ST-24: scale is not a positive number of ordinary size",
                     model_.file().path() + ": " + printable(info.name) + "[" + std::to_string(i) + "]");
      }
    }
    scales_[base] = std::move(scale);
  }
  return {};
}

Status WeightStream::non_finite(const TensorInfo& tensor, std::span<const float> values) const {
  const auto it = std::ranges::find_if(values, [](float v) { return !std::isfinite(v); });
  return error(ErrorId::E_MODEL_VALUE, "ST-24: weight is not finite",
               model_.file().path() + ": " + printable(tensor.name) + "[" + std::to_string(it - values.begin()) + "]");
}

template <class Use>
Status WeightStream::each_part(const TensorInfo& tensor, Use use) {
  const auto width = static_cast<uint64_t>(storage_bits(tensor.type) / 8);
  uint64_t position = tensor.begin;
  while (position < tensor.end) {
    while (position + width > window_end_) {
      // Bytes before `position` are done with; if the window ends before it, whole pieces are skipped but hashed.
      const uint64_t passed = std::min(position, window_end_) - window_begin_;
      window_ += passed;
      window_begin_ += passed;
      SPINERT_TRY(fill());
    }
    const uint64_t stop = std::min(tensor.end, position + (window_end_ - position) / width * width);
    use(window_ + (position - window_begin_), static_cast<int64_t>((position - tensor.begin) / width),
        static_cast<int64_t>((stop - position) / width));
    position = stop;
  }
  return {};
}

Status WeightStream::read_tensor(const TensorInfo& tensor, std::span<const float> scale, float* out) {
  const int64_t width = storage_bits(tensor.type) / 8;
  std::atomic<bool> ok{true};
  SPINERT_TRY(each_part(tensor, [&](const std::byte* in, int64_t first, int64_t count) {
    pool_.run((count + kItemElements - 1) / kItemElements, [&](WorkRange range) {
      const int64_t from = range.begin * kItemElements;
      const int64_t n = std::min(count, range.end * kItemElements) - from;
      const std::byte* const source = in + from * width;
      float* const target = out + first + from;
      bool good = true;
      switch (tensor.type) {
        case StorageType::F16: good = decode_f16(source, n, target); break;
        case StorageType::BF16: good = decode_bf16(source, n, target); break;
        case StorageType::I8: decode_i8(source, first + from, n, scale, target); break;
        default: good = decode_f32(source, n, target); break;
      }
      if (!good) ok.store(false, std::memory_order_relaxed);
    });
  }));
  if (!ok.load(std::memory_order_relaxed)) return non_finite(tensor, {out, static_cast<size_t>(tensor.elements)});
  return {};
}

Status WeightStream::start(const Weight& weight) {
  if (weight.tensor < next_) return error(ErrorId::E_INTERNAL, "weight asked for out of file order", weight.name);
  SPINERT_TRY(skip_to(weight.tensor));
  next_ = weight.tensor + 1;
  scale_.clear();
  if (auto scale = scales_.extract(weight.name)) scale_ = std::move(scale.mapped());
  return {};
}

Status WeightStream::read_f32(const Weight& weight, std::span<float> out) {
  if (out.size() != weight.elements) return error(ErrorId::E_INTERNAL, "buffer of the wrong size", weight.name);
  SPINERT_TRY(start(weight));
  return read_tensor(model_.header().tensors[weight.tensor], scale_, out.data());
}

Status WeightStream::read_i8(const Weight& weight, StoredI8& out) {
  if (weight.storage != StorageType::I8) return error(ErrorId::E_INTERNAL, "weight is not stored as I8", weight.name);
  SPINERT_TRY(start(weight));
  const TensorInfo& tensor = model_.header().tensors[weight.tensor];
  const auto bytes = static_cast<int64_t>(tensor.bytes());
  const std::byte* values = nullptr;
  SPINERT_TRY(each_part(tensor, [&](const std::byte* in, int64_t first, int64_t count) {
    if (count == bytes) {
      values = in;
      return;
    }
    if (static_cast<int64_t>(values_bytes_) < bytes) {
      values_ = std::make_unique_for_overwrite<std::byte[]>(tensor.bytes());
      values_bytes_ = tensor.bytes();
    }
    std::memcpy(values_.get() + first, in, static_cast<size_t>(count));
    values = values_.get();
  }));
  out = {reinterpret_cast<const int8_t*>(values), scale_.data()};
  return {};
}

Status WeightStream::finish() {
  while (window_end_ < model_.header().data_bytes) {
    window_ += window_end_ - window_begin_;
    window_begin_ = window_end_;
    SPINERT_TRY(fill());
  }
  Sha256 hash;
  for (const Sha256Digest& piece : pieces_) hash.update(piece.data(), piece.size());
  const std::string computed = to_hex(hash.finish());
  if (computed == model_.data_sha256()) return {};
  return error(ErrorId::E_MODEL_HASH, "ST-22: the weights were changed after the model was written",
               model_.file().path())
      .expected(printable(model_.data_sha256()), computed)
      .hint("The file is damaged; copy or convert it again.");
}

}  // namespace spinert
