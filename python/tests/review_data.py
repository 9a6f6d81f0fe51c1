"""A data folder of the service with finished jobs, made from one real report: what both tests of the review stand on."""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

ROOT = Path(__file__).resolve().parents[2]
SLICES = ("slice_014.png", "slice_001.png")
HU_OFFSET = 1024
_made: tempfile.TemporaryDirectory | None = None


def result() -> Path:
    """What the engine makes of two example slices, with the slice files beside it. Made once."""
    global _made
    if _made is None:
        _made = tempfile.TemporaryDirectory()
        out = Path(_made.name) / "out"
        subprocess.run([os.environ["SPINERT_BINARY"], "diagnose", *(ROOT / "examples" / name for name in SLICES), "-o", out,
                        "--model", ROOT / "models/spine-demo.safetensors", "--threads", "1"], check=True, capture_output=True)
        report = json.loads((out / "report.json").read_text())
        for name in SLICES:
            data = (ROOT / "examples" / name).read_bytes()
            (out / f"slice-{name}").write_bytes(data)
            report["volatile"]["files"].append(
                {"name": f"slice-{name}", "sha256": hashlib.sha256(data).hexdigest(), "source": name})
        (out / "report.json").write_text(json.dumps(report))
    return Path(_made.name) / "out"


def job(data: Path, number: int, change=lambda report, folder: None, **fields) -> str:
    """A finished job with that result; `change` gets its report and folder."""
    id = f"{number:032x}"
    folder = data / "jobs" / id
    shutil.copytree(result(), folder / "result")
    report = json.loads((folder / "result/report.json").read_text())
    change(report, folder / "result")
    (folder / "result/report.json").write_text(json.dumps(report))
    row = {"name": "pictures", "folder": ".", "kind": "pictures", "status": report["status"], "alert": report["alert"],
           "error": "", "slices": len(report["slices"]), "exit_code": 0}
    made = {"id": id, "number": number, "files": [{"name": "0001.png", "client_name": f"study {number}"}], "options": {},
            "accepted": "2026-01-01T00:00:00+00:00", "state": "finished", "alert": report["alert"], "studies": [row]}
    (folder / "job.json").write_text(json.dumps(made | fields))
    return id


def write_png(path: Path, grey: np.ndarray) -> None:
    """Grey of 8 or 16 bits; row y has the filter y mod 5."""
    rows = grey.astype(f">u{grey.itemsize}").view(np.uint8).reshape(len(grey), -1).astype(int)
    step, out = grey.itemsize, bytearray()
    for y, row in enumerate(rows):
        up = rows[y - 1] if y else np.zeros_like(row)
        left, corner = (np.concatenate([np.zeros(step, int), one[:-step]]) for one in (row, up))
        a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))
        out += bytes([y % 5]) + ((row - (0, left, up, (left + up) // 2, paeth)[y % 5]) % 256).astype(np.uint8).tobytes()
    chunks = b"".join(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", grey.shape[1], len(grey), 8 * step, 0, 0, 0, 0)), (b"IDAT", zlib.compress(out)), (b"IEND", b"")))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def in_hounsfield(report: dict, folder: Path) -> None:
    """Its slices as 16 bits: the first with HU of every size, the others as a scanner might give them."""
    for n, one in enumerate(report["slices"]):
        shape = one["height"], one["width"]
        value = hounsfield(*shape) if n == 0 else np.asarray(PilImage.open(folder / f"slice-{one['source']}")) * 8.0 - 400 + HU_OFFSET
        write_png(folder / f"slice-{one['source']}", value.astype(np.uint16))
        one["hu_offset"] = HU_OFFSET


def hounsfield(height: int, width: int) -> np.ndarray:
    return (np.arange(height * width).reshape(height, width) * 7919 % 4000).astype(np.uint16)


class Service:
    """spinert-serve with an engine that is never asked, on a free port of this machine."""

    def __init__(self, data: Path, token: str = "", port: int = 0) -> None:
        self.data, self.log = data, data.parent / "log"
        program = ("import contextlib; from spinert.serve.main import main; "
                   "raise SystemExit(main(open_engine=lambda *_, **__: contextlib.nullcontext()))")
        variables = {"PYTHONPATH": str(ROOT / "python")} | ({"SPINERT_SERVE_TOKEN": token} if token else {})
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([sys.executable, "-c", program, "--data", data, f"--port={port}"], stderr=log,
                                            env={**os.environ, **variables})
        end = time.monotonic() + 60
        while not (found := re.search(r" port (\d+)", self.log.read_text())):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(self.log.read_text())
            time.sleep(0.05)
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class WithData(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = self.folder / "data"

    def serve(self, **given) -> Service:
        service = Service(self.data, **given)
        self.addCleanup(service.kill)
        return service
