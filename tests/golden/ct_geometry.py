"""Geometry and reformatted pixels of the public CT volumes beside the source tree, computed by nibabel, pydicom and SciPy
from the rules of docs/studies.md alone, into ct_geometry.golden.json.gz. tests/test_ct_geometry.cpp compares.

    pip install numpy scipy nibabel pydicom
    python tests/golden/ct_geometry.py ../shared/ct
"""
import argparse
import gzip
import hashlib
import json
import math
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from scipy.ndimage import map_coordinates

AIR = -1024
MM_PER_PIXEL, STEP_MM, HALF_WIDTH_MM = 0.55, 3.0, 50.0
EDGE = 1e-6  # voxels
PIXELS_PER_PLANE = 12


class Volume:
    """hu[i, j, k] at affine @ (i, j, k, 1), in DICOM's coordinates (LPS)."""

    def __init__(self, hu: np.ndarray, affine: np.ndarray):
        self.hu, self.affine = hu, affine


def nifti_volume(path: Path) -> Volume:
    image = nibabel.load(path)
    hu = np.rint(np.asarray(image.dataobj, dtype=np.float64))
    return Volume(hu, np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine)


def dicom_volume(folder: Path) -> tuple[Volume, list[str]]:
    """The files of one series, from the feet to the head (or right to left, front to back)."""
    slices = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    row, column = (np.array(slices[0].ImageOrientationPatient, dtype=float)[i : i + 3] for i in (0, 3))
    normal = np.cross(row, column)
    normal *= np.sign(normal[np.argmax(np.abs(normal))])
    slices.sort(key=lambda s: float(np.dot(normal, np.array(s.ImagePositionPatient, dtype=float))))
    first, last = (np.array(slices[i].ImagePositionPatient, dtype=float) for i in (0, -1))
    rows_mm, columns_mm = (float(v) for v in slices[0].PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 3] = row * columns_mm, column * rows_mm, first
    affine[:3, 2] = (last - first) / (len(slices) - 1)
    planes = []
    for s in slices:
        stored = s.pixel_array.astype(np.int64)
        hu = np.rint(stored * float(s.RescaleSlope) + float(s.RescaleIntercept))
        if "PixelPaddingValue" in s:
            padding = int(s.PixelPaddingValue)
            if s.PixelRepresentation == 1 and padding >= 1 << (s.BitsAllocated - 1):
                padding -= 1 << s.BitsAllocated
            hu[stored == padding] = AIR
        planes.append(hu.T)  # [column, row]
    return Volume(np.stack(planes, axis=2), affine), [Path(s.filename).name for s in slices]


def body_axes(affine: np.ndarray) -> list[tuple[int, float]]:
    """For left, back, head: the volume's axis and the sign with which it runs there."""
    unit = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    best = max(orders, key=lambda order: sum(abs(unit[i, axis]) for i, axis in enumerate(order)))
    return [(axis, -1.0 if affine[i, axis] < 0 else 1.0) for i, axis in enumerate(best)]


def reached(counts: np.ndarray, half: float) -> float:
    index = int(np.argmax(np.cumsum(counts) >= half))
    before = float(counts[:index].sum())
    return index - 0.5 + (half - before) / float(counts[index])


def middle_of_bone(hu: np.ndarray, axis: int) -> float:
    other = tuple(i for i in range(3) if i != axis)
    counts = ((hu >= 200) & (hu <= 2000)).sum(axis=other)
    last = len(counts) - 1
    if counts.sum() == 0:
        return last / 2
    half = counts.sum() / 2
    return (reached(counts, half) + last - reached(counts[::-1], half)) / 2


def plan(volume: Volume) -> dict:
    steps = [volume.affine[:3, i] for i in range(3)]
    spacing = [float(np.linalg.norm(s)) for s in steps]
    (left, left_sign), (back, back_sign), (head, head_sign) = body_axes(volume.affine)
    down = -head_sign * steps[head] / spacing[head]
    to_back = back_sign * steps[back] / spacing[back]
    to_back = to_back - np.dot(to_back, down) * down
    to_back /= np.linalg.norm(to_back)
    extent = volume.hu.shape
    corners = [
        (b * (extent[back] - 1)) * steps[back] + (h * (extent[head] - 1)) * steps[head] for b in (0, 1) for h in (0, 1)
    ]
    along = [(float(np.dot(to_back, c)), float(np.dot(down, c))) for c in corners]
    low = [min(a[i] for a in along) for i in (0, 1)]
    size = [math.floor((max(a[i] for a in along) - low[i]) / MM_PER_PIXEL + EDGE) + 1 for i in (0, 1)]
    origin = volume.affine[:3, 3] + low[0] * to_back + low[1] * down

    middle = middle_of_bone(volume.hu, left)
    centre = math.floor(middle + 0.5) if left_sign > 0 else math.ceil(middle - 0.5)
    step = max(1, math.floor(STEP_MM / spacing[left] + 0.5))
    planes = []
    for index in range(centre % step, extent[left], step):
        position = left_sign * spacing[left] * (index - middle)
        if abs(position) <= HALF_WIDTH_MM:
            planes.append((position, origin + index * steps[left]))
    planes.sort(key=lambda p: p[0])
    direction = left_sign * steps[left] / spacing[left]
    return {
        "midline_mm": float(np.dot(direction, volume.affine[:3, 3] + middle * steps[left])),
        "step_mm": step * spacing[left],
        "columns": size[0],
        "rows": size[1],
        "column_step": list(MM_PER_PIXEL * to_back),
        "row_step": list(MM_PER_PIXEL * down),
        "positions_mm": [p for p, _ in planes],
        "origins": [list(o) for _, o in planes],
    }


def sample(volume: Volume, points: np.ndarray) -> np.ndarray:
    """Values at [n, 3] points in millimetres; what lies within EDGE of the outermost centres counts as on them."""
    inverse = np.linalg.inv(volume.affine)
    index = (inverse[:3, :3] @ points.T) + inverse[:3, 3:4]
    last = np.array(volume.hu.shape)[:, None] - 1.0
    near = (index >= -EDGE) & (index <= last + EDGE)
    index = np.where(near, np.clip(index, 0, last), index)
    return map_coordinates(volume.hu, index, order=1, mode="constant", cval=AIR)


def describe(volume: Volume, seed: int) -> dict:
    random = np.random.default_rng(seed)
    planes = plan(volume)
    shape = volume.hu.shape
    pixels = []
    for number, origin in enumerate(planes["origins"]):
        xy = np.stack(
            [random.integers(0, planes["columns"], PIXELS_PER_PLANE), random.integers(0, planes["rows"], PIXELS_PER_PLANE)],
            axis=1,
        )
        points = np.array(origin) + xy[:, :1] * np.array(planes["column_step"]) + xy[:, 1:] * np.array(planes["row_step"])
        values = sample(volume, points)
        pixels += [[number, int(x), int(y), round(float(v), 3)] for (x, y), v in zip(xy, values)]
    voxels = [[int(random.integers(0, n)) for n in shape] for _ in range(40)]
    return {
        "shape": list(shape),
        "spacing_mm": [float(np.linalg.norm(volume.affine[:3, i])) for i in range(3)],
        "first_mm": list(volume.affine[:3, 3]),
        "last_mm": list((volume.affine @ np.array([*(n - 1 for n in shape), 1.0]))[:3]),
        "voxels": [[*v, int(volume.hu[tuple(v)])] for v in voxels],
        "sum": int(volume.hu.sum()),
        **planes,
        "pixels": pixels,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder with axial-series/ and nifti/")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_name("ct_geometry.golden.json.gz"))
    options = parser.parse_args()
    result = {
        "schema": "spinert.ct_geometry/1",
        "by": {m.__name__: m.__version__ for m in (np, nibabel, pydicom)},
        "rules": {"mm_per_pixel": MM_PER_PIXEL, "step_mm": STEP_MM, "half_width_mm": HALF_WIDTH_MM},
        "nifti": [],
    }
    for seed, path in enumerate(sorted((options.folder / "nifti").glob("*.nii.gz"))):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        result["nifti"].append({"file": path.name, "sha256": sha256, **describe(nifti_volume(path), seed)})
    volume, order = dicom_volume(options.folder / "axial-series")
    result["dicom"] = {"folder": "axial-series", "order": order, **describe(volume, 100)}
    text = json.dumps(result, separators=(",", ":")).replace('],"', '],\n"').replace('{"file"', '\n{"file"')
    options.out.write_bytes(gzip.compress(f"{text}\n".encode(), 9, mtime=0))
    print(f"{options.out}: {len(text)} bytes")


if __name__ == "__main__":
    main()
