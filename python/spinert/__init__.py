"""SpineRT from Python: slices as NumPy arrays in, dataclasses out. Research use only. Not for diagnostic use.

    import spinert
    with spinert.Engine("model.safetensors") as engine:
        study = engine.diagnose(array)                  # one slice, head up: [rows][columns]
        for vertebra in study.slices[0].vertebrae:
            print(vertebra.box, vertebra.probabilities)

The work is done without Python's lock. An engine may be used from several threads; its calls wait for each other.
"""

from __future__ import annotations

from .engine import BatchRow, Cancel, Engine, build, find_model, verify
from .errors import (Cancelled, DeviceError, Error, InputInvalid, InputMissing, InputUnsupported, InternalError,
                     MemoryShort, ModelInvalid, ModelMismatch, OutputError, Timeout, UsageError, VerifyFailed)
from .results import Candidate, Reason, Slice, Study, Vertebra

__all__ = [
    "BatchRow", "Cancel", "Cancelled", "Candidate", "DeviceError", "Engine", "Error", "InputInvalid", "InputMissing",
    "InputUnsupported", "InternalError", "MemoryShort", "ModelInvalid", "ModelMismatch", "OutputError", "Reason",
    "Slice", "Study", "Timeout", "UsageError", "VerifyFailed", "Vertebra", "build", "find_model", "verify",
]
