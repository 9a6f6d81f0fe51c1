"""Writes the seeds of the fuzz targets geometry, nifti and zip into tests/fuzz/seeds. Needs nothing but Python.

    python3 tests/fuzz/make_seeds.py
"""
import gzip
import io
import struct
import zipfile
from pathlib import Path

SEEDS = Path(__file__).with_name("seeds")
SFORM = ((1.0, 0, 0, 10), (0, 2.0, 0, 20), (0, 0, 3.0, 30))
PIXDIM = (1, 1, 2, 3, 1, 1, 1, 1)
DIM = (3, 4, 3, 2, 1, 1, 1, 1)


def nifti1(code: int, kind: str, order: str = "<", qform: bool = False, extension: bytes = b"") -> bytes:
    header = bytearray(348)
    put = lambda place, form, *values: struct.pack_into(order + form, header, place, *values)  # noqa: E731
    put(0, "i", 348)
    put(40, "8h", *DIM)
    put(70, "2h", code, 8 * struct.calcsize(kind))
    put(76, "8f", *PIXDIM)
    put(108, "3f", 352 + len(extension), 2, -300)
    put(123, "B", 2)
    put(252, "2h", int(qform), 1)
    put(268, "3f", 10, 20, 30)
    put(280, "12f", *(v for row in SFORM for v in row))
    header[344:348] = b"n+1\0"
    return bytes(header) + bytes(4) + extension + struct.pack(f"{order}24{kind}", *range(24))


def nifti2(order: str = "<") -> bytes:
    header = bytearray(540)
    put = lambda place, form, *values: struct.pack_into(order + form, header, place, *values)  # noqa: E731
    put(0, "i", 540)
    header[4:12] = b"n+2\0\r\n\032\n"
    put(12, "2h", 4, 16)
    put(16, "8q", *DIM)
    put(104, "8d", *PIXDIM)
    put(168, "q", 544)
    put(176, "2d", 1, -300)
    put(344, "2i", 1, 0)
    put(376, "3d", 10, 20, 30)
    put(500, "i", 2)
    return bytes(header) + bytes(4) + struct.pack(f"{order}24h", *range(24))


def archive(packing: int, comment: bytes = b"", stream: bool = False) -> bytes:
    class Pipe(io.BytesIO):  # sizes go behind the data where the archiver cannot go back
        def seek(self, *place: int) -> int:
            if stream:
                raise OSError
            return super().seek(*place)

    file = Pipe()
    with zipfile.ZipFile(file, "w", packing) as out:
        for name, data in (("A/IM1", bytes(128) + b"DICM" + bytes(200)), ("A/IM2", b"two" * 50), ("empty", b"")):
            out.writestr(zipfile.ZipInfo(name), data, packing)
        out.comment = comment
    return file.getvalue()


def write(target: str, name: str, data: bytes) -> None:
    path = SEEDS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main() -> None:
    write("nifti", "int16.nii", nifti1(4, "h", qform=True))
    write("nifti", "uint8_swapped.nii", nifti1(2, "B", order=">"))
    write("nifti", "float64_extension.nii", nifti1(64, "d", extension=bytes(32)))
    write("nifti", "nifti2.nii", nifti2())
    write("nifti", "nifti2_swapped.nii", nifti2(">"))
    write("nifti", "float32.nii.gz", gzip.compress(nifti1(16, "f"), mtime=0))
    write("nifti", "members.nii.gz", gzip.compress(nifti1(4, "h")[:400], mtime=0) + gzip.compress(nifti1(4, "h")[400:], mtime=0))

    write("zip", "stored", archive(zipfile.ZIP_STORED))
    write("zip", "deflated", archive(zipfile.ZIP_DEFLATED, b"a comment"))
    write("zip", "stream", archive(zipfile.ZIP_DEFLATED, stream=True))

    # The first byte: gaps allowed or not; then a byte for each slice that says what is odd about it (fuzz_geometry.cpp).
    write("geometry", "stack", bytes(17))
    write("geometry", "sagittal", bytes(1) + bytes([128] * 12))
    write("geometry", "gap", bytes([1, 100]) + bytes(6) + bytes([1, 50]) + bytes(8))
    write("geometry", "tilt", bytes(1) + b"".join(bytes([8, 0, 0, 120]) for _ in range(10)))
    write("geometry", "padding", bytes(1) + b"".join(bytes([32, 0, 0, 16, 16, 1, 1, 0, 0, 0, 0, 0]) + bytes(24) for _ in range(4)))
    write("geometry", "odd_ones", bytes(8) + b"".join(bytes([64, i]) for i in range(9)) + bytes(8))
    write("geometry", "mixed", bytes([1, 5]) + bytes(4) + bytes([128] * 4) + bytes([2, 9, 7, 255]) + struct.pack("<d", 1e300) + bytes(4))


if __name__ == "__main__":
    main()
