"""From what a run is given to a list of studies, each with the name of its result folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputInvalid, InputMissing, UsageError

_LONGEST = 200  # bytes of a name; file systems stop at 255 and the engine adds to some
_RESERVED = ("summary.parquet",)


class Study(NamedTuple):
    name: str  # of its result folder; the same in every run over the same input
    path: str  # absolute; the same on every node


def find_studies(inputs: Sequence[str | os.PathLike[str]]) -> list[Study]:
    """One .parquet file: its rows. One folder: its sub-folders and volumes. Several paths: each is one study."""
    paths = [os.fspath(path) for path in inputs]
    if len(paths) == 1 and paths[0].endswith(".parquet"):
        studies = _listed(paths[0])
    elif len(paths) == 1 and os.path.isdir(paths[0]):
        studies = _inside(paths[0])
    else:
        studies = [Study(os.path.basename(os.path.abspath(path)), os.path.abspath(path)) for path in paths]
    if not studies:
        raise InputMissing(3, "E_INPUT_EMPTY", f"no study in {', '.join(paths)}. Give a folder of studies, a Parquet list, "
                                               "or the paths of studies.")
    _check_names(studies)
    return studies


def _listed(path: str) -> list[Study]:
    if not os.path.isfile(path):
        raise InputMissing(3, "E_INPUT_EMPTY", f"cannot open the list of studies, {path}. Give the path of a readable file.")
    try:
        names = pq.read_schema(path).names
        table = pq.read_table(path, columns=[name for name in ("path", "study") if name in names])
    except (pa.ArrowException, OSError) as problem:
        raise InputInvalid(4, "E_INPUT_READ", f"not a readable Parquet file, {path} ({problem})") from None
    for name in table.column_names:
        kind = table.schema.field(name).type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)) or table[name].null_count:
            raise InputInvalid(4, "E_INPUT_READ", f"column {name} of {path} (expected strings without nulls, got {kind}, "
                                                  f"{table[name].null_count} nulls)")
    if "path" not in table.column_names:
        raise InputInvalid(4, "E_INPUT_READ", f"no column of paths in {path} (expected path, got {', '.join(names)})")
    found = [os.path.abspath(value) for value in table["path"].to_pylist()]
    called = table["study"].to_pylist() if "study" in table.column_names else map(os.path.basename, found)
    return [Study(name, one) for name, one in zip(called, found)]


def _inside(folder: str) -> list[Study]:
    root = os.path.abspath(folder)
    with os.scandir(root) as entries:
        seen = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    studies = [Study(name, os.path.join(root, name)) for name, is_folder in seen
               if is_folder or name.endswith((".nii", ".nii.gz", ".zip"))]
    if studies and len(studies) < len(seen):
        # Left out silently, they could be taken for studies without a finding.
        loose = next(name for name, _ in seen if os.path.join(root, name) not in {study.path for study in studies})
        raise UsageError(2, "E_USAGE", f"{len(seen) - len(studies)} files lie beside the studies, {folder} (the first is "
                                       f"{loose!r}). Move them away, or name the studies one by one.")
    return studies


def _check_names(studies: Iterable[Study]) -> None:
    seen: dict[str, str] = {}
    for name, path in studies:
        try:
            size = len(name.encode()) + 0 * len(path.encode())
        except UnicodeEncodeError:
            raise UsageError(2, "E_USAGE", f"the name of a study is not UTF-8, {path!r}. Rename it.") from None
        plain = 0 < size <= _LONGEST and name[0] != "." and "/" not in name and name.isprintable()
        if not plain or name in _RESERVED:
            raise UsageError(2, "E_USAGE", f"the study {path!r} cannot have a result folder {name!r}. Names have 1 to "
                                           f"{_LONGEST} bytes, no slash, no control characters and no dot in front.")
        if name in seen:
            raise UsageError(2, "E_USAGE", f"two studies are called {name!r}: {seen[name]} and {path}. Name them in the "
                                           "column study of a Parquet list.")
        seen[name] = path
