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
    sha256: str  # of that file
    vertebrae: dict[str, dict[str, Any]]  # by id: box (x1, y1, x2, y2), labels


@dataclass(frozen=True)
class Found:
    folder: Path
    model_sha256: str
    class_names: list[str]
    slices: dict[str, FoundSlice]

    @property
    def reviewable(self) -> int:
        return sum(bool(one.picture) for one in self.slices.values())


def read_found(folder: Path) -> Found:
    try:
        report = json.loads((folder / "report.json").read_bytes())
    except FileNotFoundError:
        raise Refused(404, "no_report", "the study has no result to review") from None
    pictures = {file["source"]: file for file in report["volatile"]["files"] if file["name"].startswith("slice-")
                and Path(file["name"]).name == file["name"] and (folder / file["name"]).is_file()}
    slices = {}
    for one in report.get("slices", []):
        picture = pictures.get(one["source"], {"name": "", "sha256": ""}) if one["width"] else {"name": "", "sha256": ""}
        slices[one["source"]] = FoundSlice(
            one["source"], one["width"], one["height"], one.get("hu_offset"), picture["name"], picture["sha256"],
            {str(v["id"]): {"box": v["box"], "labels": v["labels"]} for v in one["vertebrae"]})
    return Found(folder, report["model"]["sha256"], report["model"]["class_names"], slices)
