#include "converter/pth_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "config/json.h"
#include "converter/pickle.h"
#include "kernels/base/checked.h"
#include "weights/storage.h"

namespace spinert {
namespace {

constexpr uint64_t kMaxPickleBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxStorageBytes = 8 * kMaxCheckpointElements;

// A tensor of the chosen dict whose data is still in the archive.
struct Pending {
  size_t tensor;             // index in the checkpoint
  const PickleValue* value;  // kind tensor
  const PickleValue* storage;
};

class PthReader {
 public:
  PthReader(const FileReader& file, const CheckpointOptions& options, Checkpoint& checkpoint)
      : path_(file.path()), file_(file), options_(options), checkpoint_(checkpoint) {}

  Status run();

 private:
  Status refuse(const char* rule, const std::string& what, std::string_view name = {}) const {
    std::string where = path_;
    if (!name.empty()) where += ": " + printable(name);
    return error(ErrorId::E_MODEL_FORMAT, std::string(rule) + ": " + what, where);
  }
  Status find_pickle(const ZipReader& zip);
  Result<PickleIndex> choose_dict() const;
  bool holds_tensors(PickleIndex index) const;
  Status collect(PickleIndex dict);
  void collect_versions(const PickleValue& dict);
  Status check_tensor(const std::string& name, const PickleValue& value, const PickleValue& storage);
  Status read_records(const ZipReader& zip);
  Status gather(const Pending& pending, std::span<const std::byte> record);
  const PickleValue& at(PickleIndex index) const { return pickle_.values[index]; }

  const std::string& path_;
  const FileReader& file_;
  const CheckpointOptions& options_;
  Checkpoint& checkpoint_;
  std::string root_;  // "archive" of "archive/data.pkl"
  Pickle pickle_;
  std::vector<Pending> pending_;
  uint64_t elements_ = 0;
};

// The one `<root>/data.pkl`. TorchScript archives have one too, beside their code.
Status PthReader::find_pickle(const ZipReader& zip) {
  const ZipEntry* found = nullptr;
  for (const ZipEntry& entry : zip.entries()) {
    const size_t slash = entry.name.find('/');
    if (slash == std::string::npos || entry.name.substr(slash) != "/data.pkl") continue;
    if (found) return refuse("PT-03", "the archive has two data.pkl");
    found = &entry;
    root_ = entry.name.substr(0, slash);
  }
  if (!found) return refuse("PT-03", "the archive has no data.pkl; it was not written by torch.save");
  for (const ZipEntry& entry : zip.entries()) {
    if (entry.name == root_ + "/constants.pkl" || entry.name.starts_with(root_ + "/code/")) {
      return refuse("PT-07", "the file is a TorchScript program, which is not read")
          .hint("Save model.state_dict() with torch.save.");
    }
  }
  if (const ZipEntry* order = zip.find(root_ + "/byteorder")) {
    SPINERT_ASSIGN(const auto bytes, zip.read(*order, 64));
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text != "little") return refuse("PT-04", "the byte order is not little-endian");
  }
  SPINERT_ASSIGN(const auto bytes, zip.read(*found, kMaxPickleBytes));
  SPINERT_ASSIGN(pickle_, read_pickle(bytes, path_));
  return {};
}

bool PthReader::holds_tensors(PickleIndex index) const {
  const auto& items = at(index).items;
  if (at(index).kind != PickleKind::dict) return false;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (at(items[i]).kind == PickleKind::text && at(items[i + 1]).kind == PickleKind::tensor) return true;
  }
  return false;
}

Result<PickleIndex> PthReader::choose_dict() const {
  const PickleIndex root = pickle_.root;
  if (at(root).kind == PickleKind::opaque) {
    return refuse("PT-07", "the file holds a pickled Python object (" + printable(at(root).text) + ")")
        .hint("Save model.state_dict() with torch.save.");
  }
  if (at(root).kind != PickleKind::dict) return refuse("PT-07", "the file holds no dict of tensors");
  if (options_.key.empty() && holds_tensors(root)) return root;
  std::vector<PickleIndex> candidates;
  std::string names;
  const auto& items = at(root).items;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (at(items[i]).kind != PickleKind::text) continue;
    const std::string& name = at(items[i]).text;
    if (!options_.key.empty() && name != options_.key) continue;
    if (!options_.key.empty() && at(items[i + 1]).kind == PickleKind::opaque) {
      return refuse("PT-07", "the entry is a pickled Python object (" + printable(at(items[i + 1]).text) + ")", name)
          .hint("Save model.state_dict() with torch.save.");
    }
    if (!holds_tensors(items[i + 1])) continue;
    candidates.push_back(items[i + 1]);
    names += (names.empty() ? "" : ", ") + printable(name);
  }
  if (candidates.empty()) {
    return refuse("PT-07",
                  options_.key.empty() ? "the file holds no dict of tensors"
                                       : "the checkpoint has no dict of tensors of that name",
                  options_.key);
  }
  if (candidates.size() > 1) {
    return refuse("PT-07", "the checkpoint holds several dicts of tensors (" + names + ")")
        .hint("Choose one with --key.");
  }
  return candidates[0];
}

// BUILD of an OrderedDict carries {"_metadata": {module: {"version": n}}}. Kept for the record, never used to decide.
void PthReader::collect_versions(const PickleValue& dict) {
  const auto entry = [&](PickleIndex index, std::string_view key) -> PickleIndex {
    const auto& items = at(index).items;
    if (at(index).kind != PickleKind::dict) return 0;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (at(items[i]).kind == PickleKind::text && at(items[i]).text == key) return items[i + 1];
    }
    return 0;
  };
  const PickleIndex metadata = entry(dict.attributes, "_metadata");
  if (at(metadata).kind != PickleKind::dict) return;
  const auto& items = at(metadata).items;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    const PickleIndex version = entry(items[i + 1], "version");
    if (at(items[i]).kind != PickleKind::text || at(version).kind != PickleKind::integer) continue;
    checkpoint_.module_versions[printable(at(items[i]).text)] = at(version).integer;
  }
}

// PT-08: element and byte counts by checked multiplication, and a proof that no element lies outside the storage.
Status PthReader::check_tensor(const std::string& name, const PickleValue& value, const PickleValue& storage) {
  uint64_t elements = 1;
  uint64_t last = static_cast<uint64_t>(value.integer);  // index of the last element
  bool empty = false;
  for (size_t i = 0; i < value.shape.size(); ++i) {
    const auto dim = static_cast<uint64_t>(value.shape[i]);
    empty |= dim == 0;
    const auto product = checked_mul(elements, std::max<uint64_t>(dim, 1));
    const auto reach = checked_mul(std::max<uint64_t>(dim, 1) - 1, static_cast<uint64_t>(value.stride[i]));
    const auto end = reach ? checked_add(last, *reach) : std::nullopt;
    if (!product || !end) return refuse("PT-08", "shape or stride overflows", name);
    elements = *product;
    last = *end;
  }
  if (!checked_mul(elements, uint64_t{8})) return refuse("PT-08", "the size in bytes overflows", name);
  const auto numel = static_cast<uint64_t>(storage.integer);
  if (empty ? static_cast<uint64_t>(value.integer) > numel : last >= numel) {
    return refuse("PT-08", "the tensor reaches outside its storage", name)
        .expected("at most " + std::to_string(numel) + " elements", std::to_string(last) + " and more");
  }
  const auto total = checked_add(elements_, empty ? 0 : elements);
  if (!total || *total > kMaxCheckpointElements) return refuse("PT-06", "the checkpoint is too large", name);
  elements_ = *total;
  return {};
}

Status PthReader::collect(PickleIndex dict) {
  static constexpr const char* kTypes[] = {"F32", "F16", "BF16", "F64", "I64"};
  std::unordered_set<std::string_view> seen;
  const auto& items = at(dict).items;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    const PickleValue& key = at(items[i]);
    const PickleValue& value = at(items[i + 1]);
    if (key.kind != PickleKind::text) return refuse("PT-07", "a key of the state_dict is no text");
    if (!seen.insert(key.text).second) return refuse("PT-07", "two tensors of one name", key.text);
    if (value.kind == PickleKind::opaque) {
      return refuse("PT-07", "the entry is of a kind that is not read (" + printable(value.text) + ")", key.text);
    }
    if (value.kind != PickleKind::tensor) return refuse("PT-07", "the entry is no tensor", key.text);
    const PickleValue& storage = at(value.items[0]);
    SPINERT_TRY(check_tensor(key.text, value, storage));
    pending_.push_back({checkpoint_.tensors.size(), &value, &storage});
    SourceTensor tensor;
    tensor.name = key.text;
    tensor.shape = value.shape;
    tensor.type = kTypes[static_cast<size_t>(value.type)];
    checkpoint_.tensors.push_back(std::move(tensor));
  }
  collect_versions(at(dict));
  return {};
}

// Copies the elements of one tensor out of its record, in row-major order whatever the strides say.
Status PthReader::gather(const Pending& pending, std::span<const std::byte> record) {
  const PickleValue& value = *pending.value;
  SourceTensor& tensor = checkpoint_.tensors[pending.tensor];
  uint64_t count = 1;
  for (const int64_t dim : value.shape) count *= static_cast<uint64_t>(dim);  // proved by check_tensor
  const auto width = static_cast<uint64_t>(size_of(value.type));
  if (value.type == ElementType::i64)
    tensor.integers.resize(count);
  else
    tensor.values.resize(count);
  if (count == 0) return {};

  // Innermost run of contiguous elements: the whole tensor in nearly every file.
  size_t outer = value.shape.size();
  uint64_t run = 1;
  while (outer > 0 && (value.shape[outer - 1] == 1 || static_cast<uint64_t>(value.stride[outer - 1]) == run)) {
    run *= static_cast<uint64_t>(value.shape[--outer]);
  }
  std::vector<int64_t> index(outer, 0);
  for (uint64_t done = 0; done < count; done += run) {
    uint64_t element = static_cast<uint64_t>(value.integer);
    for (size_t i = 0; i < outer; ++i) element += static_cast<uint64_t>(index[i] * value.stride[i]);
    const std::byte* in = record.data() + element * width;
    const auto n = static_cast<int64_t>(run);
    float* const out = tensor.values.data() + (tensor.values.empty() ? 0 : done);
    switch (value.type) {  // finiteness is checked by name later
      case ElementType::f32: decode_f32(in, n, out); break;
      case ElementType::f16: decode_f16(in, n, out); break;
      case ElementType::bf16: decode_bf16(in, n, out); break;
      case ElementType::f64:
        for (uint64_t i = 0; i < run; ++i) {
          double number;
          std::memcpy(&number, in + 8 * i, sizeof number);
          out[i] = static_cast<float>(number);
        }
        break;
      case ElementType::i64: std::memcpy(tensor.integers.data() + done, in, run * width); break;
      case ElementType::unknown: return error(ErrorId::E_INTERNAL, "tensor of unknown type", tensor.name);
    }
    for (size_t i = outer; i-- > 0;) {
      if (++index[i] < value.shape[i]) break;
      index[i] = 0;
    }
  }
  return {};
}

// Reads every entry once, which verifies its CRC, and takes from each record what belongs to the chosen dict.
Status PthReader::read_records(const ZipReader& zip) {
  std::unordered_map<std::string, std::vector<const Pending*>> users;
  for (const Pending& pending : pending_) users[root_ + "/data/" + pending.storage->text].push_back(&pending);
  for (const ZipEntry& entry : zip.entries()) {
    SPINERT_ASSIGN(const auto record, zip.read(entry, kMaxStorageBytes));
    const auto found = users.find(entry.name);
    if (found == users.end()) continue;
    for (const Pending* pending : found->second) {
      const auto bytes = checked_mul<uint64_t>(static_cast<uint64_t>(pending->storage->integer),
                                               static_cast<uint64_t>(size_of(pending->storage->type)));
      if (!bytes || *bytes != record.size()) {
        return refuse("PT-08", "the record has another size than its storage", entry.name)
            .expected(bytes ? std::to_string(*bytes) + " bytes" : "more than 2^64 bytes",
                      std::to_string(record.size()));
      }
      SPINERT_TRY(gather(*pending, record));
    }
    users.erase(found);
  }
  if (!users.empty()) return refuse("PT-08", "a storage has no record", users.begin()->first);
  return {};
}

Status PthReader::run() {
  SPINERT_ASSIGN(const ZipReader zip, ZipReader::open(file_, kTorchZip, options_.zip));
  SPINERT_TRY(find_pickle(zip));
  SPINERT_ASSIGN(const PickleIndex dict, choose_dict());
  SPINERT_TRY(collect(dict));
  return read_records(zip);
}

}  // namespace

Status read_pth(const FileReader& file, const CheckpointOptions& options, Checkpoint& checkpoint) {
  return PthReader(file, options, checkpoint).run();
}

}  // namespace spinert
