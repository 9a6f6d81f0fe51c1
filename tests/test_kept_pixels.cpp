// Pixels between the two readings of a DICOM file: given out once, within their limit, let go with their study.
#include <gtest/gtest.h>

#include <thread>

#include "diagnosis/studies/kept_pixels.h"

namespace spinert {
namespace {

using Hu = std::vector<int16_t>;

DicomFacts file_with(const std::string& sha256) {
  DicomFacts facts;
  facts.sha256 = sha256;
  return facts;
}

TEST(KeptPixels, AreGivenOutOnce) {
  KeptPixels kept(100);
  kept.keep("a", {1, 2, 3});
  EXPECT_EQ(kept.take("b"), std::nullopt);
  EXPECT_EQ(kept.take("a"), (Hu{1, 2, 3}));
  EXPECT_EQ(kept.take("a"), std::nullopt);
}

TEST(KeptPixels, TakeNoMoreThanTheirLimit) {
  KeptPixels kept(20);
  EXPECT_TRUE(kept.has_room());
  kept.keep("a", Hu(6));
  kept.keep("a", Hu(6));  // the same file a second time counts once
  kept.keep("b", Hu(5));  // 22 bytes
  EXPECT_EQ(kept.take("b"), std::nullopt);
  kept.keep("c", Hu(4));  // 20 bytes
  EXPECT_FALSE(kept.has_room());
  const std::vector<DicomFacts> study{file_with("a"), file_with("x")};
  kept.forget(study);
  EXPECT_TRUE(kept.has_room());
  EXPECT_EQ(kept.take("a"), std::nullopt);
  EXPECT_EQ(kept.take("c"), Hu(4));
  KeptPixels none(0);
  EXPECT_FALSE(none.has_room());
}

TEST(KeptPixels, FromSeveralThreads) {
  constexpr int kFiles = 200;
  KeptPixels kept(kFiles * sizeof(int16_t));
  std::atomic<int> taken{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = t; i < kFiles; i += 4) kept.keep(std::to_string(i), {static_cast<int16_t>(i)});
        for (int i = 0; i < kFiles; ++i) {
          const auto hu = kept.take(std::to_string(i));
          if (hu && hu->front() == i) ++taken;
        }
      });
    }
  }
  for (int i = 0; i < kFiles; ++i) taken += kept.take(std::to_string(i)).has_value();
  EXPECT_EQ(taken, kFiles);
  EXPECT_TRUE(kept.has_room());
}

}  // namespace
}  // namespace spinert
