"""A data folder of the service with finished jobs, made of one real report, and the service over it: for the tests of the review."""

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
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FIRST, SECOND = "slice_014.png", "slice_001.png"
HU_OFFSET = 1024
_made = tempfile.TemporaryDirectory()
SERVE = "import contextlib, spinert.serve.main as m; raise SystemExit(m.main(open_engine=lambda *_, **__: contextlib.nullcontext()))"


@cache
def result() -> Path:
    out = Path(_made.name) / "out"
    subprocess.run([os.environ["SPINERT_BINARY"], "diagnose", *(ROOT / "examples" / name for name in (FIRST, SECOND)), "-o", out, "--model",
                    ROOT / "models/spine-demo.safetensors", "--threads=1", "--slice-output"], check=True, capture_output=True)
    return out


def report() -> dict:
    return json.loads((result() / "report.json").read_text())


def hounsfield(report: dict, folder: Path) -> np.ndarray:
    """Makes the first slice one of 16 bits with values of every size; row y has the PNG filter y mod 5."""
    one = report["slices"][0]
    one["hu_offset"] = HU_OFFSET
    grey = (np.arange(one["height"] * one["width"]) * 7919 % 4000).astype(">u2").reshape(one["height"], -1)
    rows, out = grey.view(np.uint8).astype(int), bytearray()
    for y, row in enumerate(rows):
        up = rows[y - 1] if y else 0 * row
        left, corner = (np.append([0, 0], one[:-2]) for one in (row, up))
        a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))
        out += bytes([y % 5, *((row - (0, left, up, (left + up) // 2, paeth)[y % 5]) % 256)])
    chunks = (b"IHDR", struct.pack(">IIBBBBB", one["width"], one["height"], 16, 0, 0, 0, 0)), (b"IDAT", zlib.compress(out)), (b"IEND", b"")
    (folder / f"slice-{FIRST}").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks))
    return grey.astype(int) - HU_OFFSET


class WithData(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = self.folder / "data"

    def job(self, number: int = 1, change=lambda report, folder: None, **fields) -> str:
        """A finished job with that result; `change` gets its report and folder."""
        id = f"{number:032x}"
        folder, own = self.data / "jobs" / id, report()
        shutil.copytree(result(), folder / "result")
        change(own, folder / "result")
        (folder / "result/report.json").write_text(json.dumps(own))
        row = {"name": "pictures", "folder": ".", "status": own["status"], "alert": own["alert"], "slices": 2, "exit_code": 0}
        (folder / "job.json").write_text(json.dumps({
            "number": number, "files": [{"client_name": f"study {number}"}], "options": {}, "accepted": "2026-01-01T00:00:00+00:00",
            "state": "finished", "studies": [row]} | fields))
        return id

    def serve(self, token: str = "", port: int = 0) -> subprocess.Popen:
        """On the loopback, with an engine that is never asked; `url` is where."""
        variables = {"PYTHONPATH": str(ROOT / "python")} | ({"SPINERT_SERVE_TOKEN": token} if token else {})
        with open(self.folder / "log", "w") as log:
            service = subprocess.Popen([sys.executable, "-c", SERVE, "--data", self.data, f"--port={port}"], stderr=log, env=os.environ | variables)
        self.addCleanup(lambda: (service.kill(), service.wait()))
        end = time.monotonic() + 60
        while not (found := re.search(r" port (\d+)", (self.folder / "log").read_text())):
            self.assertTrue(service.poll() is None and time.monotonic() < end, (self.folder / "log").read_text())
            time.sleep(0.05)
        self.port, self.url = int(found[1]), f"http://127.0.0.1:{found[1]}"
        return service

    def journal(self, job: str) -> list[dict]:
        path = self.data / "jobs" / job / "review-1.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
