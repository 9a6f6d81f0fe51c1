"""DICOM slices to the 8-bit PNGs of the parity runs: rescale, window, rounding half to even, nothing else."""
import argparse
import math
from pathlib import Path

import own_venv

own_venv.ensure(Path(__file__).with_name("requirements.txt"), ("numpy", "PIL", "pydicom"))

import numpy as np  # noqa: E402
import pydicom  # noqa: E402
from PIL import Image  # noqa: E402


def hounsfield(path: Path) -> tuple[np.ndarray, tuple[float, float]]:
    """Float64 Hounsfield units [rows][columns] and the spacing in mm (row, column)."""
    dataset = pydicom.dcmread(path)
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    spacing = tuple(float(v) for v in dataset.PixelSpacing)
    return dataset.pixel_array.astype(np.float64) * slope + intercept, spacing


def resample_axis(values: np.ndarray, axis: int, spacing: float, wanted: float) -> np.ndarray:
    """Linear interpolation along one axis; pixel centres are aligned, the edge pixel repeats."""
    length = values.shape[axis]
    count = max(1, math.floor(length * spacing / wanted + 0.5))
    position = np.clip((np.arange(count) + 0.5) * wanted / spacing - 0.5, 0, length - 1)
    low = np.minimum(np.floor(position).astype(np.int64), max(0, length - 2))
    fraction = (position - low).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    high = np.minimum(low + 1, length - 1)
    return np.take(values, low, axis) * (1 - fraction) + np.take(values, high, axis) * fraction


def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    """clip(round_half_even((hu - (level - width/2)) / width * 255), 0, 255) as bytes."""
    return np.clip(np.rint((hu - (level - width / 2)) / width * 255), 0, 255).astype(np.uint8)


def convert(path: Path, level: float, width: float, mm: float | None) -> np.ndarray:
    hu, (row_mm, column_mm) = hounsfield(path)
    if mm is not None:
        hu = resample_axis(resample_axis(hu, 0, row_mm, mm), 1, column_mm, mm)
    return window(hu, level, width)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: dicom_to_png.py --mm 0.55 ct/sagittal/*.dcm -o /tmp/png055"
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="DICOM")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the PNGs, named like the inputs")
    parser.add_argument("--level", type=float, default=400.0)
    parser.add_argument("--width", type=float, default=1800.0)
    parser.add_argument("--mm", type=float, help="resample to this many mm per pixel (default: no resampling)")
    parser.add_argument("--no-venv", action="store_true", help="use this Python as it is")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for path in options.inputs:
        target = options.out / (path.stem + ".png")
        grey = convert(path, options.level, options.width, options.mm)
        Image.fromarray(grey).save(target, optimize=True)
        print(f"{target} {grey.shape[1]} x {grey.shape[0]}")


if __name__ == "__main__":
    main()
