// Shape inference refuses what does not fit, with E_MODEL_ARCH and a sentence that begins with the operator: wrong
// ranks, types and extents, parameters out of range, tensors above kMaxElements. Nothing is allocated or run here.
#include <gtest/gtest.h>

#include <vector>

#include "tests/ops/op_case.h"

namespace spinert {
namespace {

constexpr DType F = DType::f32, I = DType::i32;
constexpr int64_t kHuge = int64_t{1} << 40, kBig = int64_t{1} << 31;

struct In {
  DType dtype;
  Shape shape;
};

struct Row {
  const char* line;  // operator and parameters
  size_t outputs;
  std::vector<In> in;
};

Status infer(const Row& row) {
  const auto line = cases::CaseLine::parse(row.line);
  const OpInfo* op = find_op(line.value().op());
  if (!op) return error(ErrorId::E_INTERNAL, "no such operator");
  const auto params = op->make_params();
  line.value().read_params(*op, params.get());
  std::vector<TensorType> in, out(row.outputs);
  for (const In& i : row.in) in.push_back({i.dtype, i.shape});
  return op->infer(params.get(), in, out);
}

// Inputs of a head of 5 channels and 2 anchors on maps of 3 channels.
std::vector<In> rpn_head(const Shape& map, const std::vector<In>& more, int64_t deltas = 8) {
  std::vector<In> in = {{F, map}, {F, {3, 3, 3, 5}},      {F, {5}},     {F, {1, 1, 5, 2}},
                        {F, {2}}, {F, {1, 1, 5, deltas}}, {F, {deltas}}};
  in.insert(in.end(), more.begin(), more.end());
  return in;
}

TEST(Infer, AcceptsWhatFits) {
  const Row rows[] = {
      {"normalise mean=0.5 std=0.5", 1, {{F, {1, 4, 4, 1}}}},
      {"relu max=6", 1, {{F, {3}}}},
      {"max_pool2d", 1, {{F, {1, 1, 1, 4}}}},
      {"topk", 4, {{F, {1, 0, 0, 3}}, {F, {1, 4, 4, 3}}}},
      {"topk by_class=1", 4, {{F, {9, 1}}}},
      {"box_decode", 4, {{F, {12, 4}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {1, 2, 2, 12}}}},
      {"nms", 4, {{F, {2, 9, 4}}, {F, {2, 9}}, {I, {2}}}},
      {"roi_align", 1, {{F, {0, 4}}, {F, {1, 8, 8, 5}}}},
      {"crop_resize", 1, {{F, {1, 8, 9, 1}}, {F, {0, 4}}}},
      {"place", 1, {{F, {1, 3, 5, 1}}}},
      {"anchors", 1, {{F, {1, 64, 64, 1}}, {F, {1, 2, 2, 7}}}},
      {"anchors", 1, {{F, {1, 64, 64, 1}}, {DType::f16, {1, 2, 2, 7}}}},
      {"fpn_merge", 1, {{F, {2, 6, 4, 3}}, {F, {107, 7}}, {F, {3, 3, 7}}, {F, {2, 3, 2, 5}}}},
      {"rpn_head", 2, rpn_head({1, 6, 4, 3}, {})},
      {"rpn_head", 6, rpn_head({1, 6, 4, 3}, {{F, {1, 1, 9, 3}}, {F, {1, 2, 2, 3}}})},
      {"count_above", 1, {{F, {0}}}},
  };
  for (const Row& row : rows) EXPECT_TRUE(infer(row).ok()) << row.line << ": " << infer(row).to_string();
}

TEST(Infer, RefusesWhatDoesNot) {
  const Row rows[] = {
      {"fpn_merge", 1, {{F, {2, 6, 5, 3}}, {F, {107, 7}}, {F, {3, 3, 7}}, {F, {2, 3, 2, 5}}}},  // odd
      {"fpn_merge", 1, {{F, {2, 6, 4, 3}}, {F, {106, 7}}, {F, {3, 3, 7}}, {F, {2, 3, 2, 5}}}},
      {"fpn_merge", 1, {{F, {2, 6, 4, 3}}, {F, {107, 7}}, {F, {3, 3, 6}}, {F, {2, 3, 2, 5}}}},
      {"fpn_merge", 1, {{F, {2, 6, 4, 3}}, {F, {107, 7}}, {F, {3, 3, 7}}, {F, {1, 3, 2, 5}}}},
      {"fpn_merge", 1, {{F, {2, 6, 4, 3}}, {F, {107, 7}}, {F, {3, 3, 7}}, {DType::f16, {2, 3, 2, 5}}}},
      {"fpn_merge", 1, {{F, {2, 0, 4, 3}}, {F, {107, 7}}, {F, {3, 3, 7}}, {F, {2, 0, 2, 5}}}},
      {"fpn_merge", 1, {{F, {2, 6, 4, 0}}, {F, {80, 7}}, {F, {3, 3, 7}}, {F, {2, 3, 2, 5}}}},
      {"fpn_merge", 1, {{F, {0, 6, 4, kBig}}, {F, {107, 7}}, {F, {3, 3, 7}}, {F, {0, 3, 2, 5}}}},
      {"fpn_merge output=i8", 1, {{F, {2, 6, 4, 3}}, {F, {107, 7}}, {F, {3, 3, 7}}, {F, {2, 3, 2, 5}}}},
      {"fpn_merge", 1, {{F, {2, 6, 4, 3}}, {F, {107, 7}}, {F, {3, 3, 7}}}},
      {"rpn_head", 1, rpn_head({1, 6, 4, 3}, {})},
      {"rpn_head", 2, rpn_head({2, 6, 4, 3}, {})},
      {"rpn_head", 2, rpn_head({1, 6, 4, 4}, {})},
      {"rpn_head", 2, rpn_head({1, 6, 4, 3}, {}, 9)},
      {"rpn_head", 4, rpn_head({1, 6, 4, 3}, {{F, {1, 6, 4, 2}}})},
      {"rpn_head", 4, rpn_head({1, 6, 4, 3}, {{DType::f16, {1, 6, 4, 3}}})},
      {"rpn_head", 18, rpn_head({1, 6, 4, 3}, std::vector<In>(8, {F, {1, 6, 4, 3}}))},  // nine maps
      {"rpn_head", 2, {{F, {1, 6, 4, 3}}, {F, {3, 3, 3, 5}}}},
      {"rpn_head", 0, {}},
      {"normalise", 1, {{F, {1, 4, 4, 1}}}},  // no channels
      {"normalise mean=0.5 std=0", 1, {{F, {1, 4, 4, 1}}}},
      {"normalise mean=0.5,0.5 std=1", 1, {{F, {1, 4, 4, 1}}}},
      {"normalise mean=nan std=1", 1, {{F, {1, 4, 4, 1}}}},
      {"normalise mean=0.5 std=0.5", 1, {{F, {1, 4, 4, 3}}}},
      {"normalise mean=0.5,0.5 std=1,1", 1, {{F, {1, 40000, 40000, 1}}}},  // the output passes 2^31
      {"relu max=5", 1, {{F, {3}}}},
      {"relu", 1, {{I, {3}}}},
      {"relu", 1, {}},
      {"relu", 2, {{F, {3}}}},
      {"relu", 1, {{F, {kHuge}}}},
      {"relu", 1, {{F, {-1, 4}}}},
      {"sigmoid", 1, {{F, {kHuge, kHuge}}}},  // the product overflows 64 bits
      {"add", 1, {{F, {3}}, {F, {4}}}},
      {"add", 1, {{F, {3}}}},
      {"softmax", 1, {{F, {4, 0}}}},
      {"softmax", 1, {{F, {4}}}},
      {"max_pool2d kernel=0", 1, {{F, {1, 8, 8, 4}}}},
      {"max_pool2d stride=0", 1, {{F, {1, 8, 8, 4}}}},
      {"max_pool2d padding=2", 1, {{F, {1, 8, 8, 4}}}},
      {"max_pool2d padding=0", 1, {{F, {1, 2, 8, 4}}}},
      {"max_pool2d", 1, {{F, {1, 0, 8, 4}}}},
      {"global_average_pool", 1, {{F, {1, 0, 7, 4}}}},
      {"upsample_nearest2d", 1, {{F, {1, 2, 2, 4}}, {F, {1, 5, 4, 4}}}},
      {"upsample_nearest2d", 1, {{F, {1, 2, 2, 4}}, {F, {1, 4, 4, 5}}}},
      {"anchors sizes=1,2,3", 1, {{F, {1, 64, 64, 1}}, {F, {1, 8, 8, 1}}, {F, {1, 4, 4, 1}}}},
      {"anchors sizes=1", 1, {{F, {1, 64, 64, 1}}, {F, {1, 0, 8, 1}}}},
      {"anchors sizes=1", 1, {{F, {1, 64, 64, 1}}, {F, {1, 65, 8, 1}}}},
      {"anchors sizes=0", 1, {{F, {1, 64, 64, 1}}, {F, {1, 8, 8, 1}}}},
      {"anchors sizes=1 ratios=-1", 1, {{F, {1, 64, 64, 1}}, {F, {1, 8, 8, 1}}}},
      {"anchors sizes=1", 1, {{F, {1, 64, 64, 1}}}},
      {"topk k=0", 4, {{F, {1, 4, 4, 3}}}},
      {"topk", 4, {{F, {2, 4, 4, 3}}}},
      {"topk threshold=nan", 4, {{F, {1, 4, 4, 3}}}},
      {"topk by_class=1", 4, {{F, {9, 0}}}},
      {"topk by_class=1", 4, {{F, {9, 2}}, {F, {9, 2}}}},
      {"topk k=16777216 by_class=1", 4, {{F, {1, 1000}}}},  // the output passes 2^31
      {"topk", 3, {{F, {1, 4, 4, 3}}}},
      {"count_above", 1, {{F, {9, 1}}}},
      {"count_above", 1, {{I, {9}}}},
      {"count_above threshold=nan", 1, {{F, {9}}}},
      {"count_above threshold=1e39", 1, {{F, {9}}}},
      {"count_above", 2, {{F, {9}}}},
      {"box_decode", 4, {{F, {12, 5}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {1, 2, 2, 12}}}},
      {"box_decode", 4, {{F, {11, 4}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {1, 2, 2, 12}}}},
      {"box_decode", 4, {{F, {12, 4}}, {F, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {1, 2, 2, 12}}}},
      {"box_decode", 4, {{F, {12, 4}}, {I, {1, 5}}, {F, {1, 6}}, {I, {1}}, {F, {1, 2, 2, 12}}}},
      {"box_decode", 4, {{F, {12, 4}}, {I, {2, 5}}, {F, {2, 5}}, {I, {2}}, {F, {1, 2, 2, 12}}}},
      {"box_decode", 4, {{F, {12, 4}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {1, 2, 2, 13}}}},
      {"box_decode weights=1,1,1", 4, {{F, {12, 4}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {1, 2, 2, 12}}}},
      {"box_decode weights=1,1,1,0", 4, {{F, {12, 4}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {1, 2, 2, 12}}}},
      {"box_decode width=0", 4, {{F, {12, 4}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {1, 2, 2, 12}}}},
      {"box_decode min_size=nan", 4, {{F, {12, 4}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {1, 2, 2, 12}}}},
      {"box_decode by_class=1", 4, {{F, {9, 4}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}, {F, {9, 12}}}},
      {"box_decode by_class=1", 4, {{F, {9, 4}}, {I, {1, 5}}, {F, {1, 5}}, {I, {1}}}},
      {"nms", 4, {{F, {2, 9, 5}}, {F, {2, 9}}, {I, {2}}}},
      {"nms", 4, {{F, {2, 9, 4}}, {F, {2, 8}}, {I, {2}}}},
      {"nms", 4, {{F, {2, 9, 4}}, {F, {2, 9}}, {I, {3}}}},
      {"nms threshold=1.5", 4, {{F, {2, 9, 4}}, {F, {2, 9}}, {I, {2}}}},
      {"nms threshold=nan", 4, {{F, {2, 9, 4}}, {F, {2, 9}}, {I, {2}}}},
      {"nms max_output=0", 4, {{F, {2, 9, 4}}, {F, {2, 9}}, {I, {2}}}},
      {"roi_align", 1, {{F, {3, 5}}, {F, {1, 8, 8, 5}}}},
      {"roi_align", 1, {{F, {3, 4}}, {F, {2, 8, 8, 5}}}},
      {"roi_align", 1, {{F, {3, 4}}, {F, {1, 0, 8, 5}}}},
      {"roi_align", 1, {{F, {3, 4}}, {F, {1, 8, 8, 5}}, {F, {1, 4, 4, 6}}}},
      {"roi_align", 1, {{F, {3, 4}}}},
      {"roi_align output_size=0", 1, {{F, {3, 4}}, {F, {1, 8, 8, 5}}}},
      {"roi_align output_size=33", 1, {{F, {3, 4}}, {F, {1, 8, 8, 5}}}},
      {"roi_align sampling_ratio=9", 1, {{F, {3, 4}}, {F, {1, 8, 8, 5}}}},
      {"roi_align canvas=0", 1, {{F, {3, 4}}, {F, {1, 8, 8, 5}}}},
      {"roi_align", 1, {{F, {1000000, 4}}, {F, {1, 8, 8, 256}}}},  // the output passes 2^31
      {"place size=0", 1, {{F, {1, 3, 5, 1}}}},
      {"place", 1, {{F, {1, 3, 5, 3}}}},
      {"place", 1, {{F, {1, kBig, 5, 1}}}},
      {"crop_resize", 1, {{F, {1, 8, 8, 3}}, {F, {2, 4}}}},
      {"crop_resize", 1, {{F, {1, 8, 8, 1}}, {F, {2, 5}}}},
      {"crop_resize size=0", 1, {{F, {1, 8, 8, 1}}, {F, {2, 4}}}},
      {"crop_resize table=1,0", 1, {{F, {1, 8, 8, 1}}, {F, {2, 4}}}},
      {"crop_resize table=0,0,0", 1, {{F, {1, 8, 8, 1}}, {F, {2, 4}}}},
      {"crop_resize table=1,inf,0", 1, {{F, {1, 8, 8, 1}}, {F, {2, 4}}}},
      {"crop_resize", 1, {{F, {1, 8, 8, 1}}, {F, {100000, 4}}}},  // the output passes 2^31
  };
  for (const Row& row : rows) {
    const Status status = infer(row);
    std::string shapes;
    for (const In& i : row.in) shapes.append(" ").append(to_string(i.shape));
    EXPECT_EQ(status.id(), ErrorId::E_MODEL_ARCH) << row.line << shapes << ": " << status.to_string();
    const std::string text = row.line, op = text.substr(0, text.find(' '));
    EXPECT_TRUE(status.message().starts_with(op)) << status.to_string();
  }
}

}  // namespace
}  // namespace spinert
