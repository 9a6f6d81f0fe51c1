"""The gate of a precision or another setting that changes arithmetic: what it finds against what fp32 finds.

Runs `spinert diagnose` twice over the same slices, or takes two reports, and applies this rule:
  - boxes whose score in the base lies within 0.02 of the threshold are reported apart: at most 2 % of all;
  - of the rest none is lost and none is gained;
  - |probability| differs by at most 0.01, on all classes of every vertebra that both have.
Label flips, changes of status, the smallest IoU and the largest difference of scores are told and decide nothing.
Exit code 0: passed, 1: not passed, 2: wrong usage, or a run that gave no report.
"""
import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from report_boxes import closest, iou, match

NEAR_THRESHOLD = 0.02
MOST_NEAR = 0.02  # share of all boxes
MOST_PROBABILITY = 0.01
DICOM_TO_PNG = Path(__file__).resolve().parents[1] / "tests/golden/dicom_to_png.py"
LISTED = 40  # lines of each kind on the screen; the JSON has all

EXAMPLES = """examples:
  python3 bench/gate.py --candidate "--precision mixed" ../shared/phantom ../shared/ct/sagittal
  python3 bench/gate.py --candidate "--canvas tight" --json gate.json --out /tmp/gate --reuse-base examples
  python3 bench/gate.py --reports base/report.json candidate/report.json
A folder of DICOM slices counts as two groups: without resampling and at 0.55 mm a pixel (--mm). They are converted by
tests/golden/dicom_to_png.py, which needs numpy, Pillow and pydicom in the Python that runs this."""


class Unusable(Exception):
    """Nothing can be compared: exit code 2."""


@dataclass
class Group:
    """What the comparison of the slices of one folder, or of all, came to."""

    name: str
    slices: int = 0
    boxes: int = 0  # of the base: at the threshold, and those just below it
    near: int = 0  # of them within 0.02 of the threshold
    lost: list[str] = field(default_factory=list)
    gained: list[str] = field(default_factory=list)
    probabilities: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    flips: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    least_iou: float = 1.0
    most_score: float = 0.0
    most_probability: float = 0.0

    def add(self, other: "Group") -> None:
        for name, value in vars(other).items():
            if isinstance(value, (int, list)):
                setattr(self, name, getattr(self, name) + value)
        self.least_iou = min(self.least_iou, other.least_iou)
        self.most_score = max(self.most_score, other.most_score)
        self.most_probability = max(self.most_probability, other.most_probability)

    def breaches(self) -> list[str]:
        """Why the rule is not met; empty if it is. The share is one of all slices, not of a folder."""
        found = [f"{len(texts)} {what}" for texts, what in (
            (self.failed, "slices without a result"), (self.lost, "boxes lost"), (self.gained, "boxes gained"),
            (self.probabilities, f"probabilities differ by more than {MOST_PROBABILITY}")) if texts]
        if self.boxes == 0:
            found.append("no box was compared")
        elif self.near > MOST_NEAR * self.boxes:
            found.append(f"{self.near} of {self.boxes} boxes lie within {NEAR_THRESHOLD} of the threshold, at most "
                         f"{MOST_NEAR:.0%} may")
        return found


def place(source: str, box: list[float], score: float) -> str:
    return f"{source}: box [{', '.join(f'{v:.1f}' for v in box)}], score {score:.4f}"


def other_side(box: list[float], entry: dict[str, Any]) -> str:
    """What the other report has at a box that it does not take for a vertebra."""
    there = closest(box, entry["candidates"])
    return f"{there['score']:.4f} there" if there else "nothing there"


def compare_slice(base: dict[str, Any], other: dict[str, Any], threshold: float, group: Group) -> None:
    source = base["source"]
    group.slices += 1
    if "failed" in (base["status"], other["status"]):
        group.failed.append(f"{source}: {base['status']} ({base['error']}) -> {other['status']} ({other['error']})")
        return
    if (base["status"], base["alert"]) != (other["status"], other["alert"]):
        group.changes.append(f"{source}: {base['status']}, {base['alert']} -> {other['status']}, {other['alert']}")

    def is_near(score: float) -> bool:
        return abs(score - threshold) <= NEAR_THRESHOLD

    ours, theirs = base["vertebrae"], other["vertebrae"]
    taken = [(v["box"], v["score"]) for v in ours]
    below = [c for c in base["candidates"] if (c["box"], c["score"]) not in taken and is_near(c["score"])]
    group.boxes += len(ours) + len(below)
    group.near += len(below) + sum(is_near(v["score"]) for v in ours)

    pairs = match([v["box"] for v in ours], [v["box"] for v in theirs])
    for i, j in pairs:
        compare_pair(source, ours[i], theirs[j], group)
    left = [v for j, v in enumerate(theirs) if j not in [b for _, b in pairs]]
    for i, vertebra in enumerate(ours):
        if i in [a for a, _ in pairs]:
            continue
        text = f"{place(source, vertebra['box'], vertebra['score'])}: lost, {other_side(vertebra['box'], other)}"
        (group.apart if is_near(vertebra["score"]) else group.lost).append(text)
    risen = {j for _, j in match([c["box"] for c in below], [v["box"] for v in left])}
    for j, vertebra in enumerate(left):
        text = f"{place(source, vertebra['box'], vertebra['score'])}: gained, {other_side(vertebra['box'], base)}"
        (group.apart if j in risen else group.gained).append(text)


def compare_pair(source: str, base: dict[str, Any], other: dict[str, Any], group: Group) -> None:
    group.least_iou = min(group.least_iou, iou(base["box"], other["box"]))
    group.most_score = max(group.most_score, abs(base["score"] - other["score"]))
    where = place(source, base["box"], base["score"])
    for name, want in base["probabilities"].items():
        got = other["probabilities"][name]
        difference = abs(want - got)
        group.most_probability = max(group.most_probability, difference)
        # Written as "not within", so that a NaN is a breach and never a pass.
        if not difference <= MOST_PROBABILITY:
            group.probabilities.append(f"{where}: {name} {want:.4f} -> {got:.4f}")
    for name in sorted(set(base["labels"]) ^ set(other["labels"])):
        group.flips.append(f"{where}: {name} {base['probabilities'][name]:.4f} -> {other['probabilities'][name]:.4f}")


def compare_reports(name: str, base: dict[str, Any], other: dict[str, Any]) -> Group:
    group = Group(name)
    if base["model"]["sha256"] != other["model"]["sha256"]:
        raise Unusable("the reports come from different models")
    if base["thresholds"] != other["thresholds"]:
        raise Unusable("the reports come from different thresholds")
    ours, theirs = ({s["source"]: s for s in report.get("slices", [])} for report in (base, other))
    for source in sorted(set(ours) ^ set(theirs)):
        group.slices += 1
        group.failed.append(f"{source}: only in the {'base' if source in ours else 'candidate'}")
    for source, entry in ours.items():
        if source not in theirs:
            continue
        if entry["sha256"] != theirs[source]["sha256"]:
            raise Unusable(f"{source} is not the same picture in both reports")
        compare_slice(entry, theirs[source], base["thresholds"]["score"], group)
    return group


def read_report(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as failure:
        raise Unusable(f"{path} is no report: {failure}") from failure


def diagnose(spinert: Path, model: Path | None, inputs: Path, settings: str, out: Path) -> dict[str, Any]:
    """A report of one run. A run that ends with an error but leaves slices is compared: its slices tell."""
    command = [str(spinert), "diagnose", str(inputs), "-o", str(out), "--overwrite", "replace", "--log", "json"]
    command += ["--model", str(model)] if model else []
    (out / "report.json").unlink(missing_ok=True)  # a run that dies must not leave an earlier one's to be compared
    try:
        run = subprocess.run(command + shlex.split(settings), capture_output=True, text=True, check=False)
    except OSError as failure:
        raise Unusable(f"{spinert} does not start: {failure}") from failure
    report = read_report(out / "report.json") if (out / "report.json").exists() else {}
    if not report.get("slices"):
        raise Unusable(f"{shlex.join(command)} {settings}: exit code {run.returncode}\n{run.stderr.strip()[-2000:]}")
    return report


def groups_of(inputs: list[Path], spacings: list[float], scratch: Path) -> list[tuple[str, Path]]:
    """Name and folder (or file) of each run; DICOM folders become folders of PNGs."""
    groups: list[tuple[str, Path]] = []
    for path in inputs:
        if not path.exists():
            raise Unusable(f"{path} does not exist")
        slices = sorted(path.rglob("*.dcm")) if path.is_dir() else []
        if not slices:
            groups.append((path.name, path))
            continue
        for mm in spacings:
            name = f"{path.name} " + (f"{mm:g} mm" if mm > 0 else "as it is")
            folder = scratch / name.replace(" ", "-")
            command = [sys.executable, str(DICOM_TO_PNG), "--no-venv", "-o", str(folder), *map(str, slices)]
            command += ["--mm", str(mm)] if mm > 0 else []
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise Unusable(f"DICOM slices could not be converted: {made.stderr.strip()[-500:]}")
            groups.append((name, folder))
    return groups


def print_table(groups: list[Group]) -> None:
    print(f"{'slices of':<20} {'n':>4} {'boxes':>6} {'near':>5} {'lost':>5} {'gained':>6} {'|p|>.01':>7} {'flips':>5} "
          f"{'1-IoU':>8} {'|score|':>8} {'|p|':>8}")
    for g in groups:
        print(f"{g.name[:20]:<20} {g.slices:4d} {g.boxes:6d} {g.near:5d} {len(g.lost):5d} {len(g.gained):6d} "
              f"{len(g.probabilities):7d} {len(g.flips):5d} {1 - g.least_iou:8.1e} {g.most_score:8.1e} "
              f"{g.most_probability:8.1e}")


def print_lists(total: Group) -> None:
    for title, texts in (("NO RESULT", total.failed), ("LOST", total.lost), ("GAINED", total.gained),
                         ("PROBABILITY", total.probabilities), ("near the threshold", total.apart),
                         ("label flip", total.flips), ("status", total.changes)):
        for text in texts[:LISTED]:
            print(f"{title}: {text}")
        if len(texts) > LISTED:
            print(f"{title}: {len(texts) - LISTED} more")


def run_groups(options: argparse.Namespace) -> list[Group]:
    if options.reports:
        base, other = options.reports
        return [compare_reports(base.parent.name or str(base), read_report(base), read_report(other))]
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        compared = []
        for number, (name, inputs) in enumerate(groups_of(options.inputs, options.mm or [0, 0.55], out / "png")):
            folder = out / f"{number}-{name.replace(' ', '-')}"
            kept = folder / "base" / "report.json"
            if options.reuse_base and kept.exists():
                base = read_report(kept)
            else:
                base = diagnose(options.base_spinert or options.spinert, options.model, inputs, options.base,
                                folder / "base")
            other = diagnose(options.spinert, options.model, inputs, options.candidate, folder / "candidate")
            compared.append(compare_reports(name, base, other))
        return compared


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="*", type=Path, metavar="INPUT", help="folders or pictures; each is a group")
    parser.add_argument("--base", default="", metavar="OPTIONS", help="options of the base run (default: none, fp32)")
    parser.add_argument("--candidate", metavar="OPTIONS", help='options of the run to judge: "--precision mixed"')
    parser.add_argument("--spinert", type=Path, default=Path("build/spinert"), help="the program (build/spinert)")
    parser.add_argument("--base-spinert", type=Path, metavar="SPINERT", help="another program for the base")
    parser.add_argument("--model", type=Path, help="model of both runs (default: the demo model)")
    parser.add_argument("--mm", type=float, action="append",
                        help="DICOM: millimetres a pixel, 0 for no resampling; may be repeated (default 0 and 0.55)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep both reports of every group here")
    parser.add_argument("--reuse-base", action="store_true", help="take the base reports that --out already has")
    parser.add_argument("--reports", nargs=2, type=Path, metavar=("BASE", "CANDIDATE"),
                        help="compare two report.json; nothing is run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    options = parser.parse_args()
    if bool(options.reports) == (bool(options.inputs) and options.candidate is not None):
        parser.error("give --candidate and INPUT, or --reports")
    if options.reuse_base and not options.out:
        parser.error("--reuse-base needs --out")
    return options


def main() -> int:
    options = parse_arguments()
    try:
        groups = run_groups(options)
    except Unusable as failure:
        print(f"gate: {failure}", file=sys.stderr)
        return 2
    total = Group("all")
    for group in groups:
        total.add(group)
    breaches = total.breaches()
    print_table([*groups, total])
    print_lists(total)
    print("gate: " + ("NOT PASSED: " + "; ".join(breaches) if breaches else "passed"))
    if options.json:
        settings = {"base": options.base, "candidate": options.candidate}
        options.json.write_text(json.dumps({**settings, "passed": not breaches, "breaches": breaches,
                                            "groups": [asdict(g) for g in [*groups, total]]}, indent=1) + "\n")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
