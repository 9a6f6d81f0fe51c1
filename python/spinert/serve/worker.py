"""The queue and the one thread that empties it through one engine."""

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..engine import BatchRow, Cancel, Engine
from ..errors import Error
from .metrics import JOBS, QUEUED, RUNNING, SECONDS, SLICES
from .settings import RETRY_SECONDS, Refused, Settings
from .store import Job, Store, now

ATTEMPTS = 3  # a job that was begun so often and never ended is not begun again
_RESULT = {0, 11, 13}  # exit codes of studies that have one
_ALERTS = ("negative", "review", "positive")
log = logging.getLogger("spinert.serve")


class Worker:
    def __init__(self, store: Store, engine: Engine, settings: Settings) -> None:
        self.progress: dict[str, int] = {}  # of the running job: slices of its present study
        self.on_end: Callable[[Job, str], dict[str, Any]] = lambda job, state: {}  # what else changes with it
        self._store, self._engine, self._settings = store, engine, settings
        self._wake = threading.Condition()
        self._stopping = False
        self._reserved = 0  # places of uploads that are still coming in
        self._current: tuple[str, Cancel] | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        QUEUED.set_function(lambda: len(store.jobs("queued")))
        RUNNING.set_function(lambda: len(store.jobs("running")))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The running job goes back to the queue."""
        with self._wake:
            self._stopping = True
            if self._current:
                self._current[1].request()
            self._wake.notify_all()
        self._thread.join()

    def check_ready(self) -> None:
        if self._stopping or not self._thread.is_alive():
            raise Refused(503, "not_ready", "the service takes no jobs")

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """One in the queue for an upload, until it is a job. Refused if there is none."""
        with self._wake:
            self.check_ready()
            if len(self._store.jobs("queued")) + self._reserved >= self._settings.queue:
                raise Refused(429, "queue_full", "as many jobs as may wait do")
            self._reserved += 1
        try:
            yield
        finally:
            with self._wake:
                self._reserved -= 1
                self._wake.notify_all()

    def cancel(self, id: str) -> None:
        """At once where it waits; one that runs has `cancel` set until the engine has stopped."""
        if self._store.update(id, "queued", state="cancelled", ended=now()):
            JOBS.labels("cancelled").inc()
        if self._store.update(id, "running", cancel=True):
            with self._wake:
                if self._current and self._current[0] == id:
                    self._current[1].request()

    def _work(self) -> None:
        while True:
            with self._wake:
                # One that "runs" here: its process died, or its end could not be written.
                while not self._stopping and not (waiting := self._store.jobs("running", "queued")):
                    self._wake.wait()
                if self._stopping:
                    return
                # Before it is running on the disk: who sees it running can stop it.
                self._current, self.progress = (waiting[0].id, Cancel()), {}
            try:
                self._one(waiting[0])
            except OSError as wrong:  # a full disk
                log.error("the data folder cannot be written (errno %s)", wrong.errno)
                time.sleep(RETRY_SECONDS)
            with self._wake:
                self._current = None

    def _one(self, job: Job) -> None:
        if job.cancel or job.attempts >= ATTEMPTS:
            return self._end(job, state="failed", exit_code=1, alert="review", error="E_INTERNAL",
                             message=f"it was begun {job.attempts} times and never ended")
        job = self._store.update(job.id, job.state, state="running", attempts=job.attempts + 1, begun=now())
        if job:  # else it was cancelled meanwhile
            clock = time.monotonic()
            outcome = self._run(job)
            outcome["seconds"] = round(time.monotonic() - clock, 3)
            job = self._store.get(job.id)
            # Not asked of the outcome: several studies that were stopped have rows, too.
            if self._stopping and not job.cancel:
                self._store.update(job.id, "running", state="queued", attempts=job.attempts - 1)
            else:
                self._end(job, **outcome)

    def _run(self, job: Job) -> dict[str, Any]:
        """What the engine made of it, as changes of the job."""
        folder = self._store.folder(job)
        result = folder / "result"
        shutil.rmtree(result, ignore_errors=True)
        try:
            return _outcome(result, self._engine.diagnose_paths(
                [folder / "upload" / file["name"] for file in job.files], result, progress=self._told,
                timeout=self._settings.job_seconds, cancel=self._current[1], slice_output=True, **job.options))
        except Error as failed:
            code, id, message = failed.code, failed.id, failed.message.replace(f"{folder}/", "")
        except Exception as failed:  # noqa: BLE001 - must not end the service; its text may name a patient
            code, id, message = 1, "E_INTERNAL", type(failed).__name__
        # Of one study that failed the report says why, too.
        return {"state": "failed", "exit_code": code, "alert": "review", "error": id, "message": message,
                "studies": [{"folder": "."}]}

    def _told(self, event: dict[str, Any]) -> bool:
        if event["kind"] in ("begins", "slice"):
            self.progress = {"slices_done": event["done"], "slices_total": event["total"]}
            SLICES.inc(event["kind"] == "slice")
        return self._stopping or self._store.get(self._current[0]).cancel

    def _end(self, job: Job, **outcome: Any) -> None:
        if job.cancel:
            shutil.rmtree(self._store.folder(job) / "result", ignore_errors=True)
            outcome = {"state": "cancelled"}
        self._store.update(job.id, "running", ended=now(), **outcome, **self.on_end(job, outcome["state"]))
        JOBS.labels(outcome["state"]).inc()
        if seconds := outcome.get("seconds"):
            SECONDS.observe(seconds)
        log.info("job %s: %s %s", job.id, outcome["state"], outcome.get("error", ""))


def _outcome(result: Path, rows: list[BatchRow]) -> dict[str, Any]:
    codes = {row.exit_code for row in rows}
    done = {"exit_code": rows[0].exit_code if len(codes) == 1 else 11,  # as of the command line
            "alert": max((row.alert for row in rows), key=_ALERTS.index), "studies": [
                asdict(row) | {"folder": row.folder and str(Path(row.folder).relative_to(result))} for row in rows]}
    if codes & _RESULT:
        return done | {"state": "finished"}
    return done | {"state": "failed", "error": rows[0].error, "message": "no study has a result"}
