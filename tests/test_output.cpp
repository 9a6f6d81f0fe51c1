// The output folder: BI-33, FS-01 (a limit on file sizes plays the full disk), FS-13 (two runs, one folder).
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "diagnosis/report/study_output.h"
#include "tests/support/scratch.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

class Output : public Scratch {
 protected:
  static Result<StudyOutput> open(const std::string& folder, Overwrite overwrite = Overwrite::never,
                                  std::vector<std::string> inputs = {}) {
    return StudyOutput::open(folder, overwrite, inputs);
  }
  static ErrorId refusal(const std::string& folder, Overwrite overwrite = Overwrite::never,
                         std::vector<std::string> inputs = {}) {
    return open(folder, overwrite, std::move(inputs)).status().id();
  }
  static Status write_result(StudyOutput& output, const std::string& text) {
    SPINERT_TRY(output.add("preview-a.png", "picture " + text, "a.png"));
    SPINERT_TRY(output.add("report.html", "page " + text));
    SPINERT_TRY(output.add("report.json", "report " + text));
    return output.publish();
  }
  const Names all_ = {"preview-a.png", "report.html", "report.json"};
};

TEST_F(Output, CreatesParentsAndLeavesOnlyResults) {
  {
    auto output = open(path("a/b/c/"));
    ASSERT_TRUE(output.ok()) << output.status().to_string();
    ASSERT_TRUE(output.value().add("report.json", "{}").ok());
    EXPECT_FALSE(fs::exists(path("a/b/c/report.json"))) << "visible before it is published";
    EXPECT_EQ(output.value().files().size(), 1u);
    EXPECT_EQ(output.value().files()[0].sha256, to_hex(sha256("{}", 2)));
    ASSERT_TRUE(output.value().publish().ok());
  }
  EXPECT_EQ(names(path("a/b/c")), Names{"report.json"});
  EXPECT_EQ(read(path("a/b/c/report.json")), "{}");
}

TEST_F(Output, NameThatIsNotUtf8IsOrdinary) {
  auto output = open(path("bad\xff\xfe name"));
  ASSERT_TRUE(output.ok());
  EXPECT_TRUE(write_result(output.value(), "1").ok());
}

TEST_F(Output, WithoutPublishNothingIsLeft) {
  {
    auto output = open(path("out"));
    ASSERT_TRUE(output.ok());
    ASSERT_TRUE(output.value().add("report.html", "page").ok());
  }
  EXPECT_FALSE(fs::exists(path("out"))) << "the folder was made for this run";
  fs::create_directory(path("mine"));
  make("mine/notes.txt", "x");
  {
    auto output = open(path("mine"));
    ASSERT_TRUE(output.ok());
    ASSERT_TRUE(output.value().add("report.html", "page").ok());
  }
  EXPECT_EQ(names(path("mine")), Names{"notes.txt"});
}

TEST_F(Output, ExistingResultIsKeptByDefault) {
  {
    auto output = open(path("out"));
    ASSERT_TRUE(output.ok());
    ASSERT_TRUE(write_result(output.value(), "old").ok());
  }
  EXPECT_EQ(refusal(path("out")), ErrorId::E_OUTPUT);
  EXPECT_EQ(read(path("out/report.json")), "report old");
  EXPECT_EQ(names(path("out")), all_);
}

TEST_F(Output, ReplaceChangesFilesOnlyWhenPublished) {
  for (const char* text : {"old", "new"}) {
    auto output = open(path("out"), Overwrite::replace);
    ASSERT_TRUE(output.ok());
    if (std::string(text) == "new") {
      EXPECT_EQ(read(path("out/report.json")), "report old");
    }
    ASSERT_TRUE(write_result(output.value(), text).ok());
  }
  EXPECT_EQ(read(path("out/report.json")), "report new");
  EXPECT_EQ(read(path("out/preview-a.png")), "picture new");
  EXPECT_EQ(names(path("out")), all_);
}

TEST_F(Output, ReplaceRemovesPreviewsOfTheOldResultAlone) {
  const auto publish = [&](const std::vector<std::string>& previews, std::vector<std::string> inputs) {
    auto output = open(path("out"), Overwrite::replace, std::move(inputs));
    ASSERT_TRUE(output.ok());
    for (const std::string& name : previews) ASSERT_TRUE(output.value().add(name, name, "s.png").ok());
    ReportFacts facts;
    facts.files = output.value().files();
    // A report of a hostile folder: names that no run gives to a preview.
    for (const char* name : {"../kept", "notes.txt", "preview-/../../kept.png", "preview-.png", "preview-a b.png"}) {
      facts.files.push_back({name, to_hex(sha256("kept", 4)), {}});
    }
    ASSERT_TRUE(output.value().add("report.json", report_json(StudyResult{}, facts)).ok());
    ASSERT_TRUE(output.value().publish().ok());
  };
  for (const char* name : {"kept", "out/notes.txt", "out/preview-a b.png"}) make(name, "kept");
  publish({"preview-1.png", "preview-2.png", "preview-3.png", "preview-4.png", "slice-2.png", "dicom-sr.dcm"}, {});
  make("out/preview-mine.png", "of nobody's report");
  make("out/preview-3.png", "changed by somebody");
  publish({"preview-1.png"}, {path("out/preview-4.png")});
  EXPECT_EQ(names(path("out")), (Names{"report.json", "preview-1.png", "preview-3.png", "preview-4.png",
                                       "preview-mine.png", "notes.txt", "preview-a b.png"}));
  EXPECT_TRUE(fs::exists(path("kept")));
  // What cannot be understood names nothing.
  make("out/report.json", "{\"volatile\": {\"files\": [{\"name\": \"preview-1.png\"");
  publish({"preview-5.png"}, {});
  EXPECT_TRUE(fs::exists(path("out/preview-1.png")));
}

TEST_F(Output, PartsThatWaitComeBackWhole) {
  std::string whole;
  {
    auto output = open(path("out"));
    ASSERT_TRUE(output.ok());
    auto spill = output.value().spill();
    ASSERT_TRUE(spill.ok());
    for (int i = 0; i < 3; ++i) {
      const std::string part(300'000, static_cast<char>('a' + i));
      whole += part;
      ASSERT_TRUE(spill.value().append(part).ok());
    }
    const PutParts parts = [&](const Put& put) { return spill.value().copy(put); };
    ASSERT_TRUE(output.value().add_parts("report.json", parts).ok());
    EXPECT_EQ(output.value().files()[0].sha256, to_hex(sha256(whole.data(), whole.size())));
    ASSERT_TRUE(output.value().publish().ok());
  }
  EXPECT_EQ(read(path("out/report.json")), whole);
  EXPECT_EQ(names(path("out")), Names{"report.json"});
}

TEST_F(Output, SuffixTakesTheFirstFreeFolder) {
  for (const char* expected : {"out", "out-2", "out-3"}) {
    auto output = open(path("out"), Overwrite::suffix);
    ASSERT_TRUE(output.ok());
    EXPECT_EQ(output.value().folder(), path(expected));
    ASSERT_TRUE(write_result(output.value(), expected).ok());
  }
  EXPECT_EQ(names(folder_), (Names{"out", "out-2", "out-3"}));
  EXPECT_EQ(names(path("out")), all_) << "the lock of the search is gone";
}

TEST_F(Output, ForeignFileIsNeverReplacedByDefault) {
  make("out/preview-a.png", "somebody else's");
  auto output = open(path("out"));
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output.value().add("preview-a.png", "x").id(), ErrorId::E_OUTPUT);
  EXPECT_EQ(read(path("out/preview-a.png")), "somebody else's");
}

TEST_F(Output, InputIsNeverReplaced) {
  const std::string input = make("out/preview-a.png", "an input");
  auto output = open(path("out"), Overwrite::replace, {input});
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output.value().add("preview-a.png", "x").id(), ErrorId::E_OUTPUT);
  EXPECT_EQ(read(input), "an input");
}

TEST_F(Output, FolderInsideAnInputIsRefused) {
  fs::create_directories(path("in/deep"));
  EXPECT_EQ(refusal(path("in/out"), Overwrite::never, {path("in")}), ErrorId::E_OUTPUT);
  EXPECT_EQ(refusal(path("in"), Overwrite::never, {path("in/")}), ErrorId::E_OUTPUT);
  EXPECT_EQ(refusal(path("in/deep/../x/y"), Overwrite::never, {path("in")}), ErrorId::E_OUTPUT);
  fs::create_directory_symlink(path("in"), path("link"));
  EXPECT_EQ(refusal(path("link/out"), Overwrite::never, {path("in")}), ErrorId::E_OUTPUT);
  EXPECT_EQ(names(path("in")), Names{"deep"});
  // A neighbour whose name begins alike, and the folder of a named file, are fine.
  EXPECT_TRUE(open(path("in-out"), Overwrite::never, {path("in")}).ok());
  EXPECT_TRUE(open(path("in/out"), Overwrite::never, {make("in/a.png", "x")}).ok());
}

TEST_F(Output, FileLoopAndReadOnlyAreRefused) {
  make("file", "x");
  EXPECT_EQ(refusal(path("file")), ErrorId::E_OUTPUT);
  EXPECT_EQ(refusal(path("file/below")), ErrorId::E_OUTPUT);
  fs::create_symlink(path("loop"), path("loop"));
  EXPECT_EQ(refusal(path("loop")), ErrorId::E_OUTPUT);
  EXPECT_EQ(refusal(path("loop/below")), ErrorId::E_OUTPUT);
  EXPECT_EQ(refusal("/proc/spinert-out"), ErrorId::E_OUTPUT) << "nobody, not even root, can write there";
  EXPECT_EQ(refusal(""), ErrorId::E_USAGE);
  EXPECT_EQ(read(path("file")), "x");
}

TEST_F(Output, ReadOnlyFolderIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  fs::create_directory(path("locked"));
  fs::permissions(path("locked"), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(refusal(path("locked")), ErrorId::E_OUTPUT);
  EXPECT_EQ(refusal(path("locked/below")), ErrorId::E_OUTPUT);
}

TEST_F(Output, PathBeyondTheSystemsLimitIsAUsageError) {
  std::string deep = folder_;
  while (deep.size() < 4200) deep += "/" + std::string(100, 'd');
  EXPECT_EQ(refusal(deep), ErrorId::E_USAGE);
  EXPECT_EQ(refusal(path(std::string(300, 'n'))), ErrorId::E_USAGE);
  std::string long_enough = folder_;
  while (long_enough.size() < 3800) long_enough += "/" + std::string(100, 'd');
  auto output = open(long_enough);
  ASSERT_TRUE(output.ok()) << output.status().to_string();
  EXPECT_TRUE(write_result(output.value(), "1").ok());
}

// FS-13.
TEST_F(Output, TwoRunsNeverShareAFolder) {
  auto first = open(path("out"));
  ASSERT_TRUE(first.ok());
  for (const Overwrite overwrite : {Overwrite::never, Overwrite::replace, Overwrite::suffix}) {
    EXPECT_EQ(refusal(path("out"), overwrite), ErrorId::E_OUTPUT);
  }
  EXPECT_TRUE(write_result(first.value(), "1").ok()) << "the refused runs disturbed nothing";
}

TEST_F(Output, TwoProcessesNeverShareAFolder) {
  auto mine = open(path("out"));
  ASSERT_TRUE(mine.ok());
  const pid_t child = ::fork();
  if (child == 0) ::_exit(refusal(path("out")) == ErrorId::E_OUTPUT ? 10 : 0);
  int state = 0;
  ASSERT_EQ(::waitpid(child, &state, 0), child);
  EXPECT_EQ(WEXITSTATUS(state), 10);
}

// FS-02 in small: what a killed process leaves does not look finished and does not stop the next run.
TEST_F(Output, KilledRunLeavesNothingThatLooksFinished) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto output = open(path("out"));
    if (output.ok() && output.value().add("report.html", "half").ok()) ::raise(SIGKILL);
    ::_exit(1);
  }
  int state = 0;
  ASSERT_EQ(::waitpid(child, &state, 0), child);
  ASSERT_TRUE(WIFSIGNALED(state));
  for (const std::string& name : names(path("out"))) EXPECT_EQ(name.front(), '.') << name;
  auto next = open(path("out"));
  ASSERT_TRUE(next.ok()) << next.status().to_string();
  EXPECT_TRUE(write_result(next.value(), "2").ok());
  { const StudyOutput closed = std::move(next).value(); }
  EXPECT_EQ(names(path("out")), all_);
}

// FS-01: every write that crosses the limit fails as on a full disk.
TEST_F(Output, FullDiskLeavesWhatWasThere) {
  {
    auto output = open(path("out"));
    ASSERT_TRUE(output.ok());
    ASSERT_TRUE(write_result(output.value(), "old").ok());
  }
  for (int failing = 0; failing < 3; ++failing) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{1000, 1000};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      Status status;
      {
        auto output = open(path("out"), Overwrite::replace);
        if (!output.ok()) ::_exit(1);
        const char* file_names[] = {"preview-a.png", "report.html", "report.json"};
        for (int i = 0; i < 3 && status.ok(); ++i) {
          status = output.value().add(file_names[i], std::string(i == failing ? 5000 : 10, 'n'));
        }
        if (status.ok()) status = output.value().publish();
      }
      ::_exit(status.id() == ErrorId::E_OUTPUT ? 10 : 2);
    }
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    EXPECT_EQ(WEXITSTATUS(state), 10);
    EXPECT_EQ(names(path("out")), all_);
    for (const char* file : {"preview-a.png", "report.html", "report.json"}) {
      EXPECT_TRUE(read(path("out/") + file).ends_with(" old")) << file;
    }
  }
}

TEST(FreeName, NumbersWhatIsTaken) {
  std::set<std::string> taken;
  EXPECT_EQ(free_name(taken, slice_file_name, "a b"), "slice-a_b.png");
  EXPECT_EQ(free_name(taken, slice_file_name, "a?b"), "slice-a_b-2.png");
  EXPECT_EQ(free_name(taken, slice_file_name, "a_b"), "slice-a_b-3.png");
  EXPECT_EQ(taken.size(), 3u);
}

TEST(PreviewName, IsAlwaysAPlainFileName) {
  EXPECT_EQ(preview_name("slice_001.png"), "preview-slice_001.png");
  EXPECT_EQ(preview_name("a.jpg"), "preview-a.jpg.png");
  EXPECT_EQ(preview_name("../../etc/passwd"), "preview-.._.._etc_passwd.png");
  EXPECT_EQ(preview_name("\xC3\xA4 b"), "preview-___b.png");
  EXPECT_LT(preview_name(std::string(500, 'x')).size(), 200u);
}

}  // namespace
}  // namespace spinert
