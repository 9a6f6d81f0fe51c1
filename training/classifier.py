"""The classifier (VCModule): ResNet-50 with six sigmoids on patches about the vertebrae, and its training samples."""

from collections import Counter, OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
import torchvision
from torch import nn

from .augment import PatchRange, WindowRange, random_row, random_window, turn
from .config import Pipeline
from .data import CLASS_NAMES, Annotation, Dataset, Id, Image, fail
from .loop import TrainSettings
from .sampling import draw, plan
from .slices import Placement, SliceReader, canvas_boxes, patch

DEFAULTS = TrainSettings(epochs=12, batch=32, learning_rate=0.01)  # ours
CACHED_SLICES = 64  # canvases of 4 MB that each process keeps


def build(pipeline: Pipeline) -> nn.Module:
    """Untrained; the outputs are logits in the order of the class names."""
    model = torchvision.models.resnet50(weights=None, num_classes=len(CLASS_NAMES))
    eps = pipeline.classifier.get("batch_norm_eps", pipeline.detector["batch_norm_eps"])
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps
    return model


def normalised(grey: torch.Tensor, pipeline: Pipeline) -> torch.Tensor:
    """Patches [n][size][size] in 0..255 as the network takes them, [n][3][size][size]."""
    mean = torch.tensor(pipeline.classifier["mean"], device=grey.device)[:, None, None]
    std = torch.tensor(pipeline.classifier["std"], device=grey.device)[:, None, None]
    return ((grey / 255)[:, None].expand(-1, 3, -1, -1) - mean) / std


@dataclass(frozen=True)
class Item:
    """One vertebra in one of its eight forms."""

    index: int
    element: int


class ClassifierJob:
    """Vertebrae drawn to the ratios of the classes; each draw another random patch in another form."""

    def __init__(
        self,
        dataset: Dataset,
        reader: SliceReader,
        settings: TrainSettings,
        ratios: dict[str, float] | None,
        patches: PatchRange = PatchRange(),
    ) -> None:
        self.vertebrae: list[Annotation] = list(dataset.annotations)
        if not self.vertebrae:
            raise fail("classifier", "no vertebra to train on", "one or more", 0)
        self.images: dict[Id, Image] = {image.id: image for image in dataset.images}
        self.reader, self.settings, self.patches = reader, settings, patches
        self.labels = [vertebra.labels for vertebra in self.vertebrae]
        self.plan = plan(self.labels, ratios, settings.epoch_size or settings.folds * len(self.vertebrae))
        self.cache: OrderedDict[Id, Placement] = OrderedDict()

    def items(self, epoch: int) -> list[Item]:
        """A vertebra drawn again comes in its next form, so eight draws show all eight."""
        random = np.random.default_rng([self.settings.seed, epoch])
        chosen = draw(self.labels, self.plan, random)
        first = random.integers(self.settings.folds, size=len(self.vertebrae))
        seen: Counter[int] = Counter()
        items = []
        for index in chosen:
            items.append(Item(index, int(first[index] + seen[index]) % self.settings.folds))
            seen[index] += 1
        return items

    def placed(self, image: Image, random: np.random.Generator) -> Placement:
        """The canvas, from memory where the window does not change from draw to draw."""
        if self.reader.hu_offset is not None:
            return self.reader.place(image, random_window(random, WindowRange()))
        if image.id not in self.cache:
            self.cache[image.id] = self.reader.place(image)
            if len(self.cache) > CACHED_SLICES:
                self.cache.popitem(last=False)
        self.cache.move_to_end(image.id)
        return self.cache[image.id]

    def sample(self, item: Item, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Grey float32 [size][size] in 0..255, six targets 0 or 1."""
        vertebra = self.vertebrae[item.index]
        placed = self.placed(self.images[vertebra.image_id], random)
        box = canvas_boxes([vertebra], placed)[0]
        grey = patch(placed.canvas, box, random_row(random, self.patches), self.reader.pipeline.patch_size)
        targets = [float(name in vertebra.labels) for name in CLASS_NAMES]
        return torch.from_numpy(turn(grey, item.element)), torch.tensor(targets)

    @staticmethod
    def collate(samples: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
        grey, targets = zip(*samples)
        return torch.stack(grey), torch.stack(targets)

    def losses(
        self, model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor], device: torch.device
    ) -> dict[str, torch.Tensor]:
        grey, targets = (tensor.to(device) for tensor in batch)
        logits = model(normalised(grey, self.reader.pipeline))
        return {"labels": nn.functional.binary_cross_entropy_with_logits(logits, targets)}

    def describe(self, item: Item) -> str:
        vertebra = self.vertebrae[item.index]
        return f"annotation id {vertebra.id} on {self.images[vertebra.image_id].file_name}"


@torch.inference_mode()
def classify(model: nn.Module, canvas: np.ndarray, boxes: np.ndarray, pipeline: Pipeline) -> np.ndarray:
    """Probabilities float32 [n][6] for boxes on the canvas: the mean over the patches of the config's table."""
    model.eval()
    device = next(model.parameters()).device
    result = []
    for box in boxes:
        grey = np.stack([patch(canvas, box, row, pipeline.patch_size) for row in pipeline.patch_table])
        each = torch.sigmoid(model(normalised(torch.from_numpy(grey).to(device), pipeline)))
        result.append((each.cumsum(0)[-1] / len(grey)).cpu().numpy())
    return np.array(result, np.float32).reshape(-1, len(CLASS_NAMES))
