"""The whole slice in torch on a card: a placed canvas in, boxes, scores and mean probabilities out, in four forms.

eager      torchvision as it stands, batch norms folded, float16 autocast, channels_last, cudnn.benchmark
compiled   the same with backbone, pyramid and region head, box head and classifier through torch.compile (max-autotune)
static     no step waits for the host: fixed sizes everywhere, greedy NMS in one Triton kernel
captured   the static form as one CUDA graph; the strongest form of torch that we know

The static form gets what a rewrite for one slice may assume: the number of boxes that the classifier sees is fixed when
the lane is opened. SpineRT reads it on the device instead.
"""
import math
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import torch_pipeline
from torch_engine import fold_norms

DECODE_CLIP = math.log(1000 / 16)
FEATURE_LEVELS = 4


def fold_pipeline(pipeline: torch_pipeline.Pipeline) -> None:
    # torchvision as it is installed: the log of close decisions belongs to the reference, not to a timed peer.
    torch_pipeline.box_ops.batched_nms = torch_pipeline.box_ops._batched_nms_vanilla
    for network in (pipeline.detector.backbone, pipeline.classifier):
        fold_norms(network)


def cut_patches(canvas: torch.Tensor, boxes: torch.Tensor, table: torch.Tensor, size: int) -> torch.Tensor:
    """Grey patches [boxes * K, 1, size, size]: grid_sample with zeros outside, positions as in DESIGN section 2."""
    longer = torch.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    side = longer[:, None] * table[None, :, 0]
    centre_x = (boxes[:, 0] + boxes[:, 2])[:, None] / 2 + table[None, :, 1] * side
    centre_y = (boxes[:, 1] + boxes[:, 3])[:, None] / 2 + table[None, :, 2] * side
    steps = (torch.arange(size, device=canvas.device, dtype=torch.float32) + 0.5) / size
    extent = canvas.shape[-1]
    x = (centre_x - side / 2)[..., None] + steps * side[..., None] - 0.5
    y = (centre_y - side / 2)[..., None] + steps * side[..., None] - 0.5
    x, y = ((2 * v + 1) / extent - 1 for v in (x.flatten(0, 1), y.flatten(0, 1)))
    grid = torch.stack([x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], -1)
    return F.grid_sample(canvas.expand(len(grid), -1, -1, -1), grid, padding_mode="zeros", align_corners=False)


def decode(base: torch.Tensor, deltas: torch.Tensor, weights: tuple[float, ...], size: int) -> torch.Tensor:
    """BoxCoder.decode and clip_boxes_to_image on [n, 4]."""
    width, height = base[:, 2] - base[:, 0], base[:, 3] - base[:, 1]
    dx, dy, dw, dh = (deltas[:, i] / weights[i] for i in range(4))
    x = dx * width + base[:, 0] + 0.5 * width
    y = dy * height + base[:, 1] + 0.5 * height
    half_w = 0.5 * torch.exp(dw.clamp(max=DECODE_CLIP)) * width
    half_h = 0.5 * torch.exp(dh.clamp(max=DECODE_CLIP)) * height
    return torch.stack([x - half_w, y - half_h, x + half_w, y + half_h], 1).clamp(0, size)


def greedy_keep_loop(overlaps: torch.Tensor, alive: torch.Tensor) -> torch.Tensor:
    """Plain form of the kernel below, for a machine without a card."""
    alive = alive.clone()
    for i in range(len(alive)):
        if alive[i]:
            later = torch.arange(len(alive), device=alive.device) > i
            alive &= ~(overlaps[i] & later)
    return alive


def make_greedy_keep() -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """One program walks down the list; the mask of survivors stays in registers."""
    if not torch.cuda.is_available():
        return greedy_keep_loop
    import triton
    import triton.language as tl

    @triton.jit
    def scan(overlaps, alive, out, count, block: tl.constexpr):
        lanes = tl.arange(0, block)
        state = tl.load(alive + lanes, mask=lanes < count, other=0).to(tl.int32)
        for i in range(count):
            mine = tl.sum(tl.where(lanes == i, state, 0))
            row = tl.load(overlaps + i * count + lanes, mask=lanes < count, other=0).to(tl.int32)
            state = tl.where((row != 0) & (lanes > i) & (mine != 0), 0, state)
        tl.store(out + lanes, state.to(tl.int8), mask=lanes < count)

    def keep(overlaps: torch.Tensor, alive: torch.Tensor) -> torch.Tensor:
        out = torch.empty(len(alive), dtype=torch.int8, device=alive.device)
        block = triton.next_power_of_2(len(alive))
        scan[(1,)](overlaps.to(torch.int8), alive.to(torch.int8), out, len(alive), block=block, num_warps=8)
        return out.bool()

    return keep


@dataclass
class SliceResult:
    boxes: torch.Tensor
    scores: torch.Tensor
    probabilities: torch.Tensor


class TorchSlice:
    """The four forms over one pair of networks. `half` is the type of the networks; boxes are float32 throughout."""

    def __init__(self, pipeline: torch_pipeline.Pipeline, device: str, half: torch.dtype = torch.float16) -> None:
        fold_pipeline(pipeline)
        self.config = pipeline.config
        self.device, self.half = device, half
        self.detector = pipeline.detector.to(device=device, memory_format=torch.channels_last)
        self.classifier = pipeline.classifier.to(device=device, memory_format=torch.channels_last)
        self.table = torch.tensor(self.config.patch_table, dtype=torch.float32, device=device)
        # Made once: a copy from the host inside a capture would break it.
        self.scaling = {
            name: [torch.tensor(values, dtype=torch.float32, device=device)[:, None, None] for values in pair]
            for name, pair in {
                "detector": (self.config.mean, self.config.std),
                "classifier": (self.config.classifier_mean, self.config.classifier_std),
            }.items()
        }
        self.keep = make_greedy_keep()
        self.boxes = 0  # of the static form; set by prepare_static

    def autocast(self) -> Any:
        enabled = self.half != torch.float32
        return torch.autocast(self.device.split(":")[0], dtype=self.half, enabled=enabled)

    def classify(self, canvas: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Mean probabilities [boxes, classes] for boxes on the canvas [1, 1, S, S] of grey values."""
        mean, std = self.scaling["classifier"]
        grey = cut_patches(canvas, boxes, self.table, self.config.patch_size) / 255
        patches = ((grey.expand(-1, 3, -1, -1) - mean) / std).contiguous(memory_format=torch.channels_last)
        with self.autocast():
            logits = self.classifier(patches)
        return torch.sigmoid(logits.float()).view(len(boxes), len(self.table), -1).mean(1)

    @torch.inference_mode()
    def eager(self, canvas: np.ndarray) -> SliceResult:
        grey = torch.from_numpy(canvas).to(self.device, non_blocking=True)
        image = (grey / 255)[None].expand(3, -1, -1)
        with self.autocast():
            result = self.detector([image])[0]
        chosen = result["scores"] >= self.config.score_threshold
        boxes, scores = result["boxes"][chosen].float(), result["scores"][chosen]
        probabilities = self.classify(grey[None, None], boxes) if len(boxes) else scores.new_zeros((0, 6))
        return SliceResult(boxes.cpu(), scores.cpu(), probabilities.cpu())

    def compile_parts(self) -> None:
        """Backbone with pyramid, region head, box head and classifier, each without a graph break."""
        def tuned(module: nn.Module) -> Any:
            return torch.compile(module, mode="max-autotune", fullgraph=True, dynamic=False)

        self.detector.backbone = tuned(self.detector.backbone)
        self.detector.rpn.head = tuned(self.detector.rpn.head)
        self.detector.roi_heads.box_head = tuned(self.detector.roi_heads.box_head)
        self.classifier = tuned(self.classifier)

    # ---- the static form

    def prepare_static(self, boxes: int) -> None:
        """boxes: how many of the best the classifier sees."""
        self.boxes = boxes
        size = self.config.size
        with torch.inference_mode():
            image = torch.zeros((1, 3, size, size), device=self.device)
            with self.autocast():
                features = list(self.detector.backbone(image).values())
            images = torchvision.models.detection.image_list.ImageList(image, [(size, size)])
            per_cell = self.detector.rpn.anchor_generator.num_anchors_per_location()[0]
            counts = [f.shape[2] * f.shape[3] * per_cell for f in features]
            anchors = self.detector.rpn.anchor_generator(images, features)[0]
        self.anchors = [a.clone() for a in anchors.split(counts)]

    def suppress(self, boxes: torch.Tensor, valid: torch.Tensor, threshold: float) -> torch.Tensor:
        return self.keep(torchvision.ops.box_iou(boxes, boxes) > threshold, valid)

    def proposals(self, features: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        config = self.config
        with self.autocast():
            logits, deltas = self.detector.rpn.head(features)
        boxes, scores = [], []
        for level, (score, delta) in enumerate(zip(logits, deltas)):
            flat = score.permute(0, 2, 3, 1).reshape(-1).float()
            moves = delta.view(1, -1, 4, *delta.shape[2:]).permute(0, 3, 4, 1, 2).reshape(-1, 4).float()
            best, index = flat.topk(min(config.rpn_pre_nms_top_n, len(flat)))
            decoded = decode(self.anchors[level][index], moves[index], (1.0, 1.0, 1.0, 1.0), config.size)
            sides = torch.minimum(decoded[:, 2] - decoded[:, 0], decoded[:, 3] - decoded[:, 1])
            valid = (sides >= config.rpn_min_size) & (torch.sigmoid(best) >= config.rpn_score_threshold)
            valid = self.suppress(decoded, valid, config.rpn_nms_threshold)
            boxes.append(decoded)
            scores.append(best.masked_fill(~valid, -torch.inf))
        merged, index = torch.cat(scores).topk(config.rpn_post_nms_top_n)
        return torch.cat(boxes)[index], merged > -torch.inf

    def regions(self, features: list[torch.Tensor], rois: torch.Tensor) -> torch.Tensor:
        """Every region on every level, then the right one: the price of fixed sizes."""
        config = self.config
        area = (rois[:, 2] - rois[:, 0]) * (rois[:, 3] - rois[:, 1])
        octave = torch.floor(config.roi_canonical_level + torch.log2(area.sqrt() / config.roi_canonical_scale) + 1e-6)
        level = octave.clamp(2, 5).long() - 2
        pooled = None
        for number in range(FEATURE_LEVELS):
            scale = features[number].shape[-1] / config.size
            own = torchvision.ops.roi_align(
                features[number], [rois.to(features[number].dtype)], config.roi_output_size, scale,
                config.roi_sampling_ratio,
            )
            pooled = own if pooled is None else torch.where((level == number)[:, None, None, None], own, pooled)
        return pooled

    @torch.inference_mode()
    def static_forward(self, canvas: torch.Tensor) -> SliceResult:
        """canvas: grey [S, S] on the device. Every tensor has a fixed size; scores of absent boxes are 0."""
        config = self.config
        mean, std = self.scaling["detector"]
        image = ((canvas / 255)[None].expand(3, -1, -1) - mean) / std
        with self.autocast():
            features = list(self.detector.backbone(image[None].contiguous(memory_format=torch.channels_last)).values())
        rois, present = self.proposals(features)
        with self.autocast():
            hidden = self.detector.roi_heads.box_head(self.regions(features[:FEATURE_LEVELS], rois))
            logits, deltas = self.detector.roi_heads.box_predictor(hidden)
        scores = torch.softmax(logits.float(), -1)[:, 1]
        order_scores, order = scores.masked_fill(~present, 0).sort(descending=True, stable=True)
        boxes = decode(rois[order], deltas.float()[order, 4:8], config.bbox_weights, config.size)
        sides = torch.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        valid = (order_scores > config.box_score_threshold) & (sides >= 1e-2)
        valid = self.suppress(boxes, valid, config.box_nms_threshold)
        best, index = order_scores.masked_fill(~valid, 0).topk(self.boxes)
        boxes = boxes[index]
        return SliceResult(boxes, best, self.classify(canvas[None, None], boxes))

    def static(self, canvas: np.ndarray) -> SliceResult:
        result = self.static_forward(torch.from_numpy(canvas).to(self.device, non_blocking=True))
        return SliceResult(result.boxes.cpu(), result.scores.cpu(), result.probabilities.cpu())

    def capture(self) -> Callable[[np.ndarray], SliceResult]:
        size = self.config.size
        grey = torch.zeros((size, size), device=self.device)
        staging = torch.zeros((size, size), pin_memory=True)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.static_forward(grey)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = self.static_forward(grey)

        def run(canvas: np.ndarray) -> SliceResult:
            staging.copy_(torch.from_numpy(canvas))
            grey.copy_(staging, non_blocking=True)
            graph.replay()
            return SliceResult(captured.boxes.cpu(), captured.scores.cpu(), captured.probabilities.cpu())

        return run
