"""What is to be delivered: Job.delivery, an entry for each destination, written together with the end of the job."""

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ..store import ENDED, Job, Store, log, now
from .figures import DELIVERIES, WAITING

_GIVE_UP = timedelta(days=3)


class Outbox:
    """Thread-safe. States of an entry: waiting, sent, failed, superseded (a newer job has more of the study)."""

    def __init__(self, store: Store, destinations: list[str]) -> None:
        self._store, self._destinations = store, destinations
        self._lock = threading.Lock()
        self._open = {job.id for job in store.jobs()}  # that may have something to deliver
        WAITING.set_function(lambda: sum(len(self.waiting(to)) for to in destinations))
        for job in store.jobs(*ENDED):
            for to in {entry["to"] for entry in job.delivery} - {*destinations}:
                self._change(job.id, to, state="failed", error="it is no longer among --send-to")

    def at_end(self, job: Job, state: str) -> dict[str, Any]:
        """What else the end of a job changes in it."""
        if not job.study or state == "cancelled":
            return {}
        with self._lock:
            self._open.add(job.id)
        if state == "finished" and self.files(job):
            return {"delivery": self._entries()}
        log.error("dicom: job %s gave no results to send", job.id)
        DELIVERIES.labels("failed").inc(len(self._destinations))
        return {"delivery": [one | {"state": "failed", "error": "the job gave no results"} for one in self._entries()]}

    def files(self, job: Job) -> list[Path]:
        """Of all its studies, pictures before the report."""
        return sorted((self._store.folder(job) / "result").rglob("dicom-*.dcm"), key=lambda path: path.name)

    def waiting(self, to: str) -> list[tuple[Job, dict[str, Any]]]:
        """In the order of the jobs."""
        with self._lock:
            jobs = [job for id in self._open if (job := self._store.get(id))]
            self._open = {job.id for job in jobs if job.state not in ENDED or _waits(job)}
        return sorted(((job, entry) for job in jobs for entry in job.delivery
                       if entry["to"] == to and entry["state"] == "waiting"), key=lambda one: one[0].number)

    def tried(self, job: Job, entry: dict[str, Any], attempts: int, error: str) -> None:
        too_old = datetime.fromisoformat(now()) - datetime.fromisoformat(entry["since"]) > _GIVE_UP
        self._change(job.id, entry["to"], attempts=attempts, error=error,
                     state="sent" if not error else "failed" if too_old else "waiting")

    def again(self, job: Job) -> None:
        """All of it once more, to the destinations of now."""
        with self._lock:
            if not _waits(job) and self._store.update(job.id, "finished", delivery=self._entries()):
                self._open.add(job.id)

    def supersede(self, job: Job) -> None:
        for entry in job.delivery:
            self._change(job.id, entry["to"], state="superseded")

    def _change(self, id: str, to: str, **changes: Any) -> None:
        """Of what waits, if the job is still there."""
        with self._lock:
            job = self._store.get(id)
            delivery = [entry | changes if (entry["to"], entry["state"]) == (to, "waiting") else entry
                        for entry in (job.delivery if job else ())]
            if job and delivery != job.delivery:
                self._store.update(id, job.state, delivery=delivery)
                if changes["state"] != "waiting":
                    DELIVERIES.labels(changes["state"]).inc()
                    log.info("dicom: job %s to %s: %s", id, to, changes["state"])

    def _entries(self) -> list[dict[str, Any]]:
        return [{"to": to, "state": "waiting", "attempts": 0, "error": "", "since": now()} for to in self._destinations]


def _waits(job: Job) -> bool:
    return any(entry["state"] == "waiting" for entry in job.delivery)
