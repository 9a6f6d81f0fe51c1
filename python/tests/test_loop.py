"""The whole loop: a phantom study is stored into Orthanc, arrives, is diagnosed, appears on the page, a box is corrected in the
browser, the correction is exported, training/ takes it, `spinert evaluate` counts it, and the result lies in Orthanc.
Needs SPINERT_BINARY and the demo model."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile
from pathlib import Path

try:
    import fastapi, python_multipart, pynetdicom, uvicorn  # noqa
    import httpx
    import numpy
    import pydicom
    from PIL import Image
    from playwright.sync_api import expect, sync_playwright
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None

from orthanc import HOST, free_port, orthanc_config

ROOT = Path(__file__).resolve().parents[2]
SLICES, STEP = 3, 3.0
SC, SR = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.34"
MOVED = 15  # pixels to the right


@unittest.skipUnless(shutil.which("Orthanc"), "the Debian package orthanc is not installed")
@unittest.skipUnless(shutil.which("chromium"), "the Debian package chromium is not installed")
class Loop(unittest.TestCase):
    def setUp(self) -> None:
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.stack = stack
        self.http, self.archive, self.port = free_port(), free_port(), free_port()

    def background(self, *command, **more) -> None:
        process = subprocess.Popen(command, **{"stderr": subprocess.DEVNULL} | more)
        self.stack.callback(lambda: (process.kill(), process.wait()))

    def until(self, true):
        end = time.monotonic() + 300
        while not (found := true()):
            self.assertLess(time.monotonic(), end, (self.folder / "log").read_text())
            time.sleep(0.2)
        return found

    def run_program(self, *command) -> None:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def orthanc(self, path: str):
        return httpx.get(f"http://{HOST}:{self.http}{path}", timeout=60)

    def answers(self) -> bool:
        try:
            return self.orthanc("/system").status_code == 200
        except httpx.TransportError:
            return False


    def phantom(self) -> list[bytes]:
        """A sagittal series: one synthetic slice, seen from neighbouring places."""
        made = self.folder / "phantom"
        self.run_program(os.environ["SPINERT_BINARY"], "phantom", "-o", made, "--count", "1", "--seed", "7", "--format", "png16")
        truth = json.loads((made / "truth.json").read_text())
        picture = numpy.asarray(Image.open(made / "slice_000.png")).astype(int) - truth["info"]["hu_offset"]
        spacing, files = truth["images"][0]["spacing_mm"], []
        for number in range(SLICES):
            one = pydicom.Dataset()
            one.file_meta = pydicom.dataset.FileMetaDataset()
            one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            one.update(dict(
                SOPClassUID=pydicom.uid.CTImageStorage, SOPInstanceUID=f"2.25.77.{number + 1}", StudyInstanceUID="2.25.77",
                SeriesInstanceUID="2.25.77.100", FrameOfReferenceUID="2.25.77.200", Modality="CT", PatientName="Phantom^Spine",
                PatientID="P7", StudyDate="20260101", StudyTime="120000", ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
                ImagePositionPatient=[STEP * number, 0, 0], PixelSpacing=[spacing] * 2, RescaleSlope=1, RescaleIntercept=0,
                Rows=picture.shape[0], Columns=picture.shape[1], SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
                BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=1, PixelData=picture.astype("<i2").tobytes()))
            one.save_as(file := io.BytesIO(), enforce_file_format=True)
            files.append(file.getvalue())
        return files

    def start_service(self) -> str:
        """By the line of the README, on free ports and with less patience."""
        line, = re.findall(r"^PYTHONPATH=python python3 (-m spinert.serve .*--dicom-port.*)", (ROOT / "README.md").read_text(), re.M)
        for written, here in (("--data jobs", f"--data {self.folder}/data --port 0 --stable-seconds 2"),
                              ("--dicom-port 11112", f"--dicom-port {self.port}"), (f"{HOST}:4242", f"{HOST}:{self.archive}")):
            self.assertIn(written, line)
            line = line.replace(written, here)
        log = self.stack.enter_context(open(self.folder / "log", "w"))
        self.background(sys.executable, *line.split(), stderr=log, cwd=ROOT, env={**os.environ, "PYTHONPATH": "python"})
        found = self.until(lambda: re.search(r" listening on \S+ port (\d+)", (self.folder / "log").read_text()))
        return f"http://{HOST}:{found[1]}"

    def correct(self, url: str, job: str) -> None:
        """As the expert does it, by keys: the first box is moved and KD changed, then every slice is accepted."""
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"),
                                           args=["--no-sandbox"] if os.geteuid() == 0 else [])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script("localStorage.setItem('spinert.reviewer', 'anna')")
            page.goto(url + "/")
            page.locator(f"a[href*='{job}']").click()
            expect(page.locator(".over")).to_have_text("")
            expect(page.get_by_role("heading", name="sagittal-001")).to_be_visible()
            for key in ["n", *["ArrowRight"] * MOVED, "4"]:
                page.keyboard.press(key)
            for number in range(1, SLICES + 1):
                expect(page.get_by_role("heading", name=f"sagittal-{number:03}")).to_be_visible()
                expect(page.locator(".over")).to_have_text("")
                page.keyboard.press("a")
            page.keyboard.press("q")
            expect(page.get_by_text(f"accepted, {SLICES} of {SLICES} slices; anna")).to_be_visible(timeout=30000)
            browser.close()

    def test_from_the_scanner_to_the_next_model(self) -> None:
        self.background("Orthanc", orthanc_config(self.folder, "ORTHANC", self.http, self.archive, self.port))
        url = self.start_service()
        self.until(self.answers)
        for file in self.phantom():
            self.assertEqual(httpx.post(f"http://{HOST}:{self.http}/instances", content=file).status_code, 200)
        job = self.until(lambda: next((one for one in httpx.get(url + "/v1/jobs").json()["jobs"] if one["state"] == "finished"
                                       and [to["state"] for to in one["delivery"]] == ["sent"]), None))
        kinds = [self.orthanc(f"/instances/{id}/metadata/SopClassUid").text for id in self.orthanc("/instances").json()]
        self.assertEqual(sorted(kind for kind in kinds if kind in (SC, SR)), [SC] * SLICES + [SR])

        report = httpx.get(f"{url}/v1/jobs/{job['id']}/files/report.json").json()
        found = report["slices"][0]["vertebrae"][0]
        self.correct(url, job["id"])
        export, truth, figures = self.folder / "export", self.folder / "truth.json", self.folder / "evaluation"
        zipfile.ZipFile(io.BytesIO(httpx.get(url + "/v1/corrections").content)).extractall(export)
        self.run_program(sys.executable, "-m", "training", "merge", "--corrections", *export.glob("*/corrections.json"), "-o", truth)
        merged = json.loads(truth.read_text())
        vertebrae = sum(len(one["vertebrae"]) for one in report["slices"])
        self.assertEqual(len(merged["annotations"]), vertebrae)
        changed, = [one for one in merged["annotations"] if abs(one["bbox"][0] - found["box"][0] - MOVED) < 0.01]
        self.assertEqual(set(changed["labels"]), set(found["labels"]) - {"normal"} ^ {"KD"})

        self.run_program(os.environ["SPINERT_BINARY"], "evaluate", "--reports", export, "--truth", truth, "--absent", "ignore",
                         "-o", figures)
        counted = json.loads((figures / "evaluation.json").read_text())
        self.assertEqual((counted["truth"]["vertebrae"], counted["slices"]["completed"]), (vertebrae, SLICES))
        wrong = "false_positive" if "KD" in found["labels"] else "false_negative"
        self.assertEqual(counted["classes"]["KD"]["confusion"][wrong], 1)


if __name__ == "__main__":
    unittest.main()
