// verify besides its planted errors (test_verify.cpp): the rules by which whole diagnoses are compared, the dump of
// stages, stopping, the built-in slice.
#include <limits>

#include "diagnosis/synthetic_slice.h"
#include "diagnosis/verify.h"
#include "tests/support/reduced_model.h"
#include "tests/support/scratch.h"

namespace spinert {

namespace {

class Verify : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    auto made = reduced::make(folder_);
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    options_.model = made.value();
    options_.levels = {"scalar"};
    options_.threads = 2;
    // Random weights make slivers a hundredth of a pixel wide, whose IoU a last-bit difference moves.
    options_.limits.iou = 0.9;
    inputs_.push_back({"block column", reduced::picture(120, 100, 3)});
  }
  VerifyReport run() {
    auto report = verify(options_, inputs_);
    EXPECT_TRUE(report.ok()) << report.status().to_string();
    return report.ok() ? std::move(report).value() : VerifyReport{};
  }

  VerifyOptions options_;
  std::vector<NamedPicture> inputs_;
};

TEST_F(Verify, DumpsEveryStage) {
  options_.dump_folder = path("stages");
  run();
  EXPECT_EQ(names(path("stages")), (std::set<std::string>{"reference", "scalar"}));
  const std::set<std::string> reference = names(path("stages/reference"));
  EXPECT_EQ(reference, names(path("stages/scalar")));
  ASSERT_GT(reference.size(), 20u);
  for (const std::string& name : reference) {
    const std::string bytes = read(path("stages/reference/" + name));
    EXPECT_EQ(bytes.substr(0, 6), "\x93NUMPY") << name;
  }
}

TEST_F(Verify, CanBeStopped) {
  const std::atomic<int> cancel{2};
  const auto report = verify(options_, inputs_, {.cancel = &cancel});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.status().id(), ErrorId::E_CANCELLED);
}

// The rules for whole diagnoses.
struct Comparing {
  SliceResult want, got;
  GlobalCheck check;
  Status breach;

  Comparing() {
    want.source = "s";
    for (int i = 0; i < 3; ++i) {
      Vertebra v;
      v.id = i + 1;
      const float top = 100.0f * static_cast<float>(i);
      v.box = {100, top, 200, top + 80};
      v.score = 0.9f;
      v.probabilities = {0.2f, 0.8f};
      want.vertebrae.push_back(v);
    }
    got = want;
  }
  bool passes() {
    check = {};
    breach = {};
    compare_slices(want, got, {0.5f, 0.5f}, 0.75f, {}, check, breach);
    return breach.ok();
  }
};

TEST(CompareSlices, EqualResultsPass) {
  Comparing c;
  EXPECT_TRUE(c.passes());
  EXPECT_EQ(c.check.vertebrae, 3);
  EXPECT_EQ(c.check.min_iou, 1);
}

TEST(CompareSlices, OrderDoesNotMatterNumbersDo) {
  Comparing c;
  std::swap(c.got.vertebrae[0], c.got.vertebrae[2]);
  EXPECT_TRUE(c.passes());
  c.got.vertebrae[1].score += 2e-4f;
  EXPECT_FALSE(c.passes());
}

TEST(CompareSlices, BoxScoreAndProbabilityHaveLimits) {
  Comparing c;
  c.got.vertebrae[0].box[0] += 0.05f;  // IoU 0.9995
  EXPECT_TRUE(c.passes()) << c.breach.to_string();
  c.got.vertebrae[0].box[0] += 1;
  EXPECT_FALSE(c.passes());
  c = Comparing();
  c.got.vertebrae[2].probabilities[1] += 5e-5f;
  EXPECT_TRUE(c.passes());
  c.got.vertebrae[2].probabilities[1] += 1e-3f;
  EXPECT_FALSE(c.passes());
  c = Comparing();
  c.got.vertebrae[2].probabilities[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(c.passes()) << "NaN is within no tolerance";
}

TEST(CompareSlices, MissingBoxIsExcusedOnlyAtTheThreshold) {
  Comparing c;
  c.got.vertebrae.pop_back();
  EXPECT_FALSE(c.passes());
  c.want.vertebrae[2].score = 0.75005f;
  EXPECT_TRUE(c.passes()) << c.breach.to_string();
  EXPECT_EQ(c.check.excused, 1);
  std::swap(c.want, c.got);
  EXPECT_TRUE(c.passes());
  c.got.vertebrae[2].score = 0.8f;
  EXPECT_FALSE(c.passes()) << "a box too many";
}

TEST(CompareSlices, FlipIsAllowedOnlyAtTheThreshold) {
  Comparing c;
  c.want.vertebrae[0].probabilities[0] = 0.50002f;
  c.got.vertebrae[0].probabilities[0] = 0.49998f;
  EXPECT_TRUE(c.passes());
  EXPECT_EQ(c.check.flips, 1);
}

TEST(CompareSlices, StatusMustAgree) {
  Comparing c;
  c.got.status = "indeterminate";
  EXPECT_FALSE(c.passes());
}

TEST(BoxIou, IsThatOfThePlane) {
  EXPECT_EQ(box_iou({0, 0, 2, 2}, {0, 0, 2, 2}), 1);
  EXPECT_DOUBLE_EQ(box_iou({0, 0, 2, 2}, {1, 0, 3, 2}), 1.0 / 3);
  EXPECT_EQ(box_iou({0, 0, 1, 1}, {2, 2, 3, 3}), 0);
  EXPECT_EQ(box_iou({1, 1, 0, 0}, {1, 1, 0, 0}), 0);
}

TEST(SyntheticSlice, IsAlwaysTheSame) {
  const Picture one = synthetic_slice(), two = synthetic_slice();
  EXPECT_EQ(one.value, two.value);
  EXPECT_EQ(one.width, kSyntheticWidth);
  EXPECT_EQ(one.height, kSyntheticHeight);
  EXPECT_EQ(one.sha256.size(), 64u);
}

}  // namespace
}  // namespace spinert
