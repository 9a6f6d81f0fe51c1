"""The Storage SCP: who may send, what is taken, and the file on the disk before the answer."""

import logging
import re
import threading
import time
import warnings
from io import BytesIO

import pydicom
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import CTImageStorage, Verification

from ..store import log
from .arrivals import Arrivals, Full
from .figures import ASSOCIATIONS, INSTANCES
from .guard import MAX_CONNECTIONS, MAX_PDU, Request, Server
from .options import DicomSettings

# What spinert-dicom decodes (docs/dicom.md), but for deflated data: they would be unpacked here to be looked at.
_SYNTAXES = ["1.2.840.10008.1.2" + more for more in (
    ".1", "", ".2", ".4.50", ".4.51", ".4.53", ".4.55", ".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91", ".5")]
_UID = re.compile(r"(?=.{1,64}\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*", re.ASCII)
_HEAD = 0x00080016, 0x00080018, 0x0020000D  # SOPClassUID, SOPInstanceUID, StudyInstanceUID
_STATUS = {"stored": 0x0000, "same": 0x0000, "replaced": 0x0000, "out_of_resources": 0xA700, "other_object": 0xA900,
           "cannot_understand": 0xC000}
_MAX_ASSOCIATIONS = 16
_STOP_SECONDS = 5

# What they write shows what came.
for _name in ("pynetdicom", "pydicom"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module="py(net)?dicom")
_config.LOG_HANDLER_LEVEL = "none"
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


class Receiver:
    def __init__(self, settings: DicomSettings, arrivals: Arrivals) -> None:
        """Listens from now on. OSError, OverflowError: it cannot."""
        self._settings, self._arrivals = settings, arrivals
        entity = AE(settings.title)
        entity.require_called_aet, entity.require_calling_aet = True, [title for title, _ in settings.allowed]
        entity.maximum_associations, entity.maximum_pdu_size = MAX_CONNECTIONS, MAX_PDU
        entity.acse_timeout, entity.dimse_timeout, entity.network_timeout = 15, 60, 120
        entity.add_supported_context(Verification)
        entity.add_supported_context(CTImageStorage, _SYNTAXES)
        address = settings.host, settings.port
        self._server = entity.make_server(address, server_class=Server, request_handler=Request, evt_handlers=[
            (evt.EVT_REQUESTED, self._requested), (evt.EVT_C_STORE, self._store),
            (evt.EVT_ACCEPTED, lambda _: ASSOCIATIONS.labels("accepted").inc()),
            (evt.EVT_ABORTED, lambda _: ASSOCIATIONS.labels("aborted").inc())])
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """No new association; those that are there get a few seconds to end, then they end with the process."""
        self._server.shutdown()
        end = time.monotonic() + _STOP_SECONDS
        while self._server.active_associations and time.monotonic() < end:
            time.sleep(0.05)

    def _requested(self, event: evt.Event) -> None:
        association, request = event.assoc, event.assoc.requestor.primitive
        calling, called = request.calling_ae_title.strip(), request.called_ae_title.strip()
        address = association.requestor.address
        # Result, source and reason as PS3.8 numbers them.
        if called != self._settings.title:
            wrong, answer = "called_title", (1, 1, 7)
        elif not self._settings.allows(calling, address):
            wrong, answer = "calling_title", (1, 1, 3)
        elif sum(one.is_established for one in self._server.active_associations) >= _MAX_ASSOCIATIONS:
            wrong, answer = "too_many", (2, 3, 2)
        else:
            return
        association.acse.send_reject(*answer)
        association.kill()
        ASSOCIATIONS.labels(wrong).inc()
        log.warning("dicom: refused %r from %s to %r: %s", calling, address, called, wrong)

    def _store(self, event: evt.Event) -> int:
        try:
            outcome = self._stored(event)
        except Full:
            outcome = "out_of_resources"
        except OSError as wrong:
            log.error("dicom: an instance cannot be written (errno %s)", wrong.errno)
            outcome = "out_of_resources"
        INSTANCES.labels(outcome).inc()
        return _STATUS[outcome]

    def _stored(self, event: evt.Event) -> str:
        said = [str(event.request.AffectedSOPClassUID), str(event.request.AffectedSOPInstanceUID)]
        syntax = event.context.transfer_syntax
        try:
            stream = BytesIO(event.encoded_dataset(include_meta=False))
            # Elements of the file's own header in a data set could name another encoding to who reads the file.
            in_header = int.from_bytes(stream.read(2), "little" if syntax.is_little_endian else "big") < 8
            stream.seek(0)
            head = read_dataset(stream, syntax.is_implicit_VR, syntax.is_little_endian, specific_tags=[*map(Tag, _HEAD)],
                                stop_when=lambda tag, *_: tag >= 0x7FE00000)
            found = [str(head[tag].value) for tag in _HEAD]
            has_pixels = stream.read(4) in (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
        except Exception:  # noqa: BLE001 - of many kinds; their texts name values of the patient
            return "cannot_understand"
        if in_header or not has_pixels or not all(map(_UID.fullmatch, (*found, *said))):
            return "cannot_understand"
        if found[:2] != said:
            return "other_object"
        return self._arrivals.receive(found[2], found[1], event.encoded_dataset())
