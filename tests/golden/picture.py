"""Pictures as the engine sees them: reading to float grey, placement on the canvas, patches in double precision."""
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Sequence

import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Picture:
    """A grey slice: `grey` is float32 [h][w] in 0..255, `sha256` is over the bytes of the file."""

    source: str
    sha256: str
    grey: np.ndarray


@dataclass(frozen=True)
class Placement:
    """A slice on the square canvas: canvas pixel = slice pixel + (dx, dy); `cropped` = left, top, right, bottom."""

    canvas: np.ndarray
    dx: int
    dy: int
    cropped: tuple[int, int, int, int]


def read_picture(path: Path) -> Picture:
    """8-bit as it is, 16-bit as value * 255 / 65535 without rounding; colour and transparency are refused."""
    data = path.read_bytes()
    image = Image.open(path)
    if image.mode in ("I;16", "I;16B", "I"):
        grey = np.asarray(image).astype(np.float32) * np.float32(255) / np.float32(65535)
    else:
        rgba = np.asarray(image.convert("RGBA"))
        if not ((rgba[..., 0] == rgba[..., 1]) & (rgba[..., 1] == rgba[..., 2]) & (rgba[..., 3] == 255)).all():
            raise ValueError(f"{path} is not an opaque grey picture")
        grey = rgba[..., 0].astype(np.float32)
    return Picture(path.name, hashlib.sha256(data).hexdigest(), np.ascontiguousarray(grey))


def expand_inputs(inputs: Iterable[Path]) -> list[Path]:
    """Files as named; folders as all pictures below them, sorted."""
    found: list[Path] = []
    for entry in inputs:
        if entry.is_dir():
            found += sorted(p for p in entry.rglob("*") if p.suffix.lower() in SUFFIXES)
        else:
            found.append(entry)
    return found


def place(grey: np.ndarray, size: int) -> Placement:
    """Centre crop and zero padding to size x size with integer division."""
    height, width = grey.shape
    top, left = max(0, (height - size) // 2), max(0, (width - size) // 2)
    above, before = max(0, (size - height) // 2), max(0, (size - width) // 2)
    piece = grey[top : top + size, left : left + size]
    canvas = np.zeros((size, size), np.float32)
    canvas[above : above + piece.shape[0], before : before + piece.shape[1]] = piece
    margins = (left, top, max(0, width - size - left), max(0, height - size - top))
    return Placement(canvas, before - left, above - top, margins)


def extract_patch(canvas: np.ndarray, box: Sequence[float], row: Sequence[float], size: int) -> np.ndarray:
    """One patch, float32 [size][size] grey: bilinear in double, each tap outside the canvas counts as 0.

    `box` is in canvas coordinates (x1, y1, x2, y2), `row` = (scale, dx, dy) of the patch table.
    """
    x1, y1, x2, y2 = (float(v) for v in box)
    scale, dx, dy = row
    side = scale * max(x2 - x1, y2 - y1)
    centre_x = (x1 + x2) / 2 + dx * side
    centre_y = (y1 + y2) / 2 + dy * side
    step = (np.arange(size, dtype=np.float64) + 0.5) * side / size - 0.5
    xs, ys = centre_x - side / 2 + step, centre_y - side / 2 + step
    x0, y0 = np.floor(xs).astype(np.int64), np.floor(ys).astype(np.int64)
    fx, fy = (xs - x0)[None, :], (ys - y0)[:, None]

    def tap(yi: np.ndarray, xi: np.ndarray) -> np.ndarray:
        inside_y = (yi >= 0) & (yi < canvas.shape[0])
        inside_x = (xi >= 0) & (xi < canvas.shape[1])
        values = canvas[np.clip(yi, 0, canvas.shape[0] - 1)][:, np.clip(xi, 0, canvas.shape[1] - 1)].astype(np.float64)
        return values * (inside_y[:, None] & inside_x[None, :])

    upper = tap(y0, x0) * (1 - fx) + tap(y0, x0 + 1) * fx
    lower = tap(y0 + 1, x0) * (1 - fx) + tap(y0 + 1, x0 + 1) * fx
    return (upper * (1 - fy) + lower * fy).astype(np.float32)
