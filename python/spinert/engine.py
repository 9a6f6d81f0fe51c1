"""An open model and its calls."""

from __future__ import annotations

import ctypes as c
import json
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import _abi
from .errors import BY_CODE, Cancelled, Error
from .results import Study, study_of

_library = _abi.load()
_KEPT = (11, 13)  # a result with gaps or doubts is a result: it says so itself
_FORMATS = {np.dtype("uint8"): _abi.U8, np.dtype("uint16"): _abi.U16, np.dtype("int16"): _abi.I16}
_OVERWRITE = {"never": 0, "replace": 1, "suffix": 2}
_TRANSFORM = {"auto": 0, "sform": 1, "qform": 2}

# kind, name, status, alert, text, done, total; returns True to stop
ProgressCall = Callable[[dict[str, Any]], Any]


def build() -> dict[str, str]:
    """Version, commit, compiler and flags of the library."""
    return json.loads(_library.spinert_build())


def find_model() -> str | None:
    """SPINERT_MODEL, else the demo model of the source tree; None: the library looks beside itself."""
    if named := os.environ.get("SPINERT_MODEL"):
        return named
    model = Path(__file__).resolve().parents[2] / "models" / "spine-demo.safetensors"
    return str(model) if model.is_file() else None


def _bytes(text: str | os.PathLike[str] | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def _error(pointer: c.c_void_p, status: int) -> Error:
    try:
        message = _library.spinert_error_message(pointer).decode()
        name = _library.spinert_error_id(pointer).decode()
    finally:
        _library.spinert_error_free(pointer)
    return BY_CODE.get(status, Error)(status, name, message)


def _check(status: int, error: c.c_void_p) -> None:
    if status != 0:
        raise _error(error, status)


class Cancel:
    """Stops every call that it is given to, from any thread; it stays requested."""

    def __init__(self) -> None:
        self._handle = _library.spinert_cancel_new()
        if not self._handle:
            raise MemoryError

    def request(self) -> None:
        _library.spinert_cancel_request(self._handle)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library.spinert_cancel_free(self._handle)


class _Progress:
    """A callback of Python for C. What it raises ends the run and is raised again by the call."""

    def __init__(self, call: ProgressCall | None) -> None:
        self.raised: BaseException | None = None
        self._call = call
        self.function = _abi.PROGRESS(self._tell) if call else _abi.PROGRESS()

    def _tell(self, event: Any, _: Any) -> int:
        value = event.contents
        told: dict[str, Any] = {"kind": _abi.EVENT_NAMES.get(value.kind, "other"), "code": value.code,
                                "done": value.done, "total": value.total}
        for name in ("name", "status", "alert", "text"):
            told[name] = getattr(value, name).decode(errors="replace")
        try:
            return 1 if self._call(told) else 0
        except BaseException as raised:  # noqa: BLE001 - it must not cross C
            self.raised = raised
            return 1


@dataclass(frozen=True)
class BatchRow:
    """What became of one study of diagnose_paths."""

    name: str
    folder: str  # of its results; empty if nothing was written
    kind: str
    status: str
    alert: str
    error: str
    slices: int
    exit_code: int


class Engine:
    """A model, opened once. model: a path; None: find_model(), which is the synthetic demo model."""

    def __init__(self, model: str | os.PathLike[str] | None = None, *, device: str | None = None,
                 isa: str | None = None, precision: str | None = None, canvas: str | None = None, threads: int = 0,
                 batch: int = 0, lanes: int = 0, threshold: float = 0, memory_limit: int = 0,
                 model_sha256: str | None = None, dicom_program: str | os.PathLike[str] | None = None) -> None:
        self._lock = threading.Lock()
        self._handle = c.c_void_p()
        error = c.c_void_p()
        options = _abi.OpenOptions(
            model=_bytes(find_model() if model is None else model), device=_bytes(device), isa=_bytes(isa),
            precision=_bytes(precision), canvas=_bytes(canvas), threads=threads, batch=batch, lanes=lanes,
            threshold=threshold, memory_limit=memory_limit, model_sha256=_bytes(model_sha256),
            dicom_program=_bytes(dicom_program))
        _check(_library.spinert_open(c.byref(options), c.byref(self._handle), c.byref(error)), error)

    def close(self) -> None:
        with self._lock:
            _library.spinert_close(self._handle)
            self._handle = c.c_void_p()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library.spinert_close(self._handle)

    def describe(self) -> dict[str, Any]:
        """What `spinert inspect --json` says of the model."""
        text, error = c.c_char_p(), c.c_void_p()
        with self._lock:
            _check(_library.spinert_describe(self._handle, c.byref(text), c.byref(error)), error)
            return json.loads(text.value or b"{}")

    def diagnose(self, slices: np.ndarray | bytes | Sequence[np.ndarray | bytes], *,
                 names: str | Sequence[str] | None = None, hu_offset: float | None = None,
                 spacing: tuple[float, float] | None = None, previews: bool = False, timeout: float = 0,
                 progress: ProgressCall | None = None, cancel: Cancel | None = None) -> Study:
        """The slices of one study: arrays [rows][columns] of uint8, uint16 or int16, or bytes of PNG or JPEG files.

        hu_offset: values are Hounsfield units + hu_offset; of int16 0 unless given. spacing: mm per pixel (x, y).
        A study with status partial or indeterminate is returned; one that failed raises the error of its slices.
        """
        many = [slices] if isinstance(slices, (bytes, bytearray)) or getattr(slices, "ndim", 0) == 2 else list(slices)
        named = [names] if isinstance(names, str) else list(names) if names is not None else []
        if named and len(named) != len(many):
            raise ValueError(f"{len(many)} slices and {len(named)} names")
        kept: list[Any] = []  # until the call has returned
        pointers = (c.POINTER(_abi.Picture) * max(len(many), 1))()
        for index, one in enumerate(many):
            picture = _picture(one, hu_offset, spacing, kept)
            if named:
                picture.name = named[index].encode()
            pointers[index] = c.pointer(picture)
            kept.append(picture)
        return self._in_memory(lambda run, out, error: _library.spinert_diagnose_slices(
            self._handle, pointers, len(many), run, out, error), previews, timeout, progress, cancel)

    def diagnose_nifti(self, data: bytes, *, name: str = "memory", transform: str = "auto", fast: bool = False,
                       previews: bool = False, timeout: float = 0, progress: ProgressCall | None = None,
                       cancel: Cancel | None = None) -> Study:
        """An examination: the bytes of a .nii or .nii.gz file."""
        return self._in_memory(lambda run, out, error: _library.spinert_diagnose_nifti(
            self._handle, data, len(data), name.encode(), run, out, error), previews, timeout, progress, cancel,
            transform=_TRANSFORM[transform], fast=int(fast))

    def diagnose_paths(self, inputs: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str], *,
                       overwrite: str = "never", resume: bool = False, hu_offset: float | None = None,
                       series_uid: str | None = None, allow_gaps: int = 0, transform: str = "auto", fast: bool = False,
                       dicom_output: bool = False, dicom_time: str | None = None, slice_output: bool = False,
                       mask_output: bool = False, timeout: float = 0, progress: ProgressCall | None = None,
                       cancel: Cancel | None = None) -> list[BatchRow]:
        """`spinert diagnose inputs... -o output`: what became of each study. An error of the whole run is raised."""
        paths = [os.fsencode(path) for path in inputs]
        array = (c.c_char_p * max(len(paths), 1))(*paths)
        batch, error, told = c.c_void_p(), c.c_void_p(), _Progress(progress)
        run = _run_options(told, timeout, cancel, overwrite=_OVERWRITE[overwrite], resume=int(resume),
                           has_hu_offset=int(hu_offset is not None), hu_offset=hu_offset or 0,
                           series_uid=_bytes(series_uid), allow_gaps=allow_gaps, transform=_TRANSFORM[transform],
                           fast=int(fast), dicom_output=int(dicom_output), dicom_time=_bytes(dicom_time),
                           slice_output=int(slice_output), mask_output=int(mask_output))
        with self._lock:
            status = _library.spinert_diagnose_paths(self._handle, array, len(paths), os.fsencode(output),
                                                     c.byref(run), c.byref(batch), c.byref(error))
        try:
            rows = [_row(batch, index) for index in range(_library.spinert_batch_count(batch))]
        finally:
            _library.spinert_batch_free(batch)
        failed = _error(error, status) if status != 0 else None
        if told.raised:
            raise told.raised
        # Of several studies each row has its own code; of one, and without any, the run's error is the error. One that
        # no row has is the run's as well: it was stopped, or the table of the studies could not be written.
        codes = {row.exit_code for row in rows} if len(rows) > 1 else set()
        if failed and status not in _KEPT and (isinstance(failed, Cancelled) or status not in codes):
            raise failed
        return rows

    def _in_memory(self, call: Callable[..., int], previews: bool, timeout: float, progress: ProgressCall | None,
                   cancel: Cancel | None, **more: int) -> Study:
        result, error, told = c.c_void_p(), c.c_void_p(), _Progress(progress)
        run = _run_options(told, timeout, cancel, **more)
        with self._lock:
            status = call(c.byref(run), c.byref(result), c.byref(error))
        try:
            failed = _error(error, status) if status != 0 else None
            if told.raised:
                raise told.raised
            if failed and (status not in _KEPT or not result):
                raise failed
            size = c.c_size_t()
            report = c.string_at(_library.spinert_result_report(result, c.byref(size)), size.value)
            count = json.loads(report)["input"]["slices"] if previews else 0
            return study_of(report, tuple(_preview(result, index) for index in range(count)))
        finally:
            _library.spinert_result_free(result)


def verify(model: str | os.PathLike[str] | None = None, inputs: Sequence[str | os.PathLike[str]] = (), *,
           device: str | None = None, precision: str | None = None, isa: str | None = None,
           canvas: str | None = None, threads: int = 0, timeout: float = 0, progress: ProgressCall | None = None,
           cancel: Cancel | None = None) -> dict[str, Any]:
    """A fast backend against the reference: the figures; VerifyFailed for a difference beyond the tolerance."""
    paths = [os.fsencode(path) for path in inputs]
    array = (c.c_char_p * max(len(paths), 1))(*paths)
    told, text, error = _Progress(progress), c.c_void_p(), c.c_void_p()
    options = _abi.VerifyOptions(
        model=_bytes(find_model() if model is None else model), device=_bytes(device), precision=_bytes(precision),
        isa=_bytes(isa), canvas=_bytes(canvas), inputs=array, input_count=len(paths), timeout=timeout, threads=threads,
        progress=told.function, cancel=cancel._handle if cancel else None)
    status = _library.spinert_verify(c.byref(options), c.byref(text), c.byref(error))
    try:
        failed = _error(error, status) if status != 0 else None
        if told.raised or failed:
            raise told.raised or failed
        return json.loads(c.string_at(text.value))
    finally:
        _library.spinert_free(text)


def _run_options(told: _Progress, timeout: float, cancel: Cancel | None, **more: Any) -> _abi.RunOptions:
    return _abi.RunOptions(progress=told.function, timeout=timeout, cancel=cancel._handle if cancel else None, **more)


def _picture(one: np.ndarray | bytes, hu_offset: float | None, spacing: tuple[float, float] | None,
             kept: list[Any]) -> _abi.Picture:
    if isinstance(one, (bytes, bytearray)):
        data = bytes(one)
        kept.append(data)
        picture = _abi.Picture(format=_abi.ENCODED, size=len(data), data=c.cast(c.c_char_p(data), c.c_void_p))
    else:
        if one.ndim != 2 or one.dtype not in _FORMATS:
            raise TypeError(f"expected [rows][columns] of uint8, uint16 or int16, got {one.shape} of {one.dtype}")
        # Rows must be whole; what else is sliced is copied.
        array = one if one.strides[1] == one.itemsize and one.strides[0] >= one.shape[1] * one.itemsize else (
            np.ascontiguousarray(one))
        kept.append(array)
        rows, columns = array.shape
        stride = array.strides[0] if rows > 1 else 0
        size = (rows - 1) * stride + columns * array.itemsize if rows else 0
        picture = _abi.Picture(format=_FORMATS[array.dtype], width=columns, height=rows, data=array.ctypes.data,
                               size=size, stride=stride)
        if array.dtype == np.int16 and hu_offset is None:
            hu_offset = 0.0
    if hu_offset is not None:
        picture.has_hu_offset, picture.hu_offset = 1, hu_offset
    if spacing is not None:
        picture.spacing_x, picture.spacing_y = spacing
    return picture


def _preview(result: c.c_void_p, index: int) -> bytes:
    data, size, error = c.c_void_p(), c.c_size_t(), c.c_void_p()
    _check(_library.spinert_result_preview(result, index, c.byref(data), c.byref(size), c.byref(error)), error)
    try:
        return c.string_at(data, size.value)
    finally:
        _library.spinert_free(data)


def _row(batch: c.c_void_p, index: int) -> BatchRow:
    study, error = _abi.BatchStudy(), c.c_void_p()
    _check(_library.spinert_batch_get(batch, index, c.byref(study), c.byref(error)), error)
    texts = (os.fsdecode(value) for value in (study.name, study.folder, study.kind, study.status, study.alert,
                                              study.error))
    return BatchRow(*texts, study.slices, study.exit_code)
