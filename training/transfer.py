"""Weights of an earlier model into a new one: a whole checkpoint, or a plain ResNet or MobileNet into the backbone.

Nothing in a checkpoint is executed (`weights_only`). What does not fit is an error, except the layers that depend on
the number of classes, which then start afresh and are reported.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from .data import DataError

State = dict[str, torch.Tensor]
# Layers whose size follows from the number of classes.
HEADS = ("fc.", "roi_heads.box_predictor.", "classifier.")
# Children of a ResNet in the order in which the C5 backbone, an nn.Sequential, numbers them.
RESNET_CHILDREN = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


@dataclass(frozen=True)
class Transfer:
    """What came of it: tensors taken over, and those of the model that start afresh."""

    kind: str
    taken: int
    fresh: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(self.fresh[:4]) + (" ..." if len(self.fresh) > 4 else "")
        fresh = f"; {len(self.fresh)} start afresh: {named}" if self.fresh else ""
        return f"{self.taken} tensors taken over ({self.kind}){fresh}"


def read_state(path: Path) -> State:
    """A state_dict of float32 tensors: bare, or under `model` or `state_dict`; the prefix `module.` falls away."""
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:  # torch raises many kinds for what it refuses
        raise DataError(f"{path}: no checkpoint that can be read without executing it: {problem}") from problem
    for key in ("model", "state_dict"):
        if isinstance(document, dict) and isinstance(document.get(key), dict):
            document = document[key]
    if (
        not isinstance(document, dict)
        or not document
        or not all(isinstance(v, torch.Tensor) for v in document.values())
    ):
        raise DataError(f"{path}: holds no state_dict (a dict of names and tensors)")
    state: State = {}
    for name, value in document.items():
        if value.is_floating_point():
            value = value.float()
            if not torch.isfinite(value).all():
                raise DataError(f"{path}: {name} holds numbers that are not finite")
        state[name.removeprefix("module.")] = value
    return state


def new_generation(name: str) -> str:
    """Names of torchvision before 0.14 in today's form."""
    name = re.sub(r"^rpn\.head\.conv\.(weight|bias)$", r"rpn.head.conv.0.0.\1", name)
    return re.sub(r"(fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$", r"\1.0.\2", name)


def into_backbone(name: str, own: State) -> str | None:
    """A plain network's tensor by its name in the detector, or None for its classifying head."""
    if name.startswith(HEADS):
        return None
    if name.startswith("features."):
        return "backbone." + name.removeprefix("features.")
    if any(known.startswith("backbone.body.") for known in own):
        return "backbone.body." + name
    child, _, rest = name.partition(".")
    return f"backbone.{RESNET_CHILDREN.index(child)}.{rest}" if child in RESNET_CHILDREN else None


def transfer(model: nn.Module, path: Path) -> Transfer:
    """Fills `model` from the checkpoint at `path`. Raises DataError, the model untouched, where it does not fit."""
    state = {new_generation(name): value for name, value in read_state(path).items()}
    own = model.state_dict()
    plain = any(name.startswith("backbone.") for name in own) and not any(n.startswith("backbone.") for n in state)
    if plain:
        renamed = {into_backbone(name, own): value for name, value in state.items()}
        state = {name: value for name, value in renamed.items() if name is not None}
    taken: State = {}
    for name, value in state.items():
        if name not in own:
            raise DataError(f"{path}: tensor {name} has no place in this architecture")
        if own[name].shape == value.shape:
            taken[name] = value
        elif not name.startswith(HEADS):
            expected, got = tuple(own[name].shape), tuple(value.shape)
            raise DataError(f"{path}: tensor {name} has another shape (expected {expected}, got {got})")
    counters = [name for name in own if name.endswith("num_batches_tracked")]
    fresh = tuple(name for name in own if name not in taken and name not in counters)
    body = "backbone.body." if any(name.startswith("backbone.body.") for name in own) else "backbone."
    absent = [name for name in fresh if not name.startswith(HEADS) and not (plain and not name.startswith(body))]
    if absent or not taken:
        raise DataError(f"{path}: {len(absent)} tensors are missing, the first is {absent[0] if absent else 'any'}")
    model.load_state_dict(own | taken)
    return Transfer("backbone" if plain else "whole network", len(taken), fresh)
