// test_safetensors.cpp - the model file: every rule ST-01 to ST-26, truncation and bit flips at every place (BI-26,
// BI-27, BI-29, BI-30), every storage type, disk full. All bad files are made here.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/files.h"
#include "weights/model_file.h"
#include "weights/storage.h"

namespace spinert {
namespace {

std::string u64(uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string container(const std::string& header, size_t data_bytes) {
  return u64(header.size()) + header + std::string(data_bytes, '\0');
}

Status open_container(const TempDir& dir, const std::string& bytes) {
  const std::string path = dir.file("x.safetensors");
  write_file(path, bytes);
  auto file = FileReader::open(path);
  if (!file.ok()) return file.status();
  return read_safetensors_header(file.value()).status();
}

// One tensor entry.
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

struct Violation {
  const char* rule;
  const char* name;
  std::string bytes;
};

std::vector<Violation> violations() {
  const std::string good = entry("a", "F32", "[2]", "[0,8]");
  const auto one = [](const std::string& text) { return container("{" + text + "}", 8); };
  std::string deep = R"({"__metadata__":)" + std::string(10000, '[') + std::string(10000, ']') + "}";
  std::string many = "{";
  for (int i = 0; i < 10; ++i)
    many += (i ? "," : "") + entry("t" + std::to_string(i), "F32", "[1000000000]", "[0,4000000000]");
  many += "}";
  const std::string max = std::to_string(std::numeric_limits<uint64_t>::max());
  return {
      {"ST-01", "empty file", ""},
      {"ST-01", "seven bytes", "1234567"},
      {"ST-02", "header of 100000001 bytes", u64(100'000'001) + "{}"},
      {"ST-02", "N = 2^64 - 1", u64(std::numeric_limits<uint64_t>::max()) + "{}"},
      {"ST-02", "N + 8 wraps to 7", u64(std::numeric_limits<uint64_t>::max() - 0) + std::string(7, ' ')},
      {"ST-03", "header longer than the file", u64(100) + "{}"},
      {"ST-03", "header one byte longer", u64(3) + "{}"},
      {"ST-04", "bytes that are no UTF-8", container("{\"\xFF\xFE\":1}", 0)},
      {"ST-05", "empty header", u64(0)},
      {"ST-05", "leading space", container(" {}", 0)},
      {"ST-05", "leading byte order mark", container("\xEF\xBB\xBF{}", 0)},
      {"ST-05", "newline behind", container("{}\n", 0)},
      {"ST-05", "tab behind", container("{}\t", 0)},
      {"ST-05", "NUL behind", container(std::string("{}\0", 3), 0)},
      {"ST-05", "an array", container("[]", 0)},
      {"ST-06", "no JSON", container("{a}", 0)},
      {"ST-06", "two objects", container("{}{}", 0)},
      {"ST-06", "nesting of 10000", container(deep, 0)},
      {"ST-07", "tensor twice", container("{" + good + "," + good + "}", 8)},
      {"ST-07", "dtype twice", one(R"("a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})")},
      {"ST-07", "metadata key twice", one(R"("__metadata__":{"x":"1","x":"1"},)" + good)},
      {"ST-08", "top-level number", one(R"("a":1)")},
      {"ST-08", "top-level list", one(R"("a":[])")},
      {"ST-09", "metadata is a text", one(R"("__metadata__":"x",)" + good)},
      {"ST-09", "metadata value is a number", one(R"("__metadata__":{"x":1},)" + good)},
      {"ST-10", "no shape", one(R"("a":{"dtype":"F32","data_offsets":[0,8]})")},
      {"ST-10", "extra key", one(R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":0})")},
      {"ST-11", "nine dimensions", one(entry("a", "F32", "[2,1,1,1,1,1,1,1,1]", "[0,8]"))},
      {"ST-11", "negative dimension", one(entry("a", "F32", "[-2]", "[0,8]"))},
      {"ST-11", "negative zero", one(entry("a", "F32", "[2]", "[-0,8]"))},
      {"ST-11", "fraction", one(entry("a", "F32", "[2.0]", "[0,8]"))},
      {"ST-11", "exponent", one(entry("a", "F32", "[2]", "[0,8e0]"))},
      {"ST-11", "three offsets", one(entry("a", "F32", "[2]", "[0,8,8]"))},
      {"ST-11", "dimension beyond 64 bits", one(entry("a", "F32", "[18446744073709551616]", "[0,8]"))},
      {"ST-11", "shape is a text", one(entry("a", "F32", "\"2\"", "[0,8]"))},
      {"ST-12", "unknown dtype", one(entry("a", "F23", "[2]", "[0,8]"))},
      {"ST-12", "dtype is a number", one(R"("a":{"dtype":32,"shape":[2],"data_offsets":[0,8]})")},
      {"ST-13", "2^32 x 2^32", one(entry("a", "F32", "[4294967296,4294967296]", "[0,8]"))},
      {"ST-13", "product wraps to 0 before a zero", one(entry("a", "F32", "[4294967296,4294967296,0]", "[0,0]"))},
      {"ST-13", "INT64_MAX x 4", one(entry("a", "F32", "[9223372036854775807,4]", "[0,8]"))},
      {"ST-14", "elements fit, bits do not", one(entry("a", "F32", "[1152921504606846976]", "[0,8]"))},
      {"ST-14", "bits wrap to 64", one(entry("a", "F64", "[288230376151711745]", "[0,8]"))},
      {"ST-14", "half a byte", one(entry("a", "F4", "[3]", "[0,1]"))},
      {"ST-15", "reversed offsets", one(entry("a", "F32", "[2]", "[8,0]"))},
      {"ST-15", "end wraps", one(entry("a", "F32", "[2]", "[" + max + ",7]"))},
      {"ST-16", "too few bytes", one(entry("a", "F32", "[2]", "[0,4]"))},
      {"ST-16", "scalar of 8 bytes", one(entry("a", "F32", "[]", "[0,8]"))},
      {"ST-16", "zero-sized with bytes", one(entry("a", "F32", "[0]", "[0,8]"))},
      {"ST-17", "does not start at 0", one(entry("a", "F32", "[1]", "[4,8]"))},
      {"ST-18", "hole",
       container("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[1]", "[8,12]") + "}", 12)},
      {"ST-18", "overlap",
       container("{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[4,12]") + "}", 12)},
      {"ST-18", "ten huge tensors at one place", container(many, 8)},
      {"ST-19", "data missing", container("{" + good + "}", 7)},
      {"ST-19", "bytes behind", container("{" + good + "}", 9)},
      {"ST-19", "exabyte tensor",
       container("{" + entry("a", "U8", "[1152921504606846976]", "[0,1152921504606846976]") + "}", 8)},
      {"ST-19", "data offset + end wraps",
       container("{" + entry("a", "U8", "[2305843009213693951]", "[0,2305843009213693951]") + "}", 8)},
      {"ST-19", "no tensors but data", container("{}", 1)},
  };
}

TEST(Safetensors, EveryRuleIsNamed) {
  const TempDir dir;
  const auto rows = violations();
  EXPECT_GE(rows.size(), 40u);
  for (const Violation& v : rows) {
    SCOPED_TRACE(std::string(v.rule) + " " + v.name);
    const Status status = open_container(dir, v.bytes);
    const std::string rule = v.rule;
    const bool too_short = rule == "ST-01" || rule == "ST-03" ||
                           (rule == "ST-19" && status.message().find("shorter") != std::string::npos);
    EXPECT_EQ(status.id(), too_short ? ErrorId::E_MODEL_TRUNCATED : ErrorId::E_MODEL_FORMAT) << status.to_string();
    EXPECT_EQ(status.message().rfind(rule + ":", 0), 0u) << status.to_string();
    EXPECT_EQ(exit_code(status.id()), 6);
  }
}

TEST(Safetensors, WhatTheFormatAllows) {
  const TempDir dir;
  const std::string rows[] = {
      container("{}", 0),
      container("{}      ", 0),
      container(R"({"__metadata__":{}})", 0),
      container("{" + entry("a", "F32", "[]", "[0,4]") + "}", 4),  // ST-20: rank 0
      container("{" + entry("a", "F32", "[0]", "[0,0]") + "," + entry("b", "U8", "[4]", "[0,4]") + "}", 4),  // ST-20
      container("{" + entry("a", "F4", "[4]", "[0,2]") + "}", 2),
      container("{" + entry("b", "U8", "[3]", "[1,4]") + "," + entry("a", "U8", "[1]", "[0,1]") + "}", 4),  // any order
  };
  for (const std::string& bytes : rows) {
    const Status status = open_container(dir, bytes);
    EXPECT_TRUE(status.ok()) << status.to_string() << "\n" << bytes;
  }
}

// A model of a few hundred bytes of data with every storage type.
class TinyModel : public testing::Test {
 protected:
  TinyModel() : path_(dir_.file("tiny.safetensors")) {
    for (size_t i = 0; i < 40; ++i) f32_.push_back(std::sin(static_cast<float>(i)) * 3);
    for (const float v : f32_) {
      f16_.push_back(f32_to_f16(v));
      bf16_.push_back(f32_to_bf16(v));
    }
    q_ = quantise_i8(f32_, 4);
  }

  template <class T>
  static TensorData tensor(const char* name, StorageType type, std::vector<uint64_t> shape,
                           const std::vector<T>& data) {
    return {name, type, std::move(shape), std::as_bytes(std::span(data))};
  }
  std::vector<TensorData> tensors() const {
    return {tensor("g.a", StorageType::F32, {10, 4}, f32_), tensor("g.b", StorageType::F16, {40}, f16_),
            tensor("g.c.scale", StorageType::F32, {4}, q_.scale), tensor("g.c", StorageType::I8, {10, 4}, q_.values),
            tensor("g.d", StorageType::BF16, {2, 20}, bf16_)};
  }
  static std::map<std::string, std::string> metadata() {
    return {{kKeyGraph, "{\"g\":{}}"}, {kKeyConfig, "{\"threshold\":0.5}"}, {kKeySources, "{}"}, {kKeyCard, "{}"}};
  }
  Status write(const std::vector<TensorData>& list) {
    return write_model(path_, metadata(), list, AtomicFile::Existing::replace);
  }
  // Opens, reads every weight and finishes, as the engine does.
  Status read_all(std::map<std::string, std::vector<float>>* values = nullptr, int threads = 1) {
    auto model = ModelFile::open(path_);
    if (!model.ok()) return model.status();
    ThreadPool pool(threads);
    WeightStream stream(model.value(), pool);
    for (const Weight& weight : model.value().weights()) {
      std::vector<float> out(weight.elements);
      SPINERT_TRY(stream.read_f32(weight, out));
      if (values) (*values)[weight.name] = std::move(out);
    }
    return stream.finish();
  }

  TempDir dir_;
  std::string path_;
  std::vector<float> f32_;
  std::vector<uint16_t> f16_, bf16_;
  QuantisedTensor q_;
};

TEST_F(TinyModel, EveryStorageTypeReadsBack) {
  ASSERT_TRUE(write(tensors()).ok());
  std::map<std::string, std::vector<float>> values;
  const Status status = read_all(&values);
  ASSERT_TRUE(status.ok()) << status.to_string();
  ASSERT_EQ(values.size(), 4u);  // the scale is no weight
  EXPECT_EQ(values["g.a"], f32_);
  for (size_t i = 0; i < f32_.size(); ++i) {
    EXPECT_EQ(values["g.b"][i], f16_to_f32(f16_[i]));
    EXPECT_EQ(values["g.d"][i], bf16_to_f32(bf16_[i]));
    EXPECT_EQ(values["g.c"][i], static_cast<float>(q_.values[i]) * q_.scale[i % 4]);
    EXPECT_NEAR(values["g.c"][i], f32_[i], q_.scale[i % 4] * 0.5f);
  }
}

TEST_F(TinyModel, TruncatedAtEveryByte) {  // BI-26
  ASSERT_TRUE(write(tensors()).ok());
  const std::string bytes = read_file(path_);
  for (size_t length = 0; length < bytes.size(); ++length) {
    write_file(path_, bytes.substr(0, length));
    const Status status = read_all();
    ASSERT_EQ(status.id(), ErrorId::E_MODEL_TRUNCATED) << length << ": " << status.to_string();
  }
}

TEST_F(TinyModel, EveryFlippedBitIsRefused) {  // BI-30
  ASSERT_TRUE(write(tensors()).ok());
  const std::string bytes = read_file(path_);
  std::map<int, int> codes;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      write_file(path_, flipped);
      const Status status = read_all();
      ASSERT_TRUE(exit_code(status.id()) == 6 || exit_code(status.id()) == 7) << i << ": " << status.to_string();
      ++codes[exit_code(status.id())];
    }
  }
  EXPECT_GT(codes[6], 0);
  EXPECT_GT(codes[7], 0);
}

TEST_F(TinyModel, MissingMetadataIsNamed) {  // ST-21
  for (const char* key : {kKeyGraph, kKeyConfig, kKeySources, kKeyCard}) {
    auto pairs = metadata();
    pairs.erase(key);
    ASSERT_TRUE(write_model(path_, pairs, tensors(), AtomicFile::Existing::replace).ok());
    const Status status = read_all();
    EXPECT_EQ(status.id(), ErrorId::E_CONFIG);
    EXPECT_NE(status.message().find(key), std::string::npos) << status.to_string();
  }
  ASSERT_TRUE(write_safetensors(path_, {}, tensors(), AtomicFile::Existing::replace).ok());
  EXPECT_EQ(read_all().id(), ErrorId::E_CONFIG);
}

TEST_F(TinyModel, ForgedHashesAndVersions) {  // ST-22
  const auto list = tensors();
  auto pairs = metadata();
  const auto table = layout_tensors(list);
  ASSERT_TRUE(table.ok());
  pairs[kKeyFormat] = kModelFormat;
  pairs[kKeyDataHash] = std::string(64, '0');  // meta hash right, data hash wrong
  pairs[kKeyMetaHash] = metadata_sha256(pairs, table.value());
  ASSERT_TRUE(write_safetensors(path_, pairs, list, AtomicFile::Existing::replace).ok());
  EXPECT_EQ(read_all().id(), ErrorId::E_MODEL_HASH);
  pairs[kKeyFormat] = "2";
  pairs[kKeyMetaHash] = metadata_sha256(pairs, table.value());
  ASSERT_TRUE(write_safetensors(path_, pairs, list, AtomicFile::Existing::replace).ok());
  EXPECT_EQ(read_all().id(), ErrorId::E_MODEL_HASH);
  pairs[kKeyConfig] += " ";
  ASSERT_TRUE(write_safetensors(path_, pairs, list, AtomicFile::Existing::replace).ok());
  EXPECT_EQ(read_all().id(), ErrorId::E_MODEL_HASH);
}

TEST_F(TinyModel, StorageThatDoesNotFit) {  // ST-23
  const std::vector<float> three(3, 1.0f);
  const std::vector<double> doubles(2, 1.0);
  const auto c = tensor("g.c", StorageType::I8, {10, 4}, q_.values);
  const auto scale = tensor("g.c.scale", StorageType::F32, {4}, q_.scale);
  const std::vector<std::vector<TensorData>> rows = {
      {c},                                                           // no scale
      {c, scale},                                                    // scale behind its tensor
      {tensor("g.c.scale", StorageType::F32, {3}, three), c},        // scale of another length
      {tensor("g.c.scale", StorageType::F32, {2, 2}, q_.scale), c},  // scale of another rank
      {tensor("g.x", StorageType::F64, {2}, doubles)},               // type that is never a weight
      {tensor("g.x", StorageType::U8, {16}, doubles)},
  };
  for (const auto& list : rows) {
    ASSERT_TRUE(write(list).ok());
    const Status status = read_all();
    EXPECT_EQ(status.id(), ErrorId::E_MODEL_ARCH) << status.to_string();
  }
}

TEST_F(TinyModel, NonFiniteValuesAreNamed) {  // BI-29, ST-24
  const float inf = std::numeric_limits<float>::infinity();
  struct Row {
    const char* place;
    std::vector<TensorData> list;
  };
  std::vector<float> nan_values = f32_, inf_values = f32_, bad_scale = q_.scale, zero_scale = q_.scale, huge = q_.scale;
  nan_values[17] = std::nanf("");
  inf_values[39] = -inf;
  bad_scale[2] = std::nanf("");
  zero_scale[3] = 0;
  huge[1] = 3e38f;
  std::vector<uint16_t> bad_f16 = f16_, bad_bf16 = bf16_;
  bad_f16[5] = 0x7C00;
  bad_bf16[6] = 0xFFC0;
  const auto c = tensor("g.c", StorageType::I8, {10, 4}, q_.values);
  const std::vector<Row> rows = {
      {"g.a[17]", {tensor("g.a", StorageType::F32, {40}, nan_values)}},
      {"g.a[39]", {tensor("g.a", StorageType::F32, {40}, inf_values)}},
      {"g.b[5]", {tensor("g.b", StorageType::F16, {40}, bad_f16)}},
      {"g.d[6]", {tensor("g.d", StorageType::BF16, {40}, bad_bf16)}},
      {"g.c.scale[2]", {tensor("g.c.scale", StorageType::F32, {4}, bad_scale), c}},
      {"g.c.scale[3]", {tensor("g.c.scale", StorageType::F32, {4}, zero_scale), c}},
      {"g.c.scale[1]", {tensor("g.c.scale", StorageType::F32, {4}, huge), c}},
  };
  for (const Row& row : rows) {
    ASSERT_TRUE(write(row.list).ok());
    const Status status = read_all();
    EXPECT_EQ(status.id(), ErrorId::E_MODEL_VALUE) << row.place;
    EXPECT_NE(status.message().find(row.place), std::string::npos) << status.to_string();
  }
}

TEST_F(TinyModel, OrderOfReadingIsEnforced) {
  ASSERT_TRUE(write(tensors()).ok());
  auto model = ModelFile::open(path_);
  ASSERT_TRUE(model.ok());
  ThreadPool pool(1);
  WeightStream stream(model.value(), pool);
  const Weight& c = *model.value().find("g.c");
  std::vector<float> out(c.elements), small(3);
  EXPECT_EQ(stream.read_f32(c, small).id(), ErrorId::E_INTERNAL);
  EXPECT_TRUE(stream.read_f32(c, out).ok());  // g.a and g.b are left out, the scale is found
  EXPECT_EQ(out[7], static_cast<float>(q_.values[7]) * q_.scale[3]);
  EXPECT_EQ(stream.read_f32(*model.value().find("g.a"), out).id(), ErrorId::E_INTERNAL);
  StoredI8 stored;
  EXPECT_EQ(stream.read_i8(c, stored).id(), ErrorId::E_INTERNAL);                           // passed
  EXPECT_EQ(stream.read_i8(*model.value().find("g.d"), stored).id(), ErrorId::E_INTERNAL);  // not I8
  EXPECT_TRUE(stream.finish().ok());
}

// Pieces of 1 MiB, tensors across their borders, odd offsets, several fills of the window.
TEST_F(TinyModel, LargeModelAnyThreadCount) {
  std::vector<int8_t> q(5'000'003 * 3);
  for (size_t i = 0; i < q.size(); ++i) q[i] = static_cast<int8_t>(i * 2654435761u >> 24);
  const std::vector<float> scale = {0.5f, 0.25f, 2.0f};
  std::vector<float> f(3'000'001);
  for (size_t i = 0; i < f.size(); ++i) f[i] = static_cast<float>(i) * 0.5f;
  const std::vector<uint16_t> h(700'001, f32_to_f16(1.5f));
  const std::vector<int8_t> small = {1, -2, 127, -128, 0};  // in one window, where g.q spans several
  const std::vector<float> small_scale = {0.125f};
  const std::vector<TensorData> list = {tensor("g.small.scale", StorageType::F32, {1}, small_scale),
                                        tensor("g.small", StorageType::I8, {5, 1}, small),
                                        tensor("g.q.scale", StorageType::F32, {3}, scale),
                                        tensor("g.q", StorageType::I8, {5'000'003, 3}, q),
                                        tensor("g.f", StorageType::F32, {3'000'001}, f),
                                        tensor("g.h", StorageType::F16, {700'001}, h)};
  ASSERT_TRUE(write(list).ok());
  for (const int threads : {1, 2, 3, 7}) {
    std::map<std::string, std::vector<float>> values;
    const Status status = read_all(&values, threads);
    ASSERT_TRUE(status.ok()) << threads << ": " << status.to_string();
    EXPECT_EQ(values["g.f"], f);
    EXPECT_EQ(values["g.h"], std::vector<float>(h.size(), 1.5f));
    for (size_t i = 0; i < q.size(); ++i) ASSERT_EQ(values["g.q"][i], static_cast<float>(q[i]) * scale[i % 3]) << i;

    auto model = ModelFile::open(path_);
    ASSERT_TRUE(model.ok());
    ThreadPool pool(threads);
    WeightStream stream(model.value(), pool);
    StoredI8 stored;
    ASSERT_TRUE(stream.read_i8(*model.value().find("g.small"), stored).ok());
    EXPECT_EQ(std::vector<int8_t>(stored.values, stored.values + small.size()), small);
    EXPECT_EQ(stored.scale[0], 0.125f);
    ASSERT_TRUE(stream.read_i8(*model.value().find("g.q"), stored).ok());
    EXPECT_EQ(std::vector<int8_t>(stored.values, stored.values + q.size()), q);
    EXPECT_EQ(std::vector<float>(stored.scale, stored.scale + 3), scale);
    EXPECT_TRUE(stream.finish().ok());
  }
  // BI-26 and BI-30 in the data of a file of many pieces, at places of a fixed sequence.
  const std::string bytes = read_file(path_);
  uint64_t state = 1;
  for (int i = 0; i < 6; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const size_t place = 4096 + (state >> 16) % (bytes.size() - 4096);
    std::string flipped = bytes;
    flipped[place] = static_cast<char>(flipped[place] ^ 1);
    write_file(path_, flipped);
    EXPECT_EQ(exit_code(read_all(nullptr, 2).id()), 7) << place;
  }
  // truncate() only: opening looks at the length, not at the data.
  for (int i = 0; i < 1000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const size_t place = 4096 + (state >> 16) % (bytes.size() - 4096);
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(place)), 0);
    ASSERT_EQ(ModelFile::open(path_).status().id(), ErrorId::E_MODEL_TRUNCATED) << place;
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(bytes.size())), 0);
  }
}

TEST_F(TinyModel, FileThatChangesInUse) {  // FS-09
  ASSERT_TRUE(write(tensors()).ok());
  auto model = ModelFile::open(path_);
  ASSERT_TRUE(model.ok());
  const auto hash = whole_file_sha256(model.value().file());
  ASSERT_TRUE(hash.ok());
  const std::string bytes = read_file(path_);
  EXPECT_EQ(hash.value(), to_hex(sha256(bytes.data(), bytes.size())));
  ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(bytes.size() - 10)), 0);
  ThreadPool pool(1);
  WeightStream stream(model.value(), pool);
  EXPECT_EQ(stream.finish().id(), ErrorId::E_MODEL_TRUNCATED);
  EXPECT_FALSE(whole_file_sha256(model.value().file()).ok());
  ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(bytes.size())), 0);  // same size, later time
  std::filesystem::last_write_time(path_, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(whole_file_sha256(model.value().file()).status().id(), ErrorId::E_MODEL_HASH);
}

TEST_F(TinyModel, PathsThatAreNoModel) {
  EXPECT_EQ(ModelFile::open(dir_.file("absent")).status().id(), ErrorId::E_INPUT_EMPTY);
  EXPECT_EQ(ModelFile::open(dir_.file(".")).status().id(), ErrorId::E_INPUT_EMPTY);
  ASSERT_EQ(::mkfifo(dir_.file("pipe").c_str(), 0600), 0);
  EXPECT_EQ(ModelFile::open(dir_.file("pipe")).status().id(), ErrorId::E_INPUT_EMPTY);
}

TEST_F(TinyModel, DiskFullLeavesTheOldFile) {  // FS-01
  ASSERT_TRUE(write(tensors()).ok());
  const std::string before = read_file(path_);
  const std::vector<float> big(1 << 20, 1.0f);
  struct sigaction ignore {
  }, old{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGXFSZ, &ignore, &old);
  rlimit limit{}, small{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  small = limit;
  small.rlim_cur = 1 << 20;
  ::setrlimit(RLIMIT_FSIZE, &small);
  const Status status = write({tensor("g.big", StorageType::F32, {1 << 20}, big)});
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::sigaction(SIGXFSZ, &old, nullptr);
  EXPECT_EQ(status.id(), ErrorId::E_OUTPUT);
  EXPECT_EQ(read_file(path_), before);
  EXPECT_EQ(dir_.entries(), 1u);
}

TEST_F(TinyModel, WritingOverTheFileThatIsBeingRead) {  // ST-26
  ASSERT_TRUE(write(tensors()).ok());
  auto model = ModelFile::open(path_);
  ASSERT_TRUE(model.ok());
  ASSERT_TRUE(write({tensor("g.a", StorageType::F32, {10, 4}, f32_)}).ok());
  ThreadPool pool(1);
  WeightStream stream(model.value(), pool);  // still the old file
  std::vector<float> out(40);
  EXPECT_TRUE(stream.read_f32(*model.value().find("g.b"), out).ok());
  EXPECT_TRUE(stream.finish().ok());
  // The header is padded to 8 bytes.
  const std::string bytes = read_file(path_);
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0);
}

}  // namespace
}  // namespace spinert
