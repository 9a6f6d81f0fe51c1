"""The reference pipeline in torch and torchvision: a slice in, boxes, scores and probabilities out.

It is the definition that goldens and parity are measured against: torchvision's own Faster R-CNN and ResNet-50, with
nothing replaced but `batched_nms`, which always takes its plain per-level and per-class loop.
"""
import argparse
import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Callable, Sequence

import own_venv

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
MODULES = ("torch", "torchvision", "numpy", "PIL")
own_venv.ensure(REQUIREMENTS, MODULES)

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from torch import nn  # noqa: E402
from torchvision.models.detection import FasterRCNN  # noqa: E402
from torchvision.models.detection.anchor_utils import AnchorGenerator  # noqa: E402
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead  # noqa: E402
from torchvision.ops import MultiScaleRoIAlign, box_iou, boxes as box_ops  # noqa: E402

import model_file  # noqa: E402
import networks  # noqa: E402
import picture as pictures  # noqa: E402
import pipeline_config  # noqa: E402
from pipeline_config import PipelineConfig  # noqa: E402

FRAGILE_MARGIN = 1e-5  # |IoU - threshold| at or below it: rounding may turn the decision
CLASSIFIER_BATCH = 16
OnStage = Callable[[str, torch.Tensor], None]


@dataclass
class Fragile:
    """An NMS decision so close to its threshold that another order of additions may take the other branch."""

    threshold: float
    iou: float
    box: list[float]


@dataclass
class Vertebra:
    box: list[float]
    score: float
    probabilities: list[float]
    labels: list[str]
    consistency: str


@dataclass
class Diagnosis:
    """Boxes in slice coordinates. `vertebrae` from top to bottom, `candidates` best first as [box, score]."""

    source: str
    sha256: str
    width: int
    height: int
    cropped: list[int]
    vertebrae: list[Vertebra]
    candidates: list[tuple[list[float], float]]
    fragile: list[Fragile] = field(default_factory=list)


_fragile_log: list[Fragile] = []


def log_fragile(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> None:
    """Notes each box whose fate in this NMS call hangs on an IoU within FRAGILE_MARGIN of the threshold."""
    order = scores.argsort(descending=True, stable=True)
    boxes, scores = boxes[order], scores[order]
    keep = torchvision.ops.nms(boxes, scores, threshold)
    boxes = boxes.double()
    ious = box_iou(boxes[keep], boxes)
    before = keep[:, None] < torch.arange(len(boxes))[None, :]
    close = ((ious - threshold).abs() <= FRAGILE_MARGIN) & before
    settled = ((ious > threshold + FRAGILE_MARGIN) & before).any(0)
    for row, column in (close & ~settled).nonzero().tolist():
        _fragile_log.append(Fragile(threshold, ious[row, column].item(), boxes[column].tolist()))


def plain_batched_nms(boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, threshold: float) -> torch.Tensor:
    """torchvision's per-class loop for every size of input, with a log of the close decisions."""
    for group in torch.unique(idxs):
        members = idxs == group
        log_fragile(boxes[members], scores[members], threshold)
    return box_ops._batched_nms_vanilla(boxes, scores, idxs, threshold)


def patch_batched_nms() -> None:
    """The RPN and the box head call it through `box_ops`, so the module attribute is the one to replace."""
    box_ops.batched_nms = plain_batched_nms
    torchvision.ops.batched_nms = plain_batched_nms


def build_detector(config: PipelineConfig) -> FasterRCNN:
    backbone = networks.known(networks.BACKBONES, config.architecture)()
    pool = MultiScaleRoIAlign(
        networks.region_maps(config.architecture),
        config.roi_output_size,
        config.roi_sampling_ratio,
        canonical_scale=config.roi_canonical_scale,
        canonical_level=config.roi_canonical_level,
    )
    classes = 2
    if "_reduced_" in config.architecture:
        units = networks.REDUCED_HIDDEN
        head = TwoMLPHead(backbone.out_channels * config.roi_output_size**2, units)
        heads = {"box_head": head, "box_predictor": FastRCNNPredictor(units, classes)}
    else:
        heads = {"num_classes": classes}
    model = FasterRCNN(
        backbone,
        **heads,
        min_size=config.size,
        max_size=config.size,
        image_mean=list(config.mean),
        image_std=list(config.std),
        rpn_anchor_generator=AnchorGenerator(
            config.anchor_sizes, (config.anchor_ratios,) * len(config.anchor_sizes)
        ),
        rpn_pre_nms_top_n_test=config.rpn_pre_nms_top_n,
        rpn_post_nms_top_n_test=config.rpn_post_nms_top_n,
        rpn_nms_thresh=config.rpn_nms_threshold,
        rpn_score_thresh=config.rpn_score_threshold,
        box_roi_pool=pool,
        box_score_thresh=config.box_score_threshold,
        box_nms_thresh=config.box_nms_threshold,
        box_detections_per_img=config.box_detections,
        bbox_reg_weights=config.bbox_weights,
    )
    model.rpn.min_size = config.rpn_min_size
    set_eps(model, config.batch_norm_eps)
    return model


def build_classifier(config: PipelineConfig) -> nn.Module:
    model = networks.known(networks.CLASSIFIERS, config.classifier)(len(config.class_names))
    set_eps(model, config.classifier_eps)
    return model


def set_eps(model: nn.Module, eps: float) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps


def file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Pipeline:
    """Both networks in one precision; `weights_id` names the weights for caches."""

    def __init__(self, detector: FasterRCNN, classifier: nn.Module, config: PipelineConfig, weights_id: str) -> None:
        patch_batched_nms()
        self.detector = detector.eval()
        self.classifier = classifier.eval()
        self.config = config
        self.weights_id = weights_id
        self.dtype = torch.float32

    @classmethod
    def from_checkpoints(cls, detector: Path, classifier: Path, config: PipelineConfig) -> "Pipeline":
        """From two state_dicts (float16 tensors widen exactly); every name and shape must fit."""
        made = build_detector(config), build_classifier(config)
        for network, path in zip(made, (detector, classifier)):
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
        return cls(*made, config, f"{file_sha256(detector)}+{file_sha256(classifier)}")

    @classmethod
    def from_model(cls, path: Path) -> "Pipeline":
        """From a SpineRT model file, with the config inside it."""
        model = model_file.read_model(path)
        config = pipeline_config.from_json(model.config())
        made = build_detector(config), build_classifier(config)
        model_file.fill(model, config.architecture, *made)
        return cls(*made, config, model.sha256)

    def double(self) -> "Pipeline":
        """Float64 throughout, for the comparison with the `reference` backend."""
        self.detector.double()
        self.classifier.double()
        self.dtype = torch.float64
        return self

    @torch.inference_mode()
    def detect(self, canvas: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, list[Fragile]]:
        """Boxes on the canvas, scores, best first, and the close NMS decisions on the way."""
        _fragile_log.clear()
        grey = torch.from_numpy(canvas).to(self.dtype) / 255
        image = grey[None].expand(3, -1, -1).contiguous()
        self.check_transform(image)
        result = self.detector([image])[0]
        return result["boxes"], result["scores"], list(_fragile_log)

    def check_transform(self, image: torch.Tensor) -> None:
        """torchvision's transform must normalise and do nothing else: scale exactly 1, no padding."""
        size = self.config.size
        batch, _ = self.detector.transform([image])
        mean = torch.tensor(self.config.mean, dtype=self.dtype)[:, None, None]
        std = torch.tensor(self.config.std, dtype=self.dtype)[:, None, None]
        if batch.image_sizes != [(size, size)] or not torch.equal(batch.tensors[0], (image - mean) / std):
            raise RuntimeError(f"the transform resized or padded a {size} x {size} picture")

    def patches(self, canvas: np.ndarray, boxes: Sequence[Sequence[float]]) -> np.ndarray:
        """Grey patches float32 [boxes * K][size][size], box-major, in the order of the table."""
        size, table = self.config.patch_size, self.config.patch_table
        made = [pictures.extract_patch(canvas, box, row, size) for box in boxes for row in table]
        return np.stack(made) if made else np.zeros((0, size, size), np.float32)

    @torch.inference_mode()
    def classify(self, patches: np.ndarray) -> torch.Tensor:
        """Six probabilities per patch."""
        mean = torch.tensor(self.config.classifier_mean, dtype=self.dtype)[:, None, None]
        std = torch.tensor(self.config.classifier_std, dtype=self.dtype)[:, None, None]
        results = [torch.zeros((0, len(self.config.class_names)), dtype=self.dtype)]
        for first in range(0, len(patches), CLASSIFIER_BATCH):
            grey = torch.from_numpy(patches[first : first + CLASSIFIER_BATCH]).to(self.dtype) / 255
            results.append(torch.sigmoid(self.classifier((grey[:, None].expand(-1, 3, -1, -1) - mean) / std)))
        return torch.cat(results)

    def diagnose(self, picture: pictures.Picture) -> Diagnosis:
        placed = pictures.place(picture.grey, self.config.size)
        boxes, scores, fragile = self.detect(placed.canvas)
        if not (torch.isfinite(boxes).all() and torch.isfinite(scores).all()):
            raise FloatingPointError(f"{picture.source}: the detector gave a number that is not finite")
        chosen = [i for i in range(len(boxes)) if scores[i].item() >= self.config.score_threshold]
        chosen.sort(key=lambda i: (float(boxes[i, 1] + boxes[i, 3]), float(boxes[i, 0] + boxes[i, 2])))
        canvas_boxes = [boxes[i].tolist() for i in chosen]
        probabilities = self.classify(self.patches(placed.canvas, canvas_boxes))
        count = len(self.config.patch_table)
        shift = [placed.dx, placed.dy, placed.dx, placed.dy]

        def back(box: Sequence[float]) -> list[float]:
            return [value - offset for value, offset in zip(box, shift)]

        vertebrae = []
        for order, index in enumerate(chosen):
            # Summed one patch after the other, in the order of the table, as the engine does it.
            mean = probabilities[order * count : (order + 1) * count].cumsum(0)[-1] / count
            labels = self.labels(mean.tolist())
            vertebrae.append(
                Vertebra(back(canvas_boxes[order]), scores[index].item(), mean.tolist(), labels, consistency(labels))
            )
        height, width = picture.grey.shape
        cropped = placed.cropped if outside_content(picture.grey, placed.cropped) else (0, 0, 0, 0)
        candidates = [(back(box), score) for box, score in zip(boxes.tolist(), scores.tolist())]
        moved = [Fragile(f.threshold, f.iou, back(f.box)) for f in fragile]
        return Diagnosis(picture.source, picture.sha256, width, height, list(cropped), vertebrae, candidates, moved)

    def labels(self, probabilities: Sequence[float]) -> list[str]:
        rows = zip(self.config.class_names, probabilities, self.config.thresholds)
        return [name for name, value, threshold in rows if np.float32(value) >= np.float32(threshold)]


def consistency(labels: Sequence[str]) -> str:
    if not labels:
        return "none"
    return "contradictory" if "normal" in labels and len(labels) > 1 else "ok"


def outside_content(grey: np.ndarray, cropped: tuple[int, int, int, int]) -> bool:
    """True when a pixel that is not zero was cut off by the placement."""
    left, top, right, bottom = cropped
    height, width = grey.shape
    inside = np.zeros(grey.shape, bool)
    inside[top : height - bottom, left : width - right] = True
    return bool((grey[~inside] != 0).any())


def diagnosis_from_json(document: dict[str, Any]) -> Diagnosis:
    """Reads back what `asdict` and json wrote."""
    vertebrae = [Vertebra(**v) for v in document.pop("vertebrae")]
    fragile = [Fragile(**f) for f in document.pop("fragile")]
    candidates = [(box, score) for box, score in document.pop("candidates")]
    return Diagnosis(vertebrae=vertebrae, candidates=candidates, fragile=fragile, **document)


def add_weight_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, help="SpineRT model file; its own config is used")
    parser.add_argument("--detector", type=Path, help="state_dict of the detector (.pth)")
    parser.add_argument("--classifier", type=Path, help="state_dict of the classifier (.pth)")
    parser.add_argument("--config", type=Path, help="pipeline.json for the state_dicts (default: that of the demo)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default 2)")
    parser.add_argument("--no-venv", action="store_true", help="use this Python as it is")


def pipeline_from_options(options: argparse.Namespace) -> Pipeline:
    torch.set_num_threads(options.threads)
    if options.model:
        return Pipeline.from_model(options.model)
    if not (options.detector and options.classifier):
        raise SystemExit("name --model, or --detector and --classifier")
    config = pipeline_config.load(options.config)
    return Pipeline.from_checkpoints(options.detector, options.classifier, config)


def cached_diagnosis(pipeline: Pipeline, path: Path, cache: Path | None) -> Diagnosis:
    """The diagnosis of one picture, from the cache when weights, config, precision and picture are the same."""
    picture = pictures.read_picture(path)
    parts = (pipeline.weights_id, repr(pipeline.config), str(pipeline.dtype), torch.__version__, picture.sha256)
    entry = cache / (hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32] + ".json") if cache else None
    if entry and entry.exists():
        stored = diagnosis_from_json(json.loads(entry.read_text()))
        stored.source = picture.source
        return stored
    result = pipeline.diagnose(picture)
    if entry:
        entry.parent.mkdir(parents=True, exist_ok=True)
        partial = entry.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(result)))
        partial.replace(entry)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example: torch_pipeline.py --model models/spine-demo.safetensors examples/*.png > torch.json",
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="pictures or folders")
    add_weight_options(parser)
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--cache", type=Path, help="folder that keeps results between runs")
    options = parser.parse_args()
    pipeline = pipeline_from_options(options)
    if options.double:
        pipeline.double()
    paths = pictures.expand_inputs(options.inputs)
    rows = [asdict(cached_diagnosis(pipeline, path, options.cache)) for path in paths]
    print("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]")


if __name__ == "__main__":
    main()
