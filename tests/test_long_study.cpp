// A study of many slices in flat memory: drives the built binary on the reduced model and asks the system for the
// peak.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "diagnosis/images/png_write.h"
#include "tests/support/reduced_model.h"
#include "tests/support/scratch.h"

namespace spinert {
namespace {

class LongStudy : public Scratch {
 protected:
  // Most bytes that a run over the folder had in memory; -1 if it gave no result.
  int64_t peak_of_run(const std::string& model, const std::string& folder, const std::string& out) const {
    const pid_t child = ::fork();
    if (child == 0) {
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, STDOUT_FILENO);
      ::dup2(nowhere, STDERR_FILENO);
      ::execl(SPINERT_BINARY, SPINERT_BINARY, "diagnose", "--model", model.c_str(), "--device", "cpu", "--threads", "1",
              folder.c_str(), "-o", out.c_str(), nullptr);
      ::_exit(127);
    }
    int state = 0;
    rusage used{};
    if (::wait4(child, &state, 0, &used) != child || !WIFEXITED(state)) return -1;
    // Random weights find no plausible spine.
    constexpr int kIndeterminate = 13;
    return WEXITSTATUS(state) == kIndeterminate ? int64_t{used.ru_maxrss} * 1024 : -1;
  }
};

// Pixels and texts of a slice leave the memory when it is done. Both runs pass the number of slices that the page shows
// with their pictures. What may remain of a slice is the rows of the table and its reasons, 7 KB with the 20 vertebrae
// of the reduced model; its pixels alone are 12 KB.
TEST_F(LongStudy, MemoryDoesNotGrowByPixelsAndTexts) {
  constexpr int kFew = 120, kMany = 520;
  constexpr int64_t kBytesPerSlice = 10'000;
  const auto model = reduced::make(path("model"));
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  const Picture picture = reduced::picture(120, 100, 3);
  const auto png =
      encode_png_grey(picture.width, picture.height, std::vector<uint8_t>(picture.value.begin(), picture.value.end()));
  ASSERT_TRUE(png.ok());
  int64_t peak[2] = {};
  int made = 0;
  for (const int slices : {kFew, kMany}) {
    for (; made < slices; ++made) {
      make("slices/" + std::to_string(made) + ".png", std::string(png.value().begin(), png.value().end()));
    }
    const std::string out = path("out" + std::to_string(slices));
    peak[slices == kMany] = peak_of_run(model.value(), path("slices"), out);
    ASSERT_GT(peak[slices == kMany], 0);
    // report.json, report.html and the previews
    EXPECT_EQ(names(out).size(), static_cast<size_t>(slices) + 2);
  }
  EXPECT_LT(peak[1] - peak[0], (kMany - kFew) * kBytesPerSlice) << peak[0] << " bytes, then " << peak[1];
}

}  // namespace
}  // namespace spinert
