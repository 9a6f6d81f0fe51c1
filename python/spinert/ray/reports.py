"""What report.json says of a study for the summary, and whether a finished one stands for the study as it is now."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Options that change no result, so a finished one stands whatever they were.
_NO_MATTER = ("--threads", "--batch", "--lanes", "--timeout", "--memory-limit", "--model-sha256")
_WORDS = {"transform": "--prefer"}


@dataclass(frozen=True)
class Key:
    """What must be the same for a result to stand, beside the files."""

    model_sha256: str
    settings: tuple[tuple[str, str], ...]


def _plain(value: str) -> str:
    try:
        return repr(float(value))
    except ValueError:
        return value


def settings_of(command_line: str) -> tuple[tuple[str, str], ...]:
    """Options of "diagnose --threshold 0.5 --fast true" that change results, in any order and any way to print 0.5."""
    found: dict[str, str] = {}
    option = ""
    for word in command_line.split()[1:]:
        if word.startswith("--"):
            option = word
            found[option] = ""
        else:
            found[option] += _plain(word)
    return _sorted(found)


def settings_for(options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The same for arguments of Engine and diagnose_paths; what is None, False or auto is not said."""
    found = {_WORDS.get(name, "--" + name.replace("_", "-")): "true" if value is True else _plain(str(value))
             for name, value in options.items() if value is not None and value is not False}
    return _sorted(found)


def _sorted(found: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in found.items() if name not in _NO_MATTER and value != "auto"))


def read(folder: str) -> dict[str, Any] | None:
    """report.json of a folder; None if there is none that can be read."""
    try:
        with open(os.path.join(folder, "report.json"), "rb") as file:
            report = json.load(file)
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def facts(report: dict[str, Any]) -> dict[str, Any]:
    """The columns of the summary that come from the report."""
    reasons = [reason["code"] for reason in report["reasons"]]
    error = next((code for code in reasons if code.startswith("E_")), reasons[0] if reasons else "")
    return {
        "exit_code": report["exit_code"], "status": report["status"], "alert": report["alert"],
        "error": error if report["exit_code"] else "", "slices": report["input"]["slices"],
        "vertebrae": sum(len(one["vertebrae"]) for one in report.get("slices", [])),
        "isa": report["device"]["isa"], "deterministic_sha256": report["volatile"]["deterministic_sha256"],
    }


def finished(folder: str, path: str, key: Key) -> dict[str, Any] | None:
    """facts() of a result that need not be made again: completed or indeterminate, of the same files, model, options.

    What cannot be told to be the same is made again: nothing else is risked than its time.
    """
    report = read(folder)
    try:
        if report is None or report["status"] not in ("completed", "indeterminate"):
            return None
        same = (report["model"]["sha256"] == key.model_sha256
                and settings_of(report["volatile"]["command_line"]) == key.settings and _same_files(report, path))
        return facts(report) if same else None
    except (AttributeError, KeyError, TypeError, OSError):
        return None  # not a report of ours, or files that cannot be read: the engine says why


def _same_files(report: dict[str, Any], path: str) -> bool:
    kind = report["input"]["kind"]
    if kind == "nifti":
        return os.path.isfile(path) and _sha256(path) == report["input"]["files_sha256"]
    if kind == "dicom":
        hashes = sorted(_sha256(file) for file in _files(path) if _head(file)[128:132] == b"DICM")
        return hashlib.sha256("".join(hashes).encode()).hexdigest() == report["input"]["files_sha256"]
    pictures = [file for file in _files(path) if _head(file).startswith((b"\x89PNG", b"\xff\xd8"))]
    return sorted((os.path.basename(file), _sha256(file)) for file in pictures) == sorted(
        (one["source"], one["sha256"]) for one in report["slices"])


def _files(path: str) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(folder, name) for name in names if not name.startswith("."))


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(132)


def _sha256(path: str) -> str:
    hash = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            hash.update(part)
    return hash.hexdigest()
