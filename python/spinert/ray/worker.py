"""One engine in one actor of Ray: studies in, rows of the summary out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray

from .. import Engine, build
from ..engine import BatchRow
from ..errors import DeviceError, Error
from . import reports

ROWS = pa.schema({
    "index": pa.int64(), "study": pa.string(), "path": pa.string(), "exit_code": pa.int32(),
    **dict.fromkeys(("status", "alert", "error", "message"), pa.string()), "slices": pa.int64(),
    "vertebrae": pa.int64(), "seconds": pa.float64(),
    **dict.fromkeys(("deterministic_sha256", "isa", "worker"), pa.string()), "kept": pa.bool_()})
# A study without a result is no negative one.
FAILED = {"status": "failed", "alert": "review", "message": "", "slices": 0, "vertebrae": 0, "seconds": 0.0,
          "deterministic_sha256": "", "isa": "", "worker": "", "kept": False}
_OUTPUT = 10


@dataclass(frozen=True)
class Job:
    """What every actor of a run is told."""

    output: str
    key: reports.Key
    build: dict[str, str]  # of the library that started the run
    engine: dict[str, Any]  # arguments of Engine
    options: dict[str, Any]  # of diagnose_paths
    make_engine: Callable[[Job], Any]


def open_engine(job: Job) -> Engine:
    """The same model and the same library on every node, or none of its results."""
    if build() != job.build:
        raise DeviceError(8, "E_DEVICE", f"this node has another libspinert (expected {job.build}, got {build()})")
    return Engine(**{**job.engine, "model_sha256": job.key.model_sha256})


class Worker:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._engine = job.make_engine(job)
        node = ray.get_runtime_context().get_node_id()
        self._name = f"{ray.util.get_node_ip_address()}/{node[:12]}/{os.getpid()}"

    def __call__(self, studies: pa.Table) -> pa.Table:
        rows = [row for study in studies.to_pylist() for row in self._study(study)]
        return pa.Table.from_pylist(rows, schema=ROWS)

    def _study(self, study: dict[str, Any]) -> list[dict[str, Any]]:
        begin = time.monotonic()
        folder = os.path.join(self._job.output, study["study"])
        if facts := reports.finished(folder, study["path"], self._job.key):
            rows = [{**FAILED, **study, **facts, "kept": True}]
        else:
            try:
                # The engine locks the folder and publishes report.json last: of two attempts at one study, here and on
                # a node that was thought dead, one is refused.
                done = self._engine.diagnose_paths([study["path"]], folder, overwrite="replace", resume=True,
                                                   **self._job.options)
                rows = [_row(study, row, len(done) > 1) for row in done]
            except Error as problem:
                report = None if problem.code == _OUTPUT else reports.read(folder)
                facts = reports.facts(report) if report and report["exit_code"] == problem.code else {}
                rows = [{**FAILED, **study, **facts, "exit_code": problem.code, "error": problem.id,
                         "message": problem.message}]
            except Exception as problem:  # noqa: BLE001 - a bug, told as the error of this study and no other
                rows = [{**FAILED, **study, "exit_code": 1, "error": "E_INTERNAL", "message": repr(problem)}]
        seconds = time.monotonic() - begin
        return [{**row, "seconds": seconds, "worker": self._name} for row in rows]


def _row(study: dict[str, Any], row: BatchRow, several: bool) -> dict[str, Any]:
    """A folder may hold several examinations; then each has a folder and a row of its own."""
    name = {"study": f"{study['study']}/{row.name}"} if several else {}
    report = reports.read(row.folder) if row.folder else None
    facts = reports.facts(report) if report else {"exit_code": row.exit_code, "error": row.error}
    return {**FAILED, **study, **name, **facts}
