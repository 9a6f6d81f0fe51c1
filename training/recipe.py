"""The whole recipe: truth and pictures in, a converted, verified and evaluated model out. Each step can be resumed.

Order: corrections, split, detector, mined normals, classifier, export, `spinert convert`, `verify`, `evaluate`.
"""

import datetime
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Callable

import torch
from torch import nn

from . import classifier, corrections, detector, export
from .augment import PatchRange
from .config import Pipeline
from .data import DISEASED, DataError, Dataset, read_dataset, sha256_of, split, write_dataset, write_json
from .loop import Job, TrainSettings, fit, open_device
from .mine_normals import OVERLAP, mine
from .sampling import RATIOS
from .slices import SliceReader
from .transfer import transfer

Say = Callable[[str], None]


@dataclass(frozen=True)
class RecipeSettings:
    """All that decides what comes out, besides data and machine."""

    detector: TrainSettings
    classifier: TrainSettings
    detector_from: Path | None = None
    classifier_from: Path | None = None
    ratios: dict[str, float] | None = field(default_factory=lambda: dict(RATIOS))
    patches: PatchRange = PatchRange()
    iom: float = OVERLAP
    held_out: float = 0.2
    storage: str = "f32"
    name: str = "unnamed"
    description: str = "Not described."


@dataclass(frozen=True)
class Sources:
    """Where everything lies. `validation` (truth, pictures) replaces the split."""

    truth: Path
    pictures: Path
    output: Path
    corrections: tuple[Path, ...] = ()
    validation: tuple[Path, Path] | None = None


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def train(
    model: nn.Module, job: Job, settings: TrainSettings, start: Path | None, folder: Path, resume: bool, say: Say
) -> list[dict[str, object]]:
    """Trains from `start`, writes the state_dict to `folder`.pth; returns the history."""
    if start is not None:
        say(f"{start}: {transfer(model, start)}")
    history = [asdict(record) for record in fit(model, job, settings, folder, resume, say)]
    export.save_state(model, folder.with_suffix(".pth"))
    return history


def train_detector(
    dataset: Dataset,
    reader: SliceReader,
    settings: TrainSettings,
    start: Path | None,
    folder: Path,
    resume: bool,
    say: Say,
) -> tuple[nn.Module, list[dict[str, object]]]:
    torch.manual_seed(settings.seed)
    model = detector.build(reader.pipeline)
    job = detector.DetectorJob(dataset, reader, settings)
    say(f"detector {reader.pipeline.architecture}: {len(job.images)} slices, {len(job.items(0))} samples an epoch")
    return model, train(model, job, settings, start, folder, resume, say)


def train_classifier(
    dataset: Dataset, reader: SliceReader, settings: RecipeSettings, folder: Path, resume: bool, say: Say
) -> tuple[nn.Module, list[dict[str, object]]]:
    torch.manual_seed(settings.classifier.seed)
    model = classifier.build(reader.pipeline)
    job = classifier.ClassifierJob(dataset, reader, settings.classifier, settings.ratios, settings.patches)
    say(f"classifier: {len(job.vertebrae)} vertebrae, present {job.plan.present}, an epoch draws {job.plan.drawn}")
    return model, train(model, job, settings.classifier, settings.classifier_from, folder, resume, say)


def prepare(sources: Sources, settings: RecipeSettings, say: Say) -> tuple[Dataset, Dataset]:
    """Corrected and split; both sides are written for whoever wants to see them."""
    dataset = read_dataset(sources.truth)
    if sources.corrections:
        merged = corrections.merge(dataset, list(sources.corrections))
        if merged.conflicts:
            write_json(sources.output / "conflicts.json", corrections.conflicts_document(merged))
            raise DataError(
                f"{len(merged.conflicts)} corrections contradict something else: see {sources.output}/conflicts.json, "
                "settle them there or in the files, and start again"
            )
        say(f"corrections: {merged.counts}")
        dataset = merged.dataset
    if sources.validation is not None:
        training, held = dataset, read_dataset(sources.validation[0])
        if {i.file_name for i in training.images} & {i.file_name for i in held.images} and (
            sources.validation[1].resolve() == sources.pictures.resolve()
        ):
            raise DataError(f"{sources.validation[0]} holds slices of {sources.truth}: they would judge themselves")
    else:
        training, held = split(dataset, settings.held_out, settings.detector.seed)
    say(f"{len(training.images)} slices to train on, {len(held.images)} held out")
    write_dataset(sources.output / "training.json", training)
    write_dataset(sources.output / "held-out.json", held)
    return training, held


def run(
    sources: Sources,
    pipeline: Pipeline,
    settings: RecipeSettings,
    program: export.Program,
    resume: bool = False,
    verify_slices: int = 1,
    say: Say = print,
) -> Path:
    """Returns the model file."""
    output = sources.output
    training, held = prepare(sources, settings, say)
    reader = SliceReader(training, sources.pictures, pipeline)
    vertebra_finder, detector_history = train_detector(
        training, reader, settings.detector, settings.detector_from, output / "detector", resume, say
    )
    diseased = [image for image in training.images if image.annotated == DISEASED]
    if diseased:
        vertebra_finder.to(open_device(settings.detector.device))
        found = detector.detect(vertebra_finder, reader, diseased)
        model_hash = sha256_of(output / export.DETECTOR)
        mined = mine(training, found, pipeline.score_threshold, model_hash, now(), settings.iom)
        say(f"mined normals: {mined.counts}")
        training = mined.dataset
        write_dataset(output / "training.json", training)
    del vertebra_finder
    _, classifier_history = train_classifier(training, reader, settings, output / "classifier", resume, say)

    decided = {
        "detector": asdict(settings.detector),
        "classifier": asdict(settings.classifier),
        "ratios": settings.ratios,
        "patches": asdict(settings.patches),
        "training_sha256": sha256_of(output / "training.json"),
    }
    write_json(output / "history.json", {"detector": detector_history, "classifier": classifier_history})
    export.write_export(output, pipeline.document, export.card(settings.name, training, settings.description, decided))
    model = program.convert(output, settings.storage)

    folder = sources.pictures if sources.validation is None else sources.validation[1]
    pictures = [folder / image.file_name for image in held.images]
    if verify_slices and held.hu_offset is None:
        program.verify(model, pictures[:verify_slices], output / "verify.json")
    elif verify_slices:
        program.verify(model, [], output / "verify.json")  # it reads no Hounsfield units: the built-in slice
    program.evaluate(model, pictures, output / "held-out.json", held.hu_offset, output / "evaluation")
    return model
