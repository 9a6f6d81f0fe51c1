"""What pydicom makes of every file of ../shared/dicom-conformance and ../shared/ct, into dicom_conformance.tsv.gz.

    pip install pydicom numpy pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg
    python tests/golden/dicom_conformance.py ../shared

tests/test_dicom_conformance.cpp compares the stored values that spinert-dicom gives with the hash: SHA-256 of the values
of the only frame as little-endian int32. For lossy JPEG, where two decoders may round differently, every step-th value is
listed as well.
"""
import argparse
import gzip
import hashlib
import warnings
from importlib.metadata import version
from pathlib import Path

import libjpeg
import numpy as np
import pydicom
from pydicom.encaps import get_frame

SAMPLES = 256
LOSSY_JPEG = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55))
COLUMNS = ("file", "outcome", "transfer_syntax", "rows", "columns", "sha256", "samples")
warnings.filterwarnings("ignore")


def short(failure: Exception) -> str:
    """The kind of an exception; its text names paths and changes with every version."""
    return type(failure).__name__


def row(path: Path, name: str) -> list[str]:
    try:
        dataset = pydicom.dcmread(path)
    except Exception as failure:  # noqa: BLE001 - any kind is an outcome
        try:
            dataset = pydicom.dcmread(path, force=True)
            if not dataset.keys():
                raise failure
        except Exception:  # noqa: BLE001
            return [name, f"not read: {short(failure)}", "-", "-", "-", "-", "-"]
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "-")) if hasattr(dataset, "file_meta") else "-"
    size = [str(dataset.get("Rows", "-")), str(dataset.get("Columns", "-"))]
    try:
        frames, samples = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel") or 1)
    except ValueError:
        return [name, "numbers not read", syntax, *size, "-", "-"]
    if "PixelData" not in dataset:
        return [name, "no pixels", syntax, *size, "-", "-"]
    if samples != 1:
        return [name, f"{samples} samples", syntax, *size, "-", "-"]
    if frames != 1:
        return [name, f"{frames} frames", syntax, *size, "-", "-"]
    try:
        # pydicom has no decoder for progressive JPEG in 12 bits, but the library behind one of its handlers has.
        progressive = syntax in ("1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55")
        array = libjpeg.decode(get_frame(dataset.PixelData, 0)) if progressive else dataset.pixel_array
        values = np.ascontiguousarray(array.astype("<i4"))
    except Exception as failure:  # noqa: BLE001
        return [name, f"pixels not read: {short(failure)}", syntax, *size, "-", "-"]
    flat = values.ravel()
    chosen = flat[:: max(1, flat.size // SAMPLES)] if syntax in LOSSY_JPEG else "-"
    return [name, "pixels", syntax, *size, hashlib.sha256(values.tobytes()).hexdigest(), ",".join(map(str, chosen))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="the folder that holds dicom-conformance and ct")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("dicom_conformance.tsv.gz"))
    options = parser.parse_args()
    files = sorted(f for part in ("dicom-conformance", "ct/axial-series", "ct/sagittal")
                   for f in (options.shared / part).rglob("*") if f.is_file())
    packages = ("pydicom", "numpy", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg")
    lines = ["# " + ", ".join(f"{p} {version(p)}" for p in packages), "\t".join(COLUMNS)]
    lines += ["\t".join(row(f, f.relative_to(options.shared).as_posix())) for f in files]
    options.output.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0))
    print(f"{options.output}: {len(files)} files")


if __name__ == "__main__":
    main()
