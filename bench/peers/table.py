"""The results of peers.py as a Markdown table and as JSON."""
import statistics
from pathlib import Path
from typing import Any, Sequence

BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"
TITLES = {"detector": "detector", "classifier_1": "ResNet50, 1 patch", "classifier_8": "ResNet50, 8 patches (each)"}
FACTS = ["open, ms", "first run, ms", "peak RSS, MB", "1-IoU / score / probability"]
PER_RUN = {"detector": 1, "classifier_1": 1, "classifier_8": 8}


def ratio(lane: Any, base: Any, stage: str) -> tuple[float, float, float]:
    """Median, smallest and largest of the rounds' time(lane) / time(base)."""
    rounds = [a / b for a, b in zip(lane.ms[stage], base.ms[stage])]
    return statistics.median(rounds), min(rounds), max(rounds)


def markdown(lanes: Sequence[Any], stages: Sequence[str], machine: str, picture: str) -> str:
    """One row per engine; cells are `median (minimum) ms, ratio`; the first engine is the base of the ratios."""
    base = lanes[0]
    lines = [
        f"{machine}; slice `{picture}`.",
        f"Cells: median (minimum) in ms; then the time over that of {base.name} in the same round:",
        "median [smallest, largest].",
        "",
        "| engine | version | " + " | ".join([TITLES[s] for s in stages] + FACTS) + " |",
        "|---" * (2 + len(stages) + len(FACTS)) + "|",
    ]
    for lane in lanes:
        cells = []
        for stage in stages:
            times = [value / PER_RUN[stage] for value in lane.ms[stage]]
            cell = f"{statistics.median(times):.1f} ({min(times):.1f})"
            if lane is not base:
                middle, low, high = ratio(lane, base, stage)
                cell += f"; {middle:.2f} [{low:.2f}, {high:.2f}]"
            cells.append(cell)
        facts = [f"{lane.facts[k]:.0f}" if k in lane.facts else "-" for k in ("open_ms", "first_ms", "peak_rss_mb")]
        lines.append("| " + " | ".join([lane.name, lane.version, *cells, *facts, lane.parity]) + " |")
    lines += [
        "",
        "Open: importing the engine and opening the detector; first run: the detector's. Peak RSS:",
        "detector and classifier in one process after one run each.",
        "Last column: largest difference from torch (plain, NCHW) on this slice.",
    ]
    return "\n".join(lines)


def document(lanes: Sequence[Any], machine: str) -> dict[str, Any]:
    rows = [
        {key: getattr(lane, key) for key in ("name", "version", "precision", "parity", "facts", "ms")} for lane in lanes
    ]
    return {"schema": "spinert.peers/1", "machine": machine, "engines": rows}


def replace_between_marks(path: Path, text: str) -> None:
    """Puts `text` between the marks, which the document must hold already."""
    old = path.read_text()
    if BEGIN not in old or END not in old:
        raise SystemExit(f"{path} lacks the marks {BEGIN} and {END}")
    head, rest = old.split(BEGIN, 1)
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")
