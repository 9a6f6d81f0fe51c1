"""SpineRT against ONNX Runtime, OpenVINO and torch on one machine: same weights, same slice, parity first, interleaved.

Every engine lives in a process of its own and runs in turn, round after round, so that a busy machine hits all of them
alike; a round gives one ratio per engine, and the table shows the median of the rounds.
"""
import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "golden"))

import own_venv  # noqa: E402

own_venv.ensure(HERE / "requirements.txt", ("torch", "torchvision", "onnx", "onnxruntime", "openvino", "numpy", "PIL"))

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import openvino  # noqa: E402
import torch  # noqa: E402

import export_onnx  # noqa: E402
import parity  # noqa: E402
import picture as pictures  # noqa: E402
import table  # noqa: E402
import torch_pipeline  # noqa: E402

STAGES = ("detector", "classifier_1", "classifier_8")
PAUSE_S = 0.3  # lets the spinning threads of the engine before go to sleep
WARM_UPS = 3
# float32 must agree. bfloat16 moves boxes visibly (another of two overlapping candidates may win): its lane shows what
# the precision buys and costs, so only a broken graph is refused and the measured maxima stand in the table.
LIMITS = {"f32": parity.Limits(0.99, 1e-3, 1e-3), "bf16": parity.Limits(0.8, 0.05, 0.1)}


@dataclass
class Lane:
    """One engine in one precision."""

    name: str
    engine: str
    precision: str
    version: str
    parity: str = ""
    process: Any = None
    facts: dict[str, float] = field(default_factory=dict)
    ms: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})

    def start(self, job: dict[str, Any], folder: Path) -> None:
        path = folder / f"{self.engine}-{self.precision}.json"
        path.write_text(json.dumps({**job, "engine": self.engine, "precision": self.precision}))
        threads = str(job["threads"])
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        command = [sys.executable, str(HERE / "worker.py"), str(path), repr(time.time())]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.facts = self.receive()

    def receive(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(line)

    def ask(self, **order: Any) -> dict[str, Any]:
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.receive()

    def stop(self) -> None:
        if self.process:
            self.process.stdin.close()
            self.process.wait()


@dataclass
class SpineRt:
    """The project's own program, called anew in each round (its `bench` warms up by itself)."""

    binary: Path
    model: Path
    picture: Path
    threads: int
    extra: list[str]
    folder: Path
    name: str = "SpineRT"
    precision: str = "f32"
    version: str = ""
    parity: str = ""
    facts: dict[str, float] = field(default_factory=dict)
    ms: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})

    def call(self, *arguments: str) -> None:
        subprocess.run([str(self.binary), *arguments], check=True, stdout=subprocess.DEVNULL)

    def diagnose(self) -> dict[str, Any]:
        out = self.folder / "diagnose"
        options = ["--model", str(self.model), "--threads", str(self.threads), "--overwrite", "replace"]
        self.call("diagnose", str(self.picture), "-o", str(out), "--device", "cpu", "--precision", "fp32", *options)
        return json.loads((out / "report.json").read_text())

    def time(self, stage: str) -> float:
        """Median in ms of one short bench run."""
        name, _, batch = stage.partition("_")
        target = self.folder / "bench.json"
        options = ["--model", str(self.model), "--threads", str(self.threads), "--json", str(target), *self.extra]
        patches = ["--patches", batch] if batch else []
        self.call("bench", "--stage", name, *patches, *options)
        row = next(r for r in json.loads(target.read_text())["stages"] if r["stage"] == name)
        self.version = f"{row['isa']}, {row['precision']}"
        if name == "detector" and not self.facts:
            self.facts = {key: row[key] for key in ("open_ms", "first_ms", "peak_rss_mb") if key in row}
        return row["median_ms"]


def check(name: str, got: Any, expected: dict[str, np.ndarray], limits: parity.Limits, threshold: float) -> str:
    """Compares a peer's outputs with torch; the line of maxima, or SystemExit where they are too far apart."""
    want = [(b, s) for b, s in zip(expected["boxes"], expected["scores"]) if s >= threshold]
    have = [(b, s) for b, s in zip(got["boxes"], got["scores"]) if s >= threshold]
    worst_iou, worst_score = 1.0, 0.0
    for box, score in want:
        partner = max(have, key=lambda other: parity.iou(box, other[0]), default=(np.zeros(4), 0.0))
        worst_iou = min(worst_iou, parity.iou(box, partner[0]))
        worst_score = max(worst_score, abs(float(score) - float(partner[1])))
    eight = float(np.abs(got["probabilities"] - expected["probabilities"]).max())
    one = float(np.abs(got["single"] - expected["probabilities"][:1]).max())
    line = difference(1 - worst_iou, worst_score, max(eight, one))
    good = len(have) == len(want) and worst_iou >= limits.iou and worst_score <= limits.score
    if not (good and max(eight, one) <= limits.probability):
        raise SystemExit(f"parity of {name} fails, nothing is timed: {len(have)} boxes of {len(want)}, {line}")
    return line


def difference(box: float, score: float, probability: float) -> str:
    return f"{box:.1e} / {score:.1e} / {probability:.1e}"


def reference(options: argparse.Namespace, folder: Path) -> tuple[Any, dict[str, np.ndarray], Any, dict[str, Any]]:
    """Torch's answers on the slice, the files for the workers, and what SpineRT's report must say."""
    pipeline = torch_pipeline.pipeline_from_options(options)
    picture = pictures.read_picture(options.slice)
    placed = pictures.place(picture.grey, pipeline.config.size)
    boxes, scores, _ = pipeline.detect(placed.canvas)
    chosen = boxes[scores >= pipeline.config.score_threshold].tolist()
    patches = pipeline.patches(placed.canvas, chosen)[: max(export_onnx.BATCHES)]
    if len(patches) < max(export_onnx.BATCHES):
        raise SystemExit(f"{options.slice} has too few vertebrae for a batch of {max(export_onnx.BATCHES)} patches")
    expected = {"boxes": boxes.numpy(), "scores": scores.numpy(), "probabilities": pipeline.classify(patches).numpy()}
    mean = np.array(pipeline.config.classifier_mean, np.float32)[:, None, None]
    std = np.array(pipeline.config.classifier_std, np.float32)[:, None, None]
    image = np.repeat(placed.canvas[None] / np.float32(255), 3, axis=0)
    inputs = folder / "inputs.npz"
    np.savez(inputs, image=image, patches=(patches[:, None] / np.float32(255) - mean) / std)
    onnx = export_onnx.export(
        pipeline.detector, pipeline.classifier, pipeline.weights_id, torch.from_numpy(image), options.cache
    )
    named = {key: getattr(options, key) for key in ("model", "detector", "classifier", "config")}
    weights = {key: str(path) for key, path in named.items() if path}
    job = {"onnx": onnx, "inputs": str(inputs), "threads": options.threads, "weights": weights}
    diagnosis = pipeline.diagnose(picture) if options.spinert else None
    return pipeline, expected, diagnosis, job


def lanes(wanted: list[str]) -> list[Lane]:
    """The peers of this machine; bfloat16 only where the processor computes in it."""
    rows = [
        Lane("ONNX Runtime", "onnxruntime", "f32", onnxruntime.__version__),
        Lane("OpenVINO f32", "openvino", "f32", openvino.__version__.split("-")[0]),
        Lane("torch channels_last", "torch", "f32", torch.__version__),
    ]
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        rows.insert(2, Lane("OpenVINO bf16", "openvino", "bf16", openvino.__version__.split("-")[0]))
    return [row for row in rows if not wanted or f"{row.engine}-{row.precision}" in wanted or row.engine in wanted]


def measure(options: argparse.Namespace, peers: list[Lane], own: SpineRt | None, stages: list[str]) -> None:
    """Rounds: every engine once per round and stage, the order of the engines turning with the round."""
    for lane in peers:
        for stage in stages:
            lane.ask(do="run", stage=stage, repeats=WARM_UPS)
    everyone = [*([own] if own else []), *peers]
    for turn in range(options.rounds):
        for stage in stages:
            for step in range(len(everyone)):
                lane = everyone[(turn + step) % len(everyone)]
                time.sleep(PAUSE_S)
                if isinstance(lane, SpineRt):
                    lane.ms[stage].append(lane.time(stage))
                else:
                    times = lane.ask(do="run", stage=stage, repeats=options.repeats)["ms"]
                    lane.ms[stage].append(statistics.median(times))
        print(f"round {turn + 1} of {options.rounds} done, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: peers.py --model models/spine-demo.safetensors --spinert build/spinert --slice examples/a.png",
    )
    torch_pipeline.add_weight_options(parser)
    parser.add_argument("--spinert", type=Path, help="the program; without it the peers are timed alone")
    parser.add_argument("--spinert-args", default="--repeats 2", help="more options of `spinert bench`")
    parser.add_argument("--slice", type=Path, required=True, help="a picture with at least two vertebrae")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds, at least 7 for a claim")
    parser.add_argument("--repeats", type=int, default=2, help="runs of a peer per round (their median counts)")
    parser.add_argument("--peers", nargs="*", default=[], help="e.g. onnxruntime openvino-bf16 (default: all)")
    parser.add_argument("--stages", nargs="*", default=list(STAGES), choices=STAGES)
    parser.add_argument("--cache", type=Path, default=HERE / ".venv" / "onnx", help="folder of the ONNX files")
    parser.add_argument("--json", type=Path, help="write every time of every round here")
    parser.add_argument("--markdown", type=Path, help="replace the table between the peers marks of this file")
    options = parser.parse_args()
    if options.spinert and not options.model:
        parser.error("--spinert needs --model: both sides must compute with the same weights")
    return options


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pipeline, expected, diagnosis, job = reference(options, folder)
        own = None
        if options.spinert:
            extra = shlex.split(options.spinert_args)
            own = SpineRt(options.spinert, options.model, options.slice, options.threads, extra, folder)
            outcome = parity.compare(diagnosis, own.diagnose()["slices"][0], pipeline.config, LIMITS["f32"])
            if outcome.failures:
                raise SystemExit("parity fails, nothing is timed: " + "; ".join(outcome.failures))
            own.parity = difference(1 - outcome.worst_iou, outcome.worst_score, outcome.worst_probability)
            print(f"SpineRT: {outcome.line()}", flush=True)
        peers = lanes(options.peers)
        try:
            for lane in peers:
                lane.start(job, folder)
                outputs = folder / "outputs.npz"
                lane.ask(do="outputs", file=str(outputs))
                limits = LIMITS[lane.precision]
                lane.parity = check(
                    lane.name, np.load(outputs), expected, limits, pipeline.config.score_threshold
                )
                print(f"{lane.name}: 1-IoU / score / probability against torch: {lane.parity}", flush=True)
            measure(options, peers, own, options.stages)
        finally:
            for lane in peers:
                lane.stop()
    machine = f"{processor()}, {os.cpu_count()} cores, {options.threads} threads, {options.rounds} rounds"
    text = table.markdown(([own] if own else []) + peers, options.stages, machine, options.slice.name)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(table.document(([own] if own else []) + peers, machine), indent=1) + "\n")
    if options.markdown:
        table.replace_between_marks(options.markdown, text)


if __name__ == "__main__":
    main()
