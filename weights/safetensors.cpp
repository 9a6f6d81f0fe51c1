#include "weights/safetensors.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "config/json.h"
#include "kernels/base/checked.h"

namespace spinert {
namespace {

using nlohmann::json;

struct StorageRow {
  std::string_view name;
  int bits;
};
constexpr std::array<StorageRow, 20> kStorage{
    {{"BOOL", 8},    {"U8", 8},      {"I8", 8},      {"U16", 16},    {"I16", 16},    {"F16", 16}, {"BF16", 16},
     {"U32", 32},    {"I32", 32},    {"F32", 32},    {"U64", 64},    {"I64", 64},    {"F64", 64}, {"C64", 64},
     {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}}};

constexpr size_t kMaxRank = 8;
// A tensor entry is some ten JSON values; a model of ours has a few hundred tensors.
constexpr JsonLimits kHeaderLimits{.depth = 8, .values = 1'000'000};

Status broken(const char* rule, const std::string& what, const std::string& where) {
  return error(ErrorId::E_MODEL_FORMAT, std::string(rule) + ": " + what, where);
}
Status truncated(const char* rule, const std::string& what, const std::string& where) {
  return error(ErrorId::E_MODEL_TRUNCATED, std::string(rule) + ": " + what, where)
      .hint("The file is incomplete; copy or download it again.");
}

const char* rule_of(JsonProblem::Kind kind) {
  switch (kind) {
    case JsonProblem::Kind::encoding: return "ST-04";
    case JsonProblem::Kind::duplicate_key: return "ST-07";
    case JsonProblem::Kind::syntax:
    case JsonProblem::Kind::depth:
    case JsonProblem::Kind::size: break;
  }
  return "ST-06";
}

// The number of an unsigned JSON integer. A sign, a fraction or an exponent gives another JSON type.
std::optional<uint64_t> unsigned_integer(const json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<uint64_t>();
}

// Number of elements and of bytes, both by checked multiplication over all dimensions: a zero later in the shape does
// not excuse an overflow before it.
Status measure(TensorInfo& tensor, const std::string& place) {
  uint64_t elements = 1;
  bool zero = false;
  for (const uint64_t dim : tensor.shape) {
    zero |= dim == 0;
    const auto product = checked_mul(elements, std::max<uint64_t>(dim, 1));
    if (!product) return broken("ST-13", "the product of the dimensions overflows", place);
    elements = *product;
  }
  const auto bits = checked_mul(elements, static_cast<uint64_t>(storage_bits(tensor.type)));
  if (!bits) return broken("ST-14", "the size in bits overflows", place);
  const uint64_t used = zero ? 0 : *bits;
  if (used % 8 != 0) return broken("ST-14", "the size is no whole number of bytes", place);
  tensor.elements = zero ? 0 : elements;
  if (tensor.end < tensor.begin) return broken("ST-15", "data_offsets are reversed", place);
  if (tensor.bytes() != used / 8) {
    return broken("ST-16", "data_offsets do not fit shape and dtype", place)
        .expected(std::to_string(used / 8) + " bytes", std::to_string(tensor.bytes()));
  }
  return {};
}

Result<TensorInfo> read_entry(const std::string& name, const json& entry, const std::string& where) {
  const std::string place = where + ": tensor \"" + printable(name) + "\"";
  if (!entry.is_object()) return broken("ST-08", "a top-level value is no tensor entry", place);
  if (entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) {
    return broken("ST-10", "the entry must have exactly dtype, shape and data_offsets", place);
  }
  TensorInfo tensor;
  tensor.name = name;
  const json& shape = entry["shape"];
  const json& offsets = entry["data_offsets"];
  if (!shape.is_array() || shape.size() > kMaxRank) return broken("ST-11", "shape is no list of at most 8", place);
  for (const json& value : shape) {
    const auto dim = unsigned_integer(value);
    if (!dim) return broken("ST-11", "a dimension is no unsigned integer", place);
    tensor.shape.push_back(*dim);
  }
  if (!offsets.is_array() || offsets.size() != 2) return broken("ST-11", "data_offsets is no list of 2", place);
  const auto begin = unsigned_integer(offsets[0]);
  const auto end = unsigned_integer(offsets[1]);
  if (!begin || !end) return broken("ST-11", "an offset is no unsigned integer", place);
  tensor.begin = *begin;
  tensor.end = *end;

  const json& dtype = entry["dtype"];
  const auto row = dtype.is_string()
                       ? std::ranges::find(kStorage, dtype.get_ref<const std::string&>(), &StorageRow::name)
                       : kStorage.end();
  if (row == kStorage.end()) return broken("ST-12", "unknown dtype", place);
  tensor.type = static_cast<StorageType>(row - kStorage.begin());
  SPINERT_TRY(measure(tensor, place));
  return tensor;
}

Status read_metadata(const json& metadata, std::map<std::string, std::string>& out, const std::string& where) {
  if (!metadata.is_object()) return broken("ST-09", "__metadata__ is no object", where);
  for (const auto& [key, value] : metadata.items()) {
    if (!value.is_string()) return broken("ST-09", "__metadata__ \"" + printable(key) + "\" is no text", where);
    out[key] = value.get<std::string>();
  }
  return {};
}

// Sorts by place and proves that the tensors fill the data part without hole or overlap.
Status check_layout(SafetensorsHeader& header, uint64_t file_bytes, const std::string& where) {
  std::ranges::sort(header.tensors, [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t position = 0;
  for (const TensorInfo& tensor : header.tensors) {
    if (tensor.begin != position) {
      return broken(position == 0 ? "ST-17" : "ST-18",
                    tensor.begin > position ? "hole in the data part" : "tensors overlap",
                    where + ": tensor \"" + printable(tensor.name) + "\"")
          .expected("begin " + std::to_string(position), std::to_string(tensor.begin));
    }
    position = tensor.end;
  }
  const auto total = checked_add(header.data_offset, position);
  if (!total || *total > file_bytes) {
    return truncated("ST-19", "the data part is shorter than its tensors", where)
        .expected(total ? std::to_string(*total) + " bytes" : "more than 2^64 bytes", std::to_string(file_bytes));
  }
  if (*total < file_bytes) {
    return broken("ST-19", "bytes behind the last tensor", where)
        .expected(std::to_string(*total) + " bytes", std::to_string(file_bytes));
  }
  header.data_bytes = position;
  for (size_t i = 0; i < header.tensors.size(); ++i) header.numbers.emplace(header.tensors[i].name, i);
  return {};
}

}  // namespace

std::string_view storage_name(StorageType type) {
  return kStorage[static_cast<size_t>(type)].name;
}
int storage_bits(StorageType type) {
  return kStorage[static_cast<size_t>(type)].bits;
}

std::string describe(const TensorInfo& tensor) {
  std::string text(storage_name(tensor.type));
  text += " [";
  for (size_t i = 0; i < tensor.shape.size(); ++i) text += (i ? "," : "") + std::to_string(tensor.shape[i]);
  return text + "]";
}

const TensorInfo* SafetensorsHeader::find(std::string_view name) const {
  const auto it = numbers.find(name);
  return it == numbers.end() ? nullptr : &tensors[it->second];
}

Result<SafetensorsHeader> parse_safetensors_header(std::string_view text, uint64_t file_bytes,
                                                   const std::string& where) {
  if (!valid_utf8(text)) return broken("ST-04", "the header is not valid UTF-8", where);
  if (text.empty() || text.front() != '{') return broken("ST-05", "the header does not begin with {", where);
  const size_t last = text.find_last_not_of(' ');
  if (text[last] != '}') return broken("ST-05", "the header does not end with } and spaces", where);

  JsonProblem problem;
  const auto root = parse_json(text, kHeaderLimits, problem);
  if (!root) return broken(rule_of(problem.kind), problem.what, where + ": header");

  SafetensorsHeader header;
  header.data_offset = 8 + text.size();  // text is at most kMaxHeaderBytes long
  for (const auto& [name, entry] : root->items()) {
    if (name == "__metadata__") {
      SPINERT_TRY(read_metadata(entry, header.metadata, where));
    } else {
      SPINERT_ASSIGN(TensorInfo tensor, read_entry(name, entry, where));
      header.tensors.push_back(std::move(tensor));
    }
  }
  SPINERT_TRY(check_layout(header, file_bytes, where));
  return header;
}

Result<SafetensorsHeader> read_safetensors_header(const FileReader& file) {
  const std::string& where = file.path();
  uint8_t prefix[8];
  if (file.size() < sizeof prefix) {
    return truncated("ST-01", "the file is too short", where).expected("8 bytes", std::to_string(file.size()));
  }
  SPINERT_TRY(file.read(0, prefix, sizeof prefix));
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = (length << 8) | prefix[i];
  if (length > kMaxHeaderBytes) {
    return broken("ST-02", "the header length is too large; this is no safetensors file", where)
        .expected("at most " + std::to_string(kMaxHeaderBytes), std::to_string(length));
  }
  if (!range_inside<uint64_t>(sizeof prefix, length, file.size())) {
    return truncated("ST-03", "the header is longer than the file", where)
        .expected(std::to_string(length) + " bytes", std::to_string(file.size() - sizeof prefix));
  }
  std::string text(length, '\0');
  SPINERT_TRY(file.read(sizeof prefix, text.data(), text.size()));
  return parse_safetensors_header(text, file.size(), where);
}

}  // namespace spinert
