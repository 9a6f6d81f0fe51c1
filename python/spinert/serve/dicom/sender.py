"""A thread for each destination, which empties its part of the outbox by C-STORE: one that is down holds up none."""

import threading
import time
from typing import Any

from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config
from pynetdicom.association import Association

from ..store import Job, log
from .outbox import Outbox

_FIRST_SECONDS, _MOST_SECONDS = 5, 900  # between attempts for a job: doubled each time
_WARNINGS = range(0xB000, 0xC000)  # stored all the same
_config.STORE_SEND_CHUNKED_DATASET = True  # files as they are, read while they are sent


class Sender:
    def __init__(self, outbox: Outbox, destination: str, title: str) -> None:
        self._outbox, self._to, self._title = outbox, destination, title
        self._stopping = threading.Event()
        self._association: Association | None = None
        self._next: dict[str, float] = {}  # by job: when it is tried again
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """What was not acknowledged by then is sent after the next start."""
        self._stopping.set()
        self._thread.join(seconds)
        if association := self._association:
            association.dul.socket._shutdown_socket()

    def _work(self) -> None:
        while not self._stopping.wait(1):
            try:
                for job, entry in self._outbox.waiting(self._to):
                    if self._next.get(job.id, 0) > time.monotonic():
                        continue
                    if self._stopping.is_set() or not self._try(job, entry):
                        self._stopping.wait(_FIRST_SECONDS)
                        break
            except OSError as wrong:  # a full disk
                log.error("dicom: what was sent to %s cannot be written (errno %s)", self._to, wrong.errno)
                self._stopping.wait(_FIRST_SECONDS)

    def _try(self, job: Job, entry: dict[str, Any]) -> bool:
        attempts = entry["attempts"] + 1
        try:
            error = self._send(job)
        except Exception as wrong:  # noqa: BLE001 - a name that cannot be resolved, an association that broke, ...
            error = type(wrong).__name__
        if error:
            log.warning("dicom: job %s to %s, attempt %d: %s", job.id, self._to, attempts, error)
            self._next[job.id] = time.monotonic() + min(_FIRST_SECONDS << min(attempts - 1, 20), _MOST_SECONDS)
        self._outbox.tried(job, entry, attempts, error)
        return not error

    def _send(self, job: Job) -> str:
        """What went wrong."""
        kinds = {path: read_file_meta_info(path) for path in self._outbox.files(job)}
        if not kinds:
            return "its results are gone"
        entity = AE(self._title)
        entity.connection_timeout, entity.acse_timeout, entity.dimse_timeout = 15, 30, 120
        for kind, syntax in sorted({(one.MediaStorageSOPClassUID, one.TransferSyntaxUID) for one in kinds.values()}):
            entity.add_requested_context(kind, syntax)
        title, _, address = self._to.partition("@")
        host, _, port = address.rpartition(":")
        association = self._association = entity.associate(host, int(port), ae_title=title)
        try:
            if association.is_rejected:
                answer = association.acceptor.primitive
                return f"rejected (source {answer.result_source}, reason {answer.diagnostic})"
            if not association.is_established:
                return "no association"
            error = ""
            for path, kind in kinds.items():
                try:
                    status = association.send_c_store(path).get("Status")
                except ValueError:
                    error = f"SOP class {kind.MediaStorageSOPClassUID} is not accepted"
                    continue
                if status is None:
                    return "no answer to C-STORE"
                if status and status not in _WARNINGS:
                    error = f"C-STORE status 0x{status:04X}"
            return error
        finally:
            if association.is_established:
                association.release()
            self._association = None
