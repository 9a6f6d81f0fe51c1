// Each tolerance must be able to fail: a convolution with a dropped term, a shifted pixel, two channels exchanged or
// the bias forgotten must be rejected by the comparison that accepts the real kernels, exact and with real numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/conv2d/conv2d.h"
#include "tests/ops/op_case.h"

namespace spinert {

extern const Kernel conv2d_ref;

namespace {

constexpr const char* kExact = "conv2d h=9 w=9 c=16 o=32 k=3 padding=1 seed=31";
constexpr const char* kReal = "conv2d h=9 w=9 c=16 o=32 k=3 padding=1 data=real seed=32";
// The longest sum of both networks has 4608 terms: the bound grows with it and must still see one of them.
constexpr const char* kLong = "conv2d h=3 w=3 c=512 o=8 k=3 padding=1 data=real seed=33";

// A copy of an input that a planted error may change.
struct Edited {
  std::vector<float> data;
  Tensor view;
  explicit Edited(const Tensor& source) : data(source.f32(), source.f32() + source.elements()), view(source) {
    view.data = data.data();
  }
};

void run_with(const OpCall& call, const RunContext& context, size_t input, const Tensor& replaced) {
  std::vector<Tensor> in(call.in.begin(), call.in.end());
  in[input] = replaced;
  conv2d_ref.run({call.params, in, call.out}, context);
}

void faithful(const OpCall& call, const RunContext& context) {
  conv2d_ref.run(call, context);
}

// One weight of the tap in the middle is missing for one output channel. The term is the largest of its kind, so that a
// weight that happens to be 0 does not hide it.
void dropped_term(const OpCall& call, const RunContext& context) {
  Edited weight(call.in[1]);
  const int64_t channels = weight.view.shape[2], outputs = weight.view.shape[3];
  const int64_t middle = (weight.view.shape[0] / 2 * weight.view.shape[1] + weight.view.shape[1] / 2) * channels;
  int64_t largest = middle * outputs;
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t at = (middle + c) * outputs;
    if (std::abs(weight.data[static_cast<size_t>(at)]) > std::abs(weight.data[static_cast<size_t>(largest)])) {
      largest = at;
    }
  }
  weight.data[static_cast<size_t>(largest)] = 0;
  run_with(call, context, 1, weight.view);
}

// Everything is read one pixel further right.
void shifted_pixel(const OpCall& call, const RunContext& context) {
  Edited x(call.in[0]);
  const auto channels = static_cast<std::ptrdiff_t>(x.view.shape[3]);
  std::rotate(x.data.begin(), x.data.begin() + channels, x.data.end());
  run_with(call, context, 0, x.view);
}

// Output channels 2 and 3 are exchanged.
void swapped_channels(const OpCall& call, const RunContext& context) {
  conv2d_ref.run(call, context);
  const int64_t channels = call.out[0].shape[3];
  for (int64_t i = 0; i < call.out[0].elements(); i += channels) {
    std::swap(call.out[0].f32()[i + 2], call.out[0].f32()[i + 3]);
  }
}

void missing_bias(const OpCall& call, const RunContext& context) {
  run_with(call, context, 2, Tensor{});
}

// The last pixel is not written: the poison of the output must be seen.
void unwritten_pixel(const OpCall& call, const RunContext& context) {
  const Tensor& y = call.out[0];
  const std::vector<float> before(y.f32(), y.f32() + y.elements());
  conv2d_ref.run(call, context);
  y.f32()[y.elements() - 1] = before.back();
}

void writes_past_the_end(const OpCall& call, const RunContext& context) {
  conv2d_ref.run(call, context);
  call.out[0].f32()[call.out[0].elements()] = 1.0f;
}

void changes_an_input(const OpCall& call, const RunContext& context) {
  conv2d_ref.run(call, context);
  call.in[0].f32()[0] += 1.0f;
}

cases::CaseResult check(const char* line, void (*run)(const OpCall&, const RunContext&)) {
  const Kernel kernel{.run = run};
  const KernelInfo info{OpId::conv2d, Backend::cpu, Level::scalar, "conv2d_planted", &kernel};
  ThreadPool pool(1);
  return cases::check_case(line, info, pool);
}

TEST(Check, AcceptsTheReferenceItself) {
  for (const char* line : {kExact, kReal, kLong}) {
    EXPECT_TRUE(check(line, faithful).status.ok()) << check(line, faithful).status.to_string();
  }
}

TEST(Check, RejectsPlantedErrors) {
  const struct {
    const char* name;
    void (*run)(const OpCall&, const RunContext&);
  } planted[] = {{"dropped term", dropped_term},         {"shifted pixel", shifted_pixel},
                 {"swapped channels", swapped_channels}, {"missing bias", missing_bias},
                 {"unwritten pixel", unwritten_pixel},   {"writes past the end", writes_past_the_end},
                 {"changes an input", changes_an_input}};
  for (const auto& error : planted) {
    for (const char* line : {kExact, kReal, kLong}) {
      const cases::CaseResult result = check(line, error.run);
      EXPECT_EQ(result.status.id(), ErrorId::E_VERIFY) << error.name << ", " << line;
      EXPECT_NE(result.status.to_string().find(line), std::string::npos) << "the failure must name its case";
    }
  }
}

TEST(Check, ComparisonNamesTheFirstWrongElement) {
  float want[] = {1, 2, 10, 4}, got[] = {1, 2, 11, 5};
  const Tensor w{want, DType::f32, {2, 2}}, g{got, DType::f32, {2, 2}};
  const Comparison result = compare(g, w, {});
  EXPECT_EQ(result.wrong, 2);
  EXPECT_EQ(result.worst, 2);
  EXPECT_NE(result.describe(w.shape).find("[1,0]"), std::string::npos) << result.describe(w.shape);
  // A NaN is never near a number, and a tolerance that is NaN accepts nothing.
  got[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(compare(g, w, {.absolute = 1e30}).wrong, 1);
  got[0] = 1.5f;
  EXPECT_EQ(compare(g, w, {.absolute = std::numeric_limits<double>::quiet_NaN()}).wrong, 3);
}

}  // namespace
}  // namespace spinert
