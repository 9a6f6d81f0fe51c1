"""One JSON and one Markdown file from the steps of bench/gpu_session.sh. Needs nothing but Python."""
import argparse
import json
from pathlib import Path
from typing import Any


def steps_of(folder: Path) -> list[dict[str, str]]:
    rows = []
    for line in (folder / "steps.tsv").read_text().splitlines():
        name, code, seconds, last = line.split("\t", 3)
        rows.append({"step": name, "exit": code, "seconds": seconds, "last_line": last})
    return rows


def read_results(folder: Path) -> dict[str, Any]:
    results = {}
    for path in sorted(folder.glob("*.json")):
        if path.name.startswith("gpu-"):
            continue
        try:
            results[path.stem] = json.loads(path.read_text())
        except ValueError:  # of a step that was cut off while it wrote
            results[path.stem] = None
    return results


def stage_lines(results: dict[str, Any]) -> list[str]:
    lines = []
    for stage in (result for name, result in results.items() if name.startswith("stage-") and result):
        for row in stage["stages"]:
            lines.append(f"| {row['stage']} | {row['patches']} | {row['median_ms']:.3f} | {row['min_ms']:.3f} | "
                         f"{row['first_ms']:.1f} | {row['open_ms']:.0f} | {row['precision']} |")
    if lines:
        lines = ["| stage | patches | median, ms | minimum, ms | first, ms | open, ms | precision |",
                 "|---|---|---|---|---|---|---|"] + lines + [""]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mode", choices=["ours", "peers"], required=True)
    options = parser.parse_args()
    folder = options.folder
    steps = steps_of(folder)
    card = (folder / "card.txt").read_text().strip() if (folder / "card.txt").exists() else ""
    results = read_results(folder)
    document = {"schema": "spinert.gpu_session/1", "mode": options.mode, "card": card, "steps": steps,
                "results": results}
    (folder / f"gpu-{options.mode}.json").write_text(json.dumps(document, indent=1) + "\n")
    lines = [f"Card: {card.splitlines()[-1] if card else 'unknown'}", "",
             "| step | exit | seconds | last line |", "|---|---|---|---|"]
    lines += [f"| {s['step']} | {s['exit']} | {s['seconds']} | {s['last_line'].replace('|', '/')[:160]} |" for s in steps]
    lines += [""] + stage_lines(results)
    for path in sorted(folder.glob("*.md")):
        if not path.name.startswith("gpu-"):
            lines += [path.read_text().strip(), ""]
    (folder / f"gpu-{options.mode}.md").write_text("\n".join(lines) + "\n")
    print(f"{folder}/gpu-{options.mode}.json and .md")


if __name__ == "__main__":
    main()
