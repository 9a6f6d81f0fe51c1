"""SpineRT model files in Python: a strict safetensors reader of its own and the way into torchvision's modules."""
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

HEADER_LIMIT = 100 << 20
ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1}


@dataclass(frozen=True)
class ModelFile:
    """All tensors of a model file, de-quantised to float32 in the layouts of the engine, and its metadata."""

    sha256: str
    metadata: dict[str, str]
    tensors: dict[str, np.ndarray]

    def config(self) -> dict[str, Any]:
        return json.loads(self.metadata["spinert.config"])


def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"the header names a key twice: {sorted(k for k in keys if keys.count(k) > 1)[0]}")
    return dict(pairs)


def decode(dtype: str, raw: memoryview) -> np.ndarray:
    """Stored numbers as float32, except I8, which stays integer until its scale is known."""
    if dtype == "F32":
        return np.frombuffer(raw, "<f4")
    if dtype == "F16":
        return np.frombuffer(raw, "<f2").astype(np.float32)
    if dtype == "BF16":
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(raw, np.int8)


def read_model(path: Path) -> ModelFile:
    """Reads and checks: header inside the file, known types, sizes that agree, data without holes or overlaps."""
    blob = path.read_bytes()
    length = int.from_bytes(blob[:8], "little")
    if len(blob) < 8 or length > HEADER_LIMIT or 8 + length > len(blob):
        raise ValueError(f"{path}: header of {length} bytes does not fit a file of {len(blob)}")
    header = json.loads(blob[8 : 8 + length].decode("utf-8"), object_pairs_hook=refuse_duplicates)
    metadata = header.pop("__metadata__", {})
    data = memoryview(blob)[8 + length :]
    stored: dict[str, np.ndarray] = {}
    expected_begin = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        size = math.prod(entry["shape"]) * ITEM_BYTES[entry["dtype"]]
        if begin != expected_begin or end - begin != size or end > len(data):
            raise ValueError(f"{path}: {name} lies at {begin}..{end}, expected {expected_begin} and {size} bytes")
        expected_begin = end
        stored[name] = decode(entry["dtype"], data[begin:end]).reshape(entry["shape"])
    if expected_begin != len(data):
        raise ValueError(f"{path}: {len(data) - expected_begin} bytes after the last tensor")
    return ModelFile(hashlib.sha256(blob).hexdigest(), metadata, dequantise(stored))


def dequantise(stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """w' = float(q) * scale per last dimension, one float32 product, as the engine does at load."""
    tensors: dict[str, np.ndarray] = {}
    for name, values in stored.items():
        if name.endswith(".scale"):
            continue
        if values.dtype == np.int8:
            values = values.astype(np.float32) * stored[name + ".scale"]
        tensors[name] = values
    return tensors


class Filler:
    """Copies tensors into modules and keeps count, so that every tensor of the file is used exactly once."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors
        self.used: set[str] = set()

    def take(self, name: str) -> np.ndarray:
        self.used.add(name)
        return self.tensors[name]

    @staticmethod
    def put(parameter: torch.Tensor, values: np.ndarray) -> None:
        if tuple(parameter.shape) != values.shape:
            raise ValueError(f"shape {values.shape} of the file does not fit {tuple(parameter.shape)}")
        parameter.data.copy_(torch.from_numpy(np.array(values)))  # a writable copy, which torch insists on

    def conv(self, name: str, conv: nn.Module, norm: nn.Module | None = None) -> None:
        """[kh][kw][in][out] -> OIHW; with a norm, the folded bias goes there and the norm becomes y = x + bias."""
        self.put(conv.weight, self.take(name + ".weight").transpose(3, 2, 0, 1))
        bias = self.take(name + ".bias")
        if norm is None:
            self.put(conv.bias, bias)
            return
        nn.init.ones_(norm.weight)
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0)
        norm.eps = 0.0
        self.put(norm.bias, bias)

    def linear(self, name: str, layer: nn.Linear, spatial: int = 0) -> None:
        """[in][out] -> [out][in]; with `spatial`, the rows come in (y, x, channel) order and go to (channel, y, x)."""
        weight = self.take(name + ".weight")
        if spatial:
            channels = weight.shape[0] // spatial**2
            weight = weight.reshape(spatial, spatial, channels, -1).transpose(2, 0, 1, 3).reshape(weight.shape)
        self.put(layer.weight, weight.T)
        self.put(layer.bias, self.take(name + ".bias"))

    def residual_layers(self, prefix: str, conv1: nn.Module, bn1: nn.Module, layers: list[nn.Module]) -> None:
        """Stem and layers of a ResNet; a block's convolutions are conv1, conv2 and perhaps conv3."""
        self.conv(prefix + "conv1", conv1, bn1)
        for level, layer in enumerate(layers, 1):
            for index, block in enumerate(layer):
                base = f"{prefix}layer{level}.{index}."
                for conv in ("conv1", "conv2", "conv3"):
                    if hasattr(block, conv):
                        self.conv(base + conv, getattr(block, conv), getattr(block, conv.replace("conv", "bn")))
                if block.downsample is not None:
                    self.conv(base + "downsample", block.downsample[0], block.downsample[1])

    def inverted_residuals(self, prefix: str, features: nn.Sequential) -> None:
        """MobileNetV2: a convolution, blocks of expansion (not in the first one), depthwise, projection, a convolution."""
        last = len(features) - 1
        for index, part in enumerate(features):
            name = f"{prefix}{index}"
            if index in (0, last):
                self.conv(f"{name}.conv", part[0], part[1])
                continue
            *before, projection, norm = part.conv
            for kind, pair in zip(("expand", "depthwise")[2 - len(before) :], before):
                self.conv(f"{name}.{kind}.conv", pair[0], pair[1])
            self.conv(f"{name}.project" if part.use_res_connect else name, projection, norm)


def resnet_layers(module: nn.Module) -> list[nn.Module]:
    return [getattr(module, f"layer{level}") for level in range(1, 5)]


def fill_backbone(filler: Filler, architecture: str, backbone: nn.Module) -> None:
    body = "detector.body."
    if architecture.endswith("_c5"):
        filler.residual_layers(body, backbone[0], backbone[1], list(backbone[4:]))
    elif "mobilenet" in architecture:
        filler.inverted_residuals(body, backbone)
    else:
        resnet = backbone.body
        filler.residual_layers(body, resnet.conv1, resnet.bn1, resnet_layers(resnet))
        for level in range(4):
            filler.conv(f"detector.fpn.lateral.{level}", backbone.fpn.inner_blocks[level][0])
            filler.conv(f"detector.fpn.{level}", backbone.fpn.layer_blocks[level][0])


def fill(model: ModelFile, architecture: str, detector: nn.Module, classifier: nn.Module) -> None:
    """Puts the de-quantised, folded weights of the file into both torchvision networks."""
    filler = Filler(model.tensors)
    fill_backbone(filler, architecture, detector.backbone)
    filler.conv("detector.rpn.head.conv", detector.rpn.head.conv[0][0])
    filler.conv("detector.rpn.head.logits", detector.rpn.head.cls_logits)
    filler.conv("detector.rpn.head.deltas", detector.rpn.head.bbox_pred)
    roi = detector.roi_heads
    filler.linear("detector.head.fc6", roi.box_head.fc6, spatial=roi.box_roi_pool.output_size[0])
    filler.linear("detector.head.fc7", roi.box_head.fc7)
    filler.linear("detector.head.logits", roi.box_predictor.cls_score)
    filler.linear("detector.head.deltas", roi.box_predictor.bbox_pred)
    filler.residual_layers("classifier.", classifier.conv1, classifier.bn1, resnet_layers(classifier))
    filler.linear("classifier.logits", classifier.fc)
    unused = sorted(set(model.tensors) - filler.used)
    if unused:
        raise ValueError(f"{len(unused)} tensors of the file have no place in the networks, first {unused[0]}")
