"""Runs of `spinert bench --json` side by side: times and ratios per stage, node, kernel and case.

The first file is the base. A row is a median in ms and the ratio of the other run to the base: below 1 is faster. Rows
are sorted by the time lost or won, largest first; the geometric mean counts every row once. With several files every
one is a column, so that one thread, two threads and a smaller instruction set stand beside each other.
"""
import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

EXAMPLES = """examples:
  spinert bench --stage detector --nodes --json before.json     # build the other version, then the same to after.json
  python3 bench/compare.py before.json after.json
  python3 bench/compare.py before.json after.json --what node --least-ms 0.5
  python3 bench/compare.py before.json after.json --threshold 1.03    # exit code 1 if a stage is more than 3 % slower
  python3 bench/compare.py two-threads.json one-thread.json avx2.json --what stage"""
KINDS = ("stage", "kernel", "node", "case")
Times = dict[tuple[str, str], float]  # (kind, name) to ms


class Unusable(Exception):
    """A file is no output of `spinert bench`, or two files have nothing in common."""


def add(times: Times, kind: str, name: str, ms: Any) -> None:
    if not isinstance(ms, (int, float)) or isinstance(ms, bool) or not math.isfinite(ms) or ms < 0:
        raise Unusable(f"{kind} {name}: {ms} is no time")
    times[kind, name] = times.get((kind, name), 0.0) + float(ms)


def read_times(path: Path) -> Times:
    """Every time of one file. A kernel that several stages use is one row for each stage."""
    try:
        document = json.loads(path.read_text())
        times: Times = {}
        for stage in document.get("stages", []):
            name = stage["stage"] + (f" {stage['patches']}" if stage["patches"] else "")
            add(times, "stage", name, stage["median_ms"])
            for kernel in stage["kernels"]:
                add(times, "kernel", f"{name}: {kernel['kernel']}", kernel["ms"])
            for node in stage.get("nodes", []):
                add(times, "node", f"{name}: {node['node']}", node["ms"])
            if "between_ms" in stage:
                # What medians differ by may be below zero, and then it is nothing to compare.
                add(times, "node", f"{name}: between nodes", max(stage["between_ms"], 0))
        for row in document.get("kernels", []):
            if not row["refused"]:
                layer = f"{row['layer']}: " if "layer" in row else ""
                add(times, "case", f"{layer}{row['case']} [{row['kernel']}]", row["warm_us"] / 1e3)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        raise Unusable(f"{path} is no output of spinert bench --json: {failure!r}") from failure
    if not times:
        raise Unusable(f"{path} holds no times")
    return times


def geometric_mean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def print_kind(kind: str, runs: list[Times], names: list[str], least_ms: float) -> list[float]:
    """The table of one kind; the ratios of the last run to the base."""
    rows = [key for key in runs[0] if key[0] == kind and all(key in run for run in runs[1:])]
    rows = [key for key in rows if max(run[key] for run in runs) >= least_ms]
    if not rows:
        return []
    rows.sort(key=lambda key: abs(runs[-1][key] - runs[0][key]), reverse=True)
    width = min(max(len(name) for _, name in rows), 100)
    columns = [f"{name[-14:]:>14}" for name in names]
    head = [columns[0], *(f"{column} {'ratio':>6}" for column in columns[1:])]
    print(f"{kind:<{width}} {' '.join(head)} {'lost, ms':>10}")
    for key in rows:
        base = runs[0][key]
        cells = [f"{base:14.3f}"]
        for run in runs[1:]:
            cells.append(f"{run[key]:14.3f} " + (f"{run[key] / base:6.3f}" if base > 0 else f"{'-':>6}"))
        print(f"{key[1][:width]:<{width}} {' '.join(cells)} {runs[-1][key] - base:+10.3f}")
    ratios = [runs[-1][key] / runs[0][key] for key in rows if runs[0][key] > 0 and runs[-1][key] > 0]
    if len(ratios) > 1:
        print(f"{len(ratios)} rows, geometric mean of the ratios {geometric_mean(ratios):.3f}")
    missing = [key[1] for run in runs for key in run if key[0] == kind and not all(key in other for other in runs)]
    if missing:
        print(f"only in some of the runs: {', '.join(sorted(set(missing)))}")
    print()
    return ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="JSON", help="the base, then one or more others")
    parser.add_argument("--what", nargs="+", choices=KINDS, default=list(KINDS), help="tables to print (all)")
    parser.add_argument("--least-ms", type=float, default=0.0, metavar="MS", help="leave rows out that take less")
    parser.add_argument("--threshold", type=float, metavar="RATIO",
                        help="exit code 1 if a stage, or without stages a case, of the last run is slower by more")
    options = parser.parse_args()
    if len(options.runs) < 2:
        parser.error("two files at least")
    try:
        runs = [read_times(path) for path in options.runs]
    except Unusable as problem:
        print(f"compare: {problem}", file=sys.stderr)
        return 2
    names = [path.stem for path in options.runs]
    ratios = {kind: print_kind(kind, runs, names, options.least_ms) for kind in KINDS if kind in options.what}
    judged = ratios.get("stage") or ratios.get("case") or []
    if not any(ratios.values()):
        print("compare: the runs have nothing in common", file=sys.stderr)
        return 2
    if options.threshold is None:
        return 0
    if not judged:
        print("compare: --threshold needs a stage or a case that all runs have", file=sys.stderr)
        return 2
    worst = max(judged)
    print(f"worst ratio {worst:.3f}, threshold {options.threshold:.3f}: {'slower' if worst > options.threshold else 'passed'}")
    return 1 if worst > options.threshold else 0


if __name__ == "__main__":
    sys.exit(main())
