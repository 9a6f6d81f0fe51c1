"""An append-only file of JSON lines, numbered by `revision`. What append() returned from is on the disk."""

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
        data = path.read_bytes() if path.is_file() else b""
        # What follows the last line break was never acknowledged: the process died or the disk was full.
        self._length = data.rfind(b"\n") + 1
        try:
            self.entries: list[dict[str, Any]] = [json.loads(line) for line in data[:self._length].splitlines()]
            whole = [one["revision"] for one in self.entries] == [*range(1, len(self.entries) + 1)]
        except (ValueError, TypeError, KeyError):
            whole = False
        if not whole:  # a line is never skipped: the correction in it would be lost without a word
            raise Refused(500, "journal_damaged", f"{path.name} is not what was written there. Mend it by hand")

    def append(self, entry: dict[str, Any]) -> None:
        """OSError: nothing was added."""
        line = json.dumps(entry).encode() + b"\n"
        with open(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600), "wb", buffering=0) as file:
            try:
                file.truncate(self._length)
                file.seek(self._length)
                if file.write(line) != len(line):
                    raise OSError("the disk is full")
                os.fsync(file)
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(self._length)
                raise
        if not self.entries:  # the name of a new file
            folder = os.open(self._path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        self._length += len(line)
        self.entries.append(entry)
