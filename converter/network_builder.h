// network_builder.h - what an architecture is written with: each call takes tensors of the checkpoint, folds batch
// norm, changes the layout, adds the constants and appends the node of the unfused graph.
//
// Problems are collected instead of returned, so that an architecture reads like the network it describes; finish()
// tells. Layouts: convolution OIHW -> [kh][kw][in / groups][out], linear [out][in] -> [in][out]. Folding is done in
// double and rounded once.
#pragma once

#include <string>
#include <vector>

#include "converter/source_tensors.h"
#include "graph/graph.h"

namespace spinert {

// A constant of the graph, ready to be stored as "<graph>.<name>".
struct ConvertedTensor {
  std::string name;
  std::vector<uint64_t> shape;
  std::vector<float> values;
  bool is_weight = false;  // of a convolution or linear layer; may be stored as F16 or I8
};

struct ConvSpec {
  int64_t in = 0, out = 0, kernel = 1, stride = 1, padding = 0, groups = 1;
  int64_t group_in() const { return in / groups; }  // input channels of one output channel
};

class NetworkBuilder {
 public:
  NetworkBuilder(std::string graph_name, SourceTensors source, double batch_norm_eps)
      : source_(std::move(source)), eps_(batch_norm_eps) {
    graph_.name = std::move(graph_name);
  }

  Graph& graph() { return graph_; }
  SourceTensors& source() { return source_; }
  const SourceTensors& source() const { return source_; }
  std::vector<ConvertedTensor> take_tensors() { return std::move(tensors_); }

  // Appends a node of any operator; the first output's number, the others follow. kAbsent after a problem.
  template <class Params>
  int add(OpId op, std::vector<std::string> outputs, Params params, std::vector<int> inputs) {
    if (!status_.ok()) return kAbsent;
    auto node = graph_.add_node(op, std::move(outputs), std::make_shared<Params>(std::move(params)), std::move(inputs));
    if (!node.ok()) status_ = node.status();
    return node.ok() ? node.value() : kAbsent;
  }

  // Convolution without bias and the batch norm behind it, as one convolution with bias.
  int conv_bn(const std::string& conv, const std::string& norm, const std::string& output, int x, const ConvSpec& spec);
  // Weight and bias of a convolution that has its own bias.
  struct Constants {
    int weight, bias;
  };
  Constants conv_constants(const std::string& conv, const std::string& name, const ConvSpec& spec);
  int conv(const std::string& output, int x, Constants constants, const ConvSpec& spec);
  int linear(const std::string& layer, const std::string& output, int x, int64_t in, int64_t out);
  // A linear layer whose input the framework orders (channel, row, column) and we (row, column, channel).
  int linear_of_map(const std::string& layer, const std::string& output, int x, int64_t channels, int64_t side,
                    int64_t out);
  int relu(const std::string& output, int x);
  int relu6(const std::string& output, int x);

  // Problems of the checkpoint come first, then those of the graph.
  Status finish(const std::string& architecture) const;

 private:
  int constant(std::string name, const Shape& shape, std::vector<float> values, bool is_weight);
  void check_finite(const std::string& name, const std::vector<float>& values);

  Graph graph_;
  SourceTensors source_;
  double eps_;
  std::vector<ConvertedTensor> tensors_;
  Status status_;
};

// OIHW -> [kh][kw][in][out], `in` channels per group. values may be empty (a tensor that was missing): so is the
// result.
std::vector<float> conv_layout(const std::vector<float>& values, int64_t out, int64_t in, int64_t kernel);
// [out][channels][places] -> [places][channels][out]; with one place, the transposition of a linear layer.
std::vector<float> linear_layout(const std::vector<float>& values, int64_t out, int64_t channels, int64_t places);

// y = (x - mean) * weight / sqrt(var + eps) + bias as factor and offset per channel, in double.
struct FoldedNorm {
  std::vector<double> factor, offset;
};
FoldedNorm fold_batch_norm(const std::vector<float>& weight, const std::vector<float>& bias,
                           const std::vector<float>& mean, const std::vector<float>& var, double eps);

}  // namespace spinert
