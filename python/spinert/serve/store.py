"""Jobs on the disk: a folder for each, its state in job.json, which is replaced atomically (docs/service.md)."""

import fcntl
import json
import logging
import os
import secrets
import shutil
import threading
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ENDED = ("finished", "failed", "cancelled")
log = logging.getLogger("spinert.serve")


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Job:
    id: str
    number: int  # the order of acceptance
    files: list[dict[str, Any]]  # name (ours), client_name (cleaned), bytes, sha256
    options: dict[str, Any]  # of Engine.diagnose_paths
    accepted: str  # times are UTC
    state: str = "queued"  # running, one of ENDED
    attempts: int = 0  # how often it was begun and not put back by an orderly stop
    cancel: bool = False  # asked for while it runs
    begun: str = ""
    ended: str = ""
    seconds: float = 0
    exit_code: int | None = None
    alert: str = ""
    error: str = ""  # an error id
    message: str = ""
    studies: list[dict[str, Any]] = field(default_factory=list)  # fields of BatchRow; folder is below result/
    study: str = ""  # of what came by DICOM: a hash of its StudyInstanceUID
    delivery: list[dict[str, Any]] = field(default_factory=list)  # of it: to, state, attempts, error, since


class Store:
    """Thread-safe. What a call changed is on the disk when it returns; memory never runs ahead of it."""

    def __init__(self, data: Path) -> None:
        """BlockingIOError: another process serves the folder."""
        self._folder, self._incoming = data / "jobs", data / "incoming"
        for folder in (data, self._folder, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)
        self._held = open(data / "lock", "a", encoding="ascii")
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._lock = threading.Lock()
        for left in self._incoming.iterdir():
            shutil.rmtree(left)
        self._jobs: dict[str, Job] = {}
        for folder in self._folder.iterdir():
            try:
                self._jobs[folder.name] = Job(**json.loads((folder / "job.json").read_bytes()) | {"id": folder.name})
            except (OSError, ValueError, TypeError):
                log.warning("job %s: job.json cannot be read, left alone", folder.name)
        self._next = max((job.number for job in self._jobs.values()), default=0) + 1

    def incoming(self) -> tuple[str, Path]:
        """An id and the folder for its files; accept() makes a job of them, discard() removes the rest."""
        id = secrets.token_hex(16)
        folder = self._incoming / id / "upload"
        folder.mkdir(parents=True)
        return id, folder

    def discard(self, id: str) -> None:
        shutil.rmtree(self._incoming / id, ignore_errors=True)  # else at the next start

    def accept(self, id: str, files: list[dict[str, Any]], options: dict[str, Any], folder: Path | None = None,
               study: str = "") -> Job:
        """folder: where upload/ lies, if not where incoming() said. It becomes the job's in one step."""
        folder = folder or self._incoming / id
        with self._lock:
            job = Job(id, self._next, files, options, now(), study=study)
            sync_folder(folder / "upload")
            _write(folder, job)
            folder.rename(self._folder / id)
            self._jobs[id] = job
            self._next += 1
            sync_folder(self._folder)
        return job

    def get(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def folder(self, job: Job) -> Path:
        return self._folder / job.id

    def jobs(self, *states: str) -> list[Job]:
        """In their order; no state: all."""
        with self._lock:
            found = [job for job in self._jobs.values() if not states or job.state in states]
        return sorted(found, key=lambda job: job.number)

    def update(self, id: str, state: str, /, **changes: Any) -> Job | None:
        """The changed job; None if it is gone or not in this state."""
        with self._lock:
            job = self._jobs.get(id)
            if job is None or job.state != state:
                return None
            job = replace(job, **changes)
            _write(self._folder / id, job)
            self._jobs[id] = job
        return job

    def remove(self, id: str) -> bool:
        """Only one that has ended. It leaves jobs/ in one step: no start sees half of it."""
        with self._lock:
            job = self._jobs.get(id)
            if job is None or job.state not in ENDED:
                return False
            (self._folder / id).rename(self._incoming / id)
            del self._jobs[id]
            sync_folder(self._folder)
        self.discard(id)
        return True


def _write(folder: Path, job: Job) -> None:
    new = folder / "job.json.new"
    with open(new, "w", encoding="utf-8") as file:
        json.dump(asdict(job), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / "job.json")
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
