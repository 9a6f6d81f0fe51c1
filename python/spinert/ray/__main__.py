"""`python -m spinert.ray`: the command over run()."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections import Counter
from typing import Any

import ray

from ..errors import Error
from . import driver

_EXAMPLES = """examples:
  python -m spinert.ray studies/ -o out                      each sub-folder is a study; on this machine
  python -m spinert.ray list.parquet -o out --address auto   columns path and, if wanted, study; on a running cluster
  python -m spinert.ray a/ct b/scan.nii.gz -o out            several paths: each is one study
  python -m spinert.ray studies/ -o out --resume             keeps what is finished, does the rest

Each study has a folder in OUT with report.json, as `spinert diagnose` writes it; OUT/summary.parquet has a row for each.

exit codes: 0 all studies completed; 11 some did not end with 0 (or the code that all share); 2 to 10 no run;
130 stopped, --resume goes on. Research use only. Not for diagnostic use."""
_STORE = 200 << 20  # bytes of a local object store: paths and rows pass through it, no picture


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m spinert.ray", description="Many studies on a Ray cluster.",
                                     epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("studies", nargs="+", metavar="STUDIES", help="a folder of studies, a Parquet list, or paths of studies")
    add("-o", "--output", required=True, metavar="OUT", help="folder of the results, the same path on every node")
    add("--model", metavar="FILE", help="the same path on every node; default: the synthetic demo model")
    add("--resume", action="store_true", help="keep finished results of the same files, model and options")
    add("--address", help="of a running cluster (auto, HOST:6379); default: a local one for this run")
    add("--actors", type=_count, default=0, metavar="N", help="engines; default: what the resources hold")
    add("--threads", type=_count, default=0, metavar="N", help="of each engine; default: 1, more where memory is short")
    add("--attempts", type=_count, default=3, metavar="N", help="for a study whose worker process dies; default: 3")
    add("--summary", metavar="FILE", help="instead of OUT/summary.parquet")
    add("--quiet", action="store_true", help="no line for each study")
    engine = parser.add_argument_group("as of spinert diagnose")
    for name in ("device", "isa", "precision", "canvas"):
        engine.add_argument(f"--{name}")
    engine.add_argument("--threshold", type=float)
    study = parser.add_argument_group("as of spinert diagnose, for each study")
    study.add_argument("--hu-offset", type=float)
    study.add_argument("--allow-gaps", type=_count)
    study.add_argument("--prefer", choices=("sform", "qform"), dest="transform")
    study.add_argument("--fast", action="store_true", default=None)
    study.add_argument("--dicom-output", action="store_true", default=None)
    study.add_argument("--timeout", type=float, help="seconds")
    parser.set_defaults(groups=(engine, study))
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 100000:
        raise argparse.ArgumentTypeError(f"expected 1 to 100000, got {text!r}")
    return int(text)


def _given(arguments: argparse.Namespace, group: argparse._ArgumentGroup) -> dict[str, Any]:
    values = {action.dest: getattr(arguments, action.dest) for action in group._group_actions}
    return {name: value for name, value in values.items() if value is not None}


def _tell(row: dict[str, Any]) -> None:
    said = f"{row['error']}: {row['message']}" if row["error"] else row["alert"]
    kept = ", kept" if row["kept"] else ""
    print(f"spinert: {row['study']}: {row['status']}, {said} ({row['seconds']:.1f} s{kept})", file=sys.stderr, flush=True)


def _start(address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address:
        ray.init(address=address, **quiet)
    else:
        ray.init(address="local", include_dashboard=False, object_store_memory=_STORE, _node_ip_address="127.0.0.1",
                 num_cpus=len(os.sched_getaffinity(0)), **quiet)
    # A lost task is told as the row of its study; what Ray deprecates is pinned in pyproject.toml.
    warnings.simplefilter("ignore", DeprecationWarning)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def main() -> int:
    arguments = _parser().parse_args()
    engine, study = (_given(arguments, group) for group in arguments.groups)
    try:
        _start(arguments.address)
        summary = driver.run(
            arguments.studies, arguments.output, model=arguments.model, resume=arguments.resume,
            threads=arguments.threads, actors=arguments.actors, attempts=arguments.attempts, summary=arguments.summary,
            engine=engine, options=study, progress=None if arguments.quiet else _tell)
    except Error as problem:
        print(f"spinert: error {problem}", file=sys.stderr)
        return problem.code
    except ConnectionError as problem:
        print(f"spinert: error E_USAGE: no Ray cluster, {arguments.address} ({problem}). Start one with `ray start --head`, "
              "or leave --address out.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("spinert: error E_CANCELLED: stopped. --resume goes on.", file=sys.stderr)
        return 130
    finally:
        ray.shutdown()
    counts = Counter(zip(summary.table["status"].to_pylist(), summary.table["alert"].to_pylist()))
    print(summary.path)
    for (status, alert), count in sorted(counts.items()):
        print(f"{count} {status}, {alert}")
    print(driver.LABEL)
    return summary.exit_code


if __name__ == "__main__":
    sys.exit(main())
