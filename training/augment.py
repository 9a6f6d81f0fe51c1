"""The eight-fold augmentation: the eight symmetries of a square, for pictures and boxes alike; random patch rows.

Element k of the eight: k % 4 quarter turns counter-clockwise after, for k >= 4, a flip left to right. Pixels are moved,
never resampled.
"""

from dataclasses import dataclass

import numpy as np

FOLDS = 8


def turn(picture: np.ndarray, element: int) -> np.ndarray:
    """Square picture [size][size] -> the same pixels in their new places."""
    if picture.shape[0] != picture.shape[1]:
        raise ValueError(f"the picture is not square: {picture.shape}")
    flipped = picture[:, ::-1] if element >= 4 else picture
    return np.ascontiguousarray(np.rot90(flipped, element % 4))


def turn_boxes(boxes: np.ndarray, size: int, element: int) -> np.ndarray:
    """Corners [n][4] on a canvas of that size, where a pixel (x, y) covers x to x + 1; follows `turn`."""
    x1, y1, x2, y2 = np.asarray(boxes, np.float64).reshape(-1, 4).T
    if element >= 4:
        x1, x2 = size - x2, size - x1
    for _ in range(element % 4):
        # Counter-clockwise: what was on the right edge comes to the top.
        x1, y1, x2, y2 = y1, size - x2, y2, size - x1
    return np.stack([x1, y1, x2, y2], axis=1)


@dataclass(frozen=True)
class PatchRange:
    """Random rows of patches: scale evenly between the two, shifts evenly up to `shift` of the side."""

    least_scale: float = 1.05
    most_scale: float = 1.6
    shift: float = 0.08


def random_row(random: np.random.Generator, limits: PatchRange) -> tuple[float, float, float]:
    """(scale, dx, dy) as in the patch table of the config."""
    scale = random.uniform(limits.least_scale, limits.most_scale)
    dx, dy = random.uniform(-limits.shift, limits.shift, 2)
    return (scale, dx, dy)


@dataclass(frozen=True)
class WindowRange:
    """Random windows for slices in Hounsfield units, so that the networks see what other settings look like."""

    level: tuple[float, float] = (150, 550)
    width: tuple[float, float] = (900, 2600)


def random_window(random: np.random.Generator, limits: WindowRange) -> tuple[float, float]:
    """(level, width) in HU."""
    return random.uniform(*limits.level), random.uniform(*limits.width)
