"""The corrections of a study: a journal of edits, folded to what holds now. Two reviewers at once are the rule.

An edit gives the whole new state of one vertebra, or accepts one slice, and names the revision that it was based on. If
somebody else changed the same thing since, it is a conflict and nothing is written. An edit of a vertebra takes back
the acceptance of its slice. An edit that comes twice (its answer was lost) is written once: it has an id of its own.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from ..settings import Refused
from ..store import Job, Store, now
from .found import Found, FoundSlice, read_found
from .journal import Journal

NORMAL = "normal"
MIN_SIDE = 4  # pixels of a box that a person draws
EDGE = 0.01  # pixels that a box may reach out of its slice; as in training/ and `spinert evaluate`
MOST_ADDED = 100  # vertebrae of one slice
_KEPT = 64  # studies in memory
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class State(BaseModel, extra="forbid"):
    box: Annotated[list[Number], Field(min_length=4, max_length=4)]  # x1, y1, x2, y2 in pixels of the slice
    labels: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=16)]


class Edit(BaseModel, extra="forbid"):
    edit: str = Field(pattern="^[0-9a-f]{32}$")  # made by the client
    who: str = Field(min_length=1, max_length=64)
    slice: str = Field(min_length=1, max_length=1024)
    kind: Literal["vertebra", "accept"]
    vertebra: str = Field("", pattern="^([1-9][0-9]{0,5}|a[0-9a-f]{8})?$")  # of the report, or one that was added
    based_on: int = Field(ge=0)  # the revision of the vertebra or, of "accept", of the slice; 0: as the model found it
    state: State | None = None  # of "vertebra"; None removes it
    accepted: bool = False  # of "accept"

    @model_validator(mode="after")
    def _whole(self) -> "Edit":
        if (self.kind == "vertebra") != bool(self.vertebra):
            raise ValueError("vertebra: expected with kind vertebra alone")
        if self.who != self.who.strip() or not self.who.isprintable():
            raise ValueError("who: expected printable characters, no space at either end")
        return self


class Conflict(Exception):
    """Somebody else was first; `current` is the journal's entry of it."""

    def __init__(self, current: dict[str, Any]) -> None:
        self.current = current


@dataclass
class SliceReview:
    revision: int = 0
    accepted: dict[str, Any] | None = None  # the journal's entry
    vertebrae: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id: the last entry
    last: dict[str, Any] | None = None  # of any kind


def fold(entries: list[dict[str, Any]]) -> dict[str, SliceReview]:
    slices: dict[str, SliceReview] = {}
    for entry in entries:
        take(slices, entry)
    return slices


def take(slices: dict[str, SliceReview], entry: dict[str, Any]) -> None:
    one = slices.setdefault(entry["slice"], SliceReview())
    one.revision, one.last = entry["revision"], entry
    one.accepted = entry if entry["kind"] == "accept" and entry["accepted"] else None
    if entry["kind"] == "vertebra":
        one.vertebrae[entry["vertebra"]] = entry


class Review:
    """One study. Not thread-safe."""

    def __init__(self, found: Found, journal: Journal) -> None:
        self.found, self._journal = found, journal
        self.slices = fold(journal.entries)
        self._known = {entry["edit"]: entry for entry in journal.entries}

    @property
    def revision(self) -> int:
        return len(self._journal.entries)

    def present(self, one: FoundSlice) -> dict[str, dict[str, Any]]:
        """The vertebrae of a slice as they stand: box, labels, and `entry` of the last edit or None."""
        states = {id: state | {"entry": None} for id, state in one.vertebrae.items()}
        for id, entry in self.slices.get(one.source, SliceReview()).vertebrae.items():
            states.pop(id, None)
            if entry["state"]:
                states[id] = entry["state"] | {"entry": entry}
        return states

    def edit(self, given: Edit) -> dict[str, Any]:
        """The entry of the journal."""
        wish = given.model_dump(exclude={"based_on"})
        if done := self._known.get(given.edit):
            if any(done[key] != wish[key] for key in ("slice", "kind", "vertebra", "state", "accepted")):
                raise Refused(422, "edit_reused", "this edit id stands for another edit")
            return done
        one = self.found.slices.get(given.slice)
        if one is None:
            raise Refused(404, "no_slice", "the report names no such slice")
        if not one.picture or len(self.found.model_sha256) != 64:
            raise Refused(409, "not_reviewable", "the result lacks the pixels of this slice or the hash of its model")
        here = self.slices.get(given.slice, SliceReview())
        if given.kind == "vertebra":
            self._check_vertebra(given, one, here)
            last = here.vertebrae.get(given.vertebra)
            if last and last["revision"] != given.based_on and last["state"] != wish["state"]:
                raise Conflict(last)
        else:
            if here.last and here.revision != given.based_on:
                raise Conflict(here.last)
            if given.accepted:
                self._check_acceptable(one)
        entry = {"revision": self.revision + 1, "when": now(), "model_sha256": self.found.model_sha256,
                 "before": here.revision, "reviewable": self.found.reviewable, **wish}
        self._journal.append(entry)
        self._known[given.edit] = entry
        take(self.slices, entry)
        return entry

    def _check_vertebra(self, given: Edit, one: FoundSlice, here: SliceReview) -> None:
        id, state = given.vertebra, given.state
        if id not in one.vertebrae and id not in here.vertebrae:
            if id.isdigit() or state is None:
                raise Refused(404, "no_vertebra", f"there is no vertebra {id} on this slice")
            if len(here.vertebrae) >= MOST_ADDED + len(one.vertebrae):
                raise Refused(422, "too_many", f"more than {MOST_ADDED} vertebrae were added to this slice")
        if given.based_on > self.revision:
            raise Refused(422, "malformed", "based_on: there is no such revision")
        if state:
            x1, y1, x2, y2 = state.box
            if min(x1, y1) < -EDGE or x2 > one.width + EDGE or y2 > one.height + EDGE:
                raise Refused(422, "bad_box", f"expected a box inside 0 to {one.width} x {one.height}, got {state.box}")
            if min(x2 - x1, y2 - y1) < MIN_SIDE:
                raise Refused(422, "bad_box", f"expected a box of {MIN_SIDE} pixels a side or more, got {state.box}")
            unknown = set(state.labels) - set(self.found.class_names)
            if unknown or len(set(state.labels)) != len(state.labels) or (NORMAL in state.labels and state.labels[1:]):
                raise Refused(422, "bad_labels", f"expected some of {', '.join(self.found.class_names)}, each once, "
                              "normal alone")

    def _check_acceptable(self, one: FoundSlice) -> None:
        """Training takes no vertebra without a label, or normal with a disease."""
        for id, state in self.present(one).items():
            if not state["labels"] or (NORMAL in state["labels"] and state["labels"][1:]):
                raise Refused(422, "open_labels", f"vertebra {id} needs its labels: a disease or more, or normal alone")
            if min(clipped(state["box"], one)[2:]) < 1:
                raise Refused(422, "bad_box", f"vertebra {id} lies outside the slice: move or remove it")

    def view(self) -> dict[str, Any]:
        keys = ("revision", "who", "when")
        return {"revision": self.revision, "slices": {source: {
            "revision": one.revision, "accepted": one.accepted and {key: one.accepted[key] for key in keys},
            "vertebrae": {id: {key: entry[key] for key in (*keys, "state")} for id, entry in one.vertebrae.items()}}
            for source, one in self.slices.items()}}


def clipped(box: list[float], one: FoundSlice) -> list[float]:
    """x, y, width, height of the part inside the slice: the model's boxes may reach out of it."""
    x1, y1, x2, y2 = max(box[0], 0), max(box[1], 0), min(box[2], one.width), min(box[3], one.height)
    return [x1, y1, x2 - x1, y2 - y1]


class Reviews:
    """Of all studies of a store. Thread-safe: what is inside `with reviews.of(...)` has the study for itself."""

    def __init__(self, store: Store) -> None:
        self._store, self.lock = store, threading.RLock()
        self._kept: OrderedDict[tuple[str, int], Review] = OrderedDict()
        self._summaries: dict[tuple[str, int], dict[str, Any]] = {}

    def of(self, job: Job, study: int) -> Review:
        """Only under `lock`."""
        if job.state not in ("finished", "failed"):
            raise Refused(409, "not_ended", f"the job is {job.state}")
        folder = job.studies[study - 1].get("folder") if study <= len(job.studies) else ""
        if not folder:
            raise Refused(404, "no_report", "the study has no result to review")
        key = (job.id, study)
        if key not in self._kept:
            found = read_found(self._store.folder(job) / "result" / folder)
            self._kept[key] = Review(found, Journal(self._journal(job, study)))
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _journal(self, job: Job, study: int) -> Path:
        return self._store.folder(job) / f"review-{study}.jsonl"

    def view(self, job: Job, study: int) -> dict[str, Any]:
        with self.lock:
            return self.of(job, study).view()

    def edit(self, job: Job, study: int, given: Edit) -> dict[str, Any]:
        with self.lock:
            review = self.of(job, study)
            try:
                entry = review.edit(given)
            except FileNotFoundError:
                raise Refused(404, "no_job", "the job was deleted") from None
            self._summaries.pop((job.id, study), None)
            return {key: entry[key] for key in ("revision", "before", "who", "when")}

    def summary(self, job: Job, study: int) -> dict[str, Any]:
        """From the journal alone: reports are large, and a list asks for all of them."""
        with self.lock:
            key = (job.id, study)
            if key not in self._summaries:
                try:
                    entries = Journal(self._journal(job, study)).entries
                except Refused as damaged:
                    return {"state": "damaged", "message": damaged.message}
                self._summaries[key] = _summary(entries)
            return self._summaries[key]


def _summary(entries: list[dict[str, Any]]) -> dict[str, Any]:
    if not entries:
        return {"state": "untouched", "accepted": 0}
    accepted = sum(one.accepted is not None for one in fold(entries).values())
    last = entries[-1]  # with the whole study accepted: the acceptance that made it whole
    return {"state": "accepted" if accepted == last["reviewable"] else "in work", "accepted": accepted,
            "reviewable": last["reviewable"], "who": last["who"], "when": last["when"]}
