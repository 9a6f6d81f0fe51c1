// test_pth.cpp - reading .pth without executing anything: good files of every kind, and one forged file per rule PT-01
// to PT-09 and per known attack on other readers (BI-31).
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "converter/checkpoint.h"
#include "converter/pickle.h"
#include "tests/support/files.h"
#include "tests/support/pth_writer.h"
#include "weights/safetensors_write.h"
#include "weights/storage.h"

namespace spinert {
namespace {

class Pth : public testing::Test {
 protected:
  Result<Checkpoint> read(const std::string& bytes, const CheckpointOptions& options = {}) {
    write_file(dir_.file("x.pth"), bytes);
    const auto start = std::chrono::steady_clock::now();
    auto result = read_checkpoint(dir_.file("x.pth"), options);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));  // a hang guard, not a time limit
    return result;
  }
  void refuse(const char* name, const std::string& bytes, ErrorId id, const std::string& text) {
    SCOPED_TRACE(name);
    const auto result = read(bytes);
    ASSERT_FALSE(result.ok()) << "accepted";
    EXPECT_EQ(result.status().id(), id) << result.status().to_string();
    EXPECT_NE(result.status().message().find(text), std::string::npos) << result.status().to_string();
    EXPECT_EQ(exit_code(result.status().id()), 6);
  }

  TempDir dir_;
};

const std::vector<float> kValues = {1, 2, 3, 4, 5, 6};

// A state_dict with one tensor "w" [2,3].
PickleWriter one_tensor() {
  PickleWriter p;
  p.ordered_dict().op('(').text("w").tensor("FloatStorage", "0", 6, {2, 3}).op('u');
  return p;
}
ZipWriter good() {
  return pth_archive(one_tensor().stop(), {bytes_of(kValues)});
}

TEST_F(Pth, StateDict) {
  const auto result = read(good().bytes());
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  ASSERT_EQ(result.value().tensors.size(), 1u);
  EXPECT_EQ(result.value().tensors[0].name, "w");
  EXPECT_EQ(result.value().tensors[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(result.value().tensors[0].values, kValues);
  EXPECT_EQ(result.value().sha256.size(), 64u);
}

TEST_F(Pth, EveryElementType) {
  const std::vector<uint16_t> half = {f32_to_f16(1.5f), f32_to_f16(-2)}, brain = {f32_to_bf16(1.5f), f32_to_bf16(-2)};
  const std::vector<double> wide = {1.5, -2};
  const std::vector<int64_t> whole = {15, -2};
  PickleWriter p;
  p.ordered_dict().op('(');
  const char* const types[] = {"HalfStorage", "BFloat16Storage", "DoubleStorage", "LongStorage"};
  for (int i = 0; i < 4; ++i) p.text(types[i]).tensor(types[i], std::to_string(i), 2, {2});
  p.op('u');
  const auto result =
      read(pth_archive(p.stop(), {bytes_of(half), bytes_of(brain), bytes_of(wide), bytes_of(whole)}).bytes());
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(result.value().tensors[i].values, (std::vector<float>{1.5f, -2}));
  EXPECT_EQ(result.value().tensors[3].integers, whole);
  EXPECT_EQ(result.value().notes.size(), 3u);  // each conversion is reported
}

TEST_F(Pth, CheckpointDictAndKey) {
  const auto checkpoint = [](bool two) {
    PickleWriter p;
    p.op('}')
        .op('(')
        .text("epoch")
        .integer(7)
        .text("loss")
        .real(0.5)
        .text("lrs")
        .op(']')
        .op('(')
        .real(0.1)
        .real(0.01)
        .op('e');
    p.text("model").ordered_dict().op('(').text("w").tensor("FloatStorage", "0", 6, {6}).op('u');
    if (two) p.text("ema").ordered_dict().op('(').text("w").tensor("FloatStorage", "1", 6, {6}).op('u');
    // numpy scalar: opaque, but not in the chosen dict
    p.text("best").global("numpy.core.multiarray", "scalar").global("numpy", "dtype").text("f8").integer(0).integer(1);
    p.op('\x87').op('R').text("12345678").op('\x86').op('R');
    p.text("scheduler").op('N').op('u');
    return pth_archive(p.stop(), {bytes_of(kValues), bytes_of(std::vector<float>(6, 9.0f))}).bytes();
  };
  auto result = read(checkpoint(false));
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  EXPECT_EQ(result.value().tensors[0].values, kValues);
  refuse("two dicts", checkpoint(true), ErrorId::E_MODEL_FORMAT, "--key");
  CheckpointOptions options;
  options.key = "ema";
  result = read(checkpoint(true), options);
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  EXPECT_EQ(result.value().tensors[0].values, std::vector<float>(6, 9.0f));
  options.key = "absent";
  EXPECT_EQ(read(checkpoint(true), options).status().id(), ErrorId::E_MODEL_FORMAT);
}

TEST_F(Pth, ParameterSharedStorageViewsAndStrides) {  // BI-31e
  PickleWriter p;
  p.ordered_dict().op('(');
  p.text("parameter").global("torch._utils", "_rebuild_parameter").op('(').tensor("FloatStorage", "0", 6, {2, 3});
  p.op('\x88').ordered_dict().raw("tR");
  p.text("transposed").tensor("FloatStorage", "0", 6, {3, 2}, {1, 3});
  p.text("row").tensor("FloatStorage", "0", 6, {3}, {1}, 3);
  p.text("every second").tensor("FloatStorage", "0", 6, {2, 2}, {3, 2}, 0);
  p.text("repeated").tensor("FloatStorage", "0", 6, {2, 2}, {0, 1}, 4);
  p.text("scalar").tensor("FloatStorage", "0", 6, {}, {}, 5);
  p.text("empty").tensor("FloatStorage", "0", 6, {0, 3});
  p.op('u');
  const auto result = read(pth_archive(p.stop(), {bytes_of(kValues)}).bytes());
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  const auto& t = result.value().tensors;
  EXPECT_EQ(t[0].values, kValues);
  EXPECT_EQ(t[1].values, (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(t[2].values, (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(t[3].values, (std::vector<float>{1, 3, 4, 6}));
  EXPECT_EQ(t[4].values, (std::vector<float>{5, 6, 5, 6}));
  EXPECT_EQ(t[5].values, (std::vector<float>{6}));
  EXPECT_TRUE(t[6].values.empty());
}

TEST_F(Pth, ModulePrefixMetadataAndDeflate) {
  PickleWriter p;
  p.ordered_dict().op('(').text("module.w").tensor("FloatStorage", "0", 6, {6}).op('u');
  p.op('}')
      .text("_metadata")
      .ordered_dict()
      .op('(')
      .text("backbone.fpn")
      .op('}')
      .text("version")
      .integer(2)
      .op('s')
      .op('u');
  p.op('s').op('b');
  ZipWriter zip;
  for (const bool deflate : {false, true}) {
    zip = {};
    zip.add({.name = "x/data.pkl", .content = p.stop(), .deflate = deflate, .descriptor = !deflate});
    zip.add({.name = "x/byteorder", .content = "little"});
    zip.add({.name = "x/data/0", .content = bytes_of(kValues), .deflate = deflate, .zip64 = !deflate});
    zip.add({.name = "x/.data/serialization_id", .content = "1234"});
    zip.zip64_end = !deflate;
    const auto result = read(zip.bytes());
    ASSERT_TRUE(result.ok()) << result.status().to_string();
    EXPECT_EQ(result.value().tensors[0].name, "w");
    EXPECT_EQ(result.value().tensors[0].values, kValues);
    EXPECT_EQ(result.value().module_versions.at("backbone.fpn"), 2);
    EXPECT_EQ(result.value().notes.size(), 1u);
  }
}

TEST_F(Pth, SafetensorsCheckpoint) {
  const std::vector<double> wide = {1, 2};
  const TensorData tensors[] = {{"a", StorageType::F32, {2, 3}, std::as_bytes(std::span(kValues))},
                                {"b", StorageType::F64, {2}, std::as_bytes(std::span(wide))}};
  ASSERT_TRUE(write_safetensors(dir_.file("x.safetensors"), {}, tensors, AtomicFile::Existing::replace).ok());
  const auto result = read_checkpoint(dir_.file("x.safetensors"));
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  EXPECT_EQ(result.value().tensors[0].values, kValues);
  EXPECT_EQ(result.value().tensors[1].values, (std::vector<float>{1, 2}));
}

TEST_F(Pth, WholeModulesAndOtherFormats) {  // BI-31a, BI-31d
  PickleWriter module;
  module.global("torchvision.models.resnet", "ResNet")
      .op(')')
      .op('\x81')
      .op('}')
      .text("training")
      .op('\x89')
      .op('s')
      .op('b');
  const ErrorId format = ErrorId::E_MODEL_FORMAT;
  refuse("whole module", pth_archive(module.stop(), {}).bytes(), format, "model.state_dict()");
  ZipWriter script = good();
  script.add("archive/constants.pkl", "x");
  refuse("TorchScript constants", script.bytes(), format, "TorchScript");
  script = good();
  script.add("archive/code/__torch__.py", "x");
  refuse("TorchScript code", script.bytes(), format, "TorchScript");
  refuse("before torch 1.6",
         std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15) + std::string(99, 'x'), format,
         "torch.save");
  refuse("bare pickle", one_tensor().stop(), format, "bare pickle");
  refuse("text", "hello world, this is no model", format, "neither");
  refuse("empty", "", ErrorId::E_MODEL_TRUNCATED, "ST-01");
  EXPECT_EQ(read_checkpoint(dir_.file("absent")).status().id(), ErrorId::E_INPUT_EMPTY);
}

TEST_F(Pth, PicklesThatAttack) {  // BI-31b
  const ErrorId format = ErrorId::E_MODEL_FORMAT;
  const auto archive = [](const PickleWriter& p) {
    PickleWriter copy = p;
    return pth_archive(copy.stop(), {bytes_of(kValues)}).bytes();
  };
  const std::string witness = dir_.file("witness");
  PickleWriter p;
  p.global("posix", "system").text("touch " + witness).op('\x85').op('R');
  refuse("os.system", archive(p), format, "PT-07");
  p = one_tensor();
  p.text("x").global("posix", "system").text("touch " + witness).op('\x85').op('R').op('s');
  refuse("os.system beside a tensor", archive(p), format, "posix system");
  p = {};
  p.global("builtins", "getattr").global("builtins", "exec").text("x").op('\x86').op('R').text("y").op('\x85').op('R');
  refuse("call of an opaque value", archive(p), format, "PT-07");
  EXPECT_FALSE(std::filesystem::exists(witness));

  p = {};
  p.op(']').raw(std::string(1000, '2'));
  refuse("DUP bomb", archive(p), format, "PT-05");
  p = {};
  p.op(')');
  for (int i = 0; i < 60; ++i)
    p.raw("q").op('\0').raw("h").op('\0').op('\x86');  // each tuple holds the one before twice
  refuse("memo bomb of 2^60 values", archive(p), format, "PT-07");
  p = {};
  for (int i = 0; i < 5000; ++i) p.op(']');
  for (int i = 0; i < 4999; ++i) p.op('a');
  refuse("nesting of 5000", archive(p), format, "PT-06");
  p = {};
  p.op(']').raw(std::string("q\0", 2)).raw(std::string("h\0", 2)).op('a');
  refuse("list that holds itself", archive(p), format, "PT-07");
  p = {};
  p.raw(std::string(1'000'001, 'N'));
  refuse("a million opcodes", archive(p), format, "PT-06");
  p = {};
  p.raw(std::string(200'000, '('));
  refuse("200000 marks", archive(p), format, "PT-06");
  p = {};
  p.out += 'X';
  put_le(p.out, 0xFFFFFFFF, 4);
  refuse("text of 4 GiB", archive(p), format, "PT-06");
  p = {};
  p.out += 'X';
  put_le(p.out, 1000, 4);
  refuse("text longer than the pickle", archive(p), ErrorId::E_MODEL_TRUNCATED, "PT-05");
  refuse("no STOP", pth_archive(one_tensor().out, {bytes_of(kValues)}).bytes(), ErrorId::E_MODEL_TRUNCATED, "PT-05");
  refuse("bytes behind STOP", pth_archive(one_tensor().stop() + "N", {bytes_of(kValues)}).bytes(), format, "PT-07");
  p = {};
  p.op('t');
  refuse("tuple without mark", archive(p), format, "PT-07");
  p = {};
  p.op('R');
  refuse("call on an empty stack", archive(p), format, "PT-07");
  p = {};
  p.op('N').op('(').op('\x85');
  refuse("value below a mark", archive(p), format, "PT-07");
  p = {};
  p.raw("h\x05");
  refuse("memo entry that is not there", archive(p), format, "PT-07");
  p = one_tensor();
  p.integer(1).integer(2).op('s').text("k").text("v").op('s');
  EXPECT_FALSE(read(archive(p)).ok());
  p = {};
  p.integer(1).text("k").text("v").op('s');
  refuse("SETITEM on a number", archive(p), format, "PT-07");
  p = {};
  p.tensor("FloatStorage", "0", 6, {6}).op('(').text("k").text("v").op('u');
  refuse("SETITEMS on a tensor", archive(p), format, "PT-07");
  p = {};
  p.op('}').op('N').op('a');
  refuse("APPEND on a dict", archive(p), format, "PT-07");
  p = {};
  p.op('}').op(']').op('N').op('s');
  refuse("list as a key", archive(p), format, "PT-07");
  p = {};
  p.op('}').op('(').op('N').op('u');
  refuse("key without value", archive(p), format, "PT-07");
  for (const char* opcode :
       {"\x93", "\x8c", "I1\n", "i", "o", "P", "\x82", "\x95", "\x8a", "0", "2", "S'x'\n", "\xff"}) {
    p = {};
    p.raw(opcode);
    refuse("opcode outside the list", archive(p), format, "PT-05");
  }
}

TEST_F(Pth, StoragesAndTensorsThatLie) {  // BI-31c, PT-07, PT-08
  const ErrorId format = ErrorId::E_MODEL_FORMAT;
  const auto one = [](const std::string& type, const std::string& key, int64_t numel, std::vector<int64_t> shape,
                      std::vector<int64_t> stride, int64_t offset, std::vector<float> data = kValues) {
    PickleWriter p;
    p.ordered_dict().op('(').text("w").tensor(type, key, numel, shape, stride, offset).op('u');
    return pth_archive(p.stop(), {bytes_of(data)}).bytes();
  };
  refuse("short record", one("FloatStorage", "0", 1000, {1000}, {1}, 0), format, "PT-08");
  refuse("long record", one("FloatStorage", "0", 5, {5}, {1}, 0), format, "PT-08");
  refuse("other item size", one("DoubleStorage", "0", 6, {6}, {1}, 0), format, "PT-08");
  refuse("beyond the storage", one("FloatStorage", "0", 6, {7}, {1}, 0), format, "PT-08");
  refuse("offset beyond the storage", one("FloatStorage", "0", 6, {2}, {1}, 5), format, "PT-08");
  refuse("stride beyond the storage", one("FloatStorage", "0", 6, {2, 2}, {5, 1}, 1), format, "PT-08");
  refuse("empty with an offset outside", one("FloatStorage", "0", 6, {0}, {1}, 7), format, "PT-08");
  refuse("negative dimension", one("FloatStorage", "0", 6, {-6}, {1}, 0), format, "PT-08");
  refuse("negative stride", one("FloatStorage", "0", 6, {6}, {-1}, 5), format, "PT-08");
  refuse("negative offset", one("FloatStorage", "0", 6, {2}, {1}, -1), format, "PT-08");
  refuse("nine dimensions", one("FloatStorage", "0", 6, {6, 1, 1, 1, 1, 1, 1, 1, 1}, {}, 0), format, "PT-08");
  refuse("product overflows", one("FloatStorage", "0", 6, {2147483647, 2147483647, 2147483647}, {0, 0, 0}, 0), format,
         "PT-08");
  refuse("product overflows before a zero",
         one("FloatStorage", "0", 6, {2147483647, 2147483647, 2147483647, 0}, {0, 0, 0, 0}, 0), format, "PT-08");
  refuse("two billion repeated elements", one("FloatStorage", "0", 6, {2147483647}, {0}, 0), format, "PT-06");
  refuse("negative count", one("FloatStorage", "0", -6, {6}, {1}, 0), format, "PT-07");
  refuse("record that is not there", one("FloatStorage", "7", 6, {6}, {1}, 0), format, "PT-08");
  refuse("key with a path", one("FloatStorage", "../version", 6, {6}, {1}, 0), format, "PT-07");

  const auto archive = [](PickleWriter& p) { return pth_archive(p.stop(), {bytes_of(kValues)}).bytes(); };
  PickleWriter p;
  p.integer(1).op('Q');
  refuse("BINPERSID of a number", archive(p), format, "PT-07");
  p = {};
  p.op('(').text("storage").text("torch FloatStorage").text("0").text("cpu").integer(6).raw("tQ");
  refuse("storage type that is a text", archive(p), format, "PT-07");
  p = {};
  p.global("torch._utils", "_rebuild_tensor_v2")
      .op('(')
      .integer(1)
      .integer(0)
      .integers({6})
      .integers({1})
      .op('\x89')
      .ordered_dict()
      .raw("tR");
  refuse("tensor of a number", archive(p), format, "PT-08");
  p = {};
  p.global("torch._utils", "_rebuild_tensor_v2").op(')').op('R');
  refuse("tensor of nothing", archive(p), format, "PT-08");
  p = one_tensor();
  p.op('(').text("v").tensor("IntStorage", "0", 6, {6}).op('u');
  refuse("unknown storage type", archive(p), format, "torch IntStorage");
  p = one_tensor();
  p.op('(').text("w").tensor("FloatStorage", "0", 6, {6}).op('u');
  refuse("two tensors of one name", archive(p), format, "PT-07");
  p = one_tensor();
  p.op('(').text("v").op('N').op('u');
  refuse("entry that is no tensor", archive(p), format, "PT-07");
  p = one_tensor();
  p.op('(').integer(3).tensor("FloatStorage", "0", 6, {6}).op('u');
  refuse("key that is no text", archive(p), format, "PT-07");
  p = {};
  p.op('}');
  refuse("no tensors", archive(p), format, "PT-07");
}

TEST_F(Pth, ArchivesThatLie) {  // BI-31c, PT-01 to PT-04
  const ErrorId format = ErrorId::E_MODEL_FORMAT, cut = ErrorId::E_MODEL_TRUNCATED;
  const std::string pickle = one_tensor().stop(), data = bytes_of(kValues);
  const auto with = [&](ZipItem item) {
    ZipWriter zip;
    zip.add("a/data.pkl", pickle);
    item.content = item.content.empty() ? data : item.content;
    if (item.name.empty()) item.name = "a/data/0";
    zip.add(std::move(item));
    return zip.bytes();
  };
  ZipWriter zip = good();
  zip.comment = "hello";
  refuse("comment", zip.bytes(), cut, "PT-01");
  CheckpointOptions lenient;
  lenient.zip.allow_trailing = true;
  EXPECT_TRUE(read(zip.bytes(), lenient).ok());
  zip = good();
  zip.trailing = std::string(100, 'x');
  refuse("bytes behind", zip.bytes(), cut, "--allow-trailing");
  EXPECT_TRUE(read(zip.bytes(), lenient).ok());
  refuse("bytes in front", "PK\x03\x04" + good().bytes(), format, "PT-01");
  zip = good();
  zip.entries_add = 1;
  refuse("one entry too many", zip.bytes(), format, "PT-01");
  zip = good();
  zip.directory_offset_add = 1;
  refuse("directory elsewhere", zip.bytes(), format, "PT-01");
  zip = good();
  zip.zip64_end = true;
  EXPECT_TRUE(read(zip.bytes()).ok());
  zip.zip64_entries_add = 1;
  refuse("zip64 with another count", zip.bytes(), format, "PT-02");
  zip = good();
  zip.overlap = true;
  EXPECT_FALSE(read(zip.bytes()).ok());
  zip = good();
  zip.add("archive/data/0", data);
  refuse("name twice", zip.bytes(), format, "PT-03");
  zip = good();
  zip.add("other/data.pkl", pickle);
  refuse("two data.pkl", zip.bytes(), format, "PT-03");
  zip = {};
  zip.add("a/not-data.pkl", pickle);
  zip.add("a/b/data.pkl", pickle);
  refuse("data.pkl only as a part of names", zip.bytes(), format, "PT-03");
  for (const std::string& name : {std::string("a/../b"), std::string(".."), std::string("a\\b"), std::string("/etc/x"),
                                  std::string("a\0b", 3), std::string("a/\xFF")}) {
    zip = good();
    zip.add(name, "x");
    refuse("name that is no plain path", zip.bytes(), format, "PT-03");
  }
  refuse("CRC wrong everywhere", with({.crc_xor = 1, .descriptor_crc_xor = 1}), format, "PT-04");
  refuse("CRC of the directory wrong", with({.crc_xor = 1}), format, "PT-02");
  refuse("CRC of the local header wrong", with({.descriptor = false, .local_crc_xor = 1}), format, "PT-02");
  refuse("descriptor with another size", with({.descriptor_size_add = 1}), format, "PT-02");
  refuse("directory with another size", with({.size_add = 1}), format, "PT-0");
  refuse("size beyond the file", with({.zip64 = true, .size_add = uint64_t{1} << 40}), format, "PT-01");
  refuse("size that wraps", with({.zip64 = true, .size_add = ~uint64_t{0} - 23}), format, "PT-0");
  refuse("local name differs", with({.local_name = "a/data/1"}), format, "PT-02");
  refuse("local method differs", with({.local_method = 8}), format, "PT-02");
  refuse("encrypted", with({.flags = 0x0801}), format, "PT-02");
  refuse("no CRC", with({.no_crc = true}), format, "PT-04");
  lenient = {};
  lenient.zip.allow_missing_crc = true;
  EXPECT_TRUE(read(with({.no_crc = true}), lenient).ok());
  refuse("deflate bomb", with({.content = std::string(50 << 20, '\0'), .deflate = true}), format, "1000:1");
  refuse("deflate with a larger declared size", with({.deflate = true, .descriptor = false, .size_add = 4}), format,
         "PT-02");
  zip = good();
  zip.add("archive/byteorder", "big");
  refuse("byte order", zip.bytes(), format, "PT-04");
  zip = good();
  zip.add("archive/byteorder", "little\n");
  refuse("byte order, nearly", zip.bytes(), format, "PT-04");
}

TEST_F(Pth, TruncatedAndFlippedEverywhere) {
  const std::string bytes = good().bytes();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto result = read(bytes.substr(0, length));
    ASSERT_FALSE(result.ok()) << length;
    ASSERT_EQ(exit_code(result.status().id()), 6) << result.status().to_string();
  }
  // Some bits mean nothing (time stamps, attributes, padding); all others are noticed or change no value.
  size_t refused = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      const auto result = read(flipped);
      if (result.ok()) {
        ASSERT_EQ(result.value().tensors[0].name, "w");
        ASSERT_EQ(result.value().tensors[0].values, kValues) << i;
      } else {
        ASSERT_EQ(exit_code(result.status().id()), 6) << result.status().to_string();
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, bytes.size() * 3);
}

TEST(Pickle, RandomBytesEndInAnAnswer) {
  const std::string alphabet = ").(NKXqhtuR}]c\x85\x86\x87\x88\x89\x81Qbsae";
  uint64_t state = 7;
  for (int round = 0; round < 20000; ++round) {
    std::string text = "\x80\x02";
    for (int i = 0; i < 40; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text += alphabet[(state >> 33) % alphabet.size()];
      if (text.back() == 'c') text += "m\nn\n";
      if (text.back() == 'X') text += std::string("\1\0\0\0x", 5);
    }
    const auto result = read_pickle(std::as_bytes(std::span(text)), "random");
    ASSERT_TRUE(result.ok() || exit_code(result.status().id()) == 6);
  }
}

}  // namespace
}  // namespace spinert
