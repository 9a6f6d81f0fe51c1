"""The two networks as ONNX files with fixed shapes, for the peers that read ONNX; kept in a cache by weights.

The detector is there as a whole and cut into four: `trunk` (picture to pyramid and RPN outputs), `propose` (boxes and
their features), `head` (fc6, fc7, predictors), `select` (boxes and scores). trunk and head hold all matrix products, so
they can be quantised apart from the geometry.
"""
import hashlib
import warnings
from pathlib import Path
from typing import Any, Sequence

import torch
from torch import nn
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import boxes as box_ops

OPSET = 17
BATCHES = (1, 8, 64)
PARTS = ("trunk", "propose", "head", "select")
# Single convolutions: channels and side of the picture. A chain of 1 and one of CHAIN layers; the difference is the
# time of layers inside a network, without the reordering of inputs and outputs that only a single layer pays.
CONVOLUTIONS = {"conv256": (256, 256), "conv64": (64, 256)}
CHAIN = 3


def levels(detector: nn.Module) -> tuple[int, int]:
    """Maps that the RPN reads, and how many of them, from the first, the box head reads: 5 and 4, or 1 and 1."""
    return len(detector.rpn.anchor_generator.sizes), len(detector.roi_heads.box_roi_pool.featmap_names)


class Trunk(nn.Module):
    """[3][size][size] grey/255 -> maps of the box head, an objectness map and a delta map of each RPN level."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.rpn.head
        self.regions = levels(detector)[1]
        mean, std = (torch.tensor(v)[:, None, None] for v in (detector.transform.image_mean, detector.transform.image_std))
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.backbone(((image - self.mean) / self.std)[None])
        features = [maps] if isinstance(maps, torch.Tensor) else list(maps.values())
        objectness, deltas = self.head(features)
        return (*features[: self.regions], *objectness, *deltas)


class Propose(nn.Module):
    """What the trunk gives -> proposals and their features."""

    def __init__(self, detector: nn.Module, size: int) -> None:
        super().__init__()
        self.rpn, self.pool, self.size = detector.rpn, detector.roi_heads.box_roi_pool, size
        self.levels, self.regions = levels(detector)

    def forward(self, *maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features, rest = list(maps[: self.regions]), maps[self.regions :]
        objectness, deltas = list(rest[: self.levels]), list(rest[self.levels :])
        sizes = [(self.size, self.size)]
        picture = ImageList(torch.zeros(1, 3, self.size, self.size), sizes)
        anchors = self.rpn.anchor_generator(picture, objectness)
        counts = [level[0].numel() for level in objectness]
        flat, flat_deltas = concat_box_prediction_layers(objectness, deltas)
        proposals = self.rpn.box_coder.decode(flat_deltas, anchors).view(1, -1, 4)
        boxes, _ = self.rpn.filter_proposals(proposals, flat, sizes, counts)
        named = {str(level): feature for level, feature in enumerate(features)}
        return boxes[0], self.pool(named, boxes, sizes)


class Head(nn.Module):
    """Features of proposals -> logits and deltas."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.head, self.predictor = detector.roi_heads.box_head, detector.roi_heads.box_predictor

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.predictor(self.head(features))


class Select(nn.Module):
    """Proposals, logits and deltas -> boxes and scores."""

    def __init__(self, detector: nn.Module, size: int) -> None:
        super().__init__()
        self.heads, self.size = detector.roi_heads, size

    def forward(self, proposals: torch.Tensor, logits: torch.Tensor, deltas: torch.Tensor) -> tuple[torch.Tensor, ...]:
        boxes, scores, _ = self.heads.postprocess_detections(logits, deltas, [proposals], [(self.size, self.size)])
        return boxes[0], scores[0]


class Whole(nn.Module):
    """All four. No resizing: the slice has the right size already."""

    def __init__(self, detector: nn.Module, size: int) -> None:
        super().__init__()
        self.trunk, self.propose = Trunk(detector), Propose(detector, size)
        self.head, self.select = Head(detector), Select(detector, size)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        proposals, features = self.propose(*self.trunk(image))
        return self.select(proposals, *self.head(features))


class Classifier(nn.Module):
    """Normalised patches -> probabilities."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.classifier(patches))


def chain(channels: int, length: int) -> nn.Module:
    """`length` convolutions 3x3 with ReLU; weights that keep the size of activations."""
    generator = torch.Generator().manual_seed(channels)
    layers: list[nn.Module] = []
    for _ in range(length):
        layer = nn.Conv2d(channels, channels, 3, padding=1)
        layer.weight.data.normal_(0, (2 / (9 * channels)) ** 0.5, generator=generator)
        layer.bias.data.uniform_(-0.1, 0.1, generator=generator)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers).eval()


def write(model: nn.Module, example: Sequence[torch.Tensor], target: Path, outputs: list[str], **more: Any) -> None:
    if target.exists():
        return
    partial = target.with_suffix(".partial")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's remarks; what counts is the parity check of each peer
        torch.onnx.export(
            model.eval(),
            tuple(example),
            str(partial),
            output_names=outputs,
            opset_version=OPSET,
            dynamo=False,  # the tracing exporter is the one that knows torchvision's detection models
            **more,
        )
    partial.replace(target)


def export(
    detector: nn.Module, classifier: nn.Module, weights_id: str, image: torch.Tensor, cache: Path
) -> dict[str, str]:
    """Paths of the ONNX files by name: detector, its parts, classifier_N, conv256_1 ... Written only where missing."""
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    folder = cache / hashlib.sha256(f"{weights_id} {torch.__version__} {source}".encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path] = {}

    def place(name: str) -> Path:
        files[name] = folder / f"{name}.onnx"
        return files[name]

    size = image.shape[-1]
    # One NonMaxSuppression over shifted boxes is what every user of the exporter gets, and the faster graph for a peer.
    patched, box_ops.batched_nms = box_ops.batched_nms, box_ops._batched_nms_coordinate_trick
    try:
        with torch.inference_mode():
            whole = Whole(detector, size)
            maps = whole.trunk(image)
            proposals, features = whole.propose(*maps)
            logits, deltas = whole.head(features)
            write(whole, [image], place("detector"), ["boxes", "scores"], input_names=["image"])
            names = [f"map{n}" for n in range(len(maps))]
            write(whole.trunk, [image], place("trunk"), names, input_names=["image"])
            rows = {0: "rows"}
            write(whole.propose, maps, place("propose"), ["proposals", "features"], input_names=names)
            write(whole.head, [features], place("head"), ["logits", "deltas"], input_names=["features"],
                  dynamic_axes={"features": rows, "logits": rows, "deltas": rows})
            write(whole.select, [proposals, logits, deltas], place("select"), ["boxes", "scores"],
                  input_names=["proposals", "logits", "deltas"],
                  dynamic_axes={"proposals": rows, "logits": rows, "deltas": rows})
            for batch in BATCHES:
                patches = torch.zeros(batch, 3, 224, 224)
                write(Classifier(classifier), [patches], place(f"classifier_{batch}"), ["probabilities"],
                      input_names=["patches"])
            for name, (channels, side) in CONVOLUTIONS.items():
                for length in (1, CHAIN):
                    write(chain(channels, length), [torch.zeros(1, channels, side, side)], place(f"{name}_{length}"),
                          ["out"], input_names=["in"])
    finally:
        box_ops.batched_nms = patched
    return {name: str(path) for name, path in files.items()}
