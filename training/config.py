"""pipeline.json (schema spinert.pipeline/1) as the recipe sees it. The file is carried through unchanged to the model.

`spinert convert` checks it in full; here only what training uses is read, and a missing key is named.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .data import CLASS_NAMES, DataError, fail

CONFIGS = Path(__file__).resolve().parents[1] / "converter" / "configs"
DETECTORS = ("fasterrcnn_resnet18_fpn", "fasterrcnn_mobilenet_v2", "fasterrcnn_resnet18_c5")


@dataclass(frozen=True)
class Pipeline:
    """`document` is the whole file; the other fields are its parts by short names."""

    document: dict[str, Any]
    architecture: str
    size: int
    window: tuple[float, float]
    detector: dict[str, Any]
    classifier: dict[str, Any]
    patch_size: int
    patch_table: tuple[tuple[float, float, float], ...]
    score_threshold: float


def from_document(document: Any, place: str) -> Pipeline:
    try:
        if document["schema"] != "spinert.pipeline/1":
            raise fail(place, "another schema", "spinert.pipeline/1", document["schema"])
        detector, classifier, patches = document["detector"], document["classifier"], document["patches"]
        if detector["architecture"] not in DETECTORS:
            raise fail(place, "unknown detector", " or ".join(DETECTORS), detector["architecture"])
        if classifier["architecture"] != "resnet50_multilabel":
            raise fail(place, "unknown classifier", "resnet50_multilabel", classifier["architecture"])
        if classifier["class_names"] != list(CLASS_NAMES):
            raise fail(place, "other classes", list(CLASS_NAMES).__repr__(), classifier["class_names"])
        if detector["box"]["min_size"] != 1e-2:
            raise fail(
                place, "torchvision fixes the smallest side of a box", (1e-2).__repr__(), detector["box"]["min_size"]
            )
        window = detector["input"]["window"]
        return Pipeline(
            document,
            detector["architecture"],
            int(detector["input"]["size"]),
            (float(window["level"]), float(window["width"])),
            detector,
            classifier,
            int(patches["size"]),
            tuple((float(a), float(b), float(c)) for a, b, c in patches["table"]),
            float(document["diagnosis"]["score_threshold"]),
        )
    except KeyError as missing:
        raise DataError(f"{place}: the key {missing} is missing") from missing
    except (TypeError, ValueError) as problem:
        if isinstance(problem, DataError):
            raise
        raise DataError(f"{place}: {problem}") from problem


def load(path: Path) -> Pipeline:
    """The pipeline.json at `path`, or the ready config of an architecture when `path` is its name."""
    if str(path) in DETECTORS:
        path = CONFIGS / f"{path}.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise DataError(f"{path}: cannot be read as JSON: {problem}") from problem
    return from_document(document, str(path))
