"""The training loop that detector and classifier share: SGD, warm-up and cosine, mixed precision, resume.

Every random choice follows from (seed, epoch, position) or from a seed set at the start of an epoch, so a run that was
stopped and resumed ends in the same weights as one that was not, on one machine with the same number of threads.
"""

import math
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Callable, Protocol

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset as TorchDataset

from .data import DataError, fail

CHECKPOINT = "checkpoint.pt"
# What may change between a run and its continuation: it has no influence on the weights, or is a matter of machine.
FREE_SETTINGS = ("device", "workers")


@dataclass(frozen=True)
class TrainSettings:
    """What both networks are trained by; training/README.md says what follows the paper and what is ours."""

    epochs: int
    batch: int
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    clip_norm: float = 10.0
    epoch_size: int = 0  # samples an epoch; 0: eight for each slice or vertebra
    folds: int = 8  # 8: the symmetries of the square; 1: pictures as they are
    freeze_norm: bool = False  # batch norms keep their statistics
    seed: int = 1
    device: str = "cpu"
    amp: bool = False
    deterministic: bool = False  # refuse operators without a deterministic form
    workers: int = 0

    def check(self) -> "TrainSettings":
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise fail("settings", f"{name} is not possible", "1 or more", getattr(self, name))
        for name in ("learning_rate", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise fail("settings", f"{name} is not possible", "a positive number", getattr(self, name))
        for name in ("momentum", "weight_decay", "warmup_steps", "epoch_size", "workers", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise fail("settings", f"{name} is not possible", "0 or more", getattr(self, name))
        if self.folds not in (1, 8):
            raise fail("settings", "folds is not possible", "1 or 8", self.folds)
        return self


class Job(Protocol):
    """What is trained on what."""

    def items(self, epoch: int) -> list[Any]:
        """The samples of an epoch in order; equally many in each."""

    def sample(self, item: Any, random: np.random.Generator) -> Any:
        """One sample; all that is random about it comes from `random`."""

    def collate(self, samples: list[Any]) -> Any: ...

    def losses(self, model: nn.Module, batch: Any, device: torch.device) -> dict[str, torch.Tensor]:
        """Parts of the loss; their sum is minimised."""

    def describe(self, item: Any) -> str:
        """Names the sample in errors."""


@dataclass
class EpochRecord:
    """Mean losses of one epoch."""

    epoch: int
    loss: float
    parts: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


class EpochSamples(TorchDataset):
    """The samples of one epoch for the loader; the same whatever process makes them."""

    def __init__(self, job: Job, items: list[Any], seed: int, epoch: int) -> None:
        self.job, self.items_, self.seed, self.epoch = job, items, seed, epoch

    def __len__(self) -> int:
        return len(self.items_)

    def __getitem__(self, position: int) -> Any:
        random = np.random.default_rng([self.seed, self.epoch, position])
        return self.job.sample(self.items_[position], random)


def open_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise fail("settings", "the device is not there", "cpu, or cuda with a card that torch sees", name)
        torch.zeros(1, device=device)
    except RuntimeError as problem:
        raise DataError(f"device {name} cannot be used: {problem}") from problem
    return device


def rate(settings: TrainSettings, step: int, steps: int) -> float:
    """Learning rate of a step: linear warm-up, then half a cosine down to nearly nothing."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    return settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))


def decayed(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights of convolutions and linear layers decay; biases and batch norms do not."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def set_training(model: nn.Module, freeze_norm: bool) -> None:
    model.train()
    if freeze_norm:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load_resume(path: Path, settings: TrainSettings) -> dict[str, Any]:
    """The state of an earlier run; its settings must be the same."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = state["settings"]
    except Exception as problem:  # torch raises many kinds for a damaged file
        raise DataError(f"{path}: no checkpoint of this recipe: {problem}") from problem
    for name, value in asdict(settings).items():
        if name not in FREE_SETTINGS and before.get(name) != value:
            raise fail(str(path), f"the run was started with another {name}", str(before.get(name)), value)
    return state


def run_epoch(
    model: nn.Module,
    job: Job,
    settings: TrainSettings,
    epoch: int,
    device: torch.device,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> EpochRecord:
    started = time.monotonic()
    torch.manual_seed(settings.seed * 1_000_003 + epoch)  # torchvision draws anchors and proposals with it
    items = job.items(epoch)
    samples = EpochSamples(job, items, settings.seed, epoch)
    loader = DataLoader(samples, settings.batch, collate_fn=job.collate, num_workers=settings.workers)
    steps, sums, total = len(loader), {}, 0.0
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    set_training(model, settings.freeze_norm)
    for number, batch in enumerate(loader):
        for group in optimizer.param_groups:
            group["lr"] = rate(settings, epoch * steps + number, settings.epochs * steps)
        with torch.autocast(device.type, half, enabled=settings.amp):
            parts = job.losses(model, batch, device)
            loss = sum(parts.values())
        if not torch.isfinite(loss):
            names = ", ".join(job.describe(i) for i in items[number * settings.batch : (number + 1) * settings.batch])
            raise DataError(
                f"the loss is {loss.item()} in epoch {epoch + 1}, step {number + 1} ({names}). "
                "Lower the learning rate, or look at these records."
            )
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        scaler.step(optimizer)
        scaler.update()
        total += loss.item()
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value.item()
    means = {name: value / steps for name, value in sums.items()}
    return EpochRecord(epoch + 1, total / steps, means, time.monotonic() - started)


def fit(
    model: nn.Module,
    job: Job,
    settings: TrainSettings,
    folder: Path,
    resume: bool = False,
    say: Callable[[str], None] = print,
    stop_after: int | None = None,
) -> list[EpochRecord]:
    """Trains `model` in place; one checkpoint per epoch in `folder`. Returns the history, earlier epochs included.

    `stop_after` ends the run after that many epochs of the whole, to be resumed later.
    """
    settings.check()
    device = open_device(settings.device)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
    torch.use_deterministic_algorithms(settings.deterministic)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CHECKPOINT
    model.to(device)
    optimizer = torch.optim.SGD(decayed(model, settings.weight_decay), settings.learning_rate, settings.momentum)
    scaler = torch.amp.GradScaler(device.type, enabled=settings.amp and device.type == "cuda")
    history: list[EpochRecord] = []
    if resume and path.exists():
        state = load_resume(path, settings)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scaler.load_state_dict(state["scaler"])
        history = [EpochRecord(**record) for record in state["history"]]
        say(f"{path}: goes on after epoch {len(history)}")
    elif path.exists() and not resume:
        raise DataError(f"{path} is there from an earlier run: give --resume to go on with it, or another folder")
    for epoch in range(len(history), min(settings.epochs, stop_after or settings.epochs)):
        record = run_epoch(model, job, settings, epoch, device, optimizer, scaler)
        history.append(record)
        parts = ", ".join(f"{name} {value:.4f}" for name, value in record.parts.items())
        say(f"epoch {record.epoch}/{settings.epochs}: loss {record.loss:.4f} ({parts}), {record.seconds:.1f} s")
        save_checkpoint(
            path,
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scaler": scaler.state_dict(),
                "settings": asdict(settings),
                "history": [asdict(r) for r in history],
            },
        )
    return history
