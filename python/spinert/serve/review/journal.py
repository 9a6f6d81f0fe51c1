"""An append-only file of JSON lines. What append() returned from is on the disk; half a last line is cut."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from ..settings import Refused


class Journal:
    """Not thread-safe. `entries` never runs ahead of the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
        # What follows the last line break was never acknowledged: the process died or the disk was full.
        self._length = data.rfind(b"\n") + 1
        self.entries: list[dict[str, Any]] = []
        for number, line in enumerate(data[:self._length].splitlines(), 1):
            try:
                entry = json.loads(line)
                whole = entry["revision"] == number
            except (ValueError, TypeError, KeyError):
                whole = False
            if not whole:  # never skipped: the correction in it would be lost without a word
                raise Refused(500, "journal_damaged", f"{path.name}, line {number} is not what was written there. Mend "
                              "it by hand")
            self.entries.append(entry)

    def append(self, entry: dict[str, Any]) -> None:
        """OSError: nothing was added. FileNotFoundError: its folder is gone."""
        line = json.dumps(entry, allow_nan=False).encode() + b"\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            try:
                os.ftruncate(handle, self._length)
                os.lseek(handle, 0, os.SEEK_END)
                left = line
                while left:
                    left = left[os.write(handle, left):]
                os.fsync(handle)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, self._length)
                raise
        finally:
            os.close(handle)
        if not self._length:  # the name of a new file
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self._length += len(line)
        self.entries.append(entry)
