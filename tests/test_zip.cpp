// Zip archives of DICOM files: what is read, what is refused and by which rule, and that no name in an archive means
// anything outside it.
#include <gtest/gtest.h>

#include <algorithm>

#include "diagnosis/input.h"
#include "diagnosis/studies/dicom_archive.h"
#include "diagnosis/studies/dicom_protocol.h"
#include "tests/support/dicom_writer.h"
#include "tests/support/scratch.h"
#include "tests/support/zip_writer.h"

namespace spinert {
namespace {

using test::DicomForge;

std::string dicom() {
  return DicomForge().file();
}

// An archive as an archiver writes it: directories, stored and packed entries.
ZipWriter good() {
  ZipWriter zip;
  zip.add({.name = "DOE^JANE/", .descriptor = false});
  zip.add({.name = "DOE^JANE/IM2", .content = dicom(), .deflate = true, .descriptor = false});
  zip.add({.name = "DOE^JANE/IM10", .content = dicom(), .deflate = true});
  zip.add({.name = "DOE^JANE/IM1", .content = dicom()});
  return zip;
}

class Zip : public Scratch {
 protected:
  Result<std::shared_ptr<const DicomArchive>> open(const std::string& bytes) {
    return DicomArchive::open(make("study.zip", bytes));
  }
  Result<std::vector<uint8_t>> first(const std::string& bytes) {
    SPINERT_ASSIGN(const auto archive, open(bytes));
    return archive->read(0, kMaxDicomFileBytes);
  }
  Result<InputList> expand(const std::string& what) {
    const std::vector<std::string> arguments{path(what)};
    return expand_inputs(arguments, true);
  }
};

TEST_F(Zip, EntriesAreReadInNaturalOrder) {
  make("study.zip", good().bytes());
  const auto list = expand("study.zip");
  ASSERT_TRUE(list.ok()) << list.status().to_string();
  ASSERT_EQ(list.value().inputs.size(), 3u);
  const char* const names[] = {"entry 4 'IM1'", "entry 2 'IM2'", "entry 3 'IM10'"};
  for (size_t i = 0; i < 3; ++i) {
    const Input& input = list.value().inputs[i];
    EXPECT_EQ(input.path, path("study.zip") + ": " + names[i]);  // no folder: it may be a patient's name
    EXPECT_EQ(input.kind, InputKind::dicom);
    const auto bytes = InputFile(input.path, input.archive, input.entry).read(kMaxDicomFileBytes);
    ASSERT_TRUE(bytes.ok()) << bytes.status().to_string();
    EXPECT_EQ(std::string(bytes.value().begin(), bytes.value().end()), dicom());
    const auto head = input.archive->head(input.entry, 200);
    ASSERT_TRUE(head.ok()) << head.status().to_string();
    EXPECT_EQ(std::string(head.value().begin(), head.value().end()), dicom().substr(0, 200));
  }
}

TEST_F(Zip, FormsOfTheFormat) {
  struct Row {
    const char* what;
    ZipItem item;
    bool zip64_end;
    const char* comment;
  };
  const Row rows[] = {
      {"stored", {.name = "a", .content = dicom(), .descriptor = false}, false, ""},
      {"packed", {.name = "a", .content = dicom(), .deflate = true}, false, ""},
      {"empty and packed", {.name = "a", .content = "", .deflate = true}, false, ""},
      {"comment", {.name = "a", .content = dicom()}, false, "of the archive"},
      {"a comment that holds the signature", {.name = "a", .content = dicom()}, false, "PK\5\6 and more than 22 bytes"},
      {"zip64", {.name = "a", .content = dicom(), .zip64 = true}, true, ""},
      {"a name that is not UTF-8", {.name = "a\xe4", .content = dicom(), .flags = 0}, false, ""},
  };
  for (const Row& row : rows) {
    ZipWriter zip;
    zip.add(row.item);
    zip.zip64_end = row.zip64_end;
    zip.comment = row.comment;
    const auto bytes = first(zip.bytes());
    ASSERT_TRUE(bytes.ok()) << row.what << ": " << bytes.status().to_string();
    EXPECT_EQ(std::string(bytes.value().begin(), bytes.value().end()), row.item.content) << row.what;
  }
}

TEST_F(Zip, DamageAndLiesAreRefusedByRule) {
  struct Row {
    const char* what;
    ErrorId id;
    const char* says;
    ZipItem item;
  };
  const std::string name = "IM1";
  const Row rows[] = {
      {"wrong CRC",
       ErrorId::E_DICOM,
       "ZP-04",
       {.name = name, .content = dicom(), .crc_xor = 1, .descriptor_crc_xor = 1}},
      {"no CRC", ErrorId::E_DICOM, "ZP-04", {.name = name, .content = dicom(), .no_crc = true}},
      {"descriptor", ErrorId::E_DICOM, "ZP-02", {.name = name, .content = dicom(), .descriptor_crc_xor = 1}},
      {"local name", ErrorId::E_DICOM, "ZP-02", {.name = name, .content = dicom(), .local_name = "other"}},
      {"local method", ErrorId::E_DICOM, "ZP-02", {.name = name, .content = dicom(), .local_method = 8}},
      // The Orthanc hole: a declared size that the data do not have.
      {"declares more",
       ErrorId::E_DICOM,
       "ZP-02",
       {.name = name, .content = dicom(), .deflate = true, .zip64 = true, .size_add = 100}},
      {"declares 1 TiB",
       ErrorId::E_DICOM,
       "ZP-02",
       {.name = name, .content = dicom(), .deflate = true, .zip64 = true, .size_add = uint64_t{1} << 40}},
      {"encrypted", ErrorId::E_IMAGE_FORMAT, "encrypted", {.name = name, .content = dicom(), .flags = 1}},
      {"strongly encrypted", ErrorId::E_IMAGE_FORMAT, "encrypted", {.name = name, .content = dicom(), .flags = 0x41}},
      {"patch", ErrorId::E_IMAGE_FORMAT, "ZP-05", {.name = name, .content = dicom(), .flags = 0x20}},
      {"bzip2", ErrorId::E_IMAGE_FORMAT, "packing method 12", {.name = name, .content = dicom(), .method = 12}},
      // 4 MiB of zeros: 1029:1 packed.
      {"bomb", ErrorId::E_DICOM, "1000:1", {.name = name, .content = std::string(4 << 20, '\0'), .deflate = true}},
  };
  for (const Row& row : rows) {
    ZipWriter zip;
    zip.add(row.item);
    const Status status = first(zip.bytes()).status();
    EXPECT_EQ(status.id(), row.id) << row.what << ": " << status.to_string();
    EXPECT_NE(status.to_string().find(row.says), std::string::npos) << row.what << ": " << status.to_string();
    EXPECT_EQ(status.to_string().find("--allow"), std::string::npos) << "options of another command: " << row.what;
  }
  ZipWriter zip = good();
  zip.disk = 1;
  EXPECT_EQ(open(zip.bytes()).status().id(), ErrorId::E_IMAGE_FORMAT) << "split";
  zip = good();
  zip.add("DOE^JANE/IM1", "once more");
  const Status twice = open(zip.bytes()).status();
  EXPECT_NE(twice.to_string().find("ZP-03"), std::string::npos) << twice.to_string();
  EXPECT_EQ(twice.to_string().find("DOE"), std::string::npos) << "a folder's name: " << twice.to_string();
  zip = good();
  zip.trailing = "x";
  EXPECT_NE(open(zip.bytes()).status().to_string().find("ZP-01"), std::string::npos);
  zip = good();
  zip.overlap = true;
  EXPECT_EQ(open(zip.bytes()).status().id(), ErrorId::E_DICOM);
}

TEST_F(Zip, SizesHaveLimits) {
  make("study.zip", good().bytes());
  const uint64_t all = 3 * dicom().size();
  EXPECT_TRUE(DicomArchive::open(path("study.zip"), all).ok());
  const Status together = DicomArchive::open(path("study.zip"), all - 1).status();
  EXPECT_NE(together.to_string().find("ZP-06"), std::string::npos) << together.to_string();
  const auto archive = DicomArchive::open(path("study.zip"));
  ASSERT_TRUE(archive.ok());
  const Status alone = archive.value()->read(1, dicom().size() - 1).status();
  EXPECT_NE(alone.to_string().find("ZP-06"), std::string::npos) << alone.to_string();
  // The directory says how many there are before one is read.
  ZipWriter zip = good();
  zip.zip64_end = true;
  zip.zip64_entries_add = 200'000;
  EXPECT_NE(open(zip.bytes()).status().to_string().find("ZP-0"), std::string::npos);
}

TEST_F(Zip, CutAnywhere) {
  const std::string whole = good().bytes();
  for (size_t bytes = 0; bytes < whole.size(); bytes += bytes < 100 ? 1 : 37) {
    EXPECT_FALSE(open(whole.substr(0, bytes)).ok()) << bytes;
  }
  // A flipped bit is found, or changes nothing that is used: time, effort of packing, attributes.
  for (size_t at = 0; at < whole.size(); at += 13) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    const auto archive = open(bytes);
    if (!archive.ok()) continue;
    for (size_t i = 1; i < archive.value()->size(); ++i) {
      const auto read = archive.value()->read(i, kMaxDicomFileBytes);
      if (read.ok()) {
        EXPECT_EQ(std::string(read.value().begin(), read.value().end()), dicom()) << at;
      }
    }
  }
}

TEST_F(Zip, NamesAreNotPaths) {
  ZipWriter zip;
  const std::string outside = path("outside.dcm");
  for (const std::string& name : {std::string("../outside.dcm"), outside, std::string("C:\\outside.dcm"),
                                  std::string("a\0b.dcm", 7), std::string("new\nline.dcm")}) {
    zip.add(name, dicom());
  }
  make("study.zip", zip.bytes());
  const auto list = expand("study.zip");
  ASSERT_TRUE(list.ok()) << list.status().to_string();
  EXPECT_EQ(list.value().inputs.size() + list.value().skipped.size(), 5u) << list.value().describe();
  for (const Input& input : list.value().inputs) {
    const std::string rest = input.path.substr(path("study.zip").size());
    EXPECT_EQ(std::ranges::count_if(rest, [](char c) { return c == '/' || c == '\\' || static_cast<uint8_t>(c) < 32; }),
              0)
        << rest;
    EXPECT_TRUE(InputFile(input.path, input.archive, input.entry).read(kMaxDicomFileBytes).ok());
  }
  EXPECT_EQ(names(folder_), std::set<std::string>{"study.zip"});
}

TEST_F(Zip, WhatIsNotDicomIsSkippedAndCounted) {
  ZipWriter zip = good();
  zip.add("DOE^JANE/DICOMDIR", "an index");
  zip.add("__MACOSX/DOE^JANE/IM1", dicom());
  zip.add("DOE^JANE/._IM1", dicom());
  zip.add("readme.txt", "text");
  zip.add("picture.png", "\x89PNG\r\n\x1a\n");
  zip.add("inner.zip", good().bytes());
  make("study.zip", zip.bytes());
  const auto list = expand("study.zip");
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list.value().inputs.size(), 3u);
  EXPECT_EQ(list.value().skipped, (std::map<std::string, size_t>{{"DICOMDIR", 1},
                                                                 {"PNG in an archive", 1},
                                                                 {"a zip archive or a PyTorch checkpoint", 1},
                                                                 {"hidden", 2},
                                                                 {"plain text", 1}}));
  // A file that claims to be DICOM is never skipped, whatever it holds.
  ZipWriter claims;
  claims.add("empty.dcm", "");
  claims.add("text.dcm", "text");
  make("study.zip", claims.bytes());
  ASSERT_TRUE(expand("study.zip").ok());
  EXPECT_EQ(expand("study.zip").value().inputs.size(), 2u);
}

TEST_F(Zip, ArchivesWithoutDicom) {
  ZipWriter zip;
  make("empty.zip", zip.bytes());
  EXPECT_EQ(expand("empty.zip").status().id(), ErrorId::E_INPUT_EMPTY);
  zip.add("readme.txt", "text");
  make("text.zip", zip.bytes());
  EXPECT_EQ(expand("text.zip").status().id(), ErrorId::E_INPUT_EMPTY);
  EXPECT_NE(expand("text.zip").status().to_string().find("1 plain text"), std::string::npos);
  make("damaged.zip", good().bytes().substr(0, 500));
  EXPECT_EQ(expand("damaged.zip").status().id(), ErrorId::E_DICOM);
  make("nothing.zip", "");
  EXPECT_EQ(expand("nothing.zip").status().id(), ErrorId::E_DICOM);
}

// In a folder what is called .zip is looked into, and one that is damaged does not go unseen.
TEST_F(Zip, InFolders) {
  ZipWriter text;
  text.add("readme.txt", "text");
  make("all/a.zip", good().bytes());
  make("all/b.docx", text.bytes());
  make("all/c.zip", good().bytes().substr(0, 500));
  const auto list = expand("all");
  ASSERT_TRUE(list.ok()) << list.status().to_string();
  ASSERT_EQ(list.value().inputs.size(), 4u);
  EXPECT_EQ(list.value().inputs[3].path, path("all/c.zip"));
  EXPECT_EQ(list.value().inputs[3].problem.id(), ErrorId::E_DICOM);
  EXPECT_EQ(list.value().skipped.size(), 1u);
  // For those who read pictures alone an archive is what it was.
  const std::vector<std::string> arguments{path("all/a.zip")};
  const auto picture = expand_inputs(arguments);
  ASSERT_TRUE(picture.ok());
  EXPECT_EQ(picture.value().inputs[0].kind, InputKind::picture);
}

TEST_F(Zip, ChangedWhileItIsRead) {
  const auto archive = open(good().bytes());
  ASSERT_TRUE(archive.ok());
  ASSERT_TRUE(archive.value()->read(1, kMaxDicomFileBytes).ok());
  ZipWriter other = good();
  other.comment = "a second version";
  make("study.zip", other.bytes());
  EXPECT_EQ(archive.value()->read(1, kMaxDicomFileBytes).status().id(), ErrorId::E_INPUT_CHANGED);
  make("study.zip", good().bytes().substr(0, 700));
  EXPECT_EQ(archive.value()->read(1, kMaxDicomFileBytes).status().id(), ErrorId::E_INPUT_CHANGED);
  std::filesystem::remove(path("study.zip"));
  EXPECT_EQ(archive.value()->read(1, kMaxDicomFileBytes).status().id(), ErrorId::E_INPUT_EMPTY);
}

}  // namespace
}  // namespace spinert
