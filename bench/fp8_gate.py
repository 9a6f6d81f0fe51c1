"""What fp8 would do to the results, on a processor: torchvision's networks with the inputs of chosen layers rounded to
e4m3, against the same networks in float32, by the rule of gate.py.

Kinder than a plain kernel: weights are scaled for each output channel and activations for each call by their own
largest value, sums and everything else stay float32. Finer scales, as for each block of values, are not tried.

    python3 bench/fp8_gate.py --model models/spine-demo.safetensors ../shared/phantom/slice_00?.png

Needs torch and torchvision (tests/golden/requirements.txt).
"""
import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/golden"))

import torch_pipeline  # noqa: E402 - first of all: it may start another Python

import picture as pictures  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import gate  # noqa: E402

E4M3, LARGEST = torch.float8_e4m3fn, 448.0
WIDE = 64  # channels from which a convolution is worth the tensor cores in fp8


def rounded(values: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
    scale = torch.where(largest > 0, largest / LARGEST, torch.ones_like(largest))
    return (values / scale).to(E4M3).to(values.dtype) * scale


def wide_layers(network: nn.Module, wanted: Callable[[str], bool]) -> list[nn.Module]:
    return [layer for name, layer in network.named_modules() if wanted(name) and (
        isinstance(layer, nn.Conv2d) and layer.groups == 1 and layer.in_channels >= WIDE or isinstance(layer, nn.Linear))]


def in_fp8(layers: list[nn.Module]) -> Callable[[], None]:
    """Rounds weights now and inputs at every call; gives what undoes it."""
    kept = [(layer, layer.weight.data) for layer in layers]
    hooks = [layer.register_forward_pre_hook(lambda _, given: (rounded(given[0], given[0].abs().max()),)) for layer in layers]
    for layer, weight in kept:
        layer.weight.data = rounded(weight, weight.abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True))

    def undo() -> None:
        for hook in hooks:
            hook.remove()
        for layer, weight in kept:
            layer.weight.data = weight
    return undo


def entry(found: torch_pipeline.Diagnosis, names: tuple[str, ...]) -> dict[str, Any]:
    """As a slice of report.json, as far as gate.py reads it."""
    made = asdict(found)
    for vertebra in made["vertebrae"]:
        vertebra["probabilities"] = dict(zip(names, vertebra["probabilities"], strict=True))
    made["candidates"] = [{"box": box, "score": score} for box, score in found.candidates]
    return made | {"status": "completed", "alert": "", "error": "OK"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", type=Path, metavar="SLICE")
    torch_pipeline.add_weight_options(parser)
    options = parser.parse_args()
    pipeline = torch_pipeline.pipeline_from_options(options)
    detector, classifier = pipeline.detector, pipeline.classifier
    rows = {
        "classifier": wide_layers(classifier, lambda name: True),
        "classifier, layer3 and layer4": wide_layers(classifier, lambda name: name.startswith(("layer3", "layer4"))),
        "detector: box head": wide_layers(detector, lambda name: name.startswith("roi_heads")),
        "detector: RPN": wide_layers(detector, lambda name: name.startswith("rpn")),
        "detector: FPN": wide_layers(detector, lambda name: ".fpn." in name),
        "detector: FPN, 1x1 layers": wide_layers(detector, lambda name: ".fpn.inner_blocks" in name),
        "detector: FPN, 3x3 layers": wide_layers(detector, lambda name: ".fpn.layer_blocks" in name),
        "detector: ResNet": wide_layers(detector, lambda name: ".body." in name),
        "all": wide_layers(detector, lambda name: True) + wide_layers(classifier, lambda name: True)}
    names, threshold = pipeline.config.class_names, pipeline.config.score_threshold
    slices = [pictures.read_picture(path) for path in pictures.expand_inputs(options.inputs)]
    base = [entry(pipeline.diagnose(one), names) for one in slices]
    print(f"{len(slices)} slices, {sum(len(one['vertebrae']) for one in base)} vertebrae")
    print("| in fp8 | layers | near | lost | gained | probabilities off | largest difference | 1 - IoU | passes |\n" + "|---" * 9 + "|")
    for name, layers in rows.items():
        undo, group = in_fp8(layers), gate.Group(name)
        for one, want in zip(slices, base):
            gate.compare_slice(want, entry(pipeline.diagnose(one), names), threshold, group)
        undo()
        print(f"| {name} | {len(layers)} | {group.near} | {len(group.lost)} | {len(group.gained)} | {len(group.probabilities)} | "
              f"{group.most_probability:.4f} | {1 - group.least_iou:.3f} | {'no' if group.breaches() else 'yes'} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
