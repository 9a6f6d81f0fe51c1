"""SpineRT against torch on a card: same weights, same slice, parity first, then whole slices in turns.

A slice is timed from the placed canvas in host memory to boxes, scores and probabilities in host memory. SpineRT runs as
a new process each round (`spinert bench --stage slice`), the forms of torch live in this one (gpu_torch.py says what
they are). Ratios are taken within a round.

example: gpu_peers.py --model models/spine-demo.safetensors --spinert build/spinert --slice examples/slice_001.png
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "golden"))
if "--no-venv" not in sys.argv:
    sys.argv.append("--no-venv")  # torch with CUDA must be here already; it is never installed

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402

import picture as pictures  # noqa: E402
import torch_pipeline  # noqa: E402
from gpu_torch import SliceResult, TorchSlice  # noqa: E402

LEAST_IOU, MOST_SCORE, MOST_PROBABILITY = 0.9, 0.02, 0.02  # half precision against float32
BEGIN, END = "<!-- gpu-peers:begin -->", "<!-- gpu-peers:end -->"
Lane = Callable[[np.ndarray], SliceResult]


def compare(truth: SliceResult, got: SliceResult) -> str:
    """Largest differences over the truth's boxes, or why the lane is wrong."""
    if len(truth.boxes) == 0:
        return "no boxes to compare"
    present = got.scores >= truth.scores.min() - MOST_SCORE
    overlaps = torchvision.ops.box_iou(truth.boxes, got.boxes[present])
    best, index = overlaps.max(1)
    score = (truth.scores - got.scores[present][index]).abs().max().item()
    probability = (truth.probabilities - got.probabilities[present][index]).abs().max().item()
    text = f"{1 - best.min().item():.1e} / {score:.1e} / {probability:.1e}"
    if len(set(index.tolist())) != len(index) or best.min() < LEAST_IOU:
        return f"WRONG: a box of float32 torch is missing ({text})"
    if score > MOST_SCORE or probability > MOST_PROBABILITY:
        return f"WRONG: {text}"
    return text


def timed(lane: Lane, canvas: np.ndarray, repeats: int) -> float:
    """Median ms of a slice; the results are in host memory when it returns."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        lane(canvas)
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


class SpineRt:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder

    def call(self, *arguments: str) -> None:
        subprocess.run([str(self.options.spinert), *arguments], check=True, stdout=subprocess.DEVNULL)

    def time(self, repeats: int) -> float:
        target = self.folder / "bench.json"
        self.call("bench", "--stage", "slice", "--device", self.options.device, "--precision", "mixed", "--repeats",
                  str(repeats), "--model", str(self.options.model), "--slice", str(self.options.slice), "--json",
                  str(target))
        return json.loads(target.read_text())["stages"][0]["median_ms"]

    def result(self, dx: float, dy: float) -> SliceResult:
        out = self.folder / "diagnose"
        self.call("diagnose", str(self.options.slice), "-o", str(out), "--device", self.options.device, "--precision",
                  "mixed", "--model", str(self.options.model), "--overwrite", "replace")
        rows = json.loads((out / "report.json").read_text())["slices"][0]["vertebrae"]
        boxes = torch.tensor([row["box"] for row in rows]).reshape(-1, 4) + torch.tensor([dx, dy, dx, dy])
        probabilities = torch.tensor([list(row["probabilities"].values()) for row in rows])
        return SliceResult(boxes, torch.tensor([row["score"] for row in rows]), probabilities)


def open_lanes(options: argparse.Namespace, canvas: np.ndarray) -> tuple[SliceResult, dict[str, Lane]]:
    def fresh(half: torch.dtype) -> TorchSlice:
        return TorchSlice(torch_pipeline.Pipeline.from_model(options.model), options.device, half)

    truth = fresh(torch.float32).eager(canvas)
    lanes: dict[str, Lane] = {"torch eager, f16 autocast": fresh(torch.float16).eager}
    if options.device.startswith("cuda"):
        lanes["torch.backends TF32 eager"] = tf32(fresh(torch.float32).eager)
        if not options.no_compile:
            compiled = fresh(torch.float16)
            compiled.compile_parts()
            lanes["torch.compile of the parts, f16"] = compiled.eager
        static = fresh(torch.float16)
        static.prepare_static(len(truth.boxes))
        lanes["torch static, captured, f16"] = static.capture()
    else:
        # Without a card only the arithmetic of the static form can be checked.
        static = fresh(torch.float32)
        static.prepare_static(len(truth.boxes))
        lanes = {"torch static, f32, no card": static.static}
    return truth, lanes


def tf32(lane: Lane) -> Lane:
    def run(canvas: np.ndarray) -> SliceResult:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        try:
            return lane(canvas)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

    return run


def table(rows: list[dict[str, Any]], head: str) -> str:
    lines = [head, "", "| engine | median (minimum), ms | time over SpineRT's, median [smallest, largest] | 1-IoU / score / probability |",
             "|---|---|---|---|"]
    base = next((row["ms"] for row in rows if row["engine"] == "SpineRT"), None)
    for row in rows:
        cell = f"{statistics.median(row['ms']):.3f} ({min(row['ms']):.3f})" if row["ms"] else "-"
        ratio = "-"
        if base and row["ms"] and row["engine"] != "SpineRT":
            each = [a / b for a, b in zip(row["ms"], base)]
            ratio = f"{statistics.median(each):.2f} [{min(each):.2f}, {max(each):.2f}]"
        lines.append(f"| {row['engine']} | {cell} | {ratio} | {row['parity']} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     epilog=__doc__.strip().splitlines()[-1])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--spinert", type=Path, help="the program; left out: torch alone")
    parser.add_argument("--slice", type=Path, required=True)
    parser.add_argument("--device", default="cuda:0", help="cuda:N, or cpu to check the static form without a card")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=50, help="slices of one lane in one round")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out (it takes minutes)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--no-venv", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()

    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    on_card = options.device.startswith("cuda")
    if on_card and not torch.cuda.is_available():
        raise SystemExit("gpu_peers: this torch sees no card; --device cpu checks the static form alone")
    picture = pictures.read_picture(options.slice)
    placed = pictures.place(picture.grey, 1024)
    truth, lanes = open_lanes(options, placed.canvas)
    rows = [{"engine": name, "ms": [], "parity": compare(truth, lane(placed.canvas))} for name, lane in lanes.items()]
    with tempfile.TemporaryDirectory() as folder:
        ours = SpineRt(options, Path(folder)) if options.spinert and on_card else None
        if ours:
            rows.insert(0, {"engine": "SpineRT", "ms": [], "parity": compare(truth, ours.result(placed.dx, placed.dy))})
        for number in range(options.rounds if on_card else 0):
            order = rows[number % len(rows):] + rows[: number % len(rows)]
            for row in order:
                if row["engine"] == "SpineRT":
                    row["ms"].append(ours.time(options.repeats))
                else:
                    row["ms"].append(timed(lanes[row["engine"]], placed.canvas, options.repeats))
    patches = len(torch_pipeline.Pipeline.from_model(options.model).config.patch_table)
    card = torch.cuda.get_device_name() if on_card else "no card"
    head = (f"{card}, torch {torch.__version__}, torchvision {torchvision.__version__}; slice `{options.slice.name}`, "
            f"{len(truth.boxes)} boxes x {patches} patches; {options.rounds} rounds.")
    text = table(rows, head)
    print(text)
    if options.json:
        options.json.write_text(json.dumps({"schema": "spinert.gpu_peers/1", "card": card, "engines": rows}, indent=1))
    if options.markdown:
        options.markdown.write_text(text + "\n")
    if any(row["parity"].startswith("WRONG") for row in rows):
        raise SystemExit(12)


if __name__ == "__main__":
    main()
