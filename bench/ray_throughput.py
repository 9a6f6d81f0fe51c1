"""Studies on Ray beside one process with all the threads: the same slices, engine and model, in turn.

usage: PYTHONPATH=python python3 bench/ray_throughput.py ROUNDS SLICE SLICE...      each picture is one study
The ratio of throughputs is printed with the start of the workers, and without (by the mean time engines were busy).
"""

import os
import sys
import tempfile
import time

import ray

import spinert.ray


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    studies = spinert.ray.find_studies(sys.argv[2:])
    # Ray's workers are nice (15) unless told otherwise: beside other work the two sides would not be treated alike.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    ray.init("local", include_dashboard=False, num_cpus=cores, object_store_memory=200 << 20, log_to_driver=False)
    for _ in range(int(sys.argv[1])):
        with tempfile.TemporaryDirectory() as place:
            begin = time.monotonic()
            with spinert.Engine(threads=cores) as engine:
                for study in studies:
                    engine.diagnose_paths([study.path], os.path.join(place, study.study))
            middle = time.monotonic()
            table = spinert.ray.run(sys.argv[2:], os.path.join(place, "ray")).table
            alone, whole = middle - begin, time.monotonic() - middle
        busy = sum(table["seconds"].to_pylist()) / len(set(table["worker"].to_pylist()))
        print(f"{len(studies)} studies, {cores} cores, load {os.getloadavg()[0]:.1f}: one process {alone:.1f} s, Ray "
              f"{whole:.1f} s, its engines busy {busy:.1f} s each", flush=True)
        print(f"ratio {alone / whole:.2f}, without the start {alone / busy:.2f}", flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
