"""What report.json says of a study for the summary, and whether a finished one stands for the study as it is now."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

# Options that change no result.
_NO_MATTER = ("--threads", "--batch", "--lanes", "--timeout", "--memory-limit", "--model-sha256")


class Key(NamedTuple):
    """What must be the same for a result to stand, beside the files."""

    model_sha256: str
    settings: dict[str, str]


def settings(command_line: str) -> dict[str, str]:
    """Options of "diagnose --threshold 0.50 --fast true" that change results; 0.50 and 0.5 are the same."""
    found: dict[str, str] = {}
    for part in command_line.split(" --")[1:]:
        name, _, value = part.partition(" ")
        try:
            value = repr(float(value))
        except ValueError:
            pass
        if f"--{name}" not in _NO_MATTER and value != "auto":
            found[name] = value
    return found


def settings_for(options: dict[str, Any]) -> dict[str, str]:
    """The same of arguments of Engine and diagnose_paths; what is None or False is not said."""
    said = {"transform": "prefer", **{name: name.replace("_", "-") for name in options if name != "transform"}}
    return settings("".join(f" --{said[name]} {'true' if value is True else value}"
                            for name, value in options.items() if value is not None and value is not False))


def read(folder: str) -> dict[str, Any] | None:
    """report.json of a folder; None if there is none that can be read."""
    try:
        with open(os.path.join(folder, "report.json"), "rb") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def facts(report: dict[str, Any]) -> dict[str, Any]:
    """The columns of the summary that come from the report."""
    reasons = [reason["code"] for reason in report["reasons"]]
    error = next((code for code in reasons if code[:2] == "E_"), "".join(reasons[:1]))
    return {
        "exit_code": report["exit_code"], "status": report["status"], "alert": report["alert"],
        "error": error if report["exit_code"] else "", "slices": report["input"]["slices"],
        "vertebrae": sum(len(one["vertebrae"]) for one in report.get("slices", [])),
        "isa": report["device"]["isa"], "deterministic_sha256": report["volatile"]["deterministic_sha256"],
    }


def finished(folder: str, path: str, key: Key) -> dict[str, Any] | None:
    """facts() of a result that need not be made again: completed or indeterminate, of the same files, model, options.
    What cannot be told to be the same is made again, which risks nothing but its time."""
    report = read(folder)
    try:
        same = (report["status"] in ("completed", "indeterminate") and report["model"]["sha256"] == key.model_sha256
                and settings(report["volatile"]["command_line"]) == key.settings and _same_files(report, path))
        return facts(report) if same else None
    except (AttributeError, KeyError, TypeError, OSError):
        return None  # not a report of ours, or files that cannot be read: the engine says why


def _same_files(report: dict[str, Any], path: str) -> bool:
    kind = report["input"]["kind"]
    if kind == "nifti":
        return os.path.isfile(path) and _sha256(path) == report["input"]["files_sha256"]
    if kind == "dicom":
        hashes = sorted(_sha256(file) for file in _files(path) if _head(file)[128:] == b"DICM")
        return hashlib.sha256("".join(hashes).encode()).hexdigest() == report["input"]["files_sha256"]
    pictures = [file for file in _files(path) if _head(file).startswith((b"\x89PNG", b"\xff\xd8"))]
    return sorted((os.path.basename(file), _sha256(file)) for file in pictures) == sorted(
        (one["source"], one["sha256"]) for one in report["slices"])


def _files(path: str) -> Iterator[str]:
    if os.path.isfile(path):
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name[0] != "."]
        yield from (os.path.join(folder, name) for name in names if name[0] != ".")


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(132)


def _sha256(path: str) -> str:
    hash = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            hash.update(part)
    return hash.hexdigest()
