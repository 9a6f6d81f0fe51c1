"""The package beside the command line: the same reports, byte for byte; errors; stopping. Needs SPINERT_BINARY, the
program, and MAKE_MODEL, the maker of the reduced model; runs under unittest and pytest."""

import os
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
import spinert  # noqa: E402


def stable(report: bytes) -> bytes:
    return report.partition(b'\n  "volatile"')[0]


class Spinert(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        made = subprocess.run([os.environ["MAKE_MODEL"], cls.folder.name], capture_output=True, text=True, check=True)
        cls.model = made.stdout.strip()
        cls.slice = Path(cls.folder.name) / "slice.png"
        cls.engine = spinert.Engine(cls.model, threads=2)
        cls.addClassCleanup(cls.engine.close)
        cls.out = Path(cls.folder.name) / "out"
        cls.code = subprocess.run(
            [os.environ["SPINERT_BINARY"], "diagnose", str(cls.slice), "--model", cls.model, "-o", str(cls.out)],
            capture_output=True, check=False).returncode
        rows, columns = np.mgrid[0:120, 0:100]
        cls.array = ((rows * 7 + columns * 3) % 251).astype(np.uint8)

    def test_bytes_give_the_report_of_the_program(self) -> None:
        study = self.engine.diagnose(self.slice.read_bytes(), names=self.slice.name, previews=True)
        self.assertEqual(stable(study.report), stable((self.out / "report.json").read_bytes()))
        self.assertEqual(study.exit_code, self.code)
        self.assertEqual(study.previews, ((self.out / "preview-slice.png").read_bytes(),))
        self.assertEqual(len(study.slices), 1)
        self.assertEqual(set(study.slices[0].vertebrae[0].probabilities), {"OVCF", "OF", "SN", "KD", "PS", "normal"})

    def test_paths_give_the_files_of_the_program(self) -> None:
        folder = Path(self.folder.name) / "paths"
        seen = []
        rows = self.engine.diagnose_paths([self.slice], folder, progress=lambda event: seen.append(event["kind"]))
        self.assertEqual([(row.folder, row.exit_code) for row in rows], [(str(folder), self.code)])
        for name in ("report.html", "preview-slice.png"):
            self.assertEqual((folder / name).read_bytes(), (self.out / name).read_bytes(), name)
        self.assertIn("slice", seen)
        with self.assertRaises(spinert.OutputError):
            self.engine.diagnose_paths([self.slice], folder)

    def test_a_run_of_several_studies_that_is_stopped(self) -> None:
        # NIfTI-1: 16-bit voxels of 3 mm with the axes of the patient.
        header = struct.pack("<i36xh", 348, 3)
        header += struct.pack("<7h14xhh2x8f", 24, 24, 24, 1, 1, 1, 1, 4, 16, 1, 3, 3, 3, 0, 0, 0, 0)
        header += struct.pack("<3f3xB", 352, 1, 0, 2)
        header = header.ljust(252, b"\0") + struct.pack("<2h24x12f", 0, 1, 3, 0, 0, 0, 0, 3, 0, 0, 0, 0, 3, 0)
        header = header.ljust(344, b"\0") + b"n+1\0" + bytes(4)
        paths = []
        for name in ("a.nii", "b.nii"):
            paths.append(Path(self.folder.name) / name)
            paths[-1].write_bytes(header + np.linspace(-1000, 1000, 24**3).astype("<i2").tobytes())
        seen: list[str] = []

        def stop_in_the_second(event: dict[str, Any]) -> bool:
            seen.append(event["kind"])
            return "study" in seen and event["kind"] == "slice"  # "study": the first one has ended

        with self.assertRaises(spinert.Cancelled):
            self.engine.diagnose_paths(paths, Path(self.folder.name) / "stopped", progress=stop_in_the_second)
        self.assertIn("study", seen)
        rows = self.engine.diagnose_paths(paths, Path(self.folder.name) / "whole")
        self.assertEqual([row.name for row in rows], ["a.nii", "b.nii"])

    def test_arrays(self) -> None:
        want = self.engine.diagnose(self.array).slices[0]
        padded = np.zeros((120, 160), np.uint8)
        padded[:, 7:107] = self.array
        for view in (padded[:, 7:107], np.asfortranarray(self.array)):
            self.assertEqual(self.engine.diagnose(view).slices[0], want)
        hu = self.array.astype(np.int16) * 4 - 500
        signed = self.engine.diagnose(hu).slices[0]
        moved = self.engine.diagnose((hu + 1024).astype(np.uint16), hu_offset=1024).slices[0]
        self.assertEqual(signed.vertebrae, moved.vertebrae)
        self.assertEqual(len(self.engine.diagnose([self.array, self.array]).slices), 2)

    def test_errors(self) -> None:
        with self.assertRaises(spinert.InputInvalid) as caught:
            self.engine.diagnose(b"no picture")
        self.assertEqual((caught.exception.id, caught.exception.code), ("E_IMAGE_UNKNOWN", 4))
        with self.assertRaises(spinert.UsageError):
            self.engine.diagnose(self.array, spacing=(float("nan"), 1))
        with self.assertRaises(spinert.UsageError):
            self.engine.diagnose([])
        with self.assertRaises(TypeError):
            self.engine.diagnose(np.zeros((100, 100), np.float32))
        with self.assertRaises(ValueError):
            self.engine.diagnose([self.array], names=["a", "b"])
        with self.assertRaises(spinert.Error) as missing:
            spinert.Engine(self.folder.name + "/none.safetensors")
        self.assertTrue(missing.exception.id.startswith("E_"))
        with self.assertRaises(spinert.InputInvalid):
            self.engine.diagnose_nifti(b"\0" * 400)
        closed = spinert.Engine(self.model)
        closed.close()
        with self.assertRaises(spinert.UsageError):
            closed.describe()

    def test_stopping(self) -> None:
        cancel = spinert.Cancel()
        threading.Thread(target=cancel.request).start()
        with self.assertRaises(spinert.Cancelled):
            for _ in range(1000):
                self.engine.diagnose(self.array, cancel=cancel)
        with self.assertRaises(spinert.Cancelled):
            self.engine.diagnose([self.array] * 3, progress=lambda event: True)
        with self.assertRaises(ZeroDivisionError):
            self.engine.diagnose(self.array, progress=lambda event: 1 / 0)

    def test_threads_wait_for_each_other(self) -> None:
        want, got = stable(self.engine.diagnose(self.array).report), []
        threads = [threading.Thread(target=lambda: got.append(stable(self.engine.diagnose(self.array).report)))
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(got, [want] * 4)

    def test_description_and_verify(self) -> None:
        self.assertEqual(self.engine.describe()["kind"], "model")
        self.assertIn("version", spinert.build())
        self.assertTrue(spinert.verify(self.model, isa="scalar", threads=2)["passed"])


if __name__ == "__main__":
    unittest.main()
