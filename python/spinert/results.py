"""What a diagnosis says, read from its report; docs/file-format.md describes every field."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reason:
    code: str
    text: str


@dataclass(frozen=True)
class Vertebra:
    id: int  # 1..n from top to bottom
    box: tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the slice
    score: float
    probabilities: dict[str, float]  # independent of each other
    labels: tuple[str, ...]
    consistency: str


@dataclass(frozen=True)
class Candidate:
    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class Slice:
    source: str
    sha256: str
    width: int
    height: int
    status: str  # completed, indeterminate, failed
    alert: str  # positive, review, negative
    error: str  # an error id or "OK"
    reasons: tuple[Reason, ...]
    vertebrae: tuple[Vertebra, ...]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Study:
    status: str  # completed, partial, indeterminate, failed
    alert: str
    exit_code: int
    reasons: tuple[Reason, ...]
    slices: tuple[Slice, ...]  # empty if every slice failed
    demo_model: bool
    label: str
    report: bytes = field(repr=False)  # report.json, as the command line writes it
    previews: tuple[bytes, ...] = field(default=(), repr=False)  # PNG files, where they were asked for


def _reasons(values: list[Any]) -> tuple[Reason, ...]:
    return tuple(Reason(value["code"], value["text"]) for value in values)


def _slice(value: Any) -> Slice:
    vertebrae = tuple(
        Vertebra(v["id"], tuple(v["box"]), v["score"], dict(v["probabilities"]), tuple(v["labels"]), v["consistency"])
        for v in value["vertebrae"])
    candidates = tuple(Candidate(tuple(v["box"]), v["score"]) for v in value["candidates"])
    return Slice(value["source"], value["sha256"], value["width"], value["height"], value["status"], value["alert"],
                 value["error"], _reasons(value["reasons"]), vertebrae, candidates)


def study_of(report: bytes, previews: tuple[bytes, ...]) -> Study:
    value = json.loads(report)
    return Study(value["status"], value["alert"], value["exit_code"], _reasons(value["reasons"]),
                 tuple(_slice(one) for one in value.get("slices", [])), value["model"]["demo"], value["label"], report,
                 previews)
