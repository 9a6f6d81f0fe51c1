#!/usr/bin/env python3
"""Studies a minute on Ray beside one process with all the threads: the same studies, engine and model, in turn.

usage: PYTHONPATH=python bench/ray_throughput.py SLICE... [--rounds N] [--model FILE]

Each picture is one study. Printed: seconds of every run; the ratio of the throughputs in each round with the start of
the workers, and without it (studies divided by the mean time that an engine was busy); median [smallest, largest].
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time

import ray

import spinert
import spinert.ray

_STORE = 200 << 20  # bytes of Ray's object store: paths and rows pass through it, no picture


def one_process(studies: list[spinert.ray.Study], model: str | None, cores: int, output: str) -> float:
    begin = time.monotonic()
    with spinert.Engine(model, threads=cores) as engine:
        for study in studies:
            engine.diagnose_paths([study.path], os.path.join(output, study.name))
    return time.monotonic() - begin


def on_ray(studies: list[spinert.ray.Study], model: str | None, output: str) -> tuple[float, float]:
    """Seconds of the run, and of its engines at work."""
    begin = time.monotonic()
    summary = spinert.ray.run([study.path for study in studies], output, model=model)
    seconds = time.monotonic() - begin
    if summary.exit_code not in (0, 11, 13):
        sys.exit(f"the run ended with {summary.exit_code}")
    workers = len(set(summary.table["worker"].to_pylist()))
    return seconds, sum(summary.table["seconds"].to_pylist()) / workers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slices", nargs="+", metavar="SLICE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    studies = spinert.ray.find_studies(arguments.slices) if len(arguments.slices) > 1 else parser.error("give two or more")
    # Ray's workers are nice (15) unless told otherwise: beside other work the two sides would not be treated alike.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    ray.init(address="local", include_dashboard=False, num_cpus=cores, object_store_memory=_STORE, log_to_driver=False,
             _node_ip_address="127.0.0.1")
    whole, busy = [], []
    try:
        for number in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as place:
                alone = one_process(studies, arguments.model, cores, os.path.join(place, "alone"))
                seconds, at_work = on_ray(studies, arguments.model, os.path.join(place, "ray"))
            whole.append(alone / seconds)
            busy.append(alone / at_work)
            load = os.getloadavg()[0]
            print(f"round {number + 1}: {len(studies)} studies; one process, {cores} threads {alone:.1f} s; Ray {seconds:.1f} s, "
                  f"engines busy {at_work:.1f} s each; load {load:.1f}", flush=True)
    finally:
        ray.shutdown()
    for name, values in (("with the start of the workers", whole), ("without it", busy)):
        print(f"throughput of Ray over one process, {name}: "
              f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]")


if __name__ == "__main__":
    main()
