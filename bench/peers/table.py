"""The results of peers.py as JSON and as Markdown tables."""
import statistics
from pathlib import Path
from typing import Any, Sequence

BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"
SLICE_PATCHES = 68  # 17 vertebrae x 4 patches
TITLES = {
    "detector": "detector",
    "classifier_1": "ResNet50, 1 patch",
    "classifier_8": "8 patches, each",
    "classifier_64": "64 patches, each",
    "slice": f"slice, {SLICE_PATCHES} patches",
    "conv256": "3x3 256->256",
    "conv64": "3x3 64->64",
    "roi_align": "RoIAlign",
}
FACTS = {"open_ms": "open, ms", "first_ms": "first run, ms", "peak_rss_mb": "peak RSS, MB", "graph_breaks": "graph breaks"}
Row = dict[str, Any]


def patches_of(stage: str) -> int:
    kind, _, batch = stage.partition("_")
    return int(batch) if kind == "classifier" else 1


def each(row: Row, stage: str) -> list[float]:
    """Times of the rounds: per patch for the classifier; the slice is the detector and 68 patches at the better batch."""
    if stage != "slice":
        return [value / patches_of(stage) for value in row["ms"].get(stage, [])]
    batches = [each(row, name) for name in row["ms"] if name.startswith("classifier")]
    if not batches or "detector" not in row["ms"]:
        return []
    best = min(batches, key=statistics.median)
    return [detector + SLICE_PATCHES * patch for detector, patch in zip(row["ms"]["detector"], best)]


def ratio(row: Row, base: Row, stage: str) -> tuple[float, float, float] | None:
    """Median, smallest and largest of the rounds' time(row) / time(base)."""
    rounds = [a / b for a, b in zip(each(row, stage), each(base, stage))]
    return (statistics.median(rounds), min(rounds), max(rounds)) if rounds else None


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def stages_of(rows: Sequence[Row]) -> list[str]:
    return [stage for stage in TITLES if any(each(row, stage) for row in rows)]


def is_base(row: Row) -> bool:
    """Lanes of ours that others are compared with: full width, all threads."""
    return row["ours"] and not any(option in row["arguments"] for option in ("--threads", "--isa"))


def markdown(document: dict[str, Any]) -> str:
    rows, head = [row for row in document["engines"] if row["ms"] or row["failed"]], document["run"]
    stages = stages_of(rows)
    lines = [
        f"{head['machine']}, {head['threads']} threads, {head['rounds']} rounds; slice `{head['slice']}`.",
        *([f"The slice column is the detector and {SLICE_PATCHES} patches at the lane's better batch size."]
          if "slice" in stages else []),
        "",
        "Time, ms: median (minimum) of the rounds.",
        "",
    ]
    cells = []
    for row in rows:
        times = [each(row, stage) for stage in stages]
        texts = [f"{statistics.median(t):.2f} ({min(t):.2f})" if t else "failed" if s in row["failed"] else "-"
                 for s, t in zip(stages, times)]
        cells.append([row["name"], row["version"], *texts])
    lines += grid(["engine", "version", *(TITLES[s] for s in stages)], cells)
    for base in filter(is_base, rows):
        known = [stage for stage in stages if each(base, stage)]
        if not known:
            continue
        lines += [f"Time over that of {base['name']} in the same round: median [smallest, largest].", ""]
        cells = []
        for row in rows:
            if row is base:
                continue
            ratios = [ratio(row, base, stage) for stage in known]
            cells.append([row["name"], *("{:.2f} [{:.2f}, {:.2f}]".format(*r) if r else "-" for r in ratios)])
        lines += grid(["engine", *(TITLES[s] for s in known)], cells)
    facts = [key for key in FACTS if any(key in row["facts"] for row in rows)]
    checked = [stage for stage in TITLES if any(stage in row["parity"] for row in rows)]
    lines += ["Opening and first run of the detector, memory, and the largest difference from torch (plain, fp32) on this "
              "slice: 1-IoU / score of the detector's boxes, probability, output of the three convolutions over the "
              "largest one.", ""]
    cells = [
        [row["name"], *(f"{row['facts'][key]:.0f}" if key in row["facts"] else "-" for key in facts),
         *(row["parity"].get(stage, "-") for stage in checked)]
        for row in rows
    ]
    lines += grid(["engine", *(FACTS[k] for k in facts), *(TITLES[s].split(",")[0] + f" ({s})" for s in checked)], cells)
    for row in rows:
        lines += [f"- {row['name']}, {TITLES[stage]}: {reason}" for stage, reason in row["failed"].items()]
    return "\n".join(lines).strip()


def document(lanes: Sequence[Any], head: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "version", "precision", "ours", "parity", "facts", "failed", "ms")
    rows = [{**{key: getattr(lane, key) for key in keys}, "arguments": list(getattr(lane, "arguments", []))}
            for lane in lanes]
    for row in rows:
        # The run's own number of threads is no choice of the lane.
        if row["arguments"][-2:] == ["--threads", str(head["threads"])]:
            row["arguments"] = row["arguments"][:-2]
    return {"schema": "spinert.peers/2", "run": head, "engines": rows}


def merge(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Runs of different stages as one; a stage that two runs hold is taken from the later one."""
    rows: dict[str, Row] = {}
    for one in documents:
        for row in one["engines"]:
            kept = rows.setdefault(row["name"], row)
            for key in ("parity", "facts", "failed", "ms"):
                kept[key] = {**kept[key], **row[key]}
            kept["failed"] = {stage: reason for stage, reason in kept["failed"].items() if stage not in row["ms"]}
            kept["version"] = kept["version"] or row["version"]
    return {**documents[-1], "engines": list(rows.values())}


def replace_between_marks(path: Path, text: str) -> None:
    """Puts `text` between the marks, which the document must hold already."""
    old = path.read_text()
    if BEGIN not in old or END not in old:
        raise SystemExit(f"{path} lacks the marks {BEGIN} and {END}")
    head, rest = old.split(BEGIN, 1)
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")
