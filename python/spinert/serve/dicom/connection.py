"""The DICOM connection as a whole, and the thread that makes jobs of studies at rest."""

import threading

from ...errors import UsageError
from ..settings import Settings
from ..store import Store, log
from ..worker import Worker
from .arrivals import Arrivals
from .options import DicomSettings
from .outbox import Outbox
from .receiver import Receiver
from .sender import Sender


class Connection:
    def __init__(self, store: Store, worker: Worker, settings: Settings, dicom: DicomSettings) -> None:
        """Before the worker starts: the end of a job brings its deliveries with it. UsageError: the port is taken."""
        outbox = Outbox(store, dicom.destinations)
        worker.on_end = outbox.at_end
        self._arrivals, self._stable_seconds = Arrivals(store, worker, outbox, settings), dicom.stable_seconds
        try:
            self._receiver = Receiver(dicom, self._arrivals)
        except (OSError, OverflowError) as wrong:
            raise UsageError(2, "E_USAGE", f"cannot listen on {dicom.host} port {dicom.port}: {wrong}") from None
        self._senders = [Sender(outbox, one, dicom.title) for one in dicom.destinations]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        log.info("dicom: %s listens on %s port %d", dicom.title, dicom.host, self._receiver.port)

    def stop(self) -> None:
        """While the worker still runs. What came and what must go stays on the disk."""
        self._stopping.set()
        self._receiver.stop()
        for sender in self._senders:
            sender.stop(1)
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.wait(0.5):
            try:
                self._arrivals.make_jobs(self._stable_seconds)
            except Exception as wrong:  # noqa: BLE001 - must not end the thread; its text may name a patient
                log.error("dicom: %s", type(wrong).__name__)
