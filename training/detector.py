"""The detectors (VDModule) as torchvision builds them from pipeline.json, their training samples, and detection."""

from dataclasses import dataclass
from typing import Any, Iterator

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import MultiScaleRoIAlign

from .augment import WindowRange, random_window, turn, turn_boxes
from .config import Pipeline
from .data import ALL, Dataset, Image, fail
from .loop import TrainSettings
from .mine_normals import Detection
from .slices import SliceReader, canvas_boxes

# Ours, for fine-tuning and for training from scratch alike.
DEFAULTS = TrainSettings(epochs=12, batch=4, learning_rate=0.005)
LEAST_VISIBLE = 0.5  # a vertebra of which less of its area lies on the canvas is not asked for


def build_backbone(architecture: str) -> nn.Module:
    """The backbones under the names that `spinert convert` knows; all layers learn."""
    if architecture == "fasterrcnn_resnet18_fpn":
        return resnet_fpn_backbone(
            backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
        )
    if architecture == "fasterrcnn_mobilenet_v2":
        backbone: Any = torchvision.models.mobilenet_v2(weights=None).features
        backbone.out_channels = 1280
        return backbone
    backbone = nn.Sequential(*list(torchvision.models.resnet18(weights=None).children())[:-2])
    backbone.out_channels = 512
    return backbone


def build(pipeline: Pipeline) -> FasterRCNN:
    """Untrained, with every value of the config."""
    detector, backbone = pipeline.detector, build_backbone(pipeline.architecture)
    rpn, roi, box = detector["rpn"], detector["roi"], detector["box"]
    sizes = tuple(tuple(row) for row in detector["anchors"]["sizes"])
    pyramid = pipeline.architecture.endswith("_fpn")
    model = FasterRCNN(
        backbone,
        num_classes=len(detector["class_names"]),
        min_size=pipeline.size,
        max_size=pipeline.size,
        image_mean=list(detector["input"]["mean"]),
        image_std=list(detector["input"]["std"]),
        rpn_anchor_generator=AnchorGenerator(sizes, (tuple(detector["anchors"]["ratios"]),) * len(sizes)),
        rpn_pre_nms_top_n_test=rpn["pre_nms_top_n"],
        rpn_post_nms_top_n_test=rpn["post_nms_top_n"],
        rpn_nms_thresh=rpn["nms_threshold"],
        rpn_score_thresh=rpn["score_threshold"],
        box_roi_pool=MultiScaleRoIAlign(
            [str(level) for level in range(4)] if pyramid else ["0"],
            roi["output_size"],
            roi["sampling_ratio"],
            canonical_scale=roi["canonical_scale"],
            canonical_level=roi["canonical_level"],
        ),
        box_score_thresh=box["score_threshold"],
        box_nms_thresh=box["nms_threshold"],
        box_detections_per_img=box["detections_per_image"],
        bbox_reg_weights=tuple(box["bbox_weights"]),
    )
    model.rpn.min_size = rpn["min_size"]
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = detector["batch_norm_eps"]
    return model


@dataclass(frozen=True)
class Item:
    """One slice in one of its eight forms."""

    image: Image
    element: int


def visible(boxes: np.ndarray, size: int) -> np.ndarray:
    """Boxes clipped to the canvas, without those that lie mostly outside it."""
    clipped = np.clip(boxes, 0, size)
    areas = [(b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (clipped, boxes)]
    return clipped[areas[0] >= LEAST_VISIBLE * areas[1]]


class DetectorJob:
    """Slices whose vertebrae are all annotated, each in its eight forms."""

    def __init__(self, dataset: Dataset, reader: SliceReader, settings: TrainSettings) -> None:
        self.images = [image for image in dataset.images if image.annotated == ALL]
        if not self.images:
            raise fail("detector", "no slice to train on", f'images whose "annotated" is {ALL}', 0)
        self.annotations, self.reader, self.settings = dataset.by_image(), reader, settings

    def items(self, epoch: int) -> list[Item]:
        """Every slice in every form, in random order; or the first `epoch_size` of them."""
        random = np.random.default_rng([self.settings.seed, epoch])
        every = [Item(image, element) for image in self.images for element in range(self.settings.folds)]
        order = random.permutation(len(every))
        return [every[i] for i in order[: self.settings.epoch_size or len(every)]]

    def sample(self, item: Item, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Grey float32 [size][size] in 0..1, boxes float32 [n][4]."""
        window = None if self.reader.hu_offset is None else random_window(random, WindowRange())
        placed = self.reader.place(item.image, window)
        size = self.reader.pipeline.size
        boxes = visible(canvas_boxes(self.annotations[item.image.id], placed), size)
        picture = torch.from_numpy(turn(placed.canvas, item.element)) / 255
        return picture, torch.from_numpy(turn_boxes(boxes, size, item.element).astype(np.float32))

    @staticmethod
    def collate(samples: list[tuple[torch.Tensor, torch.Tensor]]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return samples

    def losses(
        self, model: nn.Module, batch: list[tuple[torch.Tensor, torch.Tensor]], device: torch.device
    ) -> dict[str, torch.Tensor]:
        images = [picture.to(device)[None].expand(3, -1, -1) for picture, _ in batch]
        targets = [
            {"boxes": boxes.to(device), "labels": torch.ones(len(boxes), dtype=torch.int64, device=device)}
            for _, boxes in batch
        ]
        return {name.removeprefix("loss_"): value for name, value in model(images, targets).items()}

    @staticmethod
    def describe(item: Item) -> str:
        return f"{item.image.file_name}, form {item.element}"


@torch.inference_mode()
def detect(model: FasterRCNN, reader: SliceReader, images: list[Image]) -> Iterator[tuple[Image, list[Detection]]]:
    """All boxes that the detector keeps, best first, slice after slice."""
    model.eval()
    device = next(model.parameters()).device
    for image in images:
        placed = reader.place(image)
        grey = torch.from_numpy(placed.canvas).to(device) / 255
        result = model([grey[None].expand(3, -1, -1)])[0]
        shift = torch.tensor([placed.dx, placed.dy, placed.dx, placed.dy], dtype=torch.float32)
        boxes = (result["boxes"].cpu() - shift).tolist()
        yield image, [Detection(tuple(b), s) for b, s in zip(boxes, result["scores"].tolist())]
