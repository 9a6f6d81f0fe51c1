"""A run: studies to the actors, again those whose worker was lost, and the summary at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import ray
import ray.data
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from .. import Engine, build
from ..engine import find_model
from ..errors import InternalError, OutputError, UsageError
from .plan import ENGINE_MEMORY, Plan, plan
from .reports import Key, settings_for
from .studies import Study, find_studies
from .worker import FAILED, ROWS, Job, Worker, open_engine

LABEL = "Research use only. Not for diagnostic use."
SCHEMA = ROWS.remove(0).append(pa.field("attempts", pa.int32())).append(pa.field("label", pa.string()))
Row = dict[str, Any]
Path = str | os.PathLike[str]
_PARTIAL = 11
# Device, memory, output: another place or time may help. The output once more only: a full disk stays full.
_AGAIN = {8: 99, 9: 99, 10: 2}
# Ray restarts workers and repeats no task; we do. Both go through an argument that Ray drops with 2.64.
_RETRIES = {"max_restarts": -1, "max_task_retries": 0}
_MOST_ROWS = 64  # studies of one task, where there are very many


class Summary(NamedTuple):
    table: pa.Table  # SCHEMA; in the order of the studies
    path: str
    exit_code: int  # 0 if every study ended with 0, the code that all share, else 11


def run(inputs: Sequence[Path], output: Path, *, model: Path | None = None, resume: bool = False, threads: int = 0,
        actors: int = 0, attempts: int = 3, summary: Path | None = None, engine: Row | None = None,
        options: Row | None = None, progress: Callable[[Row], object] | None = None,
        make_engine: Callable[[Job], Any] = open_engine) -> Summary:
    """Diagnoses studies (find_studies) on the cluster that Ray is connected to; a folder for each in `output`.

    engine, options: further arguments of Engine and of Engine.diagnose_paths. attempts: how often a study is begun
    whose worker dies. summary: in place of output/summary.parquet. progress: called with each row. Raises spinert.Error
    for what concerns the whole run; a study's own error is in its row.
    """
    engine, options = dict(engine or {}), dict(options or {})
    studies = find_studies(inputs)
    settings = settings_for({**engine, **options})
    target = _prepare(os.path.abspath(output), inputs, resume)
    path = os.path.abspath(summary) if summary else os.path.join(target, "summary.parquet")
    chosen = plan([node["Resources"] for node in ray.nodes() if node["Alive"]], engine.get("device"), threads, actors)
    model = model or find_model()
    if not model:
        raise UsageError(2, "E_USAGE", "no model was named and the demo model is not here. Give --model.")
    engine.update(model=os.path.abspath(model), threads=chosen.threads)
    # Here first, so that what is wrong with model or options is said once, before anything runs. The head has no card.
    with Engine(**engine if not chosen.gpus else {"model": engine["model"]}) as opened:
        key = Key(opened.describe()["sha256"], settings)
    rows = _all(studies, Job(target, key, build(), engine, options, make_engine), chosen, attempts, progress)
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    _write(table, path)
    codes = set(table["exit_code"].to_pylist())
    return Summary(table, path, codes.pop() if len(codes) == 1 else _PARTIAL)


def _prepare(output: str, inputs: Sequence[Path], resume: bool) -> str:
    real = os.path.realpath(output)
    for folder in map(os.path.realpath, inputs):
        if os.path.isdir(folder) and os.path.commonpath([real, folder]) == folder:
            raise OutputError(10, "E_OUTPUT", f"the output folder lies inside an input folder, {output}")
    try:
        os.makedirs(output, exist_ok=True)
        used = bool(os.listdir(output))
    except OSError as problem:
        raise OutputError(10, "E_OUTPUT", f"cannot create the output folder, {output} ({problem.strerror})") from None
    if used and not resume:
        raise OutputError(10, "E_OUTPUT", f"the output folder is not empty, {output}. Give another one, or --resume.")
    return output


def _all(studies: list[Study], job: Job, chosen: Plan, attempts: int,
         progress: Callable[[Row], object] | None) -> list[Row]:
    """Every study until it has a row. A task that is lost with its worker gives none: its studies are begun again, one
    for each task, so that one that kills its worker takes no other with it."""
    rows: dict[int, list[Row]] = {}
    pending = list(range(len(studies)))
    for attempt in range(1, attempts + 1):
        size = 1 if attempt > 1 else max(1, min(_MOST_ROWS, len(studies) // (50 * chosen.actors)))
        told: dict[int, list[Row]] = {}

        def keep(index: int, row: Row) -> None:
            told.setdefault(index, []).append(row | {"attempts": attempt, "label": LABEL})
            if progress:
                progress(told[index][-1])

        for row in _pass(studies, pending, size, job, chosen):
            keep(row.pop("index"), row)
        lost = [index for index in pending if index not in told]
        for index in lost:
            keep(index, {**FAILED, **studies[index]._asdict(), "exit_code": 1, "error": "E_INTERNAL",
                         "message": f"its worker process ended without an answer, attempt {attempt} of {attempts}"})
        rows |= told
        pending = sorted(lost + [index for index in told if index not in lost
                                 and any(attempt < _AGAIN.get(row["exit_code"], 0) for row in told[index])])
        if not pending:
            break
    return [row for index in sorted(rows) for row in rows[index]]


def _pass(studies: list[Study], indices: list[int], size: int, job: Job, chosen: Plan) -> Iterator[Row]:
    """One time through Ray Data; what was lost is missing."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    runner = _Pass.options(scheduling_strategy=here).remote()
    items = [{"index": i, **studies[i]._asdict()} for i in indices]
    try:
        for rows in runner.rows.options(num_returns="streaming").remote(items, size, job, chosen):
            yield from ray.get(rows)
    except ray.exceptions.RayError as problem:
        raise InternalError(1, "E_INTERNAL", f"Ray ended the run: {str(problem).strip().splitlines()[-1]}") from None
    finally:
        ray.kill(runner)


@ray.remote(num_cpus=0)
class _Pass:
    """A process of its own, because its actors end with it. Ray Data lets them go only when nothing refers to them any
    more, and until then they hold the cores that the next pass waits for."""

    def rows(self, items: list[Row], size: int, job: Job, chosen: Plan) -> Iterator[list[Row]]:
        context = ray.data.DataContext.get_current()
        context.max_errored_blocks, context.enable_progress_bars = -1, False
        # A node where the model does not open is left; when all of them fail the run ends.
        context.max_consecutive_actor_init_deaths = 2 * chosen.actors
        actors = min(chosen.actors, len(items))
        # Not from_arrow: it needs a core for a task of its own.
        data = ray.data.from_items(items, override_num_blocks=-(-len(items) // size))
        done = data.map_batches(
            Worker, fn_constructor_args=(job,), batch_size=size, batch_format="pyarrow",
            # One task in flight for each actor: no other waits behind the one that dies.
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors,
                                               max_tasks_in_flight_per_actor=1),
            num_cpus=chosen.threads, num_gpus=chosen.gpus, memory=ENGINE_MEMORY, **_RETRIES)
        for batch in done.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield batch.to_pylist()


def _write(table: pa.Table, path: str) -> None:
    """Whole or not at all."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".spinert-summary-", dir=os.path.dirname(path))
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o644)
            pq.write_table(table, file)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path)
    except OSError as problem:
        if temporary:
            os.unlink(temporary)
        raise OutputError(10, "E_OUTPUT", f"cannot write the summary, {path} ({problem.strerror}). Give --resume "
                                          "and --summary elsewhere.") from None
