#include "graph/quantisation.h"

#include <algorithm>
#include <cmath>

#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d_stem/conv2d_stem.h"
#include "kernels/linear/linear.h"
#include "kernels/quantise/quantise.h"

namespace spinert {
namespace {

constexpr size_t kResidual = 3;  // of conv2d

class Codes {
 public:
  Codes(const Graph& graph, const std::set<std::string>& keep)
      : graph_(graph), keep_(keep), codes_(graph.values.size(), false) {
    for (const Node& node : graph.nodes) {
      if (!writes(node)) continue;
      const Value& y = graph.value(node.out[0]);
      codes_[static_cast<size_t>(node.out[0])] = !graph.is_output(node.out[0]) && !keep.contains(y.name);
    }
    // What one value must lose, another may lose for it.
    for (bool changed = true; changed;) {
      changed = false;
      for (const Node& node : graph.nodes) changed = look_at(node) || changed;
    }
  }

  bool of(int number) const { return number != kAbsent && codes_[static_cast<size_t>(number)]; }
  // A convolution or linear layer that computes codes from a kept value: it reads that value's codes.
  bool reads_kept(const Node& node) const {
    if (node.op->id != OpId::conv2d && node.op->id != OpId::linear) return false;
    return of(node.out[0]) && !of(node.in[0]) && keep_.contains(graph_.value(node.in[0]).name);
  }

 private:
  static bool writes(const Node& node) {
    switch (node.op->id) {
      case OpId::conv2d_stem:
      case OpId::conv2d:
      case OpId::linear:
      case OpId::max_pool2d:
      case OpId::roi_align: return true;
      default: return false;
    }
  }

  bool drop(int number) {
    if (!of(number)) return false;
    codes_[static_cast<size_t>(number)] = false;
    return true;
  }

  // Takes the codes away from what this node cannot read or write; whether something changed.
  bool look_at(const Node& node) {
    bool changed = false;
    const auto drop_inputs = [&](size_t from) {
      for (size_t i = from; i < node.in.size(); ++i) changed = drop(node.in[i]) || changed;
    };
    switch (node.op->id) {
      case OpId::conv2d_stem:
      case OpId::anchors:
      case OpId::global_average_pool: break;
      case OpId::conv2d:
      case OpId::linear:
        if (of(node.in[0]) || reads_kept(node)) break;
        if (node.op->id == OpId::conv2d && node.in.size() > kResidual) changed = drop(node.in[kResidual]) || changed;
        changed = drop(node.out[0]) || changed;
        break;
      case OpId::max_pool2d:
        if (of(node.in[0]) == of(node.out[0])) break;
        changed = drop(node.in[0]) || drop(node.out[0]);
        break;
      case OpId::roi_align: {
        const bool all = std::all_of(node.in.begin() + 1, node.in.end(), [&](int map) { return of(map); });
        if (all && of(node.out[0])) break;
        changed = drop(node.out[0]);
        drop_inputs(1);
        break;
      }
      default: drop_inputs(0);
    }
    return changed;
  }

  const Graph& graph_;
  const std::set<std::string>& keep_;
  std::vector<bool> codes_;
};

template <class Params>
void set_output(Node& node, DType output) {
  auto params = std::make_shared<Params>(node.as<Params>());
  params->output = output;
  node.params = std::move(params);
}

// Puts a node that makes codes of a value in front of node n. Returns the codes.
Result<int> insert_quantise(Graph& graph, size_t n, int value) {
  SPINERT_ASSIGN(const int codes,
                 graph.add(OpId::quantise, graph.value(value).name + ".codes", QuantiseParams{}, {value}));
  std::rotate(graph.nodes.begin() + static_cast<std::ptrdiff_t>(n), graph.nodes.end() - 1, graph.nodes.end());
  return codes;
}

}  // namespace

Quantisation codes_of(const ValueRange& range) {
  constexpr float kSteps = 255.0f, kSmallest = 1e-30f;
  const float low = std::min(range.low, 0.0f), high = std::max(range.high, 0.0f);
  // In double: the difference of two large floats may not be one.
  const auto scale = static_cast<float>((double(high) - double(low)) / double(kSteps));
  if (!(scale > kSmallest)) return {};  // all zero
  return {scale, static_cast<int32_t>(std::clamp(std::nearbyint(-low / scale), 0.0f, kSteps))};
}

Status set_quantised_activations(Graph& graph, const ValueRanges& ranges, const std::set<std::string>& keep) {
  for (const std::string& name : keep) {
    if (graph.find(name) != kAbsent) continue;
    return error(ErrorId::E_CONFIG, "the calibration keeps an unknown value", "graph " + graph.name + ", " + name);
  }
  const Codes codes(graph, keep);
  const auto set_codes = [&](int number, const std::string& name) -> Status {
    const auto range = ranges.find(name);
    if (range == ranges.end()) {
      return error(ErrorId::E_CONFIG, "the calibration lacks a value", "graph " + graph.name + ", value " + name)
          .hint("Calibrate again: spinert convert --calibrate FOLDER.");
    }
    graph.values[static_cast<size_t>(number)].type.quantisation = codes_of(range->second);
    return {};
  };
  std::map<int, int> converted;  // kept value -> its codes
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const bool reads = codes.reads_kept(graph.nodes[n]);
    if (reads) {
      const int kept = graph.nodes[n].in[0];
      if (!converted.contains(kept)) {
        SPINERT_ASSIGN(converted[kept], insert_quantise(graph, n, kept));
        SPINERT_TRY(set_codes(converted[kept], graph.value(kept).name));
        ++n;
      }
      graph.nodes[n].in[0] = converted[kept];
    }
    Node& node = graph.nodes[n];
    const bool in = reads || (!node.in.empty() && codes.of(node.in[0])), out = codes.of(node.out[0]);
    if (out && node.op->id != OpId::max_pool2d) {
      SPINERT_TRY(set_codes(node.out[0], graph.value(node.out[0]).name));
    }
    const DType output = in == out ? DType::none : out ? DType::u8 : DType::f32;
    switch (node.op->id) {
      case OpId::conv2d: set_output<Conv2dParams>(node, output); break;
      case OpId::linear: set_output<LinearParams>(node, output); break;
      case OpId::conv2d_stem: set_output<Conv2dStemParams>(node, output); break;
      default: break;
    }
  }
  return graph.infer();
}

}  // namespace spinert
