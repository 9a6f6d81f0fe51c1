// fasterrcnn_resnet18_fpn.cpp - torchvision's FasterRCNN over resnet_fpn_backbone('resnet18'), from the placed grey
// canvas to boxes with scores and classes.
#include "converter/architectures/architectures.h"
#include "converter/architectures/resnet_blocks.h"
#include "kernels/anchors/anchors.h"
#include "kernels/box_decode/box_decode.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/nms/nms.h"
#include "kernels/normalise/normalise.h"
#include "kernels/roi_align/roi_align.h"
#include "kernels/softmax/softmax.h"
#include "kernels/topk/topk.h"
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"

namespace spinert {
namespace {

constexpr int kLevels = 4;  // of the pyramid; the region proposals use one more
constexpr int kProposalLevels = kLevels + 1;
constexpr int64_t kFinestLevel = 2;  // stride 4 = 2^2

struct Spec {
  int64_t stem;             // channels behind the first convolution
  int64_t widths[kLevels];  // of each layer of two blocks
  int64_t pyramid;          // channels of every level
  int64_t hidden;           // of the box head
};
constexpr Spec kResNet18{64, {64, 128, 256, 512}, 256, 1024};
constexpr Spec kReduced{4, {4, 4, 8, 8}, 8, 16};

std::string numbered(const std::string& name, int i) {
  return name + "." + std::to_string(i);
}

// Before version 2 of the modules, torchvision's names had one number less.
void migrate_names(SourceTensors& source) {
  for (const char* kind : {"weight", "bias"}) {
    for (int i = 0; i < kLevels; ++i) {
      for (const char* block : {"backbone.fpn.inner_blocks", "backbone.fpn.layer_blocks"}) {
        source.rename(numbered(block, i) + "." + kind, numbered(block, i) + ".0." + kind);
      }
    }
    source.rename(std::string("rpn.head.conv.") + kind, std::string("rpn.head.conv.0.0.") + kind);
  }
}

struct Levels {
  int value[kProposalLevels];
  std::vector<int> list(int count) const { return {value, value + count}; }
};

Levels backbone(NetworkBuilder& b, int image, const Spec& spec) {
  Levels layers{};
  int x = resnet_stem(b, "backbone.body.", "body.", image, spec.stem);
  int64_t channels = spec.stem;
  for (int l = 0; l < kLevels; ++l) {
    for (int block = 0; block < 2; ++block) {
      const std::string name = "layer" + std::to_string(l + 1) + "." + std::to_string(block);
      x = basic_block(b, "backbone.body." + name, "body." + name, x, channels, spec.widths[l],
                      l > 0 && block == 0 ? 2 : 1);
      channels = spec.widths[l];
    }
    layers.value[l] = x;
  }
  return layers;
}

Levels pyramid(NetworkBuilder& b, const Levels& layers, const Spec& spec) {
  int merged[kLevels];
  for (int l = kLevels - 1; l >= 0; --l) {
    const ConvSpec lateral{spec.widths[l], spec.pyramid, 1, 1, 0};
    const std::string name = numbered("fpn.lateral", l);
    const auto constants = b.conv_constants(numbered("backbone.fpn.inner_blocks", l) + ".0", name, lateral);
    merged[l] = b.conv(name, layers.value[l], constants, lateral);
    if (l < kLevels - 1) {
      merged[l] = b.add(OpId::upsample_nearest2d, {numbered("fpn.inner", l)}, UpsampleNearest2dParams{},
                        {merged[l + 1], merged[l]});
    }
  }
  Levels levels{};
  const ConvSpec smooth{spec.pyramid, spec.pyramid, 3, 1, 1};
  for (int l = 0; l < kLevels; ++l) {
    const std::string name = numbered("fpn", l);
    const auto constants = b.conv_constants(numbered("backbone.fpn.layer_blocks", l) + ".0", name, smooth);
    levels.value[l] = b.conv(name, merged[l], constants, smooth);
  }
  // The coarsest level of the proposals: every second row and column of the one before.
  levels.value[kLevels] = b.add(OpId::max_pool2d, {"fpn.pool"}, MaxPool2dParams{1, 2, 0}, {levels.value[kLevels - 1]});
  return levels;
}

// Region proposal network. Returns the proposals; the invalid counters are appended to `invalid`.
int proposals(NetworkBuilder& b, int canvas, const Levels& levels, const PipelineConfig& config, const Spec& spec,
              std::vector<int>& invalid) {
  const DetectorConfig& detector = config.detector;
  const auto per_cell = static_cast<int64_t>(detector.anchors.ratios.size() * detector.anchors.sizes[0].size());
  const ConvSpec hidden{spec.pyramid, spec.pyramid, 3, 1, 1};
  const ConvSpec logits{spec.pyramid, per_cell, 1, 1, 0}, deltas{spec.pyramid, 4 * per_cell, 1, 1, 0};
  const auto hidden_constants = b.conv_constants("rpn.head.conv.0.0", "rpn.head.conv", hidden);
  const auto logits_constants = b.conv_constants("rpn.head.cls_logits", "rpn.head.logits", logits);
  const auto deltas_constants = b.conv_constants("rpn.head.bbox_pred", "rpn.head.deltas", deltas);
  std::vector<int> scores, offsets;
  for (int l = 0; l < kProposalLevels; ++l) {
    const int conv = b.conv(numbered("rpn.conv", l), levels.value[l], hidden_constants, hidden);
    const int x = b.relu(numbered("rpn.hidden", l), conv);
    scores.push_back(b.conv(numbered("rpn.logits", l), x, logits_constants, logits));
    offsets.push_back(b.conv(numbered("rpn.deltas", l), x, deltas_constants, deltas));
  }

  AnchorsParams anchor_params;
  anchor_params.sizes.clear();
  for (const auto& row : detector.anchors.sizes) {
    anchor_params.sizes.insert(anchor_params.sizes.end(), row.begin(), row.end());
  }
  anchor_params.ratios = detector.anchors.ratios;
  std::vector<int> anchor_inputs = levels.list(kProposalLevels);
  anchor_inputs.insert(anchor_inputs.begin(), canvas);
  const int anchors = b.add(OpId::anchors, {"anchors"}, anchor_params, anchor_inputs);

  TopkParams best;
  best.k = detector.rpn.pre_nms_top_n;
  best.threshold = detector.rpn.score_threshold;
  best.on_sigmoid = true;
  const int topk =
      b.add(OpId::topk, {"rpn.topk", "rpn.topk.scores", "rpn.topk.count", "rpn.topk.invalid"}, best, scores);

  BoxDecodeParams decode;
  decode.width = decode.height = detector.input.size;
  decode.min_size = detector.rpn.min_size;
  std::vector<int> decode_inputs = {anchors, topk, topk + 1, topk + 2};
  decode_inputs.insert(decode_inputs.end(), offsets.begin(), offsets.end());
  const int boxes = b.add(OpId::box_decode, {"rpn.boxes", "rpn.boxes.scores", "rpn.boxes.count", "rpn.boxes.invalid"},
                          decode, decode_inputs);
  invalid.push_back(topk + 3);
  invalid.push_back(boxes + 3);
  return b.add(OpId::nms, {"proposals", "proposals.scores", "proposals.level", "proposals.count"},
               NmsParams{detector.rpn.nms_threshold, detector.rpn.post_nms_top_n}, {boxes, boxes + 1, boxes + 2});
}

void box_head(NetworkBuilder& b, int rois, const Levels& levels, const PipelineConfig& config, const Spec& spec,
              std::vector<int>& invalid) {
  const DetectorConfig& detector = config.detector;
  const auto classes = static_cast<int64_t>(detector.class_names.size());
  RoiAlignParams align;
  align.output_size = detector.roi.output_size;
  align.sampling_ratio = detector.roi.sampling_ratio;
  align.canonical_scale = detector.roi.canonical_scale;
  align.canonical_level = detector.roi.canonical_level;
  align.min_level = kFinestLevel;
  align.canvas = detector.input.size;
  std::vector<int> align_inputs = levels.list(kLevels);
  align_inputs.insert(align_inputs.begin(), rois);
  const int roi = b.add(OpId::roi_align, {"roi"}, align, align_inputs);

  int x = b.linear_of_map("roi_heads.box_head.fc6", "head.fc6", roi, spec.pyramid, align.output_size, spec.hidden);
  x = b.relu("head.fc6.relu", x);
  x = b.linear("roi_heads.box_head.fc7", "head.fc7", x, spec.hidden, spec.hidden);
  x = b.relu("head.fc7.relu", x);
  const int logits = b.linear("roi_heads.box_predictor.cls_score", "head.logits", x, spec.hidden, classes);
  const int deltas = b.linear("roi_heads.box_predictor.bbox_pred", "head.deltas", x, spec.hidden, 4 * classes);
  const int scores = b.add(OpId::softmax, {"head.scores"}, SoftmaxParams{}, {logits});

  TopkParams best;
  best.k = detector.rpn.post_nms_top_n;  // every proposal may become a box of every class
  best.threshold = detector.box.score_threshold;
  best.strict = true;
  best.by_class = true;
  const int topk =
      b.add(OpId::topk, {"head.topk", "head.topk.scores", "head.topk.count", "head.topk.invalid"}, best, {scores});
  BoxDecodeParams decode;
  decode.weights = detector.box.bbox_weights;
  decode.width = decode.height = detector.input.size;
  decode.min_size = detector.box.min_size;
  decode.by_class = true;
  const int boxes =
      b.add(OpId::box_decode, {"head.boxes", "head.boxes.scores", "head.boxes.count", "head.boxes.invalid"}, decode,
            {rois, topk, topk + 1, topk + 2, deltas});
  const int result =
      b.add(OpId::nms, {"boxes", "scores", "classes", "count"},
            NmsParams{detector.box.nms_threshold, detector.box.detections_per_image}, {boxes, boxes + 1, boxes + 2});
  invalid.push_back(topk + 3);
  invalid.push_back(boxes + 3);
  b.graph().outputs = {result, result + 1, result + 2, result + 3};
}

// AR-7: the checkpoint has another number of anchors per cell than the config. Its own error, because every other shape
// may fit.
Status check_anchors(const NetworkBuilder& b, const PipelineConfig& config) {
  std::vector<int64_t> got;
  if (!b.source().has_other_shape("rpn.head.cls_logits.weight", got) || got.size() != 4) return {};
  const auto& anchors = config.detector.anchors;
  const size_t per_cell = anchors.ratios.size() * anchors.sizes[0].size();
  if (got[0] == static_cast<int64_t>(per_cell)) return {};
  return error(ErrorId::E_CONFIG, "AR-7: detector.anchors does not fit the checkpoint")
      .expected(std::to_string(got[0]) + " anchors per cell (rpn.head.cls_logits)", std::to_string(per_cell));
}

Status build(NetworkBuilder& b, const PipelineConfig& config, const Spec& spec) {
  const DetectorConfig& detector = config.detector;
  if (detector.anchors.sizes.size() != kProposalLevels) {
    return error(ErrorId::E_CONFIG, "detector.anchors.sizes is wrong")
        .expected("5 rows, one per feature level", std::to_string(detector.anchors.sizes.size()));
  }
  migrate_names(b.source());
  const int canvas = b.graph().add_input("canvas", DType::f32, {1, detector.input.size, detector.input.size, 1});
  const int image =
      b.add(OpId::normalise, {"image"}, NormaliseParams{detector.input.mean, detector.input.std}, {canvas});
  const Levels levels = pyramid(b, backbone(b, image, spec), spec);
  std::vector<int> invalid;
  const int rois = proposals(b, canvas, levels, config, spec, invalid);
  box_head(b, rois, levels, config, spec, invalid);
  b.graph().outputs.insert(b.graph().outputs.end(), invalid.begin(), invalid.end());
  return check_anchors(b, config);
}

}  // namespace

Status build_fasterrcnn_resnet18_fpn(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, kResNet18);
}

Status build_fasterrcnn_reduced_fpn(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, kReduced);
}

}  // namespace spinert
