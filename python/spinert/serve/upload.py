"""A multipart request to files: straight to the disk under names made here, limits counted while it streams."""

import asyncio
import hashlib
import os
import time
from pathlib import Path
from typing import Any, BinaryIO

from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from .settings import Refused, Settings

# The readers go by the content and ask the name only where that says nothing: no more of a client's name is used.
_SUFFIXES = (".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".ima", ".zip")
_PIECE = 1 << 20  # bytes handed to a thread at once
_IDLE_SECONDS = 30  # without a byte


def _clean(name: bytes) -> str:
    """The last component, printable: for people to read, never a path."""
    last = name.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    return "".join(one for one in last if one.isprintable())


class _Files:
    def __init__(self, folder: Path, boundary: bytes, max_files: int) -> None:
        self.files: list[dict[str, Any]] = []
        self.complete = False
        self._folder, self._max_files, self._disposition = folder, max_files, b""
        self._header, self._value = bytearray(), bytearray()
        self._file: BinaryIO | None = None
        self.parser = MultipartParser(boundary, {
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end, "on_headers_finished": self._begin, "on_part_data": self._data,
            "on_part_end": self._end, "on_end": lambda: setattr(self, "complete", bool(self.files))})

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _begin(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._disposition = b""
        if b"filename" not in options:
            raise Refused(400, "malformed", "expected parts with a filename")
        if len(self.files) == self._max_files:
            raise Refused(413, "too_many_files", f"more than {self._max_files} files. Send a zip")
        client = _clean(options[b"filename"])
        suffix = next((one for one in _SUFFIXES if client.lower().endswith(one)), ".bin")
        name = f"{len(self.files) + 1:04}{suffix}"
        self.files.append({"name": name, "client_name": client[-120:], "bytes": 0})
        self._digest = hashlib.sha256()
        self._file = open(self._folder / name, "xb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._file.write(data[start:end])
        self._digest.update(data[start:end])
        self.files[-1]["bytes"] += end - start

    def _end(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.files[-1]["sha256"] = self._digest.hexdigest()


async def receive(request: Request, folder: Path, settings: Settings) -> list[dict[str, Any]]:
    """Job.files, on the disk in `folder`, which the caller removes after Refused, FormParserError, OSError or
    ClientDisconnect. Threads write; none waits for the client."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Refused(415, "not_multipart", "expected multipart/form-data, as curl -F sends it")
    total, declared = 0, int(request.headers.get("content-length", 0))
    files = _Files(folder, boundary, settings.max_files)
    deadline = time.monotonic() + settings.upload_seconds
    stream, pending, chunk = request.stream(), bytearray(), b""
    try:
        while chunk is not None:
            if max(total, declared) > settings.max_mib << 20:
                raise Refused(413, "too_large", f"expected a request of at most {settings.max_mib} MiB")
            try:
                left = min(_IDLE_SECONDS, deadline - time.monotonic())
                chunk = await asyncio.wait_for(anext(stream, None), max(left, 0))
            except asyncio.TimeoutError:
                raise Refused(408, "too_slow", "the request comes too slowly") from None
            total += len(chunk or b"")
            pending += chunk or b""
            if chunk is None or len(pending) >= _PIECE:
                await asyncio.to_thread(files.parser.write, bytes(pending))
                pending.clear()
    finally:
        files.close()
    if not files.complete:
        raise Refused(400, "malformed", "the body holds no file or ends too early")
    return files.files
