"""The corrections of a study: a journal of edits, folded to what holds now. Two reviewers at once are the rule.

An edit gives the whole new state of one vertebra, or accepts one slice, and names the revision that it was based on. If
somebody else changed the same thing since, it is a conflict and nothing is written. An edit of a vertebra takes back
the acceptance of its slice. An edit that comes twice (its answer was lost) is written once: it has an id of its own.
"""

import threading
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ..settings import Refused
from ..store import Job, Store, now
from .found import Found, FoundSlice, read_found
from .journal import Journal

NORMAL = "normal"
MIN_SIDE = 4  # pixels of a box that a person draws
EDGE = 0.01  # pixels that a box may reach out of its slice; as in training/ and `spinert evaluate`
_KEPT = 64  # studies in memory
_Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class State(BaseModel, extra="forbid"):
    box: list[_Number] = Field(min_length=4, max_length=4)  # x1, y1, x2, y2 in pixels of the slice
    labels: list[str]


class Edit(BaseModel, extra="forbid"):
    edit: str = Field(pattern="^[0-9a-f]{32}$")  # made by the client
    who: str = Field(pattern=r"^[^\p{C}\p{Z}][^\p{C}]{0,63}$")
    slice: str
    vertebra: str | None = Field(None, pattern="^([1-9][0-9]{0,5}|a[0-9a-f]{8})$")  # of the report, or added; None: the slice
    based_on: int = Field(ge=0)  # revision of the vertebra or slice; 0: as the model found it
    state: State | None = None  # of a vertebra; None removes it
    accepted: bool = False  # of a slice


class Conflict(Exception):
    """Somebody else was first; `current` is the journal's entry of it."""

    def __init__(self, current: dict[str, Any]) -> None:
        self.current = current


@dataclass
class SliceReview:
    revision: int = 0
    accepted: dict[str, Any] | None = None  # the journal's entry
    vertebrae: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id: the last entry


def _take(slices: dict[str, SliceReview], entry: dict[str, Any]) -> None:
    one = slices.setdefault(entry["slice"], SliceReview())
    one.revision, one.accepted = entry["revision"], entry if entry["accepted"] else None
    if entry["vertebra"]:
        one.vertebrae[entry["vertebra"]] = entry


class Review:
    """One study. Not thread-safe."""

    def __init__(self, found: Found, journal: Journal) -> None:
        self.found, self.journal = found, journal
        self.slices: dict[str, SliceReview] = {}
        for entry in journal.entries:
            _take(self.slices, entry)

    def present(self, one: FoundSlice) -> dict[str, dict[str, Any]]:
        """The vertebrae of a slice as they stand: box, labels and, of those that were edited, `entry`."""
        edited = self.slices[one.source].vertebrae if one.source in self.slices else {}
        return {id: state for id, state in one.vertebrae.items() if id not in edited} | {
            id: entry["state"] | {"entry": entry} for id, entry in edited.items() if entry["state"]}

    def edit(self, given: Edit) -> dict[str, Any]:
        """The entry of the journal."""
        wish = given.model_dump(exclude={"based_on"})
        for done in self.journal.entries:
            if done["edit"] == given.edit:
                if any(done[key] != value for key, value in wish.items()):
                    raise Refused(422, "edit_reused", "this edit id stands for another edit")
                return done
        one, here = self.found.slices.get(given.slice), self.slices.get(given.slice, SliceReview())
        if one is None:
            raise Refused(404, "no_slice", "the report names no such slice")
        if not one.picture or len(self.found.model_sha256) != 64:
            raise Refused(409, "not_reviewable", "the result lacks the pixels of this slice or the hash of its model")
        if given.accepted and not given.vertebra and here.accepted:
            return here.accepted
        if given.vertebra:
            self._check(given, one, here)
            last = here.vertebrae.get(given.vertebra)
        else:
            last = self.journal.entries[here.revision - 1] if here.revision else None
        if last and last["revision"] != given.based_on and not (given.vertebra and last["state"] == wish["state"]):
            raise Conflict(last)
        if given.accepted:
            self._check_acceptable(one)
        entry = wish | {"revision": len(self.journal.entries) + 1, "before": here.revision, "when": now(),
                        "model_sha256": self.found.model_sha256,
                        "reviewable": sum(bool(other.picture) for other in self.found.slices.values())}
        self.journal.append(entry)
        _take(self.slices, entry)
        return entry

    def _check(self, given: Edit, one: FoundSlice, here: SliceReview) -> None:
        known = given.vertebra in one.vertebrae or given.vertebra in here.vertebrae
        if given.accepted or not known and (given.vertebra.isdigit() or given.state is None):
            raise Refused(404, "no_vertebra", f"there is no vertebra {given.vertebra} on this slice")
        if given.state:
            x1, y1, x2, y2 = given.state.box
            if min(x1, y1) < -EDGE or x2 > one.width + EDGE or y2 > one.height + EDGE or min(x2 - x1, y2 - y1) < MIN_SIDE:
                raise Refused(422, "bad_box", f"expected {MIN_SIDE} pixels or more a side, inside 0 to {one.width} x {one.height}")
            labels, names = given.state.labels, self.found.class_names
            if not set(labels) <= set(names) or len(set(labels)) != len(labels) or NORMAL in labels and labels[1:]:
                raise Refused(422, "bad_labels", f"expected some of {', '.join(names)}, each once, {NORMAL} alone")

    def _check_acceptable(self, one: FoundSlice) -> None:
        """Training takes no vertebra without a label, or normal with a disease, or outside its slice."""
        for id, state in self.present(one).items():
            if not state["labels"] or NORMAL in state["labels"] and state["labels"][1:] or min(clipped(state["box"], one)[2:]) < 1:
                raise Refused(422, "open_vertebra", f"vertebra {id} needs labels (diseases, or {NORMAL} alone) and a place inside")


def clipped(box: list[float], one: FoundSlice) -> list[float]:
    """x, y, width, height of the part inside the slice: the model's boxes may reach out of it."""
    x1, y1, x2, y2 = max(box[0], 0), max(box[1], 0), min(box[2], one.width), min(box[3], one.height)
    return [x1, y1, x2 - x1, y2 - y1]


class Reviews:
    """Of all studies of a store. Thread-safe, except for of(), which wants `lock` for as long as its answer is used."""

    def __init__(self, store: Store) -> None:
        self._store, self.lock = store, threading.RLock()
        self._kept = lru_cache(_KEPT)(lambda found, journal: Review(read_found(found), Journal(journal)))

    def _journal(self, job: Job, study: int) -> Path:
        return self._store.folder(job) / f"review-{study}.jsonl"

    def of(self, job: Job, study: int) -> Review:
        folder = job.studies[study - 1].get("folder") if job.state in ("finished", "failed") and study <= len(job.studies) else ""
        if not folder:
            raise Refused(404, "no_report", f"the job is {job.state}: this study has no result to review")
        return self._kept(self._store.folder(job) / "result" / folder, self._journal(job, study))

    def edit(self, job: Job, study: int, given: Edit) -> dict[str, Any]:
        with self.lock:
            try:
                return self.of(job, study).edit(given)
            except FileNotFoundError:
                raise Refused(404, "no_job", "the job was deleted") from None

    def view(self, job: Job, study: int) -> dict[str, Any]:
        with self.lock:
            review = self.of(job, study)
            return {"revision": len(review.journal.entries), "slices": {source: vars(one) | {"vertebrae": dict(one.vertebrae)}
                    for source, one in review.slices.items()}}

    def summary(self, job: Job, study: int) -> dict[str, Any]:
        """From the journal alone: reports are large, and a list asks for all of them."""
        try:
            entries = Journal(self._journal(job, study)).entries
        except Refused as damaged:
            return {"state": damaged.message, "accepted": 0}
        slices: dict[str, SliceReview] = {}
        for entry in entries:
            _take(slices, entry)
        accepted = sum(one.accepted is not None for one in slices.values())
        if not entries:
            return {"state": "untouched", "accepted": 0}
        return {"state": "accepted" if accepted == entries[-1]["reviewable"] else "in work", "accepted": accepted} | {
            key: entries[-1][key] for key in ("reviewable", "who", "when")}
