"""The structs and functions of spinert.h for ctypes, and the search for the library."""

from __future__ import annotations

import ctypes as c
import os
from pathlib import Path

ENCODED, U8, U16, I16 = range(4)
EVENT_NAMES = {1: "begins", 2: "slice", 3: "study", 4: "info", 5: "warning", 6: "problem"}
WHOLE_STUDY = c.c_size_t(-1).value
ABI = 1


class _Struct(c.Structure):
    """A struct of the library; struct_size is set."""

    def __init__(self, **values: object) -> None:
        super().__init__(**values)
        self.struct_size = c.sizeof(self)


class OpenOptions(_Struct):
    _fields_ = [
        ("struct_size", c.c_size_t), ("model", c.c_char_p), ("model_sha256", c.c_char_p), ("device", c.c_char_p),
        ("isa", c.c_char_p), ("precision", c.c_char_p), ("canvas", c.c_char_p), ("dicom_program", c.c_char_p),
        ("memory_limit", c.c_int64), ("threshold", c.c_double), ("threads", c.c_int32), ("batch", c.c_int32),
        ("lanes", c.c_int32),
    ]


class Event(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t), ("kind", c.c_int32), ("code", c.c_int32), ("done", c.c_uint64),
        ("total", c.c_uint64), ("name", c.c_char_p), ("status", c.c_char_p), ("alert", c.c_char_p),
        ("text", c.c_char_p),
    ]


PROGRESS = c.CFUNCTYPE(c.c_int32, c.POINTER(Event), c.c_void_p)


class RunOptions(_Struct):
    _fields_ = [
        ("struct_size", c.c_size_t), ("timeout", c.c_double), ("progress", PROGRESS), ("user", c.c_void_p),
        ("cancel", c.c_void_p), ("hu_offset", c.c_double), ("series_uid", c.c_char_p), ("dicom_time", c.c_char_p),
        ("has_hu_offset", c.c_int32),
        ("overwrite", c.c_int32), ("resume", c.c_int32), ("allow_gaps", c.c_int32), ("transform", c.c_int32),
        ("fast", c.c_int32), ("dicom_output", c.c_int32), ("slice_output", c.c_int32),
        ("mask_output", c.c_int32),
    ]


class Picture(_Struct):
    _fields_ = [
        ("struct_size", c.c_size_t), ("format", c.c_int32), ("width", c.c_int32), ("height", c.c_int32),
        ("has_hu_offset", c.c_int32), ("data", c.c_void_p), ("size", c.c_size_t), ("stride", c.c_size_t),
        ("hu_offset", c.c_double), ("spacing_x", c.c_double), ("spacing_y", c.c_double), ("name", c.c_char_p),
    ]


class BatchStudy(_Struct):
    _fields_ = [
        ("struct_size", c.c_size_t), ("name", c.c_char_p), ("folder", c.c_char_p), ("kind", c.c_char_p),
        ("status", c.c_char_p), ("alert", c.c_char_p), ("error", c.c_char_p), ("slices", c.c_int64),
        ("exit_code", c.c_int32),
    ]


class VerifyOptions(_Struct):
    _fields_ = [
        ("struct_size", c.c_size_t), ("model", c.c_char_p), ("device", c.c_char_p), ("precision", c.c_char_p),
        ("isa", c.c_char_p), ("canvas", c.c_char_p), ("inputs", c.POINTER(c.c_char_p)), ("input_count", c.c_size_t),
        ("threshold", c.c_double), ("timeout", c.c_double), ("progress", PROGRESS), ("user", c.c_void_p),
        ("cancel", c.c_void_p), ("threads", c.c_int32),
    ]


def _library_path() -> str:
    """SPINERT_LIBRARY, else the library of this package, else that of a build in the source tree, else the system's."""
    if named := os.environ.get("SPINERT_LIBRARY"):
        return named
    here = Path(__file__).resolve().parent
    for place in (here / "lib", here.parents[1] / "build"):
        if (place / "libspinert.so").is_file():
            return str(place / "libspinert.so")
    return "libspinert.so.0"


def load() -> c.CDLL:
    library = c.CDLL(_library_path())
    handle, error, text = c.c_void_p, c.POINTER(c.c_void_p), c.c_char_p
    out, size = c.POINTER(c.c_void_p), c.POINTER(c.c_size_t)
    run = c.POINTER(RunOptions)
    signatures = {
        "version": (text,), "abi": (c.c_int32,), "build": (text,), "label": (text,),
        "error_code": (c.c_int32, handle), "error_id": (text, handle), "error_message": (text, handle),
        "error_free": (None, handle),
        "cancel_new": (handle,), "cancel_request": (None, handle), "cancel_free": (None, handle),
        "open": (c.c_int32, c.POINTER(OpenOptions), out, error), "close": (c.c_int32, handle),
        "describe": (c.c_int32, handle, c.POINTER(text), error),
        "diagnose_slices": (c.c_int32, handle, c.POINTER(c.POINTER(Picture)), c.c_size_t, run, out, error),
        "diagnose_nifti": (c.c_int32, handle, c.c_void_p, c.c_size_t, text, run, out, error),
        "result_report": (c.c_void_p, handle, size),
        "result_preview": (c.c_int32, handle, c.c_size_t, out, size, error),
        "result_free": (None, handle),
        "diagnose_paths": (c.c_int32, handle, c.POINTER(text), c.c_size_t, text, run, out, error),
        "batch_count": (c.c_size_t, handle), "batch_get": (c.c_int32, handle, c.c_size_t, c.POINTER(BatchStudy), error),
        "batch_free": (None, handle),
        "verify": (c.c_int32, c.POINTER(VerifyOptions), out, error), "free": (None, c.c_void_p),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, "spinert_" + name)
        function.restype, function.argtypes = result, arguments
    if library.spinert_abi() < ABI:
        raise ImportError(f"libspinert has ABI {library.spinert_abi()}, this package needs {ABI}")
    return library
