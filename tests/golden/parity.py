"""Compares a report.json with torchvision on the same pictures and weights; exit 1 where they differ.

Acceptance (float32): boxes at the threshold match one to one at IoU >= 0.999, scores and probabilities differ by at
most 1e-4. A mismatch is excused, counted and listed only where its score lies within 1e-4 of the threshold, or where an
NMS decision of torchvision about an overlapping box had |IoU - threshold| <= 1e-5; more than 1 excuse in 500 boxes
fails.
"""
import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Sequence

import own_venv

own_venv.ensure(Path(__file__).with_name("requirements.txt"), ("torch", "torchvision", "numpy", "PIL"))

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import picture as pictures  # noqa: E402
import torch_pipeline  # noqa: E402
from report_boxes import iou, match  # noqa: E402
from torch_pipeline import Diagnosis, Vertebra  # noqa: E402

NEAR_THRESHOLD = 1e-4
EXCUSED_SHARE = 500
FRAGILE_OVERLAP = 0.3  # a close NMS decision explains only boxes in the same place


@dataclass
class Limits:
    """The acceptance of one run."""

    iou: float
    score: float
    probability: float


@dataclass
class Outcome:
    """What the comparison of one slice, or of all, came to."""

    boxes: int = 0
    worst_iou: float = 1.0
    worst_score: float = 0.0
    worst_probability: float = 0.0
    label_flips: int = 0
    excused: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        self.boxes += other.boxes
        self.worst_iou = min(self.worst_iou, other.worst_iou)
        self.worst_score = max(self.worst_score, other.worst_score)
        self.worst_probability = max(self.worst_probability, other.worst_probability)
        self.label_flips += other.label_flips
        self.excused += other.excused
        self.failures += other.failures

    def line(self) -> str:
        return (
            f"{self.boxes:4d} boxes, 1-IoU {1 - self.worst_iou:.2e}, score {self.worst_score:.2e}, probability "
            f"{self.worst_probability:.2e}, label flips {self.label_flips}, excused {len(self.excused)}, "
            f"failures {len(self.failures)}"
        )


def excuse(box: Sequence[float], score: float, expected: Diagnosis, threshold: float) -> str | None:
    """Why a box without a partner may be forgiven, or None."""
    if abs(score - threshold) <= NEAR_THRESHOLD:
        return f"score {score:.9g} is within {NEAR_THRESHOLD} of the threshold {threshold}"
    for decision in expected.fragile:
        if iou(decision.box, box) >= FRAGILE_OVERLAP:
            return f"NMS at {decision.threshold} was decided by an IoU of {decision.iou:.9g}"
    return None


def compare(expected: Diagnosis, got: dict[str, Any], config: Any, limits: Limits) -> Outcome:
    """One slice of the report against the torch pipeline."""
    out = Outcome(boxes=len(expected.vertebrae))
    found = got["vertebrae"]
    matched = match([v.box for v in expected.vertebrae], [v["box"] for v in found])

    def note(text: str, box: Sequence[float], score: float) -> None:
        reason = excuse(box, score, expected, config.score_threshold)
        where = f"{got['source']}: box [{', '.join(f'{v:.2f}' for v in box)}] score {score:.6f}: {text}"
        (out.failures if reason is None else out.excused).append(where if reason is None else f"{where} ({reason})")

    for i, vertebra in enumerate(expected.vertebrae):
        if all(i != a for a, _ in matched):
            note("not in the report", vertebra.box, vertebra.score)
    for j, vertebra in enumerate(found):
        if all(j != b for _, b in matched):
            note("only in the report", vertebra["box"], vertebra["score"])
    for i, j in matched:
        compare_pair(expected.vertebrae[i], found[j], config, limits, out, note)
    compare_candidates(expected, got, out)
    return out


def compare_pair(expected: Vertebra, got: dict[str, Any], config: Any, limits: Limits, out: Outcome, note: Any) -> None:
    """Box, score, probabilities and labels of one vertebra."""
    overlap = iou(expected.box, got["box"])
    score = abs(expected.score - got["score"])
    differences = [abs(p - got["probabilities"][n]) for n, p in zip(config.class_names, expected.probabilities)]
    flips = set(expected.labels) ^ set(got["labels"])
    out.worst_iou = min(out.worst_iou, overlap)
    out.worst_score = max(out.worst_score, score)
    out.worst_probability = max(out.worst_probability, *differences)
    out.label_flips += len(flips)
    # Written as "not within", so that a NaN in the report is a failure and never a pass.
    if not overlap >= limits.iou:
        note(f"IoU {overlap:.6f}", expected.box, expected.score)
    elif not score <= limits.score:
        note(f"score differs by {score:.3e}", expected.box, expected.score)
    else:
        for name, difference in zip(config.class_names, differences):
            if not difference <= limits.probability:
                note(f"probability of {name} differs by {difference:.3e}", expected.box, expected.score)
    for name in flips:
        index = config.class_names.index(name)
        if abs(expected.probabilities[index] - config.thresholds[index]) > limits.probability:
            note(f"label {name} flips", expected.box, expected.score)


def compare_candidates(expected: Diagnosis, got: dict[str, Any], out: Outcome) -> None:
    """Everything below the threshold informs and decides nothing: counts only."""
    if "candidates" in got and len(got["candidates"]) != len(expected.candidates):
        print(f"  note: {len(got['candidates'])} candidates, torchvision has {len(expected.candidates)}")


def report_slices(report: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Slices of the report by picture hash and by name."""
    slices = report.get("slices", [])
    return {s.get("sha256"): s for s in slices}, {s["source"]: s for s in slices}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: parity.py --model m.safetensors --report out/report.json --cache /tmp/parity phantom/",
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="pictures of the report, or folders")
    parser.add_argument("--report", type=Path, required=True, help="report.json of `spinert diagnose`")
    torch_pipeline.add_weight_options(parser)
    parser.add_argument("--double", action="store_true", help="torch in float64 (for the reference backend)")
    parser.add_argument("--cache", type=Path, help="folder that keeps the torch results between runs")
    parser.add_argument("--iou", type=float, default=0.999, help="smallest IoU of a pair (default 0.999)")
    parser.add_argument("--score", type=float, default=1e-4, help="largest difference of scores (default 1e-4)")
    parser.add_argument("--probability", type=float, default=1e-4, help="the same for probabilities (default 1e-4)")
    options = parser.parse_args()

    by_hash, by_name = report_slices(json.loads(options.report.read_text()))
    pipeline = torch_pipeline.pipeline_from_options(options)
    if options.double:
        pipeline.double()
    limits = Limits(options.iou, options.score, options.probability)
    total, compared = Outcome(), set()
    for path in pictures.expand_inputs(options.inputs):
        expected = torch_pipeline.cached_diagnosis(pipeline, path, options.cache)
        got = by_hash.get(expected.sha256) or by_name.get(path.name)
        if got is None or got.get("status") == "failed":
            outcome = Outcome(failures=[f"{path.name}: {'failed' if got else 'missing'} in the report"])
        else:
            compared.add(got["source"])
            outcome = compare(expected, got, pipeline.config, limits)
        print(f"{path.name}: {outcome.line()}", flush=True)
        total.add(outcome)
    print(f"all: {total.line()}")
    extra = sorted(set(by_name) - compared)
    if extra:
        print(f"note: {len(extra)} slices of the report were not among the inputs, first {extra[0]}")
    for text in total.excused:
        print(f"excused: {text}")
    for text in total.failures:
        print(f"FAILED: {text}")
    if len(total.excused) * EXCUSED_SHARE > total.boxes:
        print(f"FAILED: {len(total.excused)} excuses for {total.boxes} boxes, allowed are 1 in {EXCUSED_SHARE}")
        sys.exit(1)
    sys.exit(1 if total.failures else 0)


if __name__ == "__main__":
    main()
