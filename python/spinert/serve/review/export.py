"""Accepted slices as the corrections JSON that training/ merges; all of them with pictures and reports in a zip."""

import json
import zipfile
from pathlib import Path
from typing import Any

from ..settings import LABEL, Refused
from ..store import Job
from .corrections import Review, Reviews, clipped

_REVIEW = ("who", "when", "model_sha256")


def study_name(job: Job, study: int) -> str:
    """The folder of a study in the zip, the `study` of its slices, the beginning of their ids."""
    return job.id if study == 1 else f"{job.id}-{study}"


def document(review: Review, name: str) -> dict[str, Any]:
    """Complete by its making: only slices that a person has accepted are in it, each with all its vertebrae. So it is a
    truth file, too."""
    by_slice = {source: one.accepted for source, one in review.slices.items() if one.accepted}
    found = [one for source, one in review.found.slices.items() if source in by_slice]
    if not found:
        raise Refused(409, "nothing_accepted", "nobody has accepted a slice of this study")
    if len({one.hu_offset for one in found}) > 1 or any(Path(one.source).name != one.source for one in found):
        raise Refused(409, "not_one_file", "slices in Hounsfield units and grey ones, or names that are paths, fit into no file")
    images, annotations = [], []
    for one in found:
        id = f"{name}/{one.source}"
        images.append({"id": id, "file_name": id, "width": one.width, "height": one.height, "study": name})
        for vertebra, state in sorted(review.present(one).items(), key=lambda item: item[1]["box"][1]):
            by = state.get("entry") or by_slice[one.source]  # who left it as it was has confirmed it
            annotations.append({
                "id": f"{id}#{vertebra}", "image_id": id, "bbox": clipped(state["box"], one),
                "labels": [label for label in review.found.class_names if label in state["labels"]],
                "review": {key: by[key] for key in _REVIEW}})
    last = max(by_slice.values(), key=lambda entry: entry["revision"])
    return {"info": {"description": LABEL, "review": {key: last[key] for key in _REVIEW} | {"complete": True},
                     "hu_offset": found[0].hu_offset}, "images": images, "annotations": annotations}


def write_zip(path: Path, reviews: Reviews, jobs: list[Job]) -> None:
    """STUDY/corrections.json, STUDY/report.json and the accepted pictures of every study that has one."""
    with zipfile.ZipFile(path, "w") as archive:
        for job, study in ((job, study) for job in jobs for study in range(1, len(job.studies) + 1)):
            if reviews.summary(job, study)["accepted"]:
                name = study_name(job, study)
                with reviews.lock:
                    review = reviews.of(job, study)
                    made = document(review, name)
                archive.writestr(f"{name}/corrections.json", json.dumps(made, indent=1))
                archive.write(review.found.folder / "report.json", f"{name}/report.json")
                for image in made["images"]:
                    source = image["id"].removeprefix(f"{name}/")
                    archive.write(review.found.folder / review.found.slices[source].picture, image["id"])
        if not archive.namelist():
            raise Refused(409, "nothing_accepted", "nobody has accepted a slice of any study")
