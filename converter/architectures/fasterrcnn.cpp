// fasterrcnn.cpp - region proposals and box head of torchvision's FasterRCNN, on one feature map or on several.
#include "converter/architectures/fasterrcnn.h"

#include <bit>

#include "kernels/anchors/anchors.h"
#include "kernels/box_decode/box_decode.h"
#include "kernels/nms/nms.h"
#include "kernels/normalise/normalise.h"
#include "kernels/roi_align/roi_align.h"
#include "kernels/softmax/softmax.h"
#include "kernels/topk/topk.h"

namespace spinert {
namespace {

int64_t anchors_per_cell(const DetectorConfig& detector) {
  return static_cast<int64_t>(detector.anchors.ratios.size() * detector.anchors.sizes[0].size());
}

// Region proposal network. Returns the proposals; the invalid counters are appended to `invalid`.
int proposals(NetworkBuilder& b, int canvas, const DetectorMaps& maps, const PipelineConfig& config,
              std::vector<int>& invalid) {
  const DetectorConfig& detector = config.detector;
  const int64_t per_cell = anchors_per_cell(detector);
  const ConvSpec hidden{maps.channels, maps.channels, 3, 1, 1};
  const ConvSpec logits{maps.channels, per_cell, 1, 1, 0}, deltas{maps.channels, 4 * per_cell, 1, 1, 0};
  const auto hidden_constants = b.conv_constants("rpn.head.conv.0.0", "rpn.head.conv", hidden);
  const auto logits_constants = b.conv_constants("rpn.head.cls_logits", "rpn.head.logits", logits);
  const auto deltas_constants = b.conv_constants("rpn.head.bbox_pred", "rpn.head.deltas", deltas);
  std::vector<int> scores, offsets;
  for (int l = 0; l < static_cast<int>(maps.proposals.size()); ++l) {
    const int conv = b.conv(numbered("rpn.conv", l), maps.proposals[static_cast<size_t>(l)], hidden_constants, hidden);
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
  std::vector<int> anchor_inputs = maps.proposals;
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

void box_head(NetworkBuilder& b, int rois, const DetectorMaps& maps, const PipelineConfig& config, int64_t units,
              std::vector<int>& invalid) {
  const DetectorConfig& detector = config.detector;
  const auto classes = static_cast<int64_t>(detector.class_names.size());
  RoiAlignParams align;
  align.output_size = detector.roi.output_size;
  align.sampling_ratio = detector.roi.sampling_ratio;
  align.canonical_scale = detector.roi.canonical_scale;
  align.canonical_level = detector.roi.canonical_level;
  align.min_level = std::countr_zero(static_cast<uint64_t>(maps.finest_stride));
  align.canvas = detector.input.size;
  std::vector<int> align_inputs = maps.regions;
  align_inputs.insert(align_inputs.begin(), rois);
  const int roi = b.add(OpId::roi_align, {"roi"}, align, align_inputs);

  int x = b.linear_of_map("roi_heads.box_head.fc6", "head.fc6", roi, maps.channels, align.output_size, units);
  x = b.relu("head.fc6.relu", x);
  x = b.linear("roi_heads.box_head.fc7", "head.fc7", x, units, units);
  x = b.relu("head.fc7.relu", x);
  const int logits = b.linear("roi_heads.box_predictor.cls_score", "head.logits", x, units, classes);
  const int deltas = b.linear("roi_heads.box_predictor.bbox_pred", "head.deltas", x, units, 4 * classes);
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
  const int64_t per_cell = anchors_per_cell(config.detector);
  if (got[0] == per_cell) return {};
  return error(ErrorId::E_CONFIG, "AR-7: detector.anchors does not fit the checkpoint")
      .expected(std::to_string(got[0]) + " anchors per cell (rpn.head.cls_logits)", std::to_string(per_cell));
}

}  // namespace

std::string numbered(const std::string& name, int i) {
  return name + "." + std::to_string(i);
}

Status build_fasterrcnn(NetworkBuilder& b, const PipelineConfig& config, const FasterRcnnSpec& spec,
                        const std::function<DetectorMaps(int image)>& backbone) {
  const DetectorConfig& detector = config.detector;
  if (detector.anchors.sizes.size() != spec.levels) {
    return error(ErrorId::E_CONFIG, "detector.anchors.sizes is wrong for " + detector.architecture)
        .expected(std::to_string(spec.levels) + (spec.levels == 1 ? " row" : " rows") + ", one per feature level",
                  std::to_string(detector.anchors.sizes.size()));
  }
  // Before version 2 of the module, torchvision's name had two numbers less.
  for (const char* kind : {"weight", "bias"}) {
    b.source().rename(std::string("rpn.head.conv.") + kind, std::string("rpn.head.conv.0.0.") + kind);
  }
  const int canvas = b.graph().add_input("canvas", DType::f32, {1, detector.input.size, detector.input.size, 1});
  const int image =
      b.add(OpId::normalise, {"image"}, NormaliseParams{detector.input.mean, detector.input.std}, {canvas});
  const DetectorMaps maps = backbone(image);
  std::vector<int> invalid;
  const int rois = proposals(b, canvas, maps, config, invalid);
  box_head(b, rois, maps, config, spec.hidden, invalid);
  b.graph().outputs.insert(b.graph().outputs.end(), invalid.begin(), invalid.end());
  return check_anchors(b, config);
}

}  // namespace spinert
