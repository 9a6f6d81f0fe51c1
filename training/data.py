"""COCO-style truth: reading with checks that name the record, and writing. Standard library only.

Boxes are [x, y, width, height] in pixels of the slice as it came in. Keys that the recipe does not know are kept as
they are, so that a file survives reading and writing.
"""

import hashlib
import json
import math
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Iterable

CLASS_NAMES = ("OVCF", "OF", "SN", "KD", "PS", "normal")
NORMAL = "normal"
EDGE_TOLERANCE = 0.01  # pixels; coordinates are written with two decimals. The same as `spinert evaluate`
# What is annotated on a slice: all vertebrae, or the diseased ones while normal ones may be missing. A detector is
# trained on the first kind alone; normal vertebrae are mined on the second.
ALL, DISEASED = "all", "diseased"

Id = int | str
Box = tuple[float, float, float, float]


class DataError(ValueError):
    """Truth, corrections or settings that cannot be used; the message names file, record and what was expected."""


@dataclass(frozen=True)
class Provenance:
    """Who changed a record, when (ISO 8601 with zone), with which model in front of them, and what it was before."""

    who: str
    when: str
    model_sha256: str
    action: str
    before: dict[str, Any] | None = None


@dataclass(frozen=True)
class Annotation:
    """One vertebra. `provenance` is its history, oldest first; empty for what the first annotation made."""

    id: Id
    image_id: Id
    box: Box
    labels: tuple[str, ...]
    provenance: tuple[Provenance, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def corners(self) -> Box:
        """x1, y1, x2, y2"""
        x, y, width, height = self.box
        return (x, y, x + width, y + height)

    @property
    def diseased(self) -> bool:
        return any(label != NORMAL for label in self.labels)


@dataclass(frozen=True)
class Image:
    """One slice. `study` keeps slices of one examination on one side of a split."""

    id: Id
    file_name: str
    width: int
    height: int
    annotated: str = ALL
    study: Id | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """Images and their vertebrae in the order of the file. `extra` holds the other keys of the document."""

    images: tuple[Image, ...]
    annotations: tuple[Annotation, ...]
    info: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def by_image(self) -> dict[Id, list[Annotation]]:
        """Every image id, with its vertebrae."""
        result: dict[Id, list[Annotation]] = {image.id: [] for image in self.images}
        for annotation in self.annotations:
            result[annotation.image_id].append(annotation)
        return result

    def only(self, image_ids: Iterable[Id]) -> "Dataset":
        """The same document with these images alone."""
        keep = set(image_ids)
        return replace(
            self,
            images=tuple(i for i in self.images if i.id in keep),
            annotations=tuple(a for a in self.annotations if a.image_id in keep),
        )

    @property
    def hu_offset(self) -> float | None:
        """Stored value minus this = Hounsfield units; None where the pictures are grey already."""
        return self.info.get("hu_offset")


def overlap(a: Box, b: Box) -> tuple[float, float]:
    """IoU and IoM (intersection over the smaller area) of two boxes given as corners."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0, 0.0
    inter = width * height
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return inter / (sum(areas) - inter), inter / min(areas)


def fail(place: str, what: str, expected: str, got: object) -> DataError:
    return DataError(f"{place}: {what} (expected {expected}, got {got!r})")


def need(record: dict[str, Any], key: str, kinds: type | tuple[type, ...], place: str, expected: str) -> Any:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, kinds) or value == "":
        raise fail(place, f'"{key}" is missing or of another kind', expected, value)
    return value


def read_provenance(value: Any, place: str) -> tuple[Provenance, ...]:
    """A list of changes."""
    if not isinstance(value, list):
        raise fail(place, '"provenance" is no list', "a list of changes", value)
    changes = []
    for n, change in enumerate(value):
        where = f"{place}, provenance[{n}]"
        if not isinstance(change, dict):
            raise fail(where, "the change is no object", "who, when, model_sha256, action", change)
        texts = [need(change, key, str, where, "a text") for key in ("who", "when", "model_sha256", "action")]
        changes.append(Provenance(*texts, change.get("before")))
    return tuple(changes)


def check_box(value: Any, image: Image, place: str) -> Box:
    """Four finite numbers, with area, inside the slice."""
    if not isinstance(value, list) or len(value) != 4:
        raise fail(place, '"bbox" is no box', "[x, y, width, height]", value)
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in value):
        raise fail(place, '"bbox" holds something else than numbers', "[x, y, width, height]", value)
    # Beyond 1e9 no box lies in a picture, and a whole number of JSON may be too large for a float.
    if not all(isinstance(v, int) or math.isfinite(v) for v in value) or any(abs(v) > 1e9 for v in value):
        raise fail(place, "the box holds a number that is not finite or far too large", "four finite numbers", value)
    x, y, width, height = (float(v) for v in value)
    if width <= 0 or height <= 0:
        raise fail(place, "the box has no area", "positive width and height", value)
    slack = EDGE_TOLERANCE
    if x < -slack or y < -slack or x + width > image.width + slack or y + height > image.height + slack:
        raise fail(place, f"the box lies outside {image.file_name}", f"0 to {image.width} x {image.height}", value)
    return (x, y, width, height)


def check_labels(value: Any, place: str) -> tuple[str, ...]:
    """One label or more, each known and given once; not normal together with a disease."""
    if not isinstance(value, list) or not value:
        raise fail(place, "the vertebra has no label", f"some of {', '.join(CLASS_NAMES)}", value)
    for label in value:
        if label not in CLASS_NAMES:
            raise fail(place, "unknown label", f"some of {', '.join(CLASS_NAMES)}", label)
        if value.count(label) > 1:
            raise fail(place, "a label is given twice", "each label once", value)
    if NORMAL in value and len(value) > 1:
        raise fail(place, "the vertebra is normal and diseased", "one or the other", value)
    return tuple(value)


def parse_image(record: Any, place: str) -> Image:
    if not isinstance(record, dict):
        raise fail(place, "the image is no object", "an object", record)
    image_id = need(record, "id", (int, str), place, "a whole number or a text")
    place = f"{place}, id {image_id}"
    file_name = need(record, "file_name", str, place, "a file name")
    if Path(file_name).is_absolute() or ".." in Path(file_name).parts:
        raise fail(place, "the file name leaves the folder of pictures", "a path inside it", file_name)
    sides = []
    for key in ("width", "height"):
        side = need(record, key, int, place, "a positive whole number")
        if side < 1:
            raise fail(place, f'"{key}" is not positive', "a positive whole number", side)
        sides.append(side)
    annotated = record.get("annotated", ALL)
    if annotated not in (ALL, DISEASED):
        raise fail(place, '"annotated" is unknown', f"{ALL} or {DISEASED}", annotated)
    study = record.get("study")
    if study is not None and (isinstance(study, bool) or not isinstance(study, (int, str))):
        raise fail(place, '"study" is of another kind', "a whole number or a text", study)
    known = ("id", "file_name", "width", "height", "annotated", "study")
    return Image(image_id, file_name, *sides, annotated, study, {k: v for k, v in record.items() if k not in known})


def parse_annotation(record: Any, images: dict[Id, Image], place: str) -> Annotation:
    if not isinstance(record, dict):
        raise fail(place, "the annotation is no object", "an object", record)
    own_id = need(record, "id", (int, str), place, "a whole number or a text")
    place = f"{place}, id {own_id}"
    image_id = need(record, "image_id", (int, str), place, "the id of an image")
    if image_id not in images:
        raise fail(place, "there is no such image", "the id of an image", image_id)
    box = check_box(record.get("bbox"), images[image_id], place)
    labels = check_labels(record.get("labels"), place)
    changes = read_provenance(record.get("provenance", []), place)
    known = ("id", "image_id", "bbox", "labels", "provenance")
    return Annotation(own_id, image_id, box, labels, changes, {k: v for k, v in record.items() if k not in known})


def read_document(path: Path) -> dict[str, Any]:
    """A JSON object with the lists `images` and `annotations`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise DataError(f"{path}: cannot be read as JSON: {problem}") from problem
    if not isinstance(document, dict):
        raise fail(str(path), "the document is no object", "an object", type(document).__name__)
    for key in ("images", "annotations"):
        if not isinstance(document.get(key), list):
            raise fail(str(path), f'"{key}" is missing', "a list", document.get(key))
    if not isinstance(document.get("info", {}), dict):
        raise fail(str(path), '"info" is of another kind', "an object", document["info"])
    findings = document.get("findings", list(CLASS_NAMES))
    if findings != list(CLASS_NAMES):
        raise fail(str(path), '"findings" are other classes', list(CLASS_NAMES).__repr__(), findings)
    offset = document.get("info", {}).get("hu_offset")
    if offset is not None and (isinstance(offset, bool) or not isinstance(offset, (int, float)) or abs(offset) > 32768):
        raise fail(str(path), '"hu_offset" is no offset', "a number", offset)
    return document


def parse_images(records: list[Any], path: Path) -> dict[Id, Image]:
    """Every image once, by id and by file name."""
    images: dict[Id, Image] = {}
    names: set[tuple[Id | None, str]] = set()
    for n, record in enumerate(records):
        place = f"{path}: images[{n}]"
        image = parse_image(record, place)
        if image.id in images:
            raise fail(place, f"the image id {image.id} is used twice", "another id", image.id)
        if (image.study, image.file_name) in names:
            raise fail(f"{place}, id {image.id}", "the slice is listed twice", "another file", image.file_name)
        images[image.id] = image
        names.add((image.study, image.file_name))
    return images


def read_dataset(path: Path) -> Dataset:
    """The truth at `path`, checked. Raises DataError, which names the record."""
    document = read_document(path)
    images = parse_images(document["images"], path)
    if not images:
        raise fail(str(path), "the truth names no slice", "one image or more", 0)
    annotations, ids = [], set()
    for n, record in enumerate(document["annotations"]):
        place = f"{path}: annotations[{n}]"
        annotation = parse_annotation(record, images, place)
        if annotation.id in ids:
            raise fail(place, f"the annotation id {annotation.id} is used twice", "another id", annotation.id)
        ids.add(annotation.id)
        annotations.append(annotation)
    extra = {k: v for k, v in document.items() if k not in ("images", "annotations", "info")}
    return Dataset(tuple(images.values()), tuple(annotations), document.get("info", {}), extra)


def image_record(image: Image) -> dict[str, Any]:
    record: dict[str, Any] = {"id": image.id, "file_name": image.file_name}
    record |= {"height": image.height, "width": image.width}
    if image.annotated != ALL:
        record["annotated"] = image.annotated
    if image.study is not None:
        record["study"] = image.study
    return record | image.extra


def provenance_record(change: Provenance) -> dict[str, Any]:
    return {key: value for key, value in vars(change).items() if value is not None}


def annotation_record(annotation: Annotation) -> dict[str, Any]:
    record: dict[str, Any] = {"id": annotation.id, "image_id": annotation.image_id}
    record |= {"bbox": list(annotation.box), "labels": list(annotation.labels)} | annotation.extra
    if annotation.provenance:
        record["provenance"] = [provenance_record(change) for change in annotation.provenance]
    return record


def write_text(path: Path, text: str) -> None:
    """The file appears whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def write_json(path: Path, document: Any) -> None:
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def write_dataset(path: Path, dataset: Dataset) -> None:
    document = {"info": dataset.info, **dataset.extra}
    document["images"] = [image_record(image) for image in dataset.images]
    document["annotations"] = [annotation_record(annotation) for annotation in dataset.annotations]
    write_json(path, document)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def next_id(ids: Iterable[Id]) -> int:
    """One above the largest whole number in use."""
    return max((i for i in ids if isinstance(i, int)), default=-1) + 1


def split(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """(training, held out): about `share` of the slices held out, whole studies at a time, by a seeded hash.

    The hash looks at the name of the study (or the file) alone, so a slice stays on its side when others are added.
    """
    if not 0 < share < 1:
        raise fail("split", "the held-out share is not possible", "between 0 and 1", share)

    def value(image: Image) -> float:
        name = f"study {image.study}" if image.study is not None else f"file {image.file_name}"
        return int(hashlib.sha256(f"{seed} {name}".encode()).hexdigest()[:13], 16) / 16**13

    held = {image.id for image in dataset.images if value(image) < share}
    if not held or len(held) == len(dataset.images):
        raise fail(
            "split", f"{len(dataset.images)} slices leave one side empty", "another seed, share or more slices", seed
        )
    return dataset.only(i.id for i in dataset.images if i.id not in held), dataset.only(held)
