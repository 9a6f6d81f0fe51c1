"""spinert-serve: the command line, the start and the end."""

import argparse
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..engine import Engine
from ..errors import Error, OutputError, UsageError
from .app import make_app, with_policy
from .dicom.options import DicomSettings, add_options, dicom_settings
from .settings import LABEL, Settings
from .store import Store
from .worker import Worker

TOKEN_VARIABLE = "SPINERT_SERVE_TOKEN"
_HEADERS = [
    ("X-Research-Use", LABEL), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
_LIMITS = (("queue", 16, "jobs that may wait"), ("max-mib", 2048, "of a request"), ("max-files", 4000, "of a request"),
           ("upload-seconds", 600, "for a request"), ("job-seconds", 3600, "for a job"))


class _Protocol(H11Protocol):
    def send_400_response(self, msg: str) -> None:
        # To what is no HTTP; uvicorn leaves _HEADERS out here.
        super().send_400_response(f"{msg} {LABEL}")


def serve(settings: Settings, engine: Engine, listening: socket.socket, dicom: DicomSettings | None) -> None:
    """Until SIGTERM or SIGINT. What has not ended then runs after the next start."""
    try:
        store = Store(settings.data)
    except OSError as wrong:
        why = "another process serves it" if isinstance(wrong, BlockingIOError) else wrong
        raise OutputError(10, "E_OUTPUT", f"--data {settings.data}: {why}") from None
    worker = Worker(store, engine, settings)
    connection = None
    if dicom:
        try:
            from .dicom.connection import Connection
        except ImportError as missing:
            raise UsageError(2, "E_USAGE", f"--dicom-port: this Python lacks {missing.name}") from None
        connection = Connection(store, worker, settings, dicom)
    server = uvicorn.Server(uvicorn.Config(
        with_policy(make_app(store, worker, settings)), http=_Protocol, ws="none", lifespan="off", log_config=None,
        access_log=False, server_header=False, proxy_headers=False, limit_concurrency=200,
        timeout_graceful_shutdown=10, headers=_HEADERS))
    # uvicorn takes these over and raises them once more when it has stopped; the worker is stopped after that.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    worker.start()
    logging.info("listening on %s port %d", *listening.getsockname()[:2])
    try:
        server.run(sockets=[listening])
    finally:
        if connection:
            connection.stop()
        worker.stop()


def bind(host: str, port: int, has_token: bool) -> socket.socket:
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as wrong:
        raise UsageError(2, "E_USAGE", f"cannot listen on {host} port {port}: {wrong}") from None
    if has_token or ipaddress.ip_address(listening.getsockname()[0]).is_loopback:
        return listening
    listening.close()
    raise UsageError(2, "E_USAGE", f"other machines reach --host {host}. Set {TOKEN_VARIABLE} or --token-file")


def read_token(file: str | None) -> str | None:
    # Never from the command line, which everyone on the machine can read.
    try:
        token = Path(file).read_text(encoding="utf-8").strip() if file else os.environ.pop(TOKEN_VARIABLE, None)
    except (OSError, UnicodeError):
        token = ""
    if token is None or (len(token) >= 16 and all("!" <= one <= "~" for one in token)):
        return token
    raise UsageError(2, "E_USAGE", f"{file or TOKEN_VARIABLE}: expected 16 or more ASCII characters without spaces, as "
                     "from openssl rand -hex 32")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"expected 1 to 1000000, got {text}")
    return int(text)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spinert-serve", description=f"Studies over HTTP, one after the other (docs/service.md). {LABEL}",
        epilog="Example: spinert-serve --data jobs --host 0.0.0.0 --token-file token")
    add = parser.add_argument
    add("--data", required=True, type=Path, metavar="FOLDER", help="of jobs and results")
    add("--host", default="127.0.0.1", help="default: this machine only")
    add("--port", type=int, default=8080, help="0: any free one; default: %(default)s")
    add("--token-file", metavar="FILE", help=f"of requests; default: {TOKEN_VARIABLE}, if it is set")
    add("--model", metavar="FILE", help="default: the synthetic demo model")
    add("--device", help="as of spinert diagnose")
    add("--precision", help="likewise")
    add("--threads", type=_count, default=0, metavar="N", help="default: all that this process may use")
    for name, value, what in _LIMITS:
        add(f"--{name}", type=_count, default=value, metavar="N", help=what + "; default: %(default)s")
    add_options(parser, _count)
    return parser


def main(arguments: list[str] | None = None, open_engine: Callable[..., Engine] = Engine) -> int:
    given = _arguments().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    os.umask(0o077)  # what is sent here is about patients
    try:
        dicom = dicom_settings(given)
        given.token, given.data = read_token(given.token_file), given.data.absolute()
        listening = bind(given.host, given.port, given.token is not None)
        settings = Settings(**{one.name: getattr(given, one.name) for one in fields(Settings)})
        with open_engine(given.model, device=given.device, precision=given.precision, threads=given.threads) as engine:
            serve(settings, engine, listening, dicom)
        return 0
    except Error as wrong:
        print(f"spinert-serve: error {wrong}", file=sys.stderr)
        return wrong.code
