"""`python -m spinert.ray`: the command over run()."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections import Counter
from typing import Any

import ray

from ..errors import Error
from . import driver

_EXAMPLES = """examples:
  python -m spinert.ray studies/ -o out                      each sub-folder is a study; on this machine
  python -m spinert.ray list.parquet -o out --address auto   columns path and, if wanted, study; on a cluster
  python -m spinert.ray a/ct b/scan.nii.gz -o out            several paths: each is one study

exit codes: 0 all studies ended with 0; 11 some did not (or the code that all share); 1 to 10 no run or no summary;
130 stopped. Research use only. Not for diagnostic use."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m spinert.ray", description="Many studies on a Ray cluster.",
                                     epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("studies", nargs="+", metavar="STUDIES", help="a folder of studies, a Parquet list, or paths of studies")
    add("-o", "--output", required=True, metavar="OUT", help="folder of the results, the same path on every node")
    add("--model", metavar="FILE", help="the same path on every node; default: the synthetic demo model")
    add("--resume", action="store_true", help="keep finished results of the same files, model and options")
    add("--address", help="of a running cluster (auto, HOST:6379); default: a local one for this run")
    for name, default, text in (("actors", 0, "engines; default: what the resources hold"),
                                ("threads", 0, "of each engine; default: 1, more where memory is short"),
                                ("attempts", 3, "for a study whose worker dies; default: 3")):
        add(f"--{name}", type=_count, default=default, metavar="N", help=text)
    add("--summary", metavar="FILE", help="instead of OUT/summary.parquet")
    for name in _ENGINE + _STUDY:
        flag = "prefer" if name == "transform" else name.replace("_", "-")
        add(f"--{flag}", dest=name, help="as of spinert diagnose", **_KINDS.get(name, {}))
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 100000:
        raise argparse.ArgumentTypeError(f"expected 1 to 100000, got {text!r}")
    return int(text)


_ENGINE = ("device", "isa", "precision", "canvas", "threshold")
_STUDY = ("hu_offset", "allow_gaps", "transform", "fast", "dicom_output", "timeout")
_KINDS: dict[str, dict[str, Any]] = {
    "transform": {"choices": ("sform", "qform")}, "allow_gaps": {"type": _count},
    **dict.fromkeys(("threshold", "hu_offset", "timeout"), {"type": float}),
    **dict.fromkeys(("fast", "dicom_output"), {"action": "store_true", "default": None})}


def _tell(row: dict[str, Any]) -> None:
    said = f"{row['error']}: {row['message']}" if row["error"] else row["alert"]
    kept = ", kept" if row["kept"] else ""
    print(f"spinert: {row['study']}: {row['status']}, {said} ({row['seconds']:.1f} s{kept})", file=sys.stderr)


def _start(address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    local = {"include_dashboard": False, "object_store_memory": 200 << 20, "_node_ip_address": "127.0.0.1",
             "num_cpus": len(os.sched_getaffinity(0))}
    ray.init(address=address or "local", logging_level=logging.ERROR, log_to_driver=False, **{} if address else local)


def main() -> int:
    arguments = _parser().parse_args()
    engine, options = ({name: value for name in names if (value := getattr(arguments, name)) is not None}
                       for names in (_ENGINE, _STUDY))
    try:
        _start(arguments.address)
        summary = driver.run(
            arguments.studies, arguments.output, model=arguments.model, resume=arguments.resume,
            threads=arguments.threads, actors=arguments.actors, attempts=arguments.attempts, summary=arguments.summary,
            engine=engine, options=options, progress=_tell)
    except Error as problem:
        print(f"spinert: error {problem}", file=sys.stderr)
        return problem.code
    except ConnectionError as problem:
        print(f"spinert: error E_USAGE: no Ray cluster at {arguments.address} ({problem})", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("spinert: error E_CANCELLED: stopped. --resume goes on.", file=sys.stderr)
        return 130
    finally:
        ray.shutdown()
    print(summary.path)
    counts = Counter(zip(summary.table["status"].to_pylist(), summary.table["alert"].to_pylist()))
    for (status, alert), count in sorted(counts.items()):
        print(f"{count} {status}, {alert}")
    print(driver.LABEL)
    return summary.exit_code


if __name__ == "__main__":
    sys.exit(main())
