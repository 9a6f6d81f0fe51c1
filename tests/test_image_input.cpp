// test_image_input.cpp - reading a picture from a path, and turning stored values into grey.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "diagnosis/images/input_file.h"
#include "diagnosis/images/picture.h"
#include "tests/picture_files.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;
using test::Bytes;

class PictureInput : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "spinert-images-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const Bytes& bytes) {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path.string();
  }
  fs::path folder_;
};

ErrorId error_of(const std::string& path) {
  return read_picture(path).status().id();
}

TEST_F(PictureInput, ReadsAFileWhateverItsName) {
  const Bytes file = test::png_file(test::PngSpec{});
  const auto picture = read_picture(write("slice.dcm", file));
  ASSERT_TRUE(picture.ok()) << picture.status().to_string();
  EXPECT_EQ(picture.value().width, 64);
  EXPECT_EQ(picture.value().warnings.size(), 1u);
  EXPECT_EQ(picture.value().sha256.size(), 64u);
  EXPECT_EQ(picture.value().sha256, decode_picture(file, "").value().sha256);
}

// The hash is of the file: FIPS 180 gives this value for "abc", and a picture's must change with one byte of text.
TEST_F(PictureInput, HashIsOfTheFileBytes) {
  const auto with_text = [](uint8_t letter) {
    const test::PngSpec spec;
    return decode_picture(test::png_file(spec, {{"tEXt", {'a', 0, letter}}}, test::deflated(test::png_lines(spec))), "")
        .value();
  };
  EXPECT_EQ(with_text('x').value, with_text('y').value);
  EXPECT_NE(with_text('x').sha256, with_text('y').sha256);
}

TEST_F(PictureInput, WhatIsNotAReadableFileHasNoInput) {
  EXPECT_EQ(error_of((folder_ / "missing.png").string()), ErrorId::E_INPUT_EMPTY);
  EXPECT_EQ(error_of(folder_.string()), ErrorId::E_INPUT_EMPTY);
  EXPECT_EQ(exit_code(error_of(folder_.string())), 3);
  // A FIFO without a writer must not block.
  const std::string fifo = (folder_ / "fifo.png").string();
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(error_of(fifo), ErrorId::E_INPUT_EMPTY);
  const std::string secret = write("secret.png", {1});
  fs::permissions(secret, fs::perms::none);
  // Root may read everything, so for root there is nothing to refuse.
  if (geteuid() != 0) {
    EXPECT_EQ(error_of(secret), ErrorId::E_INPUT_EMPTY);
  }
}

TEST_F(PictureInput, EmptyFileIsNotAPicture) {
  EXPECT_EQ(error_of(write("a.png", {})), ErrorId::E_IMAGE_UNKNOWN);
}

TEST_F(PictureInput, ErrorsNameTheFile) {
  const std::string path = write("page.nii.gz", test::bytes_of("<html>"));
  const Status status = read_picture(path).status();
  EXPECT_EQ(status.id(), ErrorId::E_IMAGE_UNKNOWN);
  EXPECT_NE(status.message().find(path), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("HTML"), std::string::npos) << status.message();
}

TEST_F(PictureInput, LimitOnTheFileSize) {
  const std::string path = write("a.bin", Bytes(100));
  EXPECT_EQ(read_input_file(path, 99).status().id(), ErrorId::E_IMAGE_SIZE);
  ASSERT_TRUE(read_input_file(path, 100).ok());
  // A sparse file of one terabyte costs nothing to make and nothing to refuse.
  ASSERT_EQ(truncate(path.c_str(), int64_t{1} << 40), 0);
  EXPECT_EQ(error_of(path), ErrorId::E_IMAGE_SIZE);
}

// /proc/self/status claims size 0 and delivers text: to the reader, a file that grew after fstat.
TEST_F(PictureInput, AFileThatGrowsIsRefused) {
  struct stat state {};
  if (stat("/proc/self/status", &state) != 0 || state.st_size != 0) GTEST_SKIP() << "no procfs here";
  EXPECT_EQ(error_of("/proc/self/status"), ErrorId::E_INPUT_CHANGED);
}

// Address 0 is never mapped, so reading it through /proc/self/mem is an EIO that needs no broken disk.
TEST_F(PictureInput, AMediumThatFailsIsNotAnEmptyFile) {
  std::ifstream probe("/proc/self/mem", std::ios::binary);
  if (!probe.is_open()) GTEST_SKIP() << "no procfs here";
  EXPECT_EQ(error_of("/proc/self/mem"), ErrorId::E_INPUT_READ);
}

Picture picture_of(int bits, std::vector<uint16_t> value) {
  Picture picture;
  picture.width = static_cast<int>(value.size());
  picture.height = 1;
  picture.bits = bits;
  picture.value = std::move(value);
  return picture;
}

TEST(ToGrey, EightBitsAsTheyAre) {
  EXPECT_EQ(to_grey(picture_of(8, {0, 1, 128, 255}), {}), (std::vector<float>{0, 1, 128, 255}));
}

TEST(ToGrey, SixteenBitsScaledWithoutRounding) {
  const auto grey = to_grey(picture_of(16, {0, 1, 257, 32768, 65535}), {});
  EXPECT_EQ(grey, (std::vector<float>{0, 255.0f / 65535, 1, 32768 * 255.0f / 65535, 255}));
}

TEST(ToGrey, WindowRoundsHalfToEvenAndClips) {
  // Level 127.5 and width 255 make grey = HU, so that halves can be met exactly: offset 0.5 gives 0.5, 1.5, 2.5.
  const HuWindow window{0.5, 127.5, 255};
  EXPECT_EQ(to_grey(picture_of(16, {0, 1, 2, 3, 4, 255, 256, 400}), window),
            (std::vector<float>{0, 0, 2, 2, 4, 254, 255, 255}));
}

TEST(ToGrey, DefaultWindowOfTheMethod) {
  HuWindow window;
  window.offset = 1024;
  // HU -1024, -500 (low end), 400 (level), 1300 (high end), 2000.
  EXPECT_EQ(to_grey(picture_of(16, {0, 524, 1424, 2324, 3024}), window), (std::vector<float>{0, 0, 128, 255, 255}));
}

}  // namespace
}  // namespace spinert
