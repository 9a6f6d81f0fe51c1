"""One peer in a process of its own: opens a network, runs it on demand, closes it; answers in JSON lines.

Started by lanes.py. Orders on stdin: {"do": "open", "stage": S}; {"do": "outputs", "file": F}; {"do": "run",
"repeats": R} answers {"ms": [...]}; {"do": "close"}. An order that fails answers {"failed": reason} and the process
lives on. The stage of a single convolution is a chain of three less a chain of one, halved (export_onnx.py says why).
"""
import gc
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "golden"))

import numpy as np  # noqa: E402

import engines  # noqa: E402


CHAIN_RUNS = 3  # of each chain in one timing


class Stage:
    """The networks of one stage and what they are fed."""

    def __init__(self, name: str, load: engines.Load, inputs: Any) -> None:
        self.chain = name.startswith("conv")
        if self.chain:
            self.feed = inputs[name]
            self.runners = [load(f"{name}_3"), load(f"{name}_1")]
        else:
            kind, _, batch = name.partition("_")
            patches = kind == "classifier"
            self.feed = inputs["patches"][: int(batch)] if patches else inputs["image"] if kind == "detector" else None
            self.runners = [load(name)]

    def run(self) -> tuple[np.ndarray, ...]:
        return self.runners[0](self.feed)

    def time(self) -> float:
        """One run in ms; of chains the difference of medians, for a difference is what a disturbance distorts most."""
        times: list[list[float]] = [[] for _ in self.runners]
        for _ in range(CHAIN_RUNS if self.chain else 1):
            for runner, kept in zip(self.runners, times):
                begin = time.perf_counter()
                runner(self.feed)
                kept.append((time.perf_counter() - begin) * 1e3)
        middle = [statistics.median(kept) for kept in times]
        if not self.chain:
            return middle[0]
        if middle[0] <= middle[1]:
            raise RuntimeError(f"three layers took {middle[0]:.1f} ms, one took {middle[1]:.1f} ms: the machine is too busy")
        return (middle[0] - middle[1]) / 2


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    inputs = np.load(job["inputs"])
    load: engines.Load | None = None
    stage: Stage | None = None

    def answer(order: dict[str, Any]) -> dict[str, Any]:
        nonlocal load, stage
        if order["do"] == "open":
            begin = time.perf_counter()
            load = load or engines.OPENERS[job["engine"]](job)
            stage = Stage(order["stage"], load, inputs)
            opened = time.perf_counter()
            stage.run()
            now = time.perf_counter()
            return {
                "open_ms": (opened - begin) * 1e3,
                "first_ms": (now - opened) * 1e3,
                "peak_rss_mb": engines.peak_rss_mb(),
            }
        if order["do"] == "outputs":
            np.savez(order["file"], *stage.run())
            return {}
        if order["do"] == "run":
            return {"ms": [stage.time() for _ in range(order["repeats"])]}
        if order["do"] == "facts":
            import torch_engine

            return {"graph_breaks": torch_engine.graph_breaks()}
        stage = None
        gc.collect()
        return {}

    for line in sys.stdin:
        try:
            result = answer(json.loads(line))
        except Exception as problem:  # noqa: BLE001  the lane fails at this stage, the others go on
            reason = str(problem).strip().splitlines()
            result = {"failed": f"{type(problem).__name__}: {reason[0] if reason else ''}"[:300]}
        answers.write(json.dumps(result) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
