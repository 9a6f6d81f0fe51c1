"""Accepted slices as the corrections JSON that training/ merges; all of them with pictures and reports in a zip."""

import json
import zipfile
from pathlib import Path
from typing import Any

from ..settings import LABEL, Refused
from ..store import Job
from .corrections import Review, Reviews, SliceReview, clipped
from .found import FoundSlice

REVIEW = ("who", "when", "model_sha256")


def study_name(job: Job, study: int) -> str:
    """The folder of a study in the zip, the `study` of its slices, the beginning of its ids."""
    return job.id if study == 1 else f"{job.id}-{study}"


def accepted(review: Review) -> list[tuple[FoundSlice, SliceReview]]:
    return [(found, one) for source, found in review.found.slices.items()
            if (one := review.slices.get(source)) and one.accepted]


def document(review: Review, name: str) -> dict[str, Any]:
    """A corrections file. It is complete: only slices that a person has accepted as they stand are in it, each with all
    its vertebrae. So it is a truth file, too."""
    slices = accepted(review)
    if not slices:
        raise Refused(409, "nothing_accepted", "nobody has accepted a slice of this study")
    offsets = {found.hu_offset for found, _ in slices}
    if len(offsets) > 1:
        raise Refused(409, "mixed_values", "slices in Hounsfield units and grey ones do not fit into one file")
    images, annotations = [], []
    for found, one in slices:
        if Path(found.source).name != found.source or found.source == "..":
            raise Refused(409, "bad_name", "the name of a slice is a path")
        id = f"{name}/{found.source}"
        images.append({"id": id, "file_name": id, "width": found.width, "height": found.height, "study": name,
                       "sha256": found.sha256})
        for vertebra, state in sorted(review.present(found).items(), key=lambda item: item[1]["box"][1]):
            by = state["entry"] or one.accepted  # who left it as it was has confirmed it
            annotations.append({
                "id": f"{id}#{vertebra}", "image_id": id, "bbox": clipped(state["box"], found),
                "labels": [label for label in review.found.class_names if label in state["labels"]],
                "review": {key: by[key] for key in REVIEW}})
    last = max((one.accepted for _, one in slices), key=lambda entry: entry["revision"])
    info = {"description": f"Slices of a study as experts accepted them. {LABEL}",
            "review": {key: last[key] for key in REVIEW} | {"complete": True}, "hu_offset": offsets.pop()}
    return {"info": info, "findings": review.found.class_names, "images": images, "annotations": annotations}


def write_zip(path: Path, reviews: Reviews, jobs: list[Job]) -> int:
    """STUDY/corrections.json, STUDY/report.json and the pictures for every study with an accepted slice; how many."""
    studies = 0
    with zipfile.ZipFile(path, "w") as archive:
        for job in jobs:
            for study in range(1, len(job.studies) + 1):
                if not reviews.summary(job, study).get("accepted"):
                    continue
                name = study_name(job, study)
                with reviews.lock:
                    review = reviews.of(job, study)
                    text = json.dumps(document(review, name), indent=1, allow_nan=False)
                archive.writestr(f"{name}/corrections.json", text, zipfile.ZIP_DEFLATED)
                archive.write(review.found.folder / "report.json", f"{name}/report.json", zipfile.ZIP_DEFLATED)
                for found, _ in accepted(review):
                    archive.write(review.found.folder / found.picture, f"{name}/{found.source}")
                studies += 1
    return studies
