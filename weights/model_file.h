// model_file.h - a SpineRT model: a safetensors file with graph, config, sources, card and two inner hashes.
//
// Opening checks format (ST rules) and `spinert.meta_sha256`. The weights are then streamed in file order through a
// window of a few MiB: every piece is read, hashed and converted while it is in the cache, by all threads. finish()
// compares `spinert.data_sha256`; nothing that was computed from the weights may be shown before it has succeeded.
//
//   SPINERT_ASSIGN(ModelFile model, ModelFile::open(path));
//   WeightStream stream(model, pool);
//   for (each tensor in model.weights()) SPINERT_TRY(stream.read_f32(tensor, buffer));
//   SPINERT_TRY(stream.finish());
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/kernel.h"
#include "kernels/base/thread_pool.h"
#include "weights/safetensors.h"
#include "weights/safetensors_write.h"
#include "weights/sha256.h"

namespace spinert {

// Keys of __metadata__.
inline constexpr const char* kModelFormat = "1";
inline constexpr const char* kKeyFormat = "spinert.format";
inline constexpr const char* kKeyGraph = "spinert.graph";
inline constexpr const char* kKeyConfig = "spinert.config";
inline constexpr const char* kKeySources = "spinert.sources";
inline constexpr const char* kKeyCard = "spinert.card";
inline constexpr const char* kKeyDataHash = "spinert.data_sha256";
inline constexpr const char* kKeyMetaHash = "spinert.meta_sha256";

// A weight as the graph sees it: f32 values of that shape, however they are stored.
struct Weight {
  std::string name;
  std::vector<uint64_t> shape;
  uint64_t elements = 0;
  StorageType storage = StorageType::F32;
  size_t tensor = 0;  // index in the tensor table
};

class ModelFile {
 public:
  // Errors: E_INPUT_EMPTY, E_MODEL_TRUNCATED, E_MODEL_FORMAT (ST-01 to ST-20), E_CONFIG (a metadata key is missing,
  // ST-21), E_MODEL_HASH (format version, meta hash), E_MODEL_ARCH (storage types, ST-23).
  static Result<ModelFile> open(const std::string& path);

  const FileReader& file() const { return file_; }
  const SafetensorsHeader& header() const { return header_; }
  const std::string& graph() const { return header_.metadata.at(kKeyGraph); }
  const std::string& config() const { return header_.metadata.at(kKeyConfig); }
  const std::string& sources() const { return header_.metadata.at(kKeySources); }
  const std::string& card() const { return header_.metadata.at(kKeyCard); }
  const std::string& data_sha256() const { return header_.metadata.at(kKeyDataHash); }

  // The tensors without the scales of the I8 ones, in file order, which is the order of reading.
  const std::vector<Weight>& weights() const { return weights_; }
  const Weight* find(std::string_view name) const;

 private:
  friend class WeightStream;
  Status check_metadata() const;
  Status check_storage();

  FileReader file_;
  SafetensorsHeader header_;
  std::vector<Weight> weights_;
  std::map<std::string, size_t, std::less<>> numbers_;  // place in weights_ by name
};

class WeightStream {
 public:
  // Both must outlive the stream.
  WeightStream(const ModelFile& model, ThreadPool& pool);

  // Reads one weight; weights may be left out but not asked for out of file order. out has weight.elements entries.
  // Errors: E_MODEL_VALUE name[index] for NaN or infinity, E_MODEL_TRUNCATED, E_INPUT_READ, E_INTERNAL (order).
  Status read_f32(const Weight& weight, std::span<float> out);

  // The same for a weight stored as I8, as it is stored. Valid until the next call.
  Status read_i8(const Weight& weight, StoredI8& out);

  // Reads and hashes what is left and compares the hash of the data part. Errors: E_MODEL_HASH, those of reading.
  Status finish();

 private:
  Status fill();
  Status skip_to(size_t tensor);
  Status start(const Weight& weight);  // checks the order, passes what comes before, moves its scale to scale_
  // Calls use(bytes, first element, elements) for the tensor's parts in order.
  template <class Use>
  Status each_part(const TensorInfo& tensor, Use use);
  Status read_tensor(const TensorInfo& tensor, std::span<const float> scale, float* out);
  Status non_finite(const TensorInfo& tensor, std::span<const float> values) const;

  const ModelFile& model_;
  ThreadPool& pool_;
  size_t next_ = 0;                                   // first tensor not passed yet
  std::map<std::string, std::vector<float>> scales_;  // of the I8 tensors still ahead
  std::vector<float> scale_;                          // of the tensor that was read last
  std::unique_ptr<std::byte[]> values_;               // of an I8 tensor that no window held as a whole
  size_t values_bytes_ = 0;
  std::vector<Sha256Digest> pieces_;

  // The window holds the bytes [window_begin_, window_end_) of the data part. Pieces are read to a fixed place; a rest
  // of less than one element that was not converted yet is kept in front of it.
  std::unique_ptr<std::byte[]> buffer_;
  size_t group_ = 0;  // pieces per fill
  uint64_t window_begin_ = 0, window_end_ = 0;
  const std::byte* window_ = nullptr;
};

// SHA-256 over every metadata pair but spinert.meta_sha256 (sorted by key) and the tensor table, in lower-case hex.
// Numbers are u64 little-endian, texts their length and bytes: for each pair key and value; then the number of tensors;
// then for each in data order name, dtype, rank, dims, begin, end.
std::string metadata_sha256(const std::map<std::string, std::string>& metadata, std::span<const TensorInfo> tensors);

// Writes a model: adds spinert.format and the two hashes to the metadata. The caller gives the other keys and puts each
// scale before its I8 tensor. Errors: E_OUTPUT, E_INTERNAL.
Status write_model(const std::string& path, std::map<std::string, std::string> metadata,
                   std::span<const TensorData> tensors, AtomicFile::Existing existing);

}  // namespace spinert
