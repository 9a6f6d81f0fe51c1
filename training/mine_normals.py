"""Normal vertebrae as the paper gets them: all detections less those that overlap an annotated diseased vertebra.

Only slices whose diseased vertebrae alone are annotated are mined: on the others an expert has said which are normal.
A detection on a normal vertebra that an expert has annotated adds nothing either.
"""

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterable

from .data import DISEASED, NORMAL, Annotation, Box, DataError, Dataset, Id, Image, Provenance, next_id, overlap

OVERLAP = 0.5  # IoM above it: the same vertebra, as in the paper's evaluation


@dataclass(frozen=True)
class Detection:
    """A box in pixels of the slice as it came in."""

    corners: Box
    score: float


@dataclass(frozen=True)
class Mined:
    """The data set with its normal vertebrae, and what became of the detections."""

    dataset: Dataset
    counts: dict[str, int]


def clipped(corners: Box, image: Image) -> Box:
    """A detection cut to its slice, as [x, y, width, height]; it may have no area left."""
    x1, x2 = (min(max(v, 0.0), float(image.width)) for v in (corners[0], corners[2]))
    y1, y2 = (min(max(v, 0.0), float(image.height)) for v in (corners[1], corners[3]))
    return (x1, y1, x2 - x1, y2 - y1)


def mine(
    dataset: Dataset,
    detections: Iterable[tuple[Image, list[Detection]]],
    score_threshold: float,
    model_sha256: str,
    when: str,
    iom: float = OVERLAP,
) -> Mined:
    """Each detection at the threshold that covers no annotated vertebra becomes a normal one; earlier mined ones go."""
    found = {image.id: boxes for image, boxes in detections}
    counts: Counter[str] = Counter(slices=0, normal=0, annotated=0, below_threshold=0, outside=0)
    kept = [a for a in dataset.annotations if not a.extra.get("mined")]
    annotated: dict[Id, list[Box]] = {image.id: [] for image in dataset.images}
    for annotation in kept:
        annotated[annotation.image_id].append(annotation.corners)
    free = next_id(a.id for a in dataset.annotations)
    for image in dataset.images:
        if image.annotated != DISEASED:
            continue
        if image.id not in found:
            raise DataError(f"image id {image.id}: no detections of {image.file_name}, so its normals cannot be mined")
        counts["slices"] += 1
        for detection in found[image.id]:
            box = clipped(detection.corners, image)
            if detection.score < score_threshold:
                counts["below_threshold"] += 1
            elif any(overlap(detection.corners, own)[1] > iom for own in annotated[image.id]):
                counts["annotated"] += 1
            elif box[2] <= 0 or box[3] <= 0:
                counts["outside"] += 1
            else:
                change = Provenance("spinert training mine", when, model_sha256, "mined")
                extra = {"category_id": 1, "mined": True, "score": detection.score}
                kept.append(Annotation(free, image.id, box, (NORMAL,), (change,), extra))
                counts["normal"] += 1
                free += 1
    return Mined(replace(dataset, annotations=tuple(kept)), dict(counts))


def from_report(path: Path, dataset: Dataset) -> tuple[list[tuple[Image, list[Detection]]], str]:
    """Detections of a report.json of `spinert diagnose`, and the hash of its model. Slices are told by file name."""
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        model = report["model"]["sha256"]
        slices = {entry["source"]: entry for entry in report["slices"]}
        result = []
        for image in dataset.images:
            entry = slices.get(Path(image.file_name).name)
            if entry is None or entry["status"] == "failed":
                continue
            boxes = [Detection(tuple(c["box"]), float(c["score"])) for c in entry["candidates"]]
            result.append((image, boxes))
    except (OSError, KeyError, TypeError, ValueError) as problem:
        raise DataError(f"{path}: no report of spinert diagnose: {problem!r}") from problem
    names = Counter(Path(image.file_name).name for image in dataset.images)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DataError(f"{path}: several slices are called {twice[0]}; mine with --detector instead")
    return result, model
