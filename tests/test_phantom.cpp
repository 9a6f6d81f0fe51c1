// Synthetic slices: the same bytes for a seed, truth that fits the pixels, prevalences, 16-bit pictures, refusals.
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>

#include "diagnosis/evaluation/truth.h"
#include "diagnosis/phantom/artefacts.h"
#include "diagnosis/phantom/body_shape.h"
#include "diagnosis/phantom/ct_noise.h"
#include "diagnosis/phantom/phantom.h"
#include "diagnosis/phantom/truth.h"
#include "tests/support/scratch.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using phantom::Random;
using phantom::Stream;

Phantom make(const PhantomOptions& options) {
  auto made = Phantom::create(options);
  EXPECT_TRUE(made.ok()) << made.status().to_string();
  return std::move(made).value();
}

// Small slices of the usual field of view, so that hundreds are made in seconds.
PhantomOptions coarse(uint64_t seed) {
  PhantomOptions options;
  options.seed = seed;
  options.width = {128, 200};
  options.height = {200, 280};
  options.spacing = {1.4, 1.9};
  return options;
}

std::string hash(const PhantomSlice& slice) {
  return to_hex(sha256(slice.hu.data(), slice.hu.size() * sizeof(int16_t)));
}

bool labelled(const PhantomVertebra& v, std::string_view label) {
  return std::ranges::find(v.labels, label) != v.labels.end();
}

// Pixels of the middle of a box, `part` of it in each direction, whose HU lie in [low, high].
int count(const PhantomSlice& slice, const PhantomVertebra& v, double part, int low, int high) {
  const auto from = [&](double start, double size) {
    return std::max(0, static_cast<int>(start + size * (1 - part) / 2));
  };
  const auto to = [&](double start, double size, int limit) {
    return std::min(limit, static_cast<int>(start + size * (1 + part) / 2));
  };
  int found = 0;
  for (int y = from(v.y, v.height); y < to(v.y, v.height, slice.height); ++y) {
    for (int x = from(v.x, v.width); x < to(v.x, v.width, slice.width); ++x) {
      const int hu = slice.hu[static_cast<size_t>(y) * static_cast<size_t>(slice.width) + static_cast<size_t>(x)];
      found += hu >= low && hu <= high;
    }
  }
  return found;
}

// A change of these hashes is a change of every training set that a seed stands for: say so in CHANGELOG.md.
TEST(Phantom, SameBytesForTheSameSeed) {
  const Phantom phantom = make({.seed = 7});
  EXPECT_EQ(hash(phantom.slice(0)), "727b08ae4e66ccaff2b1edb29baa2146b232aab6d6f9992a6ca901597be2a516");
  EXPECT_EQ(hash(phantom.slice(1)), "488b93a610e2829359d14e270cf9cde6a689de51a7f9df7f8bfef6a7f42b1d1c");
  EXPECT_EQ(hash(phantom.slice(2)), "337e5ce24d2954002c4df5a98874b0d2bb13cc67d148a7bf53a23290d176c0f7");
  PhantomOptions small = coarse(7);
  small.prevalence = {{0.2, 0.2, 0.15, 0.2, 0.2}};
  EXPECT_EQ(hash(make(small).slice(40)), "85e8ecc617831a778807ab02deefa0550563d78ba708a06920470fd220f49b54");
  // In any order; another seed or number is another slice.
  EXPECT_NE(hash(phantom.slice(0)), hash(make({.seed = 8}).slice(0)));
  EXPECT_NE(hash(phantom.slice(0)), hash(phantom.slice(3)));
}

TEST(Phantom, DiseasesChangeNoPictureSettings) {
  PhantomOptions healthy = coarse(5), ill = coarse(5);
  healthy.prevalence = {{0, 0, 0, 0, 0}};
  ill.prevalence = {{1, 0, 0, 0, 0}};
  const PhantomSlice a = make(healthy).slice(2), b = make(ill).slice(2);
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  EXPECT_EQ(a.spacing, b.spacing);
  EXPECT_EQ(a.window.level, b.window.level);
  for (const PhantomVertebra& v : a.vertebrae) EXPECT_EQ(v.labels, std::vector<std::string>{"normal"});
  for (const PhantomVertebra& v : b.vertebrae) EXPECT_EQ(v.labels, std::vector<std::string>{"OVCF"});
}

TEST(Phantom, TruthKeepsItsRules) {
  std::map<std::string, int> order;
  for (int i = 0; i < phantom::kSacrum; ++i) order[phantom::level_name(i)] = i;
  PhantomOptions options = coarse(3);
  options.prevalence = {{0.25, 0.2, 0.1, 0.15, 0.15}};
  const Phantom phantom = make(options);
  size_t boxes = 0;
  for (uint64_t number = 0; number < 120; ++number) {
    const PhantomSlice slice = phantom.slice(number);
    ASSERT_EQ(slice.hu.size(), static_cast<size_t>(slice.width) * static_cast<size_t>(slice.height));
    EXPECT_GE(slice.vertebrae.size(), 4u) << number;
    boxes += slice.vertebrae.size();
    for (size_t i = 0; i < slice.vertebrae.size(); ++i) {
      const PhantomVertebra& v = slice.vertebrae[i];
      EXPECT_GE(v.x, 0);
      EXPECT_GE(v.y, 0);
      EXPECT_LE(v.x + v.width, slice.width);
      EXPECT_LE(v.y + v.height, slice.height);
      // Smallest: a collapsed body of the neck, cut by the border.
      EXPECT_GT(v.width * slice.spacing, 7);
      EXPECT_LT(v.width * slice.spacing, 55);
      EXPECT_GT(v.height * slice.spacing, 4);
      EXPECT_LT(v.height * slice.spacing, 55);
      ASSERT_TRUE(order.contains(v.level));
      if (i > 0) {
        EXPECT_EQ(order[v.level], order[slice.vertebrae[i - 1].level] + 1) << "one box each, none left out between";
        EXPECT_GT(v.y + v.height / 2, slice.vertebrae[i - 1].y + slice.vertebrae[i - 1].height / 2);
      }
      ASSERT_FALSE(v.labels.empty());
      EXPECT_EQ(labelled(v, "normal"), v.labels == std::vector<std::string>{"normal"});
      EXPECT_FALSE(labelled(v, "OVCF") && labelled(v, "OF"));
      EXPECT_FALSE(labelled(v, "KD") && labelled(v, "OF"));
    }
  }
  EXPECT_GT(boxes, 1000u);
}

// What a label says must be there to see.
TEST(Phantom, PixelsShowWhatTheTruthSays) {
  PhantomOptions options;
  options.seed = 12;
  options.width = {380, 420};
  options.height = {480, 520};
  options.prevalence = {{0.1, 0.25, 0.05, 0.2, 0.2}};
  const Phantom phantom = make(options);
  int clefts = 0, surgery = 0, healthy = 0, dense = 0, old = 0;
  double bone = 0, old_bone = 0;
  for (uint64_t number = 0; number < 20; ++number) {
    const PhantomSlice slice = phantom.slice(number);
    for (const PhantomVertebra& v : slice.vertebrae) {
      const bool cut = v.x <= 0 || v.y <= 0 || v.x + v.width >= slice.width || v.y + v.height >= slice.height;
      if (cut) continue;
      const int gas = count(slice, v, 0.7, kLowestHu, -120), metal = count(slice, v, 0.9, 1300, kHighestHu);
      if (labelled(v, "KD")) {
        ++clefts;
        EXPECT_GT(gas, 4) << number << ' ' << v.level;
      }
      if (labelled(v, "PS")) {
        ++surgery;
        EXPECT_GT(metal, 8) << number << ' ' << v.level;
      }
      if (labelled(v, "normal")) {
        ++healthy;
        EXPECT_EQ(count(slice, v, 0.4, kLowestHu, -200), 0) << number << ' ' << v.level;
        dense += metal > 8;
        bone += count(slice, v, 0.5, 400, 1300) > 20;
      }
      if (v.labels == std::vector<std::string>{"OF"}) {
        ++old;
        old_bone += count(slice, v, 0.5, 400, 1300) > 20;
      }
    }
  }
  EXPECT_GT(clefts, 20);
  EXPECT_GT(surgery, 20);
  EXPECT_GT(healthy, 30);
  ASSERT_GT(old, 10);
  EXPECT_LT(dense, healthy / 10) << "a healthy vertebra holds no cement";
  EXPECT_GT(old_bone / old, bone / healthy) << "a healed fracture is denser inside";
}

// The box is that of the outline, which lies where the pixels turn from bone to disc: compared with the body drawn
// large, without noise.
TEST(Phantom, ABoxHoldsItsOutline) {
  Random random(4, 0, Stream::spine);
  for (int i = 0; i < 30; ++i) {
    phantom::Vertebra v;
    v.level = 18;
    v.depth = random.between(20, 36);
    v.height = random.between(16, 28);
    v.frame = {{100, 100}, phantom::rotation(random.between(-60, 60))};
    v.disease = phantom::make_disease(static_cast<phantom::Findings>(1u << (i % phantom::kFindings)), false, random);
    const phantom::BodyShape shape(v, random);
    phantom::Extent seen{1e9, 1e9, -1e9, -1e9};
    constexpr double kStep = 0.15;
    for (double y = 65; y < 135; y += kStep) {
      for (double x = 65; x < 135; x += kStep) {
        if (shape.depth(v.frame.local({x, y})) < 0) continue;
        seen = {std::min(seen.x1, x), std::min(seen.y1, y), std::max(seen.x2, x), std::max(seen.y2, y)};
      }
    }
    const phantom::Extent box = shape.extent();
    constexpr double kClose = 0.75;  // mm: round corners are cut, rough ones stand out
    EXPECT_NEAR(box.x1, seen.x1, kClose);
    EXPECT_NEAR(box.y1, seen.y1, kClose);
    EXPECT_NEAR(box.x2, seen.x2, kClose);
    EXPECT_NEAR(box.y2, seen.y2, kClose);
  }
}

TEST(PhantomPrevalence, SetsSumToThePrevalences) {
  for (const phantom::Prevalence& wanted :
       {phantom::Prevalence{}, phantom::Prevalence{{0.02, 0.01, 0.2, 0.3, 0.2}},
        phantom::Prevalence{{0, 0, 0.1, 0.2, 0.3}}, phantom::Prevalence{{0.5, 0.5, 0, 0, 0}},
        phantom::Prevalence{{0, 0, 0, 0, 0}}}) {
    const auto sets = phantom::finding_sets(wanted);
    ASSERT_TRUE(sets.ok()) << sets.status().to_string();
    std::array<double, phantom::kFindings> share{};
    double sum = 0;
    for (const phantom::FindingSet& s : sets.value()) {
      EXPECT_GE(s.probability, 0);
      sum += s.probability;
      for (size_t i = 0; i < share.size(); ++i)
        share[i] += phantom::has(s.set, static_cast<phantom::Finding>(i)) ? s.probability : 0;
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    for (size_t i = 0; i < share.size(); ++i) EXPECT_NEAR(share[i], wanted.share[i], 1e-12);
  }
  for (const phantom::Prevalence& wrong :
       {phantom::Prevalence{{0.9, 0.2, 0, 0, 0}}, phantom::Prevalence{{-0.1, 0, 0, 0, 0}},
        phantom::Prevalence{{0, 1.1, 0, 0, 0}}, phantom::Prevalence{{0, 0, std::nan(""), 0, 0}}}) {
    EXPECT_EQ(phantom::finding_sets(wrong).status().id(), ErrorId::E_USAGE);
  }
}

TEST(PhantomPrevalence, ManySlicesShowIt) {
  PhantomOptions options = coarse(21);
  const Phantom phantom = make(options);
  std::map<std::string, double> found;
  double all = 0;
  for (uint64_t number = 0; number < 300; ++number) {
    for (const PhantomVertebra& v : phantom.slice(number).vertebrae) {
      ++all;
      for (const std::string& label : v.labels) ++found[label];
    }
  }
  for (size_t i = 0; i < phantom::kFindings; ++i) {
    const double share = options.prevalence.share[i];
    // Five standard deviations; neighbours that are operated on together double the variance at most.
    const double allowed = 5 * std::sqrt(2 * share * (1 - share) / all);
    EXPECT_NEAR(found[std::string(phantom::kLabelNames[i])] / all, share, allowed) << phantom::kLabelNames[i];
  }
}

TEST(Phantom, SixteenBitsReadBackToTheSameGrey) {
  const Phantom phantom = make(coarse(9));
  for (uint64_t number = 0; number < 8; ++number) {
    const PhantomSlice slice = phantom.slice(number);
    const auto deep = phantom_png16(slice), shallow = phantom_png8(slice);
    ASSERT_TRUE(deep.ok() && shallow.ok());
    const auto deep_picture = decode_picture(deep.value(), "a.png"), picture = decode_picture(shallow.value(), "b.png");
    ASSERT_TRUE(deep_picture.ok() && picture.ok());
    EXPECT_EQ(deep_picture.value().bits, 16);
    EXPECT_EQ(picture.value().bits, 8);
    ASSERT_EQ(deep_picture.value().value.size(), slice.hu.size());
    for (size_t i = 0; i < slice.hu.size(); ++i) {
      ASSERT_EQ(int{deep_picture.value().value[i]} - kPhantomOffset, int{slice.hu[i]});
    }
    EXPECT_EQ(to_grey(deep_picture.value(), slice.window), to_grey(picture.value(), {}));
  }
}

TEST(Phantom, BadOptionsAreUsageErrors) {
  std::vector<PhantomOptions> wrong(11);
  wrong[0].width = {100, 200};
  wrong[1].width = {300, 200};
  wrong[2].width = {200.5, 300};
  wrong[3].height = {200, 4000};
  wrong[4].height = {std::nan(""), 300};
  wrong[5].spacing = {0, 1};
  wrong[6].spacing = {0.5, std::nan("")};
  wrong[7].window = HuWindow{0, 400, 0};
  wrong[8].window = HuWindow{0, 1e9, 100};
  wrong[9].prevalence.share[0] = 2;
  wrong[10].prevalence.share = {0.6, 0.6, 0, 0, 0};
  for (const PhantomOptions& options : wrong) {
    EXPECT_EQ(Phantom::create(options).status().id(), ErrorId::E_USAGE);
  }
}

TEST(PhantomArithmetic, RotationIsThatOfTheLibrary) {
  for (double degrees = -180; degrees <= 180; degrees += 0.37) {
    const phantom::Rotation r = phantom::rotation(degrees);
    EXPECT_NEAR(r.c, std::cos(degrees * std::numbers::pi / 180), 1e-10) << degrees;
    EXPECT_NEAR(r.s, std::sin(degrees * std::numbers::pi / 180), 1e-10) << degrees;
  }
}

TEST(PhantomNoise, HasItsSizeAndItsGrain) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Random random(seed, 0, Stream::noise), again(seed, 0, Stream::noise);
    phantom::Canvas canvas(300, 300, 0.5);
    std::ranges::fill(canvas.hu, 0.0f);
    phantom::add_noise(canvas, random);
    const double dose = again.uniform(), expected = 5 + 40 * dose * dose;
    double sum = 0, squares = 0, beside = 0;
    for (int y = 0; y < canvas.height; ++y) {
      const float* row = canvas.row(y);
      for (int x = 0; x + 1 < canvas.width; ++x) {
        const auto value = static_cast<double>(row[x]);
        sum += value;
        squares += value * value;
        beside += value * static_cast<double>(row[x + 1]);
      }
    }
    const double n = 300 * 299;
    EXPECT_NEAR(sum / n, 0, 0.05 * expected);
    EXPECT_NEAR(std::sqrt(squares / n), expected, 0.05 * expected);
    EXPECT_GT(beside / squares, 0.2) << "neighbours depend on each other";
    EXPECT_LT(beside / squares, 0.95);
  }
}

TEST(PhantomArtefacts, MetalThrowsStreaksAlongItsRows) {
  Random random(1, 0, Stream::noise);
  phantom::Canvas canvas(200, 200, 0.5);
  std::ranges::fill(canvas.hu, 50.0f);
  for (int y = 90; y < 110; ++y) std::fill(canvas.row(y) + 90, canvas.row(y) + 110, 6000.0f);
  phantom::add_artefacts(canvas, -1000, random);
  double on = 0, off = 0;
  const auto change = [&](int y, int x) {
    return std::abs(static_cast<double>(canvas.row(y)[x]) - static_cast<double>(canvas.row(y + 1)[x]));
  };
  for (int y = 91; y < 108; ++y) on += change(y, 80);
  for (int y = 20; y < 37; ++y) off += change(y, 80);
  EXPECT_GT(on, 10 * off + 100);
}

class PhantomProgram : public Scratch {
 protected:
  struct Outcome {
    int code;
    std::string err;
  };
  Outcome run(const std::string& arguments) const {
    const std::string line = std::string("'") + SPINERT_BINARY + "' phantom " + arguments + " >'" + path("stdout") +
                             "' 2>'" + path("stderr") + "'";
    const int state = std::system(line.c_str());
    return {WIFEXITED(state) ? WEXITSTATUS(state) : -1, read(path("stderr"))};
  }
  std::string small(const std::string& folder, const std::string& more = {}) const {
    return "-o '" + path(folder) + "' --count 5 --width 128,160 --height 160,200 --spacing 1.8 " + more;
  }
  std::map<std::string, std::string> contents(const std::string& folder) const {
    std::map<std::string, std::string> all;
    for (const std::string& name : names(path(folder))) all[name] = read(path(folder + "/" + name));
    return all;
  }
};

TEST_F(PhantomProgram, WritesTheSameFilesWithAnyNumberOfThreads) {
  ASSERT_EQ(run(small("one", "--threads 1 --seed 4")).code, 0);
  ASSERT_EQ(run(small("three", "--threads 3 --seed 4")).code, 0);
  const auto one = contents("one");
  EXPECT_EQ(one, contents("three"));
  ASSERT_EQ(one.size(), 6u);
  // A set made in parts.
  ASSERT_EQ(
      run("-o '" + path("part") + "' --first 3 --count 2 --seed 4 --width 128,160 --height 160,200 --spacing 1.8").code,
      0);
  EXPECT_EQ(contents("part")["slice_004.png"], one.at("slice_004.png"));

  const json truth = json::parse(one.at("truth.json"));
  ASSERT_EQ(truth["images"].size(), 5u);
  EXPECT_EQ(truth["info"]["seed"], "4");
  EXPECT_EQ(truth["findings"], json({"OVCF", "OF", "SN", "KD", "PS", "normal"}));
  for (const json& image : truth["images"]) {
    const auto picture = read_picture(path("one/" + image["file_name"].get<std::string>()));
    ASSERT_TRUE(picture.ok()) << picture.status().to_string();
    EXPECT_EQ(picture.value().width, image["width"]);
    EXPECT_EQ(picture.value().height, image["height"]);
  }
  long long id = 0;
  // What `spinert evaluate` takes.
  const auto taken =
      evaluation::parse_truth_json(one.at("truth.json"), {"OVCF", "OF", "SN", "KD", "PS", "normal"}, "truth.json");
  ASSERT_TRUE(taken.ok()) << taken.status().to_string();
  EXPECT_EQ(taken.value().slices.size(), 5u);
  for (const json& annotation : truth["annotations"]) {
    EXPECT_EQ(annotation["id"], id++);
    const json& image = truth["images"][annotation["image_id"].get<size_t>()];
    EXPECT_LE(annotation["bbox"][0].get<double>() + annotation["bbox"][2].get<double>(),
              image["width"].get<double>() + 1e-9);
    EXPECT_LE(annotation["bbox"][1].get<double>() + annotation["bbox"][3].get<double>(),
              image["height"].get<double>() + 1e-9);
  }
}

TEST_F(PhantomProgram, NamesTheOffsetOfSixteenBits) {
  ASSERT_EQ(run(small("deep", "--format png16 --window 300,1500 --prevalence KD=0.3,OF=0")).code, 0);
  const json truth = json::parse(read(path("deep/truth.json")));
  EXPECT_EQ(truth["info"]["hu_offset"], kPhantomOffset);
  EXPECT_EQ(truth["images"][0]["window_level"], 300);
  EXPECT_EQ(truth["images"][0]["window_width"], 1500);
  EXPECT_EQ(read_picture(path("deep/slice_000.png")).value().bits, 16);
  for (const json& annotation : truth["annotations"]) EXPECT_FALSE(annotation["labels"].contains("OF"));
}

TEST_F(PhantomProgram, RefusesAndLeavesNothing) {
  for (const char* wrong : {"--count 0",
                            "--count x",
                            "--seed -1",
                            "--seed 18446744073709551616",
                            "--format tiff",
                            "--width 10,20",
                            "--width 300,200",
                            "--width a,b",
                            "--width 300,",
                            "--height 1e9",
                            "--spacing 0",
                            "--spacing nan",
                            "--prevalence OVCF",
                            "--prevalence ABC=1",
                            "--prevalence OVCF=",
                            "--prevalence OVCF=0.5,",
                            "--prevalence normal=1",
                            "--prevalence OVCF=2",
                            "--prevalence OVCF=0.8,OF=0.8",
                            "--window 400",
                            "--window 400,0",
                            "--window 400,x",
                            "--threads 0",
                            "--overwrite maybe",
                            "stray"}) {
    const Outcome outcome = run(small("out") + " " + wrong);
    EXPECT_EQ(outcome.code, 2) << wrong;
    EXPECT_TRUE(outcome.err.starts_with("spinert: error E_USAGE: ")) << wrong << ": " << outcome.err;
    EXPECT_FALSE(fs::exists(path("out"))) << wrong;
  }
  EXPECT_EQ(run("").code, 2) << "a folder is required";
  make("file", "x");
  for (const char* folder : {"file", "file/below"}) EXPECT_EQ(run(small(folder)).code, 10) << folder;
  EXPECT_EQ(run("-o /proc/out").code, 10);
}

TEST_F(PhantomProgram, KeepsWhatIsThere) {
  ASSERT_EQ(run(small("out", "--seed 1")).code, 0);
  const auto before = contents("out");
  EXPECT_EQ(run(small("out", "--seed 2")).code, 10);
  EXPECT_EQ(contents("out"), before);
  // Truth of other pictures is never left beside new ones.
  fs::create_directory(path("other"));
  make("other/truth.json", "{}");
  EXPECT_EQ(run(small("other")).code, 10);
  EXPECT_EQ(names(path("other")), std::set<std::string>{"truth.json"});
  ASSERT_EQ(run(small("out", "--seed 2 --overwrite replace")).code, 0);
  EXPECT_NE(contents("out"), before);
  EXPECT_EQ(names(path("out")).size(), 6u);
  ASSERT_EQ(run(small("out", "--seed 1 --overwrite suffix")).code, 0);
  EXPECT_EQ(contents("out-2"), before);
}

}  // namespace
}  // namespace spinert
