"""What a peer can take from this process: bytes, seconds, connections. pynetdicom leaves all of this open, and dies of
what it does not know, which here is answered by an A-ABORT and a line that does not show what came."""

import socket
import time
from socketserver import BaseServer
from typing import Any

from pynetdicom.association import Association
from pynetdicom.fsm import StateMachine
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from ..store import log

MAX_PDU = 1 << 17  # announced, of data
MAX_CONNECTIONS = 64  # also of those that have not said who they are
_MAX_READ = 2 * MAX_PDU  # of any PDU
_MAX_INSTANCE = 32 << 20  # held a few times while it is looked at; a slice of 512 x 512 has half a MiB
_PIECE_SECONDS = 30  # for one PDU to come or an answer to go


class _Socket(AssociationSocket):
    def recv(self, nr_bytes: int) -> bytearray:
        """What it raises ends the association as a broken connection does."""
        message, waiting = self.assoc.dimse.message, self.assoc.dimse.msg_queue.qsize()
        held = len(message.encoded_command_set.getbuffer()) + len(message.data_set.getbuffer()) if message else 0
        # Nobody negotiated to send the next message before the last one was answered.
        if nr_bytes > _MAX_READ or held > _MAX_INSTANCE or waiting > 1:
            log.warning("dicom: %s sends more than a peer may", self.assoc.requestor.address)
            raise OSError
        got, end = bytearray(), time.monotonic() + _PIECE_SECONDS
        while len(got) < nr_bytes:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            if not (piece := self.socket.recv(nr_bytes - len(got))):
                break
            got += piece
        self.socket.settimeout(_PIECE_SECONDS)  # of what is sent
        return got


class _Machine(StateMachine):
    def do_action(self, event: str) -> None:
        try:
            super().do_action(event)
        except Exception as wrong:  # noqa: BLE001 - of any kind
            one = self.dul.assoc
            log.warning("dicom: %s sends what is no DICOM (%s)", one.requestor.address, type(wrong).__name__)
            abort = A_ABORT_RQ()
            abort.source, abort.reason_diagnostic = 2, 0  # by the provider of the service
            self.dul.socket.send(abort.encode())
            one.is_aborted, one.is_established, one._kill = True, False, True
            self.dul.kill_dul()


class Request(RequestHandler):
    def _create_association(self) -> Association:
        association = super()._create_association()
        # Changed in place: a second socket would announce the connection once more.
        association.dul.socket.__class__, association.dul.state_machine.__class__ = _Socket, _Machine
        association.dul.daemon = True  # or one that hangs would keep the process alive
        return association


class Server(ThreadedAssociationServer):
    def verify_request(self, request: socket.socket, client_address: tuple[Any, ...]) -> bool:
        return len(self.active_associations) < MAX_CONNECTIONS

    def shutdown(self) -> None:
        BaseServer.shutdown(self)
        self.server_close()
