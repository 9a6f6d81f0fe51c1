"""The networks in torchvision's modules, by the names of converter/architectures, and their reduced forms.

The modules carry torchvision's own state_dict names, so that a checkpoint of one is what a user would bring.
"""
from typing import Callable

import torch
import torchvision
from torch import nn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import Conv2dNormActivation

FPN_LEVELS = 4  # that the box head reads


def resnet18_fpn() -> nn.Module:
    return resnet_fpn_backbone(backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5)


def with_channels(backbone: nn.Module, channels: int) -> nn.Module:
    """FasterRCNN asks a backbone of one map for its channels."""
    backbone.out_channels = channels
    return backbone


def resnet18_c5() -> nn.Module:
    return with_channels(nn.Sequential(*list(torchvision.models.resnet18(weights=None).children())[:-2]), 512)


def mobilenet_v2() -> nn.Module:
    return with_channels(torchvision.models.mobilenet_v2(weights=None).features, 1280)


def residual_layer(block: type[nn.Module], channels: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    """torchvision's ResNet._make_layer, for widths of our own."""
    out = planes * block.expansion
    shape = None
    if stride != 1 or channels != out:
        shape = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
    first = block(channels, planes, stride, shape)
    return nn.Sequential(first, *(block(out, planes) for _ in range(blocks - 1)))


def stem(channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(3, channels, 7, 2, 3, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]


def reduced_c5() -> nn.Module:
    layers, channels = stem(4), 4
    for number, planes in enumerate((4, 4, 8, 8)):
        layers.append(residual_layer(BasicBlock, channels, planes, 2, 1 if number == 0 else 2))
        channels = planes
    return with_channels(nn.Sequential(*layers), channels)


def reduced_mobilenet() -> nn.Module:
    def conv(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
        return Conv2dNormActivation(inputs, outputs, kernel, stride, activation_layer=nn.ReLU6)

    parts, channels = [conv(3, 8, 3, 2)], 8
    for expansion, out, blocks, first in (
        (1, 8, 1, 1),
        (3, 12, 2, 2),
        (3, 16, 2, 2),
        (4, 20, 1, 2),
        (4, 20, 1, 1),
        (2, 24, 1, 2),
    ):
        for index in range(blocks):
            parts.append(InvertedResidual(channels, out, first if index == 0 else 1, expansion))
            channels = out
    return with_channels(nn.Sequential(*parts, conv(channels, 40, 1, 1)), 40)


class ReducedClassifier(nn.Module):
    """resnet_reduced_multilabel: a bottleneck in each layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu, self.maxpool = stem(4)
        channels = 4
        for number, planes in enumerate((2, 2, 4, 4)):
            layer = residual_layer(Bottleneck, channels, planes, 1, 1 if number == 0 else 2)
            setattr(self, f"layer{number + 1}", layer)
            channels = planes * Bottleneck.expansion
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for number in range(1, 5):
            x = getattr(self, f"layer{number}")(x)
        return self.fc(x.mean((2, 3)))


BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "fasterrcnn_resnet18_fpn": resnet18_fpn,
    "fasterrcnn_resnet18_c5": resnet18_c5,
    "fasterrcnn_mobilenet_v2": mobilenet_v2,
    "fasterrcnn_reduced_c5": reduced_c5,
    "fasterrcnn_reduced_mobilenet": reduced_mobilenet,
}
CLASSIFIERS: dict[str, Callable[[int], nn.Module]] = {
    "resnet50_multilabel": lambda classes: torchvision.models.resnet50(weights=None, num_classes=classes),
    "resnet_reduced_multilabel": ReducedClassifier,
}
# Units of fc6 and fc7 where they are not torchvision's 1024.
REDUCED_HIDDEN = 16


def known(table: dict[str, Callable[..., nn.Module]], name: str) -> Callable[..., nn.Module]:
    if name not in table:
        raise ValueError(f"architecture {name!r} is not among {', '.join(table)}")
    return table[name]


def region_maps(architecture: str) -> list[str]:
    """Names of the maps that RoIAlign reads, as FasterRCNN calls them."""
    return [str(level) for level in range(FPN_LEVELS if architecture.endswith("_fpn") else 1)]
