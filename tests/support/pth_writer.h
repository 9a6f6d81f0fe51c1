// pth_writer.h - a small writer of pickles and of the archives that hold them, so that tests can make good and forged
// .pth files.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/zip_writer.h"

namespace spinert {

// Pickle opcodes as text; chain them in the order of the machine.
class PickleWriter {
 public:
  std::string out = "\x80\x02";

  PickleWriter& raw(const std::string& bytes) {
    out += bytes;
    return *this;
  }
  PickleWriter& op(char c) { return raw(std::string(1, c)); }
  PickleWriter& global(const std::string& module, const std::string& name) {
    return raw("c" + module + "\n" + name + "\n");
  }
  PickleWriter& text(const std::string& value) {
    out += 'X';
    put_le(out, value.size(), 4);
    out += value;
    return *this;
  }
  PickleWriter& integer(int64_t value) {
    if (value >= 0 && value < 256) {
      out += 'K';
      put_le(out, static_cast<uint64_t>(value), 1);
    } else {
      out += 'J';
      put_le(out, static_cast<uint64_t>(value), 4);
    }
    return *this;
  }
  PickleWriter& real(double value) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    out += 'G';
    for (int i = 7; i >= 0; --i) out += static_cast<char>(bits >> (8 * i));
    return *this;
  }
  PickleWriter& integers(const std::vector<int64_t>& values) {
    op('(');
    for (const int64_t v : values) integer(v);
    return op('t');
  }
  PickleWriter& ordered_dict() { return global("collections", "OrderedDict").raw(")R"); }
  PickleWriter& storage(const std::string& type, const std::string& key, int64_t numel) {
    op('(').text("storage").global("torch", type).text(key).text("cpu").integer(numel);
    return raw("tQ");
  }
  // Row-major strides unless given.
  PickleWriter& tensor(const std::string& type, const std::string& key, int64_t numel,
                       const std::vector<int64_t>& shape, std::vector<int64_t> stride = {}, int64_t offset = 0) {
    if (stride.empty() && !shape.empty()) {
      stride.assign(shape.size(), 1);
      for (size_t i = shape.size() - 1; i-- > 0;) stride[i] = stride[i + 1] * shape[i + 1];
    }
    global("torch._utils", "_rebuild_tensor_v2").op('(').storage(type, key, numel).integer(offset);
    integers(shape).integers(stride).op('\x89').ordered_dict();
    return raw("tR");
  }
  std::string stop() { return out + "."; }
};

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// A .pth as torch.save writes it: the pickle and the records data/0, data/1 ...
inline ZipWriter pth_archive(const std::string& pickle, const std::vector<std::string>& records) {
  ZipWriter zip;
  zip.add("archive/data.pkl", pickle);
  for (size_t i = 0; i < records.size(); ++i) zip.add("archive/data/" + std::to_string(i), records[i]);
  zip.add("archive/version", "3\n");
  return zip;
}

// A whole state_dict of f32 tensors.
struct PthTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};
inline std::string pth_bytes(const std::vector<PthTensor>& tensors) {
  PickleWriter p;
  std::vector<std::string> records;
  p.ordered_dict().op('(');
  for (const PthTensor& tensor : tensors) {
    p.text(tensor.name)
        .tensor("FloatStorage", std::to_string(records.size()), static_cast<int64_t>(tensor.values.size()),
                tensor.shape);
    records.push_back(bytes_of(tensor.values));
  }
  p.op('u');
  return pth_archive(p.stop(), records).bytes();
}

}  // namespace spinert
