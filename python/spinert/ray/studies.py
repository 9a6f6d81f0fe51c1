"""From what a run is given to a list of studies, each with the name of its result folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputInvalid, InputMissing, UsageError

_LONGEST = 200  # bytes of a name; file systems stop at 255


class Study(NamedTuple):
    study: str  # name of its result folder; the same in every run over the same input
    path: str  # absolute; the same on every node


def find_studies(inputs: Sequence[str | os.PathLike[str]]) -> list[Study]:
    """One .parquet file: its rows. One folder: its sub-folders and volumes. Several paths: each is one study."""
    paths = [os.path.abspath(path) for path in inputs]
    if len(paths) == 1 and paths[0].endswith(".parquet"):
        studies = _listed(paths[0])
    elif len(paths) == 1 and os.path.isdir(paths[0]):
        studies = _inside(paths[0])
    else:
        studies = [Study(os.path.basename(path), path) for path in paths]
    if not studies:
        raise InputMissing(3, "E_INPUT_EMPTY", f"no study in {paths}. Give a folder of them, a list, or paths.")
    _check_names(studies)
    return studies


def _listed(path: str) -> list[Study]:
    try:
        columns = [name for name in ("path", "study") if name in pq.read_schema(path).names]
        table = pq.read_table(path, columns=columns)
    except FileNotFoundError:
        raise InputMissing(3, "E_INPUT_EMPTY", f"no such list of studies, {path}") from None
    except (pa.ArrowException, OSError) as problem:
        raise InputInvalid(4, "E_INPUT_READ", f"not a readable Parquet file, {path} ({problem})") from None
    text = all(kind in (pa.string(), pa.large_string()) for kind in table.schema.types)
    if "path" not in columns or not text or any(column.null_count for column in table.columns):
        raise InputInvalid(4, "E_INPUT_READ", f"not a list of studies, {path} (expected strings without nulls in the "
                                              "columns path and study)")
    found = [os.path.abspath(value) for value in table["path"].to_pylist()]
    names = table["study"].to_pylist() if "study" in columns else map(os.path.basename, found)
    return [Study(*pair) for pair in zip(names, found)]


def _inside(folder: str) -> list[Study]:
    with os.scandir(folder) as entries:
        seen = sorted((entry.name, entry.is_dir()) for entry in entries if entry.name[0] != ".")
    names = [name for name, is_folder in seen if is_folder or name.endswith((".nii", ".nii.gz", ".zip"))]
    if names and len(names) < len(seen):
        # Left out silently, they could be taken for studies without a finding.
        loose = next(name for name, _ in seen if name not in names)
        raise UsageError(2, "E_USAGE", f"{len(seen) - len(names)} files lie beside the studies, {folder} ({loose!r}). "
                                       "Move them away, or name the studies one by one.")
    return [Study(name, os.path.join(folder, name)) for name in names]


def _check_names(studies: list[Study]) -> None:
    seen: dict[str, str] = {}
    for name, path in studies:
        # A name of bytes that are no UTF-8 is not printable either.
        plain = f"{name}{path}".isprintable() and 0 < len(name.encode()) <= _LONGEST
        if not plain or name[0] == "." or "/" in name or name == "summary.parquet":
            raise UsageError(2, "E_USAGE", f"the study {path!r} cannot have a result folder {name!r} (expected 1 to "
                                           f"{_LONGEST} bytes of printable UTF-8, no slash, no dot in front)")
        if name in seen:
            raise UsageError(2, "E_USAGE", f"two studies are called {name!r}: {seen[name]}, {path}. Give a list.")
        seen[name] = path
