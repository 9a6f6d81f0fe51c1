#include "diagnosis/npy.h"

#include <filesystem>

#include "weights/atomic_file.h"

namespace spinert {
namespace {

// Null if numpy has no such type here.
const char* type_code(DType type) {
  switch (type) {
    case DType::f32: return "<f4";
    case DType::i32: return "<i4";
    case DType::u8: return "|u1";
    default: return nullptr;
  }
}

}  // namespace

Status write_npy(const std::string& folder, const std::string& name, const Tensor& tensor) {
  const char* code = type_code(tensor.dtype);
  if (!code || !tensor.data) return {};
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) return error(ErrorId::E_OUTPUT, "cannot create the folder: " + failure.message(), folder);
  std::string plain = name;
  for (char& c : plain) {
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (!good) c = '_';
  }
  // Rows that are not in use hold nothing.
  Shape shape = tensor.shape;
  if (shape.rank > 0) shape[0] = tensor.rows();
  std::string extents;
  for (int i = 0; i < shape.rank; ++i) extents += std::to_string(shape[i]) + ",";
  std::string header = std::string("{'descr': '") + code + "', 'fortran_order': False, 'shape': (" + extents + "), }";
  constexpr size_t kPrefix = 10, kAlignment = 64;  // magic, version and length; numpy wants the data aligned
  const size_t total = (kPrefix + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  header.append(total - kPrefix - header.size() - 1, ' ');
  header += '\n';
  const char prefix[kPrefix] = {'\x93',
                                'N',
                                'U',
                                'M',
                                'P',
                                'Y',
                                1,
                                0,
                                static_cast<char>(header.size() & 0xff),
                                static_cast<char>(header.size() >> 8)};
  SPINERT_ASSIGN(AtomicFile file, AtomicFile::create(folder + "/" + plain + ".npy", AtomicFile::Existing::replace));
  SPINERT_TRY(file.write(prefix, kPrefix));
  SPINERT_TRY(file.write(header));
  SPINERT_TRY(file.write(tensor.data, static_cast<size_t>(shape.elements() * size_of(tensor.dtype))));
  return file.commit();
}

}  // namespace spinert
