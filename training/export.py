"""From trained networks to a SpineRT model: state_dicts, pipeline.json, card, then `spinert convert` and its checks."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Sequence

import torch
from torch import nn

from .data import DataError, Dataset, write_json

DETECTOR, CLASSIFIER, CONFIG, CARD, MODEL = (
    "detector.pth",
    "classifier.pth",
    "pipeline.json",
    "card.json",
    "model.safetensors",
)
INTENDED_USE = "Research use only. Not for diagnostic use."
DEFAULT_PROGRAM = Path(__file__).resolve().parents[1] / "build" / "spinert"


class ProgramError(RuntimeError):
    """`spinert` ended with another exit code than 0."""


@dataclass(frozen=True)
class Program:
    """The `spinert` that turns checkpoints into a model and judges it."""

    path: Path
    say: Callable[[str], None] = print

    def run(self, *arguments: str | Path) -> str:
        """Its stdout; what it says on stderr is in the error."""
        command = [str(self.path), *(str(a) for a in arguments)]
        self.say("$ " + " ".join(command))
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as problem:
            raise DataError(f"{self.path} cannot be run: {problem}. Build it, or name it with --spinert.") from problem
        if done.returncode != 0:
            raise ProgramError(f"spinert {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def convert(self, folder: Path, storage: str) -> Path:
        """The model of what lies in `folder`."""
        model = folder / MODEL
        files = {"--detector": DETECTOR, "--classifier": CLASSIFIER, "--config": CONFIG, "--card": CARD}
        named = [part for option, name in files.items() for part in (option, folder / name)]
        self.run("convert", *named, "--storage", storage, "--replace", "-o", model)
        return model

    def verify(self, model: Path, pictures: Sequence[Path], output: Path) -> None:
        """Every node of the fast backend against the reference: minutes a slice."""
        self.run("verify", model, *pictures, "--json", output)

    def evaluate(self, model: Path, pictures: Sequence[Path], truth: Path, hu_offset: float | None, out: Path) -> None:
        """The paper's tables and curves for the model on slices it never saw."""
        offset = [] if hu_offset is None else ["--hu-offset", f"{hu_offset:g}"]
        self.run(
            "evaluate", *pictures, "--truth", truth, "--model", model, *offset, "--overwrite", "replace", "-o", out
        )


def save_state(model: nn.Module, path: Path) -> None:
    """`torch.save(model.state_dict())` on the CPU; the file appears whole. Refuses weights that are no numbers."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    for name, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise DataError(f"{path}: {name} holds numbers that are not finite; the training went wrong")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def card(name: str, dataset: Dataset, description: str, settings: dict[str, Any]) -> dict[str, Any]:
    """A model card: what it was trained on and how. `description` must say whether patients are in it."""
    vertebrae = len(dataset.annotations)
    changed = sum(1 for a in dataset.annotations if a.provenance and not a.extra.get("mined"))
    mined = sum(1 for a in dataset.annotations if a.extra.get("mined"))
    counted = f"{len(dataset.images)} slices, {vertebrae} vertebrae ({mined} mined normal, {changed} corrected)"
    return {
        "name": name,
        "training_data": f"{description} {counted}.",
        "intended_use": INTENDED_USE,
        "limits": "Evaluated on the held-out slices of the same data alone, unless the evaluation says otherwise.",
        "recipe": json.dumps(settings, sort_keys=True),
    }


def write_export(folder: Path, document: dict[str, Any], model_card: dict[str, Any]) -> None:
    """pipeline.json and the card beside the state_dicts in `folder`."""
    write_json(folder / CONFIG, document)
    write_json(folder / CARD, model_card)
