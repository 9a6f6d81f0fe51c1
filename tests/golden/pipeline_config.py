"""What a state_dict does not hold: from pipeline.json (schema spinert.pipeline/1), or the defaults of the demo."""
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CLASS_NAMES = ("OVCF", "OF", "SN", "KD", "PS", "normal")


@dataclass(frozen=True)
class PipelineConfig:
    """Flat view of pipeline.json; the defaults are torchvision's and the method's own."""

    architecture: str = "fasterrcnn_resnet18_fpn"
    classifier: str = "resnet50_multilabel"
    size: int = 1024
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    batch_norm_eps: float = 1e-5
    anchor_sizes: tuple[tuple[int, ...], ...] = ((32,), (64,), (128,), (256,), (512,))  # a row per feature map
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    rpn_pre_nms_top_n: int = 1000
    rpn_post_nms_top_n: int = 1000
    rpn_nms_threshold: float = 0.7
    rpn_score_threshold: float = 0.0
    rpn_min_size: float = 1e-3
    roi_output_size: int = 7
    roi_sampling_ratio: int = 2
    roi_canonical_scale: int = 224
    roi_canonical_level: int = 4
    box_score_threshold: float = 0.05
    box_nms_threshold: float = 0.5
    box_detections: int = 100
    bbox_weights: tuple[float, ...] = (10.0, 10.0, 5.0, 5.0)
    patch_size: int = 224
    patch_table: tuple[tuple[float, float, float], ...] = field(
        default=((1.25, 0.0, 0.0), (1.1, 0.0, 0.0), (1.4, 0.05, 0.0), (1.25, -0.05, 0.05))
    )
    classifier_mean: tuple[float, ...] = IMAGENET_MEAN
    classifier_std: tuple[float, ...] = IMAGENET_STD
    classifier_eps: float = 1e-5
    class_names: tuple[str, ...] = CLASS_NAMES
    thresholds: tuple[float, ...] = (0.5,) * 6
    score_threshold: float = 0.75


def from_json(document: dict[str, Any]) -> PipelineConfig:
    """Reads a parsed pipeline.json; a missing key is a KeyError that names it."""
    if document["schema"] != "spinert.pipeline/1":
        raise ValueError(f"config schema is {document['schema']!r}, expected 'spinert.pipeline/1'")
    detector, classifier = document["detector"], document["classifier"]
    rpn, roi, box = detector["rpn"], detector["roi"], detector["box"]
    if box["min_size"] != 1e-2:
        raise ValueError("torchvision fixes the smallest side of a box at 0.01")
    names = tuple(classifier["class_names"])
    thresholds = classifier["thresholds"]
    if isinstance(thresholds, dict):
        thresholds = [thresholds[name] for name in names]
    return PipelineConfig(
        architecture=detector["architecture"],
        classifier=classifier["architecture"],
        size=detector["input"]["size"],
        mean=tuple(detector["input"]["mean"]),
        std=tuple(detector["input"]["std"]),
        batch_norm_eps=detector["batch_norm_eps"],
        anchor_sizes=tuple(tuple(row) for row in detector["anchors"]["sizes"]),
        anchor_ratios=tuple(detector["anchors"]["ratios"]),
        rpn_pre_nms_top_n=rpn["pre_nms_top_n"],
        rpn_post_nms_top_n=rpn["post_nms_top_n"],
        rpn_nms_threshold=rpn["nms_threshold"],
        rpn_score_threshold=rpn["score_threshold"],
        rpn_min_size=rpn["min_size"],
        roi_output_size=roi["output_size"],
        roi_sampling_ratio=roi["sampling_ratio"],
        roi_canonical_scale=roi["canonical_scale"],
        roi_canonical_level=roi["canonical_level"],
        box_score_threshold=box["score_threshold"],
        box_nms_threshold=box["nms_threshold"],
        box_detections=box["detections_per_image"],
        bbox_weights=tuple(box["bbox_weights"]),
        patch_size=document["patches"]["size"],
        patch_table=tuple(tuple(row) for row in document["patches"]["table"]),
        classifier_mean=tuple(classifier["mean"]),
        classifier_std=tuple(classifier["std"]),
        classifier_eps=classifier.get("batch_norm_eps", detector["batch_norm_eps"]),
        class_names=names,
        thresholds=tuple(thresholds),
        score_threshold=document["diagnosis"]["score_threshold"],
    )


def load(path: Path | None) -> PipelineConfig:
    """The config file, or the defaults of the demo checkpoints without one."""
    return PipelineConfig() if path is None else from_json(json.loads(path.read_text()))
