"""The lines of README.md for Python, Ray and the service are run as they stand there; the one for Orthanc in test_loop.py, the one
for C in tests/embed/run.sh. Needs SPINERT_LIBRARY and the demo model."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

try:
    import httpx
    import numpy, pyarrow.parquet, ray, uvicorn  # noqa
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None

ROOT = Path(__file__).resolve().parents[2]
SLICE = ROOT / "examples/slice_014.png"


class Readme(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def line(self, module: str, *changes: tuple[str, str]) -> str:
        """The first line that begins so, with this Python; changes: what it names, and what the test has."""
        found = re.search(rf"^PYTHONPATH=python python3 {re.escape(module)}.*", (ROOT / "README.md").read_text(), re.M)
        line = found[0].replace("python3", sys.executable, 1)
        for written, here in changes:
            self.assertIn(written, line)
            line = line.replace(written, here)
        return line

    def run_line(self, line: str) -> str:
        done = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_python(self) -> None:
        self.assertIn("OVCF", self.run_line(self.line("-c")))

    def test_ray(self) -> None:
        for study in ("a", "b"):
            (self.folder / "studies" / study).mkdir(parents=True)
            shutil.copy(SLICE, self.folder / "studies" / study)
        self.run_line(self.line("-m spinert.ray", ("studies/", f"{self.folder}/studies"), ("-o out", f"-o {self.folder}/out")))
        table = pyarrow.parquet.read_table(self.folder / "out/summary.parquet")
        self.assertEqual(table["status"].to_pylist(), ["completed"] * 2)
        self.assertEqual(len(list(self.folder.glob("out/*/report.html"))), 2)

    def test_service_and_page(self) -> None:
        line = self.line("-m spinert.serve", ("--data jobs", f"--data {self.folder}/jobs --port 0"))
        with open(self.folder / "log", "w") as log:
            service = subprocess.Popen("exec env " + line, shell=True, cwd=ROOT, stderr=log)
        self.addCleanup(lambda: (service.kill(), service.wait()))

        def until(true):
            end = time.monotonic() + 300
            while not (found := true()):
                self.assertLess(time.monotonic(), end, (self.folder / "log").read_text())
                time.sleep(0.1)
            return found
        port = until(lambda: re.search(r" listening on \S+ port (\d+)", (self.folder / "log").read_text()))[1]
        url = f"http://localhost:{port}"
        page = httpx.get(url, follow_redirects=True)
        self.assertEqual(page.status_code, 200)
        for file in re.findall(r'(?:src|href)="([^"#]+)"', page.text):
            self.assertEqual(httpx.get(f"{url}/review/{file}").status_code, 200, file)
        with open(SLICE, "rb") as file:
            job = httpx.post(url + "/v1/jobs", files={"file": file}).json()["id"]
        until(lambda: httpx.get(f"{url}/v1/jobs/{job}").json()["state"] == "finished")


if __name__ == "__main__":
    unittest.main()
