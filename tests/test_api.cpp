// The C interface: what it says beside the program, and what it does when it is used wrongly. Reduced model.
#include <fenv.h>
#include <signal.h>
#include <sys/wait.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/spinert.h"
#include "diagnosis/images/png_write.h"
#include "kernels/base/status.h"
#include "tests/support/reduced_suite.h"
#include "tests/support/schema_check.h"

namespace spinert {
namespace {

using nlohmann::json;

// Takes the error of a call and gives it back as text.
struct Caught {
  spinert_error* error = nullptr;
  ~Caught() { spinert_error_free(error); }
  std::string id() const { return spinert_error_id(error); }
  std::string text() const { return id() + ": " + spinert_error_message(error); }
};

std::string stable(const std::string& report) {
  return report.substr(0, report.find("\n  \"volatile\""));
}

class Api : public ReducedSuite {
 protected:
  void SetUp() override {
    ReducedSuite::SetUp();
    auto options = SPINERT_INIT(spinert_open_options);
    options.model = model_.c_str();
    options.threads = 2;
    Caught caught;
    ASSERT_EQ(spinert_open(&options, &engine_, &caught.error), SPINERT_OK) << caught.text();
    picture_ = reduced::picture(120, 100, 3);
    grey_.assign(picture_.value.begin(), picture_.value.end());
    const auto png = encode_png_grey(picture_.width, picture_.height, grey_).value();
    png_.assign(png.begin(), png.end());
  }
  void TearDown() override {
    EXPECT_EQ(spinert_close(engine_), SPINERT_OK);
    ReducedSuite::TearDown();
  }

  spinert_picture pixels() const {
    auto slice = SPINERT_INIT(spinert_picture);
    slice.format = SPINERT_U8;
    slice.width = picture_.width;
    slice.height = picture_.height;
    slice.data = grey_.data();
    slice.size = grey_.size();
    slice.name = "slice.png";
    return slice;
  }
  spinert_picture encoded() const {
    auto slice = SPINERT_INIT(spinert_picture);
    slice.data = png_.data();
    slice.size = png_.size();
    slice.name = "slice.png";
    return slice;
  }
  // The report of one slice, with its code; "" if there is none.
  std::string report(const spinert_picture& slice, spinert_status* status = nullptr, Caught* caught = nullptr,
                     const spinert_run_options* options = nullptr) {
    spinert_result* result = nullptr;
    const spinert_status code =
        spinert_diagnose_slice(engine_, &slice, options, &result, caught ? &caught->error : nullptr);
    if (status) *status = code;
    std::string text = spinert_result_report(result, nullptr);
    spinert_result_free(result);
    return text;
  }
  // A call that must be refused before anything is looked at.
  void expect_refused(const spinert_picture& slice, const std::string& id, const std::string& part) {
    spinert_result* result = nullptr;
    Caught caught;
    EXPECT_NE(spinert_diagnose_slice(engine_, &slice, nullptr, &result, &caught.error), SPINERT_OK);
    EXPECT_EQ(caught.id(), id) << caught.text();
    EXPECT_NE(caught.text().find(part), std::string::npos) << caught.text();
    EXPECT_EQ(result, nullptr);
  }

  spinert_engine* engine_ = nullptr;
  Picture picture_;
  std::vector<uint8_t> grey_;
  std::string png_;
};

TEST_F(Api, SaysWhatTheProgramSays) {
  make("slice.png", png_);
  const int code = shell("diagnose " + path("slice.png") + " --model " + model_ + " -o " + path("out"));
  spinert_status status = -1;
  const std::string got = report(encoded(), &status);
  EXPECT_EQ(status, code);
  EXPECT_EQ(stable(got), stable(read(path("out/report.json"))));
  std::ifstream schema(std::string(SPINERT_SOURCE_DIR) + "/diagnosis/report/report.schema.json");
  for (const std::string& problem : schema::problems(json::parse(schema), json::parse(got))) ADD_FAILURE() << problem;

  // Through paths, with the same files.
  const std::string input = path("slice.png"), folder = path("paths");
  const char* const inputs[] = {input.c_str()};
  spinert_batch* batch = nullptr;
  EXPECT_EQ(spinert_diagnose_paths(engine_, inputs, 1, folder.c_str(), nullptr, &batch, nullptr), code);
  ASSERT_EQ(spinert_batch_count(batch), 1u);
  auto study = SPINERT_INIT(spinert_batch_study);
  EXPECT_EQ(spinert_batch_get(batch, 0, &study, nullptr), SPINERT_OK);
  EXPECT_EQ(study.folder, folder);
  EXPECT_EQ(study.exit_code, code);
  EXPECT_EQ(spinert_batch_get(batch, 1, &study, nullptr), SPINERT_USAGE);
  spinert_batch_free(batch);
  for (const char* name : {"report.html", "preview-slice.png"}) {
    EXPECT_EQ(read(path("out/") + name), read(path("paths/") + name)) << name;
  }
  EXPECT_EQ(stable(read(path("out/report.json"))), stable(read(path("paths/report.json"))));
  // Once more: the folder holds a result.
  Caught caught;
  EXPECT_EQ(spinert_diagnose_paths(engine_, inputs, 1, folder.c_str(), nullptr, nullptr, &caught.error),
            SPINERT_OUTPUT);
}

TEST_F(Api, StructsSayWhatTheReportSays) {
  const spinert_picture slice = encoded();
  spinert_result* result = nullptr;
  spinert_diagnose_slice(engine_, &slice, nullptr, &result, nullptr);
  ASSERT_NE(result, nullptr);
  const json document = json::parse(spinert_result_report(result, nullptr));
  auto study = SPINERT_INIT(spinert_study);
  ASSERT_EQ(spinert_result_study(result, &study, nullptr), SPINERT_OK);
  EXPECT_EQ(document["status"], study.status);
  EXPECT_EQ(document["alert"], study.alert);
  EXPECT_EQ(document["model"]["sha256"], study.model_sha256);
  ASSERT_EQ(study.slice_count, 1u);
  auto one = SPINERT_INIT(spinert_slice);
  ASSERT_EQ(spinert_result_slice(result, 0, &one, nullptr), SPINERT_OK);
  const json& want = document["slices"][0];
  EXPECT_EQ(want["sha256"], one.sha256);
  EXPECT_EQ(want["error"], one.error);
  ASSERT_EQ(want["vertebrae"].size(), one.vertebra_count);
  ASSERT_GT(one.vertebra_count, 0u);
  for (size_t i = 0; i < one.vertebra_count; ++i) {
    auto vertebra = SPINERT_INIT(spinert_vertebra);
    ASSERT_EQ(spinert_result_vertebra(result, 0, i, &vertebra, nullptr), SPINERT_OK);
    const json& v = want["vertebrae"][i];
    EXPECT_EQ(v["id"], vertebra.id);
    for (int k = 0; k < 4; ++k) EXPECT_EQ(v["box"][k].get<float>(), static_cast<float>(vertebra.box[k]));
    for (size_t c = 0; c < study.class_count; ++c) {
      EXPECT_EQ(v["probabilities"][study.class_names[c]].get<float>(), vertebra.probabilities[c]);
    }
    EXPECT_EQ(v["labels"].size(), vertebra.label_count);
    for (size_t k = 0; k < vertebra.label_count; ++k) EXPECT_EQ(v["labels"][k], vertebra.labels[k]);
  }
  ASSERT_EQ(want["candidates"].size(), one.candidate_count);
  for (size_t i = 0; i < one.reason_count; ++i) {
    auto reason = SPINERT_INIT(spinert_reason);
    ASSERT_EQ(spinert_result_reason(result, 0, i, &reason, nullptr), SPINERT_OK);
    EXPECT_EQ(want["reasons"][i]["text"], reason.text);
  }
  void* png = nullptr;
  size_t size = 0;
  ASSERT_EQ(spinert_result_preview(result, 0, &png, &size, nullptr), SPINERT_OK);
  EXPECT_EQ(std::memcmp(png, "\x89PNG", 4), 0);
  spinert_free(png);
  auto candidate = SPINERT_INIT(spinert_candidate);
  EXPECT_EQ(spinert_result_candidate(result, 0, one.candidate_count, &candidate, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_result_vertebra(result, 7, 0, nullptr, nullptr), SPINERT_USAGE);
  // A caller of an earlier version has a shorter struct: nothing behind it is touched.
  auto shorter = SPINERT_INIT(spinert_slice);
  shorter.struct_size = offsetof(spinert_slice, status);
  shorter.status = "mine";
  EXPECT_EQ(spinert_result_slice(result, 0, &shorter, nullptr), SPINERT_OK);
  EXPECT_STREQ(shorter.status, "mine");
  EXPECT_STREQ(shorter.source, "slice.png");
  spinert_result_free(result);
}

TEST_F(Api, PixelsOfEveryTypeGiveOneResult) {
  const auto findings = [](const std::string& text) {
    const json document = json::parse(text);
    return document["slices"][0]["vertebrae"].dump() + document["status"].dump();
  };
  const std::string want = findings(report(encoded()));
  EXPECT_EQ(findings(report(pixels())), want);
  // Rows with padding, hashed without it.
  const size_t stride = static_cast<size_t>(picture_.width) + 13;
  std::vector<uint8_t> padded(stride * static_cast<size_t>(picture_.height), 77);
  for (int y = 0; y < picture_.height; ++y) {
    std::copy_n(grey_.data() + y * picture_.width, picture_.width, padded.data() + static_cast<size_t>(y) * stride);
  }
  spinert_picture slice = pixels();
  slice.data = padded.data();
  slice.size = padded.size();
  slice.stride = stride;
  EXPECT_EQ(stable(report(slice)), stable(report(pixels())));
  // Hounsfield units, signed and moved up by 1024.
  std::vector<int16_t> hu;
  std::vector<uint16_t> moved;
  for (const uint8_t v : grey_) {
    hu.push_back(static_cast<int16_t>(v * 4 - 500));
    moved.push_back(static_cast<uint16_t>(v * 4 - 500 + 1024));
  }
  slice = pixels();
  slice.has_hu_offset = 1;
  slice.size = hu.size() * 2;
  slice.format = SPINERT_I16;
  slice.data = hu.data();
  const std::string with_sign = findings(report(slice));
  slice.format = SPINERT_U16;
  slice.data = moved.data();
  slice.hu_offset = 1024;
  EXPECT_EQ(findings(report(slice)), with_sign);
}

TEST_F(Api, NiftiFromMemoryIsTheFile) {
  const std::string bytes(64, '\0');
  spinert_result* result = nullptr;
  Caught caught;
  EXPECT_EQ(spinert_diagnose_nifti(engine_, bytes.data(), bytes.size(), "x.nii", nullptr, &result, &caught.error),
            SPINERT_INPUT_INVALID);
  EXPECT_EQ(caught.id(), "E_NIFTI") << caught.text();
  EXPECT_EQ(result, nullptr);
  EXPECT_EQ(spinert_diagnose_nifti(engine_, nullptr, 5, nullptr, nullptr, &result, nullptr), SPINERT_USAGE);
}

TEST_F(Api, MisuseIsRefused) {
  spinert_result* result = nullptr;
  const spinert_picture good = pixels();
  EXPECT_EQ(spinert_diagnose_slice(nullptr, &good, nullptr, &result, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_diagnose_slice(engine_, nullptr, nullptr, &result, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_diagnose_slice(engine_, &good, nullptr, nullptr, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_diagnose_slices(engine_, nullptr, 3, nullptr, &result, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_diagnose_slices(engine_, nullptr, 0, nullptr, &result, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_open(nullptr, nullptr, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_describe(nullptr, nullptr, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_close(nullptr), SPINERT_OK);
  EXPECT_EQ(spinert_batch_count(nullptr), 0u);
  EXPECT_EQ(spinert_result_study(nullptr, nullptr, nullptr), SPINERT_USAGE);
  EXPECT_STREQ(spinert_result_report(nullptr, nullptr), "");
  EXPECT_STREQ(spinert_error_id(nullptr), "OK");
  spinert_result_free(nullptr);
  spinert_batch_free(nullptr);
  spinert_error_free(nullptr);
  spinert_cancel_request(nullptr);
  spinert_cancel_free(nullptr);
  spinert_free(nullptr);

  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const auto with = [&](auto change) {
    spinert_picture slice = pixels();
    change(slice);
    return slice;
  };
  using P = spinert_picture;
  expect_refused(with([](P& p) { p.struct_size = 0; }), "E_USAGE", "struct_size");
  expect_refused(with([](P& p) { p.struct_size = ~size_t{0}; }), "E_USAGE", "struct_size");
  expect_refused(with([](P& p) { p.format = 9; }), "E_USAGE", "format");
  expect_refused(with([](P& p) { p.data = nullptr; }), "E_USAGE", "null");
  expect_refused(with([](P& p) { p.width = 0; }), "E_USAGE", "size");
  expect_refused(with([](P& p) { p.height = -5; }), "E_USAGE", "size");
  expect_refused(with([](P& p) { p.size -= 1; }), "E_USAGE", "bytes");
  expect_refused(with([](P& p) { p.stride = 1; }), "E_USAGE", "bytes");
  expect_refused(with([](P& p) { p.stride = ~size_t{0}; }), "E_USAGE", "bytes");
  expect_refused(with([&](P& p) { p.spacing_x = p.spacing_y = nan; }), "E_USAGE", "spacing");
  expect_refused(with([&](P& p) { p.spacing_x = p.spacing_y = inf; }), "E_USAGE", "spacing");
  expect_refused(with([](P& p) { p.spacing_x = 1; }), "E_USAGE", "spacing");
  expect_refused(with([](P& p) { p.spacing_x = 1, p.spacing_y = 2; }), "E_GEOM_MISSING", "square");
  expect_refused(with([](P& p) { p.format = SPINERT_I16; }), "E_USAGE", "has_hu_offset");
  expect_refused(with([&](P& p) { p.has_hu_offset = 1, p.hu_offset = nan; }), "E_USAGE", "hu_offset");

  // A size beyond the limits is an error of that slice, and nothing is read of it.
  for (const int side : {10, 8193, std::numeric_limits<int>::max()}) {
    Caught caught;
    spinert_status status = 0;
    const std::string text = report(with([&](P& p) { p.width = p.height = side; }), &status, &caught);
    EXPECT_EQ(status, SPINERT_INPUT_INVALID);
    EXPECT_EQ(caught.id(), "E_IMAGE_SIZE") << caught.text();
    EXPECT_EQ(json::parse(text)["status"], "failed");
  }
  const std::string junk = "no picture";
  auto slice = SPINERT_INIT(spinert_picture);
  slice.data = junk.data();
  slice.size = junk.size();
  Caught caught;
  spinert_status status = 0;
  report(slice, &status, &caught);
  EXPECT_EQ(caught.id(), "E_IMAGE_UNKNOWN") << caught.text();
  slice.data = nullptr;
  slice.size = 0;
  report(slice, &status);
  EXPECT_EQ(status, SPINERT_INPUT_INVALID);

  // A field of a later version, used and not used.
  struct Later {
    spinert_picture picture;
    int64_t more;
  } later{pixels(), 0};
  later.picture.struct_size = sizeof later;
  report(later.picture, &status);
  EXPECT_NE(status, SPINERT_USAGE);
  later.more = 1;
  expect_refused(later.picture, "E_USAGE", "version");
}

TEST_F(Api, OptionsOutOfRangeAreRefused) {
  const auto refused = [&](auto change) {
    auto options = SPINERT_INIT(spinert_open_options);
    options.model = model_.c_str();
    change(options);
    spinert_engine* engine = nullptr;
    Caught caught;
    const spinert_status status = spinert_open(&options, &engine, &caught.error);
    EXPECT_EQ(engine, nullptr);
    EXPECT_EQ(status, spinert_error_code(caught.error));
    return caught.id();
  };
  using O = spinert_open_options;
  EXPECT_EQ(refused([](O& o) { o.struct_size = 3; }), "E_USAGE");
  EXPECT_EQ(refused([](O& o) { o.threads = -1; }), "E_USAGE");
  EXPECT_EQ(refused([](O& o) { o.threads = 1 << 30; }), "E_USAGE");
  EXPECT_EQ(refused([](O& o) { o.lanes = 9; }), "E_USAGE");
  EXPECT_EQ(refused([](O& o) { o.threshold = std::nan(""); }), "E_USAGE");
  EXPECT_EQ(refused([](O& o) { o.device = "toaster"; }), "E_USAGE");
  EXPECT_EQ(refused([](O& o) { o.canvas = "oval"; }), "E_USAGE");
  EXPECT_EQ(refused([](O& o) { o.precision = "fp1"; }), "E_USAGE");
  EXPECT_EQ(refused([](O& o) { o.model_sha256 = "12"; }), "E_USAGE");
  const std::string other_hash(64, '0');
  EXPECT_EQ(refused([&](O& o) { o.model_sha256 = other_hash.c_str(); }), "E_MODEL_HASH");
  EXPECT_EQ(refused([](O& o) { o.memory_limit = 1; }), "E_OOM_HOST");
  auto run = SPINERT_INIT(spinert_run_options);
  run.timeout = std::nan("");
  spinert_status status = 0;
  report(pixels(), &status, nullptr, &run);
  EXPECT_EQ(status, SPINERT_USAGE);
  const std::string out = path("out");
  const char* const inputs[] = {out.c_str(), nullptr};
  EXPECT_EQ(spinert_diagnose_paths(engine_, inputs, 2, out.c_str(), nullptr, nullptr, nullptr), SPINERT_USAGE);
  auto timed = SPINERT_INIT(spinert_run_options);
  timed.dicom_time = "20260101120000";  // of files that nobody asked for
  EXPECT_EQ(spinert_diagnose_paths(engine_, inputs, 1, out.c_str(), &timed, nullptr, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_diagnose_paths(engine_, nullptr, 1, out.c_str(), nullptr, nullptr, nullptr), SPINERT_USAGE);
  EXPECT_EQ(spinert_diagnose_paths(engine_, inputs, 1, nullptr, nullptr, nullptr, nullptr), SPINERT_USAGE);
}

TEST_F(Api, CallbacksSeeTheRunAndStopIt) {
  struct Seen {
    spinert_engine* engine;
    int begun = 0, done = 0, stop_after = 100;
    spinert_status again = 0, close = 0;
  } seen{engine_};
  auto run = SPINERT_INIT(spinert_run_options);
  run.user = &seen;
  run.progress = [](const spinert_event* event, void* user) -> int32_t {
    Seen& s = *static_cast<Seen*>(user);
    if (event->kind == SPINERT_EVENT_BEGINS) ++s.begun;
    if (event->kind == SPINERT_EVENT_SLICE) ++s.done;
    // The engine is taken.
    const char* text = nullptr;
    s.again = spinert_describe(s.engine, &text, nullptr);
    s.close = spinert_close(s.engine);
    return s.done >= s.stop_after ? 1 : 0;
  };
  const spinert_picture one = pixels();
  const spinert_picture* const three[] = {&one, &one, &one};
  spinert_result* result = nullptr;
  spinert_diagnose_slices(engine_, three, 3, &run, &result, nullptr);
  spinert_result_free(result);
  EXPECT_EQ(seen.begun, 3);
  EXPECT_EQ(seen.done, 3);
  EXPECT_EQ(seen.again, SPINERT_USAGE);
  EXPECT_EQ(seen.close, SPINERT_USAGE);
  seen.done = 0;
  seen.stop_after = 1;
  Caught caught;
  EXPECT_EQ(spinert_diagnose_slices(engine_, three, 3, &run, &result, &caught.error), SPINERT_CANCELLED);
  EXPECT_EQ(caught.id(), "E_CANCELLED");
  EXPECT_EQ(json::parse(spinert_result_report(result, nullptr))["status"], "failed");
  spinert_result_free(result);

  // Requested before: it never begins, and it holds for every later run.
  spinert_cancel* cancel = spinert_cancel_new();
  std::thread([&] { spinert_cancel_request(cancel); }).join();
  auto stopped = SPINERT_INIT(spinert_run_options);
  stopped.cancel = cancel;
  for (int i = 0; i < 2; ++i) {
    spinert_status status = 0;
    report(one, &status, nullptr, &stopped);
    EXPECT_EQ(status, SPINERT_CANCELLED);
  }
  spinert_cancel_free(cancel);
  // The engine is as good as before.
  spinert_status status = 0;
  EXPECT_FALSE(report(one, &status).empty());
  EXPECT_NE(status, SPINERT_CANCELLED);
}

TEST_F(Api, TheThreadOfTheHostDoesNotMatter) {
  const std::string want = stable(report(pixels()));
  const int rounding = fegetround();
  fesetround(FE_UPWARD);
  const std::string got = stable(report(pixels()));
  EXPECT_EQ(fegetround(), FE_UPWARD);
  fesetround(rounding);
  EXPECT_EQ(got, want);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGPIPE), 0);
  std::string other;
  std::thread([&] { other = stable(report(pixels())); }).join();
  EXPECT_EQ(other, want);
  // A forked child may not use the engine of its parent.
  const pid_t child = ::fork();
  if (child == 0) {
    const char* text = nullptr;
    ::_exit(spinert_describe(engine_, &text, nullptr));
  }
  int state = 0;
  ::waitpid(child, &state, 0);
  EXPECT_EQ(WEXITSTATUS(state), SPINERT_USAGE);
}

TEST_F(Api, DescribesAndVerifies) {
  const char* text = nullptr;
  ASSERT_EQ(spinert_describe(engine_, &text, nullptr), SPINERT_OK);
  EXPECT_EQ(shell("inspect --json --threads 2 " + model_), 0);
  const json want = json::parse(read(path("stdout"))), got = json::parse(text);
  for (const char* key : {"kind", "sha256", "metadata", "tensors"}) EXPECT_EQ(want[key], got[key]) << key;
  EXPECT_EQ(json::parse(spinert_build())["version"], spinert_version());
  EXPECT_EQ(spinert_abi(), SPINERT_ABI);

  const std::string slice = make("slice.png", png_);
  const char* const inputs[] = {slice.c_str()};
  auto options = SPINERT_INIT(spinert_verify_options);
  options.model = model_.c_str();
  options.isa = "scalar";
  options.inputs = inputs;
  options.input_count = 1;
  char* figures = nullptr;
  Caught caught;
  EXPECT_EQ(spinert_verify(&options, &figures, &caught.error), SPINERT_OK) << caught.text();
  EXPECT_EQ(json::parse(figures)["passed"], true);
  spinert_free(figures);
  options.device = "toaster";
  EXPECT_EQ(spinert_verify(&options, nullptr, nullptr), SPINERT_USAGE);
}

}  // namespace
}  // namespace spinert
