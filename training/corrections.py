"""Corrections by experts, given as the same JSON as the truth, merged into the next training set.

A corrections file holds the slices that were looked at and their vertebrae as they should be. `info.review` says who,
when (ISO 8601 with zone) and which model's results were looked at; a record may carry its own `review`. A record with
`"removed": true` takes a vertebra out. With `info.review.complete` true the listed slices hold all their vertebrae:
what one of them leaves out is removed as well, and it may train a detector. Every change keeps what was before. What
contradicts something else is a conflict: nothing of it is applied.
"""

import datetime
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .data import (
    ALL,
    Annotation,
    Dataset,
    Id,
    Image,
    Provenance,
    annotation_record,
    fail,
    need,
    next_id,
    overlap,
    parse_annotation,
    parse_images,
    read_document,
    sha256_of,
)

SAME_PLACE = 0.5  # IoU above it: a box that was added lies on a vertebra that is there already
SAME_NUMBER = 1e-6  # pixels; JSON keeps far more


@dataclass(frozen=True)
class Review:
    """Who looked, when, and at which model's results."""

    who: str
    when: datetime.datetime
    model_sha256: str


@dataclass(frozen=True)
class Correction:
    """What a file says about one vertebra. `annotation` is None where it is to be removed."""

    file: str
    place: str
    id: Id | None
    image_id: Id
    annotation: Annotation | None
    review: Review


@dataclass(frozen=True)
class Conflict:
    """Corrections that were not applied, and why."""

    reason: str
    image_id: Id
    id: Id | None
    records: tuple[str, ...]


@dataclass
class Merged:
    """The next training set, how many records changed in which way, and what a person has to decide."""

    dataset: Dataset
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("moved", "relabelled", "moved and relabelled", "added", "removed", "confirmed", "slices added"), 0
        )
    )
    conflicts: list[Conflict] = field(default_factory=list)


def parse_when(text: str, place: str) -> datetime.datetime:
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError as problem:
        raise fail(place, '"when" is no time', "ISO 8601 with zone, 2026-01-31T12:00:00+00:00", text) from problem
    if when.tzinfo is None:
        raise fail(place, '"when" has no time zone', "ISO 8601 with zone, 2026-01-31T12:00:00+00:00", text)
    return when


def parse_review(record: Any, place: str) -> Review:
    if not isinstance(record, dict):
        raise fail(place, "nobody says who corrected this", '"review" with who, when, model_sha256', record)
    who, when, model = (need(record, key, str, f"{place}, review", "a text") for key in ("who", "when", "model_sha256"))
    if len(model) != 64 or set(model) - set("0123456789abcdef"):
        raise fail(f"{place}, review", '"model_sha256" is no hash', "64 hexadecimal digits", model)
    return Review(who, parse_when(when, f"{place}, review"), model)


@dataclass(frozen=True)
class CorrectionFile:
    images: dict[Id, Image]
    corrections: list[Correction]
    complete: bool
    review: Review | None
    says_values: bool  # whether pictures are in Hounsfield units: "hu_offset" is there, null for grey
    hu_offset: float | None


def read_corrections(path: Path) -> CorrectionFile:
    """Checked as a truth file is; in addition every record needs a review, its own or the file's."""
    document = read_document(path)
    images = parse_images(document["images"], path)
    info = document.get("info", {})
    own = info.get("review")
    review = None if own is None else parse_review(own, f"{path}: info")
    complete = bool(own and own.get("complete", False))
    corrections: list[Correction] = []
    ids: set[Id] = set()
    for n, record in enumerate(document["annotations"]):
        place = f"{path}: annotations[{n}]"
        if not isinstance(record, dict):
            raise fail(place, "the annotation is no object", "an object", record)
        by = parse_review(record["review"], place) if "review" in record else review
        if by is None:
            raise fail(place, "nobody says who corrected this", '"review" here or in "info"', None)
        removed = record.get("removed", False)
        if not isinstance(removed, bool):
            raise fail(place, '"removed" is of another kind', "true or false", removed)
        rest = {k: v for k, v in record.items() if k not in ("review", "removed")}
        own_id = rest.get("id")
        if removed:
            need(rest, "id", (int, str), place, "the id of the vertebra to remove")
            image_id = need(rest, "image_id", (int, str), place, "the id of an image")
            if image_id not in images:
                raise fail(f"{place}, id {own_id}", "there is no such image", "the id of an image", image_id)
            annotation = None
        else:
            # A vertebra that an expert has added needs no id; the merge gives one.
            annotation = parse_annotation({"id": "new", **rest} if own_id is None else rest, images, place)
            image_id = annotation.image_id
        if own_id is not None and own_id in ids:
            raise fail(f"{place}, id {own_id}", "the annotation id is used twice", "another id", own_id)
        ids.add(own_id)
        corrections.append(Correction(path.name, place, own_id, image_id, annotation, by))
    return CorrectionFile(images, corrections, complete, review, "hu_offset" in info, info.get("hu_offset"))


def same_box(a: Annotation, b: Annotation) -> bool:
    return all(abs(x - y) <= SAME_NUMBER for x, y in zip(a.box, b.box))


def same_labels(a: Annotation, b: Annotation) -> bool:
    return set(a.labels) == set(b.labels)


def same_wish(a: Correction, b: Correction) -> bool:
    if a.annotation is None or b.annotation is None:
        return a.annotation is b.annotation
    return same_box(a.annotation, b.annotation) and same_labels(a.annotation, b.annotation)


def changed(old: Annotation | None, new: Annotation, review: Review, action: str) -> Annotation:
    """`new` with the history of `old` and one more entry."""
    before = None if old is None else {"bbox": list(old.box), "labels": list(old.labels)}
    entry = Provenance(review.who, review.when.isoformat(), review.model_sha256, action, before)
    history = () if old is None else old.provenance
    # A mined vertebra that an expert has looked at is theirs from now on: mining again must not drop it.
    kept = {} if old is None else {k: v for k, v in old.extra.items() if k not in ("mined", "score")}
    own = {k: v for k, v in new.extra.items() if k not in ("mined", "score")}
    return replace(new, extra=kept | own, provenance=history + (entry,))


def latest(annotation: Annotation) -> Provenance | None:
    return annotation.provenance[-1] if annotation.provenance else None


class Merge:
    """One merge of several files into a base; `run` gives the result."""

    def __init__(self, base: Dataset, files: list[Path]) -> None:
        self.base, self.paths = base, files
        self.records: dict[Id, Annotation] = {a.id: a for a in base.annotations}
        self.images: dict[Id, Image] = {i.id: i for i in base.images}
        self.removed: list[dict[str, Any]] = list(base.extra.get("removed", []))
        self.merged = Merged(base)
        self.contested: list[Correction] = []
        # Ids of removed vertebrae are never used again.
        self.free = next_id([*self.records, *(record.get("id") for record in self.removed)])

    def conflict(self, reason: str, *corrections: Correction) -> None:
        first = corrections[0]
        places = tuple(f"{c.place} ({c.review.who}, {c.review.when.isoformat()})" for c in corrections)
        self.merged.conflicts.append(Conflict(reason, first.image_id, first.id, places))

    def add_images(self, file: CorrectionFile, path: Path) -> None:
        for image in file.images.values():
            known = self.images.get(image.id)
            if known is None:
                if any(i.file_name == image.file_name and i.study == image.study for i in self.images.values()):
                    place = f"{path}: image id {image.id}"
                    raise fail(
                        place, "the base holds this slice under another id", "the id of the base", image.file_name
                    )
                self.images[image.id] = image
                self.merged.counts["slices added"] += 1
            elif (known.file_name, known.width, known.height) != (image.file_name, image.width, image.height):
                expected = f"{known.file_name}, {known.width} x {known.height}"
                got = f"{image.file_name}, {image.width} x {image.height}"
                raise fail(f"{path}: image id {image.id}", "the base has another slice under this id", expected, got)

    def wishes(self, file: CorrectionFile, path: Path) -> list[Correction]:
        """What the file says, and what it says by leaving a vertebra out of a complete review."""
        if not file.complete or file.review is None:
            return file.corrections
        named = {correction.id for correction in file.corrections}
        silent = [a for a in self.base.annotations if a.image_id in file.images and a.id not in named]
        place = f"{path}: left out"
        return file.corrections + [Correction(path.name, place, a.id, a.image_id, None, file.review) for a in silent]

    def apply_known(self, own_id: Id, corrections: list[Correction]) -> None:
        """All that the files say about one vertebra of the base."""
        old = self.records[own_id]
        if any(not same_wish(corrections[0], other) for other in corrections[1:]):
            return self.conflict("experts disagree about this vertebra", *corrections)
        chosen = max(corrections, key=lambda c: c.review.when)
        if chosen.image_id != old.image_id:
            return self.conflict(f"the vertebra lies on image {old.image_id} in the base", chosen)
        new = chosen.annotation
        moved = new is not None and not same_box(old, new)
        relabelled = new is not None and not same_labels(old, new)
        last = latest(old)
        if new is not None and not moved and not relabelled:
            # The same file merged again says nothing new.
            if last is None or (last.who, last.when) != (chosen.review.who, chosen.review.when.isoformat()):
                self.records[own_id] = changed(old, new, chosen.review, "confirmed")
            self.merged.counts["confirmed"] += 1
            return None
        if last is not None and parse_when(last.when, f"annotation id {own_id}") > chosen.review.when:
            return self.conflict(f"the base was changed later than this, by {last.who} at {last.when}", chosen)
        if new is None:
            gone = changed(old, old, chosen.review, "removed")
            self.removed.append(annotation_record(gone))
            del self.records[own_id]
            self.merged.counts["removed"] += 1
            return None
        action = "moved and relabelled" if moved and relabelled else "moved" if moved else "relabelled"
        self.records[own_id] = changed(old, new, chosen.review, action)
        self.merged.counts[action] += 1
        return None

    def apply_added(self, correction: Correction, added: dict[Id, Correction]) -> None:
        """A vertebra that the base does not know."""
        new = correction.annotation
        if new is None:
            if any(record.get("id") == correction.id for record in self.removed):
                self.merged.counts["confirmed"] += 1
            else:
                self.conflict("there is no such vertebra to remove", correction)
            return
        if any(record.get("id") == correction.id and correction.id is not None for record in self.removed):
            return self.conflict("the vertebra was removed earlier; add it without an id to have it back", correction)
        # An id of text is unique by itself, so it stays: a later export of the same review is about the same vertebra.
        wanted = correction.id if isinstance(correction.id, str) else None
        for rival in self.contested:
            if rival.image_id == new.image_id and overlap(rival.annotation.corners, new.corners)[0] > SAME_PLACE:
                return self.conflict("experts disagree about a vertebra that they added", rival, correction)
        for other in [a for a in self.records.values() if a.image_id == new.image_id]:
            if other.id != wanted and overlap(other.corners, new.corners)[0] <= SAME_PLACE:
                continue
            if same_box(other, new) and same_labels(other, new):
                self.merged.counts["confirmed"] += 1
                return
            twin = added.pop(other.id, None)
            if twin is None:
                return self.conflict(f"a box that was added lies on vertebra {other.id}; correct that one", correction)
            del self.records[other.id]
            self.merged.counts["added"] -= 1
            self.contested += [twin, correction]
            return self.conflict("experts disagree about a vertebra that they added", twin, correction)
        if wanted is None:
            own_id = self.free
            self.free += 1
        elif wanted in self.records:
            return self.conflict("the id of a box that was added stands for another vertebra", correction)
        else:
            own_id = wanted
        self.records[own_id] = changed(None, replace(new, id=own_id), correction.review, "added")
        added[own_id] = correction
        self.merged.counts["added"] += 1

    def run(self) -> Merged:
        files = [(path, read_corrections(path)) for path in self.paths]
        if not self.base.images and files[0][1].says_values:
            self.base = replace(self.base, info={"hu_offset": files[0][1].hu_offset})
        for path, file in files:
            if file.says_values and file.hu_offset != self.base.hu_offset:
                expected = f"{self.base.hu_offset} as in the base"
                raise fail(f"{path}: info", '"hu_offset" is another one', expected, file.hu_offset)
        known: dict[Id, list[Correction]] = {}
        unknown: list[Correction] = []
        for path, file in files:
            self.add_images(file, path)
            for correction in self.wishes(file, path):
                if correction.id is not None and correction.id in self.records:
                    known.setdefault(correction.id, []).append(correction)
                else:
                    unknown.append(correction)
        for own_id, corrections in known.items():
            self.apply_known(own_id, corrections)
        added: dict[Id, Correction] = {}
        for correction in unknown:
            self.apply_added(correction, added)
        open_slices = {conflict.image_id for conflict in self.merged.conflicts}
        for image_id in {i for _, file in files if file.complete for i in file.images} - open_slices:
            self.images[image_id] = replace(self.images[image_id], annotated=ALL)
        extra = dict(self.base.extra)
        if self.removed:
            extra["removed"] = self.removed
        merges = [*self.base.info.get("merged", []), *({"file": p.name, "sha256": sha256_of(p)} for p in self.paths)]
        self.merged.dataset = Dataset(
            tuple(self.images.values()), tuple(self.records.values()), self.base.info | {"merged": merges}, extra
        )
        return self.merged


def merge(base: Dataset, files: list[Path]) -> Merged:
    """The base, which may be empty, with the corrections of all files. Raises DataError for a file that cannot be used at all."""
    return Merge(base, files).run()


def conflicts_document(merged: Merged) -> dict[str, Any]:
    """For a person: counts of changes and every conflict with the records behind it."""
    conflicts = [{**vars(c), "records": list(c.records)} for c in merged.conflicts]
    return {"counts": merged.counts, "conflicts": conflicts}
