"""What the model found in a study, as the review needs it: from report.json, which never changes once it is there."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..settings import Refused


@dataclass(frozen=True)
class FoundSlice:
    source: str
    width: int
    height: int
    hu_offset: float | None
    picture: str  # the file with its pixels; empty: there is none, so it can only be looked at
    vertebrae: dict[str, dict[str, Any]]  # by id: box (x1, y1, x2, y2), labels


@dataclass(frozen=True)
class Found:
    folder: Path
    model_sha256: str
    class_names: list[str]
    slices: dict[str, FoundSlice]


def read_found(folder: Path) -> Found:
    if not (folder / "report.json").is_file():
        raise Refused(404, "no_report", "the study has no result to review")
    report = json.loads((folder / "report.json").read_bytes())
    pictures = {file["source"]: file["name"] for file in report["volatile"]["files"] if file["name"].startswith("slice-")
                and Path(file["name"]).name == file["name"] and (folder / file["name"]).is_file()}
    return Found(folder, report["model"]["sha256"], report["model"]["class_names"], {one["source"]: FoundSlice(
        one["source"], one["width"], one["height"], one.get("hu_offset"), pictures.get(one["source"], ""),
        {str(vertebra["id"]): vertebra for vertebra in one["vertebrae"]}) for one in report.get("slices", [])})
