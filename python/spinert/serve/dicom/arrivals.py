"""Studies on the disk of which more may come: arriving/<study>/upload/<instance>.dcm, both names hashes of UIDs. One
rename makes such a folder a job, so that a study is the one or the other at every moment."""

import hashlib
import os
import secrets
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from ..settings import Refused, Settings
from ..store import Job, Store, log, sync_folder
from ..worker import Worker
from .figures import ARRIVING
from .outbox import Outbox

_MAX_STUDIES = 1000  # that arrive at one time


class Full(Exception):
    """A limit of the service; the sender may try again later."""


class _Study:
    def __init__(self, earlier: Job | None) -> None:
        self.files: dict[str, dict[str, Any]] = {}  # by name, as in Job.files
        self.earlier = _by_name(earlier)
        self.last = time.monotonic()


class Arrivals:
    """Thread-safe."""

    def __init__(self, store: Store, worker: Worker, outbox: Outbox, settings: Settings) -> None:
        self._folder = settings.data / "arriving"
        self._store, self._worker, self._outbox, self._settings = store, worker, outbox, settings
        self._lock = threading.Lock()
        self._studies: dict[str, _Study] = {}
        self._folder.mkdir(exist_ok=True)
        for folder in self._folder.iterdir():  # of an earlier process; quiet from now on
            for half in folder.glob("upload/*.part"):
                half.unlink()
            study = _Study(self._newest(folder.name))
            study.files = {path.name: _described(path.name, path.read_bytes()) for path in folder.glob("upload/*.dcm")}
            if study.files:
                self._studies[folder.name] = study
        ARRIVING.set_function(lambda: len(self._studies))

    def receive(self, study_uid: str, instance_uid: str, data: bytes) -> str:
        """stored, same or replaced: the file is on the disk. Full, OSError: it is not."""
        key, name = _name_of(study_uid), _name_of(instance_uid) + ".dcm"
        file = _described(name, data)
        with self._lock:
            study = self._studies.get(key) or _Study(self._newest(key))
            # What a job of this study already has counts: it becomes part of the next one.
            sizes = {one["name"]: one["bytes"] for one in (*study.earlier.values(), *study.files.values(), file)}
            if len(sizes) > self._settings.max_files or sum(sizes.values()) > self._settings.max_mib << 20 or (
                    key not in self._studies and len(self._studies) >= _MAX_STUDIES):
                raise Full
            before = study.files.get(name)
            if before != file:
                self._write(self._folder / key / "upload", name, data)
            study.files[name], study.last = file, time.monotonic()
            self._studies[key] = study
        return "stored" if before is None else "same" if before == file else "replaced"

    def make_jobs(self, quiet_seconds: float) -> None:
        """Of every study of which nothing came for so long, in the order in which they came to rest."""
        for key in sorted(self._studies, key=lambda key: self._studies[key].last):
            with self._lock:
                try:
                    if time.monotonic() - self._studies[key].last >= quiet_seconds:
                        self._make_job(key, self._studies[key].files)
                except Refused:
                    return  # the queue is full: they wait
                except OSError as wrong:
                    log.error("dicom: a study cannot become a job yet (errno %s)", wrong.errno)
                    self._studies[key].last = time.monotonic()
                finally:
                    if not (self._folder / key).exists():
                        del self._studies[key]

    def _make_job(self, key: str, came: dict[str, dict[str, Any]]) -> None:
        earlier, folder = self._newest(key), self._folder / key
        known = _by_name(earlier)
        if earlier and earlier.state in ("queued", "running", "finished") and came.items() <= known.items():
            # Nothing new: not computed again, but delivered again.
            self._outbox.again(earlier)
            shutil.rmtree(folder)
            return log.info("dicom: job %s was sent again", earlier.id)
        with self._worker.place():
            for name in known.keys() - came.keys():
                (folder / "upload" / name).unlink(missing_ok=True)
                os.link(self._store.folder(earlier) / "upload" / name, folder / "upload" / name)
            if earlier:
                # It lacks something. If this process dies here, all of it still lies among the arrivals.
                self._worker.cancel(earlier.id)
                self._outbox.supersede(earlier)
            files = sorted((known | came).values(), key=lambda file: file["name"])
            job = self._store.accept(secrets.token_hex(16), files, {"dicom_output": True}, folder, key)
        log.info("dicom: job %s of %d instances", job.id, len(files))

    def _newest(self, key: str) -> Job | None:
        return next((job for job in self._store.jobs()[::-1] if job.study == key), None)

    def _write(self, folder: Path, name: str, data: bytes) -> None:
        part = folder / (name + ".part")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(folder / name)
            for changed in (folder, folder.parent, self._folder):
                sync_folder(changed)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def _name_of(uid: str) -> str:
    # A name from the network never becomes one of a file.
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _described(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "client_name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _by_name(job: Job | None) -> dict[str, dict[str, Any]]:
    return {file["name"]: file for file in job.files} if job else {}
