#include "diagnosis/verify.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "diagnosis/npy.h"
#include "diagnosis/report/text.h"
#include "kernels/base/compare.h"

namespace spinert {
namespace {

constexpr const char* kGraphs[] = {"detector", "classifier"};
// One number for all engines: their values must have the same shapes.
constexpr int kBatch = 2;

// Bounds are sums of products times the unit roundoff of float; here that of the half type takes its place, since
// operands were rounded to it. On top, one rounding of the result: half a unit in the last place, or what becomes 0.
// dot_tolerance counts twice the spacing of float for every product. In bf16 it is the unit roundoff 2^-8, once for
// each operand: twice as much would hide too much.
Tolerance widened(const Tolerance& tolerance, DType half) {
  constexpr double kFloatSpacing = 0x1p-23;
  if (half == DType::f16) {
    return {tolerance.absolute * (0x1p-10 / kFloatSpacing) + 0x1p-25, tolerance.relative + 0x1p-11};
  }
  return {tolerance.absolute * (0x1p-8 / kFloatSpacing) + 0x1p-126, tolerance.relative + 0x1p-8};
}

class Verifier {
 public:
  Verifier(const VerifyOptions& options, const RunControl& control) : options_(options), control_(control) {}

  Status open() {
    for (const std::string& level : options_.levels) {
      SPINERT_ASSIGN(auto pipeline, open_pipeline(options_.device, level, options_.precision, {}));
      fast_.push_back(std::move(pipeline));
      report_.levels.push_back({level, {}, {}, {}});
      if (fast_.back()->engine().device().rewrites != fast_.front()->engine().device().rewrites) {
        return error(ErrorId::E_USAGE, "these levels rewrite the graphs differently", level)
            .hint("Verify one level at a time with --isa.");
      }
    }
    // The reference runs the same nodes.
    std::set<std::string> same;
    if (!fast_.empty()) same = fast_.front()->engine().device().rewrites;
    const bool int8 = options_.precision == "int8";
    SPINERT_ASSIGN(reference_, open_pipeline("reference", "", int8 ? "int8" : "", same));
    if (int8) {
      SPINERT_ASSIGN(exact_, open_pipeline("reference", "", "", same));
    }
    return {};
  }

  Status look_at(const NamedPicture& input, bool dump) {
    say(input.name + ": whole diagnosis on reference");
    // Also fills the inputs of both graphs, which the local pass starts from.
    SliceResult want = reference_->diagnose(input.picture, input.name, control_);
    SPINERT_TRY(ran(want));
    if (exact_ && options_.global) {
      want = exact_->diagnose(input.picture, input.name, control_);
      SPINERT_TRY(ran(want));
    }
    if (options_.global) {
      for (size_t i = 0; i < fast_.size(); ++i) {
        say(input.name + ": whole diagnosis on " + report_.levels[i].level);
        const SliceResult got = fast_[i]->diagnose(input.picture, input.name, control_);
        SPINERT_TRY(ran(got));
        const PipelineConfig& config = reference_->config();
        compare_slices(want, got, config.classifier.threshold_list(),
                       static_cast<float>(config.diagnosis.score_threshold), options_.limits, report_.levels[i].global,
                       report_.levels[i].breach);
      }
    }
    if (!options_.local) return {};
    for (const char* graph : kGraphs) {
      if (std::strcmp(graph, "classifier") == 0 && want.vertebrae.empty()) continue;
      SPINERT_TRY(local_pass(graph, input.name, dump));
    }
    return {};
  }

  VerifyReport take_report() {
    // A breach at a node explains one of the whole: it is named first.
    for (auto& [level, breach] : first_node_breach_) {
      for (LevelReport& report : report_.levels) {
        if (report.level == level) report.breach = breach;
      }
    }
    return std::move(report_);
  }

 private:
  Result<std::unique_ptr<Pipeline>> open_pipeline(const std::string& device, const std::string& isa,
                                                  const std::string& precision,
                                                  const std::optional<std::set<std::string>>& rewrites) {
    PipelineOptions options;
    options.model = options_.model;
    options.engine.device = device;
    options.engine.isa = isa;
    options.engine.precision = precision;
    options.engine.rewrites = rewrites;
    options.batch = kBatch;
    options.engine.threads = options_.threads;
    options.threshold = options_.threshold;
    options.canvas = options_.canvas;
    return Pipeline::open(options);
  }

  void say(const std::string& text) const {
    if (options_.progress) options_.progress(text);
  }

  static Status ran(const SliceResult& slice) {
    if (slice.status != "failed") return {};
    return error(slice.error, "the diagnosis failed", slice.source);
  }

  Status local_pass(const std::string& graph, const std::string& input, bool dump) {
    Plan& want = reference_->plan(graph);
    std::vector<Plan*> plans;
    for (const auto& pipeline : fast_) plans.push_back(&pipeline->plan(graph));
    for (size_t level = 0; level < plans.size(); ++level) {
      if (plans[level]->nodes().size() != want.nodes().size()) {
        return error(ErrorId::E_INTERNAL, "the backends run different graphs", graph);
      }
    }
    std::set<std::string> written;  // values that are data, not weights
    for (size_t n = 0; n < want.nodes().size(); ++n) {
      const NodeInfo& node = want.nodes()[n];
      if (n % 16 == 0) {
        say(input + ": " + graph + ", node " + std::to_string(n + 1) + " of " + std::to_string(want.nodes().size()));
      }
      SPINERT_TRY(control_.check());
      // Inputs go over before the reference's node runs: its output may take their memory.
      for (const std::string& name : node.inputs) {
        if (name.empty() || (!written.contains(name) && !want.tensor(name).present())) continue;
        for (Plan* plan : plans) copy(want.value(name), plan->value(name));
      }
      if (!node.constant) SPINERT_TRY(want.run_node(n));
      for (size_t level = 0; level < plans.size(); ++level) {
        if (!node.constant) SPINERT_TRY(plans[level]->run_node(n));
        SPINERT_TRY(check_node(graph, input, n, want, *plans[level], report_.levels[level]));
      }
      for (const std::string& name : node.outputs) {
        if (name.empty()) continue;
        written.insert(name);
        if (dump) SPINERT_TRY(dump_value(graph, n, node, name, want, plans));
      }
    }
    return {};
  }

  // The number of rows in use lies outside the tensor and need not be an input of any node.
  static void copy(const Tensor& from, const Tensor& to) {
    if (from.count && to.count) *const_cast<int32_t*>(to.count) = *from.count;
    if (from.data && to.data && from.data != to.data && from.bytes() == to.bytes()) {
      std::memcpy(to.data, from.data, static_cast<size_t>(from.bytes()));
    }
  }

  Status check_node(const std::string& graph, const std::string& input, size_t n, Plan& want, Plan& got,
                    LevelReport& report) {
    const NodeInfo& node = got.nodes()[n];
    Tolerance tolerance;
    // From the reference plan: it holds the plain weights that the bound depends on, a fast plan only packed ones.
    tolerance.absolute = want.tolerance(n, tolerance.relative);
    if (node.half != DType::none) tolerance = widened(tolerance, node.half);
    for (const std::string& name : node.outputs) {
      if (name.empty()) continue;
      const Tensor expected = want.value(name), actual = got.value(name);
      if (!expected.data || !actual.data) continue;  // an output that nothing reads has no memory
      const Comparison comparison = compare(actual, expected, tolerance);
      NodeCheck& check = entry(report, graph, node, name);
      check.compared += comparison.compared;
      check.wrong += comparison.wrong;
      if (!(comparison.max_difference <= check.max_difference)) {
        check.max_difference = comparison.max_difference;
        check.absolute = tolerance.absolute;
        check.relative = tolerance.relative;
      }
      if (comparison.ok()) continue;
      std::string where = report.level + ", " + input + ", graph " + graph + ", node " + node.name + " (" +
                          node.kernel + "), output " + name + ": ";
      where += comparison.describe(expected.shape);
      first_node_breach_.try_emplace(
          report.level, error(ErrorId::E_VERIFY, "node " + node.name + " differs from the reference", std::move(where))
                            .hint("Run the operator's cases: spinert bench --op " + node.op + "."));
    }
    return {};
  }

  static NodeCheck& entry(LevelReport& report, const std::string& graph, const NodeInfo& node,
                          const std::string& output) {
    for (NodeCheck& check : report.nodes) {
      if (check.graph == graph && check.node == node.name && check.output == output) return check;
    }
    report.nodes.push_back({graph, node.name, node.op, node.kernel, output, 0, 0, 0, 0, 0});
    return report.nodes.back();
  }

  Status dump_value(const std::string& graph, size_t n, const NodeInfo& node, const std::string& name, Plan& want,
                    const std::vector<Plan*>& plans) const {
    std::string number = std::to_string(n);
    number.insert(0, number.size() < 3 ? 3 - number.size() : 0, '0');
    const std::string file = graph + "-" + number + "-" + node.op + "-" + name;
    SPINERT_TRY(write_npy(options_.dump_folder + "/reference", file, want.value(name)));
    for (size_t level = 0; level < plans.size(); ++level) {
      SPINERT_TRY(write_npy(options_.dump_folder + "/" + report_.levels[level].level, file, plans[level]->value(name)));
    }
    return {};
  }

  const VerifyOptions& options_;
  const RunControl& control_;
  std::unique_ptr<Pipeline> reference_;
  std::unique_ptr<Pipeline> exact_;  // of int8: whole diagnoses are held against fp32, nodes against the same codes
  std::vector<std::unique_ptr<Pipeline>> fast_;
  VerifyReport report_;
  std::map<std::string, Status> first_node_breach_;
};

std::string box_text(const Box& box) {
  std::string text = "[";
  for (size_t i = 0; i < 4; ++i) text += (i == 0 ? "" : ", ") + exact_number(box[i]);
  return text + "]";
}

}  // namespace

VerifyLimits verify_limits(const std::string& precision) {
  if (precision == "mixed" || precision == "int8") return {.iou = 0.98, .score = 0.02, .probability = 0.01};
  return {};
}

bool VerifyReport::ok() const {
  return std::ranges::all_of(levels, [](const LevelReport& level) { return level.breach.ok(); });
}

double box_iou(const Box& a, const Box& b) {
  const auto side = [](float low, float high) { return std::max(0.0, double(high) - double(low)); };
  const double width = side(std::max(a[0], b[0]), std::min(a[2], b[2]));
  const double height = side(std::max(a[1], b[1]), std::min(a[3], b[3]));
  const double inter = width * height;
  const double both = side(a[0], a[2]) * side(a[1], a[3]) + side(b[0], b[2]) * side(b[1], b[3]) - inter;
  return both > 0 ? inter / both : 0;
}

void compare_slices(const SliceResult& want, const SliceResult& got, const std::vector<float>& thresholds,
                    float score_threshold, const VerifyLimits& limits, GlobalCheck& check, Status& breach) {
  const auto fail = [&](const std::string& what, const std::string& expected, const std::string& actual) {
    if (breach.ok()) breach = error(ErrorId::E_VERIFY, what, want.source).expected(expected, actual);
  };
  // A box on one side only is excused if its score could as well have fallen on the other side of the threshold.
  const auto alone = [&](const Vertebra& vertebra, const char* side) {
    if (std::abs(double(vertebra.score) - double(score_threshold)) <= limits.score) {
      ++check.excused;
    } else {
      fail(std::string("a vertebra that only ") + side + " has, score " + exact_number(vertebra.score),
           "a box at IoU " + exact_number(limits.iou), box_text(vertebra.box));
    }
  };
  std::vector<bool> used(got.vertebrae.size(), false);
  for (const Vertebra& expected : want.vertebrae) {
    double best = 0;
    size_t at = used.size();
    for (size_t i = 0; i < used.size(); ++i) {
      const double iou = used[i] ? 0 : box_iou(expected.box, got.vertebrae[i].box);
      if (iou > best) {
        best = iou;
        at = i;
      }
    }
    if (at == used.size() || best < limits.iou) {
      alone(expected, "the reference");
      continue;
    }
    used[at] = true;
    const Vertebra& actual = got.vertebrae[at];
    ++check.vertebrae;
    check.min_iou = std::min(check.min_iou, best);
    const double score = std::abs(double(expected.score) - double(actual.score));
    check.max_score = std::max(check.max_score, score);
    const std::string number = "vertebra " + std::to_string(expected.id);
    if (!(score <= limits.score)) {
      fail("score of " + number + " differs", exact_number(expected.score), exact_number(actual.score));
    }
    if (expected.probabilities.size() != actual.probabilities.size()) {
      fail("number of classes of " + number + " differs", std::to_string(expected.probabilities.size()),
           std::to_string(actual.probabilities.size()));
      continue;
    }
    for (size_t c = 0; c < expected.probabilities.size(); ++c) {
      const float p = expected.probabilities[c], q = actual.probabilities[c];
      const double difference = std::abs(double(p) - double(q));
      check.max_probability = std::max(check.max_probability, difference);
      if (!(difference <= limits.probability)) {
        fail("probability " + std::to_string(c) + " of " + number + " differs", exact_number(p), exact_number(q));
      }
      if (c < thresholds.size() && (p >= thresholds[c]) != (q >= thresholds[c])) {
        ++check.flips;
        if (std::abs(double(p) - double(thresholds[c])) > limits.probability) {
          fail("label " + std::to_string(c) + " of " + number + " flips", exact_number(p), exact_number(q));
        }
      }
    }
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) alone(got.vertebrae[i], "the fast backend");
  }
  if (check.excused == 0 && want.status != got.status) fail("status of the slice differs", want.status, got.status);
}

Result<VerifyReport> verify(const VerifyOptions& options, std::span<const NamedPicture> inputs,
                            const RunControl& control) {
  Verifier verifier(options, control);
  SPINERT_TRY(verifier.open());
  for (size_t i = 0; i < inputs.size(); ++i) {
    SPINERT_TRY(verifier.look_at(inputs[i], i == 0 && !options.dump_folder.empty()));
  }
  return verifier.take_report();
}

}  // namespace spinert
