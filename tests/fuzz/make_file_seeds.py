"""Writes the seeds of the fuzz targets image, checkpoint, model and text into tests/fuzz/seeds. Needs nothing but Python.

    python3 tests/fuzz/make_file_seeds.py
"""
import hashlib
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

from make_seeds import write

SIDE = 64  # the least that is read


def png(bits: int, colour: int, channels: int, interlaced: bool = False, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def rows(width: int, height: int) -> bytes:
        return b"".join(bytes([y % 5]) + bytes((width * channels * bits + 7) // 8) for y in range(height))

    passes = [(8, 8), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32)] if interlaced else [(SIDE, SIDE)]
    data = zlib.compress(b"".join(rows(*size) for size in passes), 9)
    head = struct.pack(">2I5B", SIDE, SIDE, bits, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg() -> bytes:
    """All blocks grey: both Huffman tables have one code of one bit, for "no difference" and "end of block"."""
    def segment(marker: int, data: bytes) -> bytes:
        return struct.pack(">2BH", 255, marker, len(data) + 2) + data

    table = bytes([1] + [0] * 15) + b"\0"
    return (b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1] * 64)) + segment(0xC0, struct.pack(">B2H4B", 8, SIDE, SIDE, 1, 1, 0x11, 0))
            + segment(0xC4, b"\0" + table) + segment(0xC4, b"\x10" + table) + segment(0xDA, bytes([1, 1, 0, 0, 63, 0])) + bytes(16)
            + b"\xff\xd9")


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]], metadata: dict[str, str]) -> bytes:
    table, data = {}, b""
    for name, (kind, shape, values) in tensors.items():
        table[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps({"__metadata__": metadata, **table}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def model() -> bytes:
    """Weights as the program stores them, with the hash of the metadata (docs/file-format.md) and a wrong one of the data."""
    tensors = {"a.scale": ("F32", [2], bytes(8)), "a": ("I8", [4, 2], bytes(8)), "b": ("F32", [3], bytes(12))}
    metadata = {f"spinert.{key}": "{}" for key in ("graph", "config", "sources", "card")}
    metadata |= {"spinert.format": "1", "spinert.data_sha256": "0" * 64}
    text = lambda value: struct.pack("<Q", len(value)) + value.encode()  # noqa: E731
    hashed = b"".join(text(key) + text(metadata[key]) for key in sorted(metadata)) + struct.pack("<Q", len(tensors))
    place = 0
    for name, (kind, shape, values) in tensors.items():
        hashed += text(name) + text(kind) + struct.pack(f"<{len(shape) + 3}Q", len(shape), *shape, place, place + len(values))
        place += len(values)
    return safetensors(tensors, metadata | {"spinert.meta_sha256": hashlib.sha256(hashed).hexdigest()})


def pth() -> bytes:
    """A state_dict of one tensor as torch.save writes it: the pickle by its opcodes."""
    word = lambda value: b"X" + struct.pack("<I", len(value)) + value.encode()  # noqa: E731
    storage = b"(" + word("storage") + b"ctorch\nFloatStorage\n" + word("0") + word("cpu") + b"K\x06tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0(K\x02K\x03t(K\x03K\x01t\x89ccollections\nOrderedDict\n)RtR"
    pickle = b"\x80\x02ccollections\nOrderedDict\n)R(" + word("fc.weight") + tensor + b"u."
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as out:
        for name, data in (("data.pkl", pickle), ("data/0", struct.pack("<6f", *range(6))), ("version", b"3\n")):
            out.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
    return file.getvalue()


def main() -> None:
    palette = struct.pack(">I", 6) + b"PLTE" + bytes(6) + struct.pack(">I", zlib.crc32(b"PLTE" + bytes(6)))
    for name, data in {"grey8": png(8, 0, 1), "grey16": png(16, 0, 1), "grey1_interlaced": png(1, 0, 1, True),
                       "palette": png(1, 3, 1, extra=palette), "rgb": png(8, 2, 3), "jpeg": jpeg()}.items():
        write("image", name, data)
    plain = {"fc.weight": ("F16", [2, 3], bytes(12)), "n": ("I64", [1], bytes(8))}
    write("checkpoint", "pth", pth())
    write("checkpoint", "safetensors", safetensors(plain, {"format": "pt"}))
    write("model", "int8", model())
    write("model", "plain", safetensors(plain, {}))
    root = Path(__file__).parents[2]
    config = json.loads((root / "converter/configs/fasterrcnn_resnet18_fpn.json").read_text())
    write("text", "config", b"\0" + json.dumps(config, separators=(",", ":")).encode())
    truth = {"images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 64, "study": "s"}],
             "annotations": [{"id": 1, "image_id": 1, "bbox": [1, 2, 30, 40], "labels": ["OF"], "vertebra": "L1"}]}
    write("text", "truth_json", b"\1" + json.dumps(truth, separators=(",", ":")).encode())
    write("text", "truth_csv", b"\2slice,x,y,width,height,labels\na.png,1,2,30,40,OVCF;KD\n\"b,b.png\",,,,,\n")


if __name__ == "__main__":
    main()
