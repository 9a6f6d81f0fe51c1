// Which files a command line names: BI-01, BI-02, hidden files, link loops, natural order.
#include <sys/stat.h>

#include "diagnosis/images/png_write.h"
#include "diagnosis/input.h"
#include "tests/support/scratch.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;

std::string png() {
  const std::vector<uint8_t> grey(64 * 64, 7);
  const auto bytes = encode_png_grey(64, 64, grey).value();
  return {bytes.begin(), bytes.end()};
}

class Inputs : public Scratch {
 protected:
  static Result<InputList> expand(std::vector<std::string> arguments) { return expand_inputs(arguments); }
  // Paths relative to the scratch folder.
  std::vector<std::string> paths(const std::vector<std::string>& arguments) const {
    std::vector<std::string> found;
    const auto list = expand(arguments);
    EXPECT_TRUE(list.ok()) << list.status().to_string();
    if (!list.ok()) return found;
    for (const Input& input : list.value().inputs) found.push_back(input.path.substr(folder_.size() + 1));
    return found;
  }
};

using Paths = std::vector<std::string>;

TEST_F(Inputs, NaturalOrderAndSubfolders) {
  for (const char* name : {"d/s10.png", "d/s2.png", "d/s1.png", "d/sub2/a.jpg", "d/sub10/a.jpg", "d/s02.png"})
    make(name, png());
  EXPECT_EQ(paths({path("d")}),
            (Paths{"d/s1.png", "d/s02.png", "d/s2.png", "d/s10.png", "d/sub2/a.jpg", "d/sub10/a.jpg"}));
}

TEST_F(Inputs, ContentAndExtensionDecideInFolders) {
  make("d/lies.dcm", png());
  make("d/noextension", png());
  make("d/damaged.PNG", "not a picture");
  make("d/empty.png", "");
  make("d/scan.tif", std::string("II*\0....", 8));
  make("d/notes.txt", "text");
  make("d/truth.json", "{}");
  make("d/empty", "");
  make("d/.hidden.png", png());
  make("d/.git/a.png", png());
  EXPECT_EQ(paths({path("d")}), (Paths{"d/damaged.PNG", "d/empty.png", "d/lies.dcm", "d/noextension", "d/scan.tif"}));
  const auto list = expand({path("d")});
  EXPECT_EQ(list.value().files_seen, 10u);
  EXPECT_EQ(list.value().skipped.at("hidden"), 2u);
  EXPECT_EQ(list.value().skipped.at("plain text"), 2u);
  EXPECT_EQ(list.value().skipped.at("an empty file"), 1u);
}

TEST_F(Inputs, NamedFileIsAlwaysAnInput) {
  const std::string text = make("notes.txt", "text"), hidden = make(".a.png", png());
  EXPECT_EQ(paths({text, hidden, path("missing.png")}), (Paths{"notes.txt", ".a.png", "missing.png"}));
}

TEST_F(Inputs, NothingToReadSaysWhatWasSeen) {
  fs::create_directory(path("empty"));
  const auto empty = expand({path("empty")});
  ASSERT_FALSE(empty.ok());
  EXPECT_EQ(empty.status().id(), ErrorId::E_INPUT_EMPTY);
  EXPECT_NE(empty.status().message().find("0 files seen"), std::string::npos);

  make("texts/a.txt", "text");
  make("texts/b.txt", "text");
  make("texts/.c", "text");
  const auto texts = expand({path("texts")});
  ASSERT_FALSE(texts.ok());
  EXPECT_EQ(texts.status().id(), ErrorId::E_INPUT_EMPTY);
  EXPECT_NE(texts.status().message().find("3 files seen; skipped: 1 hidden, 2 plain text"), std::string::npos)
      << texts.status().message();
  EXPECT_EQ(expand({}).status().id(), ErrorId::E_INPUT_EMPTY);
}

TEST_F(Inputs, EmptyFolderBesideAPictureIsAFailedInput) {
  fs::create_directory(path("empty"));
  const auto list = expand({make("a.png", png()), path("empty")});
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list.value().inputs.size(), 2u);
  EXPECT_TRUE(list.value().inputs[0].problem.ok());
  EXPECT_EQ(list.value().inputs[1].problem.id(), ErrorId::E_INPUT_EMPTY);
}

TEST_F(Inputs, LinksAndPipesDoNoHarm) {
  make("d/a.png", png());
  fs::create_directory_symlink(path("d"), path("d/upwards"));
  fs::create_symlink(path("d/nowhere"), path("d/dangling.png"));
  fs::create_symlink(path("d/loop.png"), path("d/loop.png"));
  ASSERT_EQ(::mkfifo(path("d/pipe.png").c_str(), 0600), 0);
  make("elsewhere/b.png", png());
  fs::create_directory_symlink(path("elsewhere"), path("d/z"));
  EXPECT_EQ(paths({path("d")}), (Paths{"d/a.png", "d/z/b.png"}));
  EXPECT_EQ(paths({path("d"), path("d")}).size(), 3u) << "a folder that is named twice is an input that gave nothing";
}

TEST_F(Inputs, DeepNestingEnds) {
  std::string deep = "d";
  for (int i = 0; i < 100; ++i) deep += "/x";
  make(deep + "/a.png", png());
  make("d/b.png", png());
  EXPECT_EQ(paths({path("d")}), Paths{"d/b.png"});
}

TEST(NaturalOrder, ComparesNumbersAsNumbers) {
  EXPECT_TRUE(natural_less("s2", "s10"));
  EXPECT_FALSE(natural_less("s10", "s2"));
  EXPECT_TRUE(natural_less("a", "b"));
  EXPECT_TRUE(natural_less("a", "a1"));
  EXPECT_TRUE(natural_less("a1b2", "a1b10"));
  EXPECT_TRUE(natural_less("99999999999999999999998", "99999999999999999999999"));
  EXPECT_TRUE(natural_less("s01", "s1"));
  EXPECT_FALSE(natural_less("s1", "s01"));
  EXPECT_FALSE(natural_less("same", "same"));
  EXPECT_TRUE(natural_less("z", "\xC3\xA4"));
}

}  // namespace
}  // namespace spinert
