"""Two report.json of the same slices: the same boxes, scores and probabilities within the limits of a precision.

Needs nothing but Python. Exit code 12 on a difference, 0 otherwise; the last line sums up.
example: compare_reports.py examples/reference.json OUT/report.json --precision mixed
"""
import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from report_boxes import iou  # noqa: E402

# least IoU, most |score|, most |probability|
LIMITS = {"fp32": (0.999, 1e-4, 1e-4), "mixed": (0.98, 0.02, 0.01)}


class Comparison:
    def __init__(self, precision: str) -> None:
        self.limits = LIMITS[precision]
        self.problems: list[str] = []
        self.boxes = self.near_threshold = 0
        self.worst = [0.0, 0.0, 0.0]

    def check(self, place: str, kind: int, difference: float, limit: float) -> None:
        self.worst[kind] = max(self.worst[kind], difference)
        if not difference <= limit:
            self.problems.append(f"{place}: difference {difference:.3g}, allowed {limit:.3g}")

    def slice(self, name: str, want: dict[str, Any], got: dict[str, Any], threshold: float) -> None:
        least_iou, most_score, most_probability = self.limits
        left = list(got["vertebrae"])
        for number, expected in enumerate(want["vertebrae"], 1):
            place = f"{name}, vertebra {number}"
            match = max(left, key=lambda v: iou(expected["box"], v["box"]), default=None)
            if match is None or iou(expected["box"], match["box"]) < least_iou:
                self.alone(place + " of the first report", expected, threshold)
                continue
            left.remove(match)
            self.boxes += 1
            self.check(place + ", box", 0, 1 - iou(expected["box"], match["box"]), 1 - least_iou)
            self.check(place + ", score", 1, abs(expected["score"] - match["score"]), most_score)
            for label, value in expected["probabilities"].items():
                self.check(f"{place}, {label}", 2, abs(value - match["probabilities"][label]), most_probability)
        for extra in left:
            self.alone(f"{name}, a vertebra of the second report alone", extra, threshold)

    def alone(self, place: str, vertebra: dict[str, Any], threshold: float) -> None:
        """A box near the threshold may fall on either side of it; it is counted, not hidden."""
        if abs(vertebra["score"] - threshold) <= self.limits[1]:
            self.near_threshold += 1
        else:
            self.problems.append(f"{place}: no partner, score {vertebra['score']:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("want", type=Path, help="the report to trust")
    parser.add_argument("got", type=Path)
    parser.add_argument("--precision", choices=sorted(LIMITS), required=True)
    parser.add_argument("--threshold", type=float, default=0.75, help="score of a diagnosis (0.75)")
    options = parser.parse_args()
    want, got = (
        {entry["source"]: entry for entry in json.loads(path.read_text())["slices"]}
        for path in (options.want, options.got)
    )
    result = Comparison(options.precision)
    if set(want) != set(got):
        result.problems.append(f"not the same slices: {sorted(set(want) ^ set(got))}")
    for name in sorted(set(want) & set(got)):
        result.slice(name, want[name], got[name], options.threshold)
    for problem in result.problems[:20]:
        print(problem)
    worst = " / ".join(f"{value:.2e}" for value in result.worst)
    print(f"{result.boxes} boxes of {len(want)} slices, {len(result.problems)} problems, {result.near_threshold} near the "
          f"threshold; largest 1-IoU / score / probability {worst}")
    sys.exit(12 if result.problems or result.boxes == 0 else 0)


if __name__ == "__main__":
    main()
