"""The lanes of peers.py: a peer in a worker process, or SpineRT's own program; and the interleaved rounds.

A lane that fails at a stage is out of that stage with its reason; the others go on.
"""
import json
import os
import select
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import engines

HERE = Path(__file__).resolve().parent
PAUSE_S = 0.3  # lets the spinning threads of the engine before go to sleep
WARM_UPS = 3
# The same single nodes as export_onnx.CONVOLUTIONS and torch_engine.roi_align().
CASES = {
    "conv256": "conv2d h=256 c=256 o=256 k=3 padding=1 activation=relu data=real",
    "conv64": "conv2d h=256 c=64 o=64 k=3 padding=1 activation=relu data=real",
    "roi_align": "roi_align r=1000 c=256 levels=4 h=256 canvas=1024",
}


class LaneFailed(Exception):
    pass


@dataclass
class Lane:
    """What peers and our own program have in common. `ms` holds one time per round and stage."""

    name: str
    precision: str = "f32"
    version: str = ""
    parity: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ms: dict[str, list[float]] = field(default_factory=dict)
    ours = False

    def open(self, stage: str) -> None:
        raise NotImplementedError

    def time(self, stage: str, repeats: int) -> float:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def fail(self, stage: str, problem: Exception) -> None:
        self.failed[stage] = str(problem)
        self.ms.pop(stage, None)
        print(f"{self.name}, {stage}: {problem}", file=sys.stderr, flush=True)


class Program:
    """A process that answers each line on its stdin with one line of JSON."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)

    def ask(self, line: str, limit_s: float) -> dict[str, Any]:
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise LaneFailed(f"the process ended with status {self.process.wait()}") from None
        if not select.select([self.process.stdout], [], [], limit_s)[0]:
            self.process.kill()
            raise LaneFailed(f"no answer within {limit_s:.0f} s")
        answer = self.process.stdout.readline()
        if not answer:
            raise LaneFailed(f"the process ended with status {self.process.wait()}")
        result = json.loads(answer)
        if "failed" in result:
            raise LaneFailed(result["failed"])
        return result

    def stop(self) -> None:
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


@dataclass
class Peer(Lane):
    """Another engine in one precision."""

    engine: str = ""
    stages: tuple[str, ...] = ()
    job: dict[str, Any] = field(default_factory=dict)
    folder: Path = Path()
    limit_s: float = 300
    process: Program | None = None

    def ask(self, **order: Any) -> dict[str, Any]:
        return self.process.ask(json.dumps(order), self.limit_s)

    def open(self, stage: str) -> None:
        if self.process is None or self.process.process.poll() is not None:
            path = self.folder / f"{self.name.replace(' ', '-').replace('.', '')}.json"
            path.write_text(json.dumps(self.job))
            environment = engines.environment(self.job["threads"], self.job["compiled"])
            self.process = Program([sys.executable, str(HERE / "worker.py"), str(path)], environment)
        facts = self.ask(do="open", stage=stage)
        if stage == "detector":
            self.facts |= facts
        if self.job["compiled"]:
            self.facts |= self.ask(do="facts")
        self.ask(do="run", repeats=WARM_UPS)

    def outputs(self, target: Path) -> None:
        self.ask(do="outputs", file=str(target))

    def time(self, stage: str, repeats: int) -> float:
        return statistics.median(self.ask(do="run", repeats=repeats)["ms"])

    def close(self) -> None:
        if self.process and self.process.process.poll() is None:
            self.ask(do="close")

    def stop(self) -> None:
        if self.process:
            self.process.stop()


@dataclass
class SpineRt(Lane):
    """The project's own program: a new process per round for a stage, one waiting process for a single kernel."""

    binary: Path = Path()
    model: Path = Path()
    arguments: list[str] = field(default_factory=list)
    folder: Path = Path()
    limit_s: float = 300
    process: Program | None = None
    ours = True

    def call(self, *arguments: str, fine: tuple[int, ...] = (0,)) -> None:
        model = [] if "--model" in self.arguments else ["--model", str(self.model)]
        command = [str(self.binary), *arguments, *model, *self.arguments]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=self.limit_s)
        if done.returncode not in fine:
            raise LaneFailed(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")

    def diagnose(self, picture: Path) -> dict[str, Any]:
        out = self.folder / "diagnose"
        # Boxes of generated weights form no spine: the report says "indeterminate", and its boxes are compared all the same.
        indeterminate = 13
        options = ["-o", str(out), "--overwrite", "replace", "--device", "cpu"]
        self.call("diagnose", str(picture), *options, fine=(0, indeterminate))
        return json.loads((out / "report.json").read_text())

    def open(self, stage: str) -> None:
        if stage in CASES:
            if "--precision" in self.arguments:
                raise LaneFailed("single kernels are timed in fp32 only")
            command = [str(self.binary), "bench", "--case", CASES[stage], "--best", "--on-demand", *self.arguments]
            self.process = Program(command)

    def time(self, stage: str, repeats: int) -> float:
        if stage in CASES:
            return self.process.ask("run", self.limit_s)["kernels"][0]["warm_us"] / 1e3
        name, _, patches = stage.partition("_")
        target = self.folder / "bench.json"
        options = ["--json", str(target), "--repeats", str(repeats)]
        if patches:
            options += ["--patches", patches]
        self.call("bench", "--stage", name, *options)
        row = json.loads(target.read_text())["stages"][0]
        self.version = f"{row['isa'].split()[-1]}, {row['precision']}, {row['threads']} threads"
        if name == "detector" and not self.facts:
            self.facts = {key: row[key] for key in ("open_ms", "first_ms", "peak_rss_mb")}
        return row["median_ms"]

    def close(self) -> None:
        if self.process:
            self.process.stop()
            self.process = None

    def stop(self) -> None:
        self.close()


def own_lane(text: str, **more: Any) -> SpineRt:
    """From "NAME:OPTIONS", e.g. "mixed:--precision mixed"."""
    name, _, options = text.partition(":")
    return SpineRt(name=f"SpineRT {name}", arguments=shlex.split(options), **more)


def measure(stage: str, lanes: list[Lane], rounds: int, repeats: int, check: Callable[[Lane, str], None]) -> None:
    """Opens the stage in every lane, checks it, then runs rounds: each lane once, the order turning with the round."""
    taking = []
    for lane in lanes:
        try:
            lane.open(stage)
            check(lane, stage)
            taking.append(lane)
        except Exception as problem:  # noqa: BLE001  this lane's stage is over, and its reason goes into the table
            lane.fail(stage, problem)
    for turn in range(rounds):
        for step in range(len(taking)):
            lane = taking[(turn + step) % len(taking)]
            if stage in lane.failed:
                continue
            time.sleep(PAUSE_S)
            try:
                lane.ms.setdefault(stage, []).append(lane.time(stage, repeats))
            except Exception as problem:  # noqa: BLE001
                lane.fail(stage, problem)
        print(f"{stage}: round {turn + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    for lane in lanes:
        try:
            lane.close()
        except LaneFailed as problem:
            lane.fail(stage, problem)
