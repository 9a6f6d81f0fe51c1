"""Slices and patches exactly as the engine makes them: grey, placement on the canvas, patches.

Placement and bilinear patches are those of tests/golden/picture.py, which the golden tests hold against the engine.
"""

import sys
from pathlib import Path
from typing import Sequence

import numpy as np
from PIL import Image as PilImage

from .config import Pipeline
from .data import Annotation, DataError, Dataset, Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "golden"))
import picture as pictures  # noqa: E402

Placement = pictures.Placement


def window_hu(stored: np.ndarray, offset: float, level: float, width: float) -> np.ndarray:
    """Grey float32 from stored values, HU = value - offset: rounded half to even, clipped to 0..255."""
    low = level - width / 2
    grey = np.rint((stored.astype(np.float64) - offset - low) / width * 255)
    return np.clip(grey, 0, 255).astype(np.float32)


def read_grey(path: Path, image: Image, hu_offset: float | None, window: tuple[float, float]) -> np.ndarray:
    """Grey float32 [height][width] in 0..255. The picture must have the size that the truth says."""
    try:
        if hu_offset is None:
            grey = pictures.read_picture(path).grey
        else:
            with PilImage.open(path) as opened:
                if opened.mode not in ("I;16", "I;16B", "I"):
                    raise DataError(f"{path}: Hounsfield units need a 16-bit grey picture (got mode {opened.mode})")
                grey = window_hu(np.asarray(opened), hu_offset, *window)
    except (OSError, ValueError) as problem:
        raise DataError(f"image id {image.id}: {path} cannot be used: {problem}") from problem
    if grey.shape != (image.height, image.width):
        height, width = grey.shape
        sizes = f"expected {image.width} x {image.height}, got {width} x {height}"
        raise DataError(f"image id {image.id}: {path} has another size ({sizes})")
    return grey


class SliceReader:
    """Placed slices of a data set from a folder of pictures."""

    def __init__(self, dataset: Dataset, folder: Path, pipeline: Pipeline) -> None:
        self.folder, self.pipeline, self.hu_offset = folder, pipeline, dataset.hu_offset

    def place(self, image: Image, window: tuple[float, float] | None = None) -> Placement:
        """The canvas float32 [size][size]; canvas pixel = slice pixel + (dx, dy)."""
        grey = read_grey(self.folder / image.file_name, image, self.hu_offset, window or self.pipeline.window)
        return pictures.place(grey, self.pipeline.size)


def canvas_boxes(annotations: Sequence[Annotation], placed: Placement) -> np.ndarray:
    """Corners float64 [n][4] on the canvas, not clipped."""
    shift = np.array([placed.dx, placed.dy, placed.dx, placed.dy], np.float64)
    return np.array([a.corners for a in annotations], np.float64).reshape(-1, 4) + shift


def patch(canvas: np.ndarray, box: Sequence[float], row: Sequence[float], size: int) -> np.ndarray:
    """One grey patch float32 [size][size] for a row (scale, dx, dy) of the patch table."""
    return pictures.extract_patch(canvas, box, row, size)
