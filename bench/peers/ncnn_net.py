"""Networks in ncnn's own format (.param text, .bin weights): ResNet50 and a chain of convolutions.

Only the operators that these two need. A convolution's .bin record is a tag (0: float32), the weights and the bias.
"""
import struct
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = 7767517


class NcnnNet:
    """Collects layers; names of blobs are what the methods take and return."""

    def __init__(self, entry: str) -> None:
        self.layers: list[str] = []
        self.weights: list[bytes] = []
        self.blobs = 0
        self.add("Input", [], [entry], "")

    def add(self, kind: str, inputs: list[str], outputs: list[str], parameters: str) -> str:
        self.blobs += len(outputs)
        name = f"layer{len(self.layers)}"
        counts = f"{len(inputs)} {len(outputs)}"
        self.layers.append(" ".join([kind, name, counts, *inputs, *outputs, parameters]).strip())
        return outputs[0] if outputs else ""

    def fresh(self) -> str:
        return f"blob{self.blobs}"

    def keep(self, *tensors: Any) -> None:
        weight, bias = (np.ascontiguousarray(t.detach().numpy(), np.float32) for t in tensors)
        self.weights += [struct.pack("<i", 0), weight.tobytes(), bias.tobytes()]

    def conv(self, source: str, layer: Any, relu: bool) -> str:
        self.keep(layer.weight, layer.bias)
        parameters = (
            f"0={layer.out_channels} 1={layer.kernel_size[0]} 3={layer.stride[0]} 4={layer.padding[0]} 5=1 "
            f"6={layer.weight.numel()} 9={int(relu)}"
        )
        return self.add("Convolution", [source], [self.fresh()], parameters)

    def split(self, source: str) -> tuple[str, str]:
        first, second = f"{source}_a", f"{source}_b"
        self.add("Split", [source], [first, second], "")
        return first, second

    def relu_of_sum(self, one: str, other: str) -> str:
        total = self.add("BinaryOp", [one, other], [self.fresh()], "0=0")
        return self.add("ReLU", [total], [self.fresh()], "")

    def write(self, stem: Path) -> None:
        lines = [str(MAGIC), f"{len(self.layers)} {self.blobs}", *self.layers]
        stem.with_suffix(".param").write_text("\n".join(lines) + "\n")
        stem.with_suffix(".bin").write_bytes(b"".join(self.weights))


def resnet50(network: Any, stem: Path) -> None:
    """A torchvision ResNet50 whose batch norms are folded, with a sigmoid behind it: blobs "in" and "out"."""
    net = NcnnNet("in")
    blob = net.conv("in", network.conv1, relu=True)
    blob = net.add("Pooling", [blob], [net.fresh()], "0=0 1=3 2=2 3=1 5=1")
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in stage:
            main, short = net.split(blob)
            main = net.conv(main, block.conv1, relu=True)
            main = net.conv(main, block.conv2, relu=True)
            main = net.conv(main, block.conv3, relu=False)
            if block.downsample is not None:
                short = net.conv(short, block.downsample[0], relu=False)
            blob = net.relu_of_sum(main, short)
    blob = net.add("Pooling", [blob], [net.fresh()], "0=1 4=1")
    net.keep(network.fc.weight, network.fc.bias)
    parameters = f"0={network.fc.out_features} 1=1 2={network.fc.weight.numel()}"
    blob = net.add("InnerProduct", [blob], [net.fresh()], parameters)
    net.add("Sigmoid", [blob], ["out"], "")
    net.write(stem)


def chain(layers: Any, stem: Path) -> None:
    """A Sequential of convolutions and ReLUs: blobs "in" and "out"."""
    net = NcnnNet("in")
    blob = "in"
    for layer in layers:
        if hasattr(layer, "kernel_size"):
            blob = net.conv(blob, layer, relu=True)
    net.add("Noop", [blob], ["out"], "")
    net.write(stem)
