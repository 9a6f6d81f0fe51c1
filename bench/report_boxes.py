"""Boxes of two reports: their overlap, and which belong together. Standard library only."""
from typing import Any, Sequence

SAME_PLACE = 0.5  # vertebrae do not overlap that much, so a pair above it is one vertebra


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of [x1, y1, x2, y2]; 0 for boxes without area."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if not (width > 0 and height > 0):
        return 0.0
    inter = width * height
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def match(wanted: Sequence[Sequence[float]], got: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (wanted, got) of boxes in the same place, largest overlaps first, each box used once."""
    pairs = [(iou(w, g), i, j) for i, w in enumerate(wanted) for j, g in enumerate(got)]
    pairs.sort(key=lambda p: (-p[0], p[1], p[2]))
    matched: list[tuple[int, int]] = []
    for overlap, i, j in pairs:
        if overlap > SAME_PLACE and all(i != a and j != b for a, b in matched):
            matched.append((i, j))
    return matched


def closest(box: Sequence[float], others: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The entry (a vertebra or candidate) in the same place, or None."""
    best = max(others, key=lambda o: iou(box, o["box"]), default=None)
    return best if best is not None and iou(box, best["box"]) > SAME_PLACE else None
