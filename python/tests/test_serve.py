"""The service from outside. Where only the queue matters an engine waits for a file. Needs SPINERT_BINARY."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

try:
    import fastapi, httpx, numpy, python_multipart, uvicorn  # noqa
    from prometheus_client.parser import text_string_to_metric_families
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None

ROOT = Path(__file__).resolve().parents[2]
LABEL = "Research use only. Not for diagnostic use."
TOKEN = "0123456789abcdef"
SLICE = (ROOT / "examples/slice_001.png").read_bytes()
REAL = "from spinert.serve.main import main; raise SystemExit(main())"
WAITING = """
import os, pathlib, spinert, time
from spinert.serve.main import main
folder = pathlib.Path(os.environ["FOLDER"])
class Engine:
    def __init__(self, *_, **__): pass
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def diagnose_paths(self, inputs, output, *, progress, **_):
        with open(folder / "runs", "a") as runs: print("/" + inputs[0].parts[-3], file=runs)
        while not (folder / "go").exists():
            time.sleep(0.02)
            if progress({"kind": "begins", "done": 0, "total": 1}):
                raise spinert.Cancelled(130, "E_CANCELLED", "stopped")
        return [spinert.BatchRow("pictures", str(output), "pictures", "completed", "negative", "", 1, 0)]
raise SystemExit(main(open_engine=Engine))
"""
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
BODY = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\nhalf'
HALF = (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b"Content-Length: 5000\r\n\r\n" + BODY)


class Serve(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.jobs, self.incoming = self.folder / "data/jobs", self.folder / "data/incoming"

    def start(self, program: str, *options: str, token: str = "") -> None:
        variables = {"PYTHONPATH": str(ROOT / "python"), "FOLDER": str(self.folder)}
        variables |= {"SPINERT_SERVE_TOKEN": token} if token else {}
        with open(self.folder / "log", "w") as log:
            self.process = process = subprocess.Popen(
                [sys.executable, "-c", program, "--data", self.folder / "data", "--port=0", "--threads=1", *options],
                stderr=log, env={**os.environ, **variables})
        self.addCleanup(lambda: (process.kill(), process.wait()))
        self.log = (self.folder / "log").read_text
        self.until(lambda: process.poll() is not None or " port " in self.log())
        if found := re.search(r" port (\d+)", self.log()):
            self.port = int(found[1])
            self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60,
                                     headers={"Authorization": token and f"Bearer {token}"})
            self.addCleanup(self.http.close)

    def stop(self, number: int, code: int) -> None:
        self.process.send_signal(number)
        self.assertEqual(self.process.wait(20), code)

    def until(self, true) -> None:
        end = time.monotonic() + 90
        while not true():
            self.assertLess(time.monotonic(), end, self.log())
            time.sleep(0.05)

    def get(self, path: str) -> httpx.Response:
        return self.http.get("/v1/jobs" + path)

    def post(self, **more) -> httpx.Response:
        return self.http.post("/v1/jobs", **more)

    def send(self, name: str = "a.png", data: bytes = b"data", **more) -> httpx.Response:
        return self.post(files={"file": (name, data)}, **more)

    def accepted(self, *arguments) -> str:
        answer = self.send(*arguments)
        self.assertEqual(answer.status_code, 202, answer.text)
        return "/" + answer.json()["id"]

    def wait(self, job: str, state: str) -> dict:
        self.until(lambda: self.get(job).json()["state"] == state)
        return self.get(job).json()

    def refused(self, answer: httpx.Response, status: int, error: str) -> None:
        self.assertEqual((answer.status_code, answer.json()["error"]), (status, error), answer.text)
        self.assertEqual((answer.json()["label"], answer.headers["X-Research-Use"]), (LABEL, LABEL))

    def nothing_left(self) -> None:
        self.until(lambda: not [*self.incoming.iterdir()])
        self.assertEqual([*self.jobs.iterdir()], [])

    def raw(self, sent: bytes) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self.addCleanup(client.close)
        client.sendall(sent)
        return client

    def test_the_whole_way(self) -> None:
        self.start(REAL, token=TOKEN)
        id = self.accepted("../../Doe^John\0\u202e" + "x" * 2000 + "/y^Doe.png", SLICE)
        job = self.wait(id, "finished")
        self.assertEqual((job["exit_code"], job["alert"]), (0, "positive"))
        self.assertEqual(job["files"][0]["client_name"], "y^Doe.png")
        out, model = self.folder / "out", ROOT / "models/spine-demo.safetensors"
        subprocess.run([os.environ["SPINERT_BINARY"], "diagnose", f"{self.jobs}{id}/upload/0001.png", "--model", model,
                        "-o", out, "--threads", "1", "--slice-output"], check=True)
        for name in ("report.json", "report.html", "preview-0001.png", "slice-0001.png"):
            got, want = self.get(f"{id}/files/{name}"), (out / name).read_bytes()
            self.assertEqual(*(one.partition(b'\n  "volatile"')[0] for one in (got.content, want)), name)
            self.assertEqual(got.headers["X-Research-Use"], LABEL)
        for name in ("job.json", "..%2fjob.json", "%2e%2e/job.json", "%00", "report.html?study=2"):
            self.assertEqual(self.get(f"{id}/files/{name}").status_code, 404, name)
        bad = self.accepted("b.dcm", b"junk")
        job = self.wait(bad, "failed")
        self.assertEqual((job["error"], job["exit_code"], job["alert"]), ("E_DICOM", 4, "review"))
        self.assertEqual(self.get(f"{bad}/files/report.json").json()["status"], "failed")
        self.assertNotIn("Doe", self.log())

    def test_killed_in_the_middle(self) -> None:
        self.start(REAL)
        id = self.accepted("a.png", SLICE)
        self.until(lambda: self.get(id).json().get("progress"))
        self.stop(signal.SIGKILL, -9)
        self.start(REAL)
        job = self.wait(id, "finished")
        self.assertEqual((job["attempts"], job["exit_code"]), (2, 0))

    def test_full_cancelled_and_stopped(self) -> None:
        self.start(WAITING, "--queue", "2")
        first = self.accepted()
        self.wait(first, "running")
        for method, path in (("GET", "/files/report.json"), ("DELETE", "")):
            self.refused(self.http.request(method, f"/v1/jobs{first}{path}"), 409, "not_ended")
        second, third = self.accepted(), self.accepted()
        full = self.send()
        self.refused(full, 429, "queue_full")
        self.assertEqual(full.headers["Retry-After"], "5")
        self.assertEqual(self.http.post(f"/v1/jobs{second}/cancel").json()["state"], "cancelled")
        self.assertEqual(self.http.delete(f"/v1/jobs{second}").status_code, 204)
        self.refused(self.get(second), 404, "no_job")
        fourth = self.accepted()
        figures = {one.name + str(one.labels.get("outcome", "")): one.value for family in
                   text_string_to_metric_families(self.http.get("/metrics").text) for one in family.samples}
        names = "queued", "running", "totalcancelled"
        self.assertEqual([figures["spinert_jobs_" + name] for name in names], [2, 1, 1])
        self.http.post(f"/v1/jobs{first}/cancel")
        self.wait(first, "cancelled")
        self.wait(third, "running")
        self.stop(signal.SIGTERM, 0)
        self.assertEqual(json.loads(Path(f"{self.jobs}{third}/job.json").read_text())["state"], "queued")
        (self.folder / "go").touch()
        self.start(WAITING)
        self.wait(fourth, "finished")
        self.assertEqual((self.folder / "runs").read_text().split(), [first, third, third, fourth])
        self.assertEqual(["/" + job["id"] for job in self.get("?limit=1").json()["jobs"]], [fourth])

    def test_a_deadly_job_and_a_second_process(self) -> None:
        self.start(WAITING)
        id = self.accepted()
        for _ in range(3):
            self.wait(id, "running")
            self.stop(signal.SIGKILL, -9)
            self.start(WAITING)
        self.assertEqual(self.wait(id, "failed")["error"], "E_INTERNAL")
        self.start(WAITING)
        self.assertEqual(self.process.wait(20), 10)

    def test_too_much(self) -> None:
        self.start(WAITING, "--max-mib", "2", "--max-files", "2")
        big = b"x" * (3 << 20)
        self.refused(self.send(data=big), 413, "too_large")
        self.refused(self.post(headers=MULTIPART, content=iter((BODY, big))), 413, "too_large")
        self.refused(self.post(files=[("f", ("a.png", b"1"))] * 3), 413, "too_many_files")
        self.nothing_left()

    def test_broken_and_slow_uploads(self) -> None:
        self.start(WAITING, "--queue", "1", "--upload-seconds", "4")
        cut = self.raw(HALF)
        self.until(lambda: [*self.incoming.iterdir()])
        cut.close()
        self.nothing_left()
        slow = self.raw(HALF)
        self.until(lambda: [*self.incoming.iterdir()])
        self.assertEqual(self.http.get("/ready").status_code, 200)
        self.refused(self.send(), 429, "queue_full")  # at once
        self.assertIn(b" 408 ", slow.recv(100))
        self.nothing_left()
        self.accepted()

    def test_malformed(self) -> None:
        self.start(WAITING)
        for kind in ("text/plain", "multipart/form-data"):
            self.refused(self.post(headers={"Content-Type": kind}, content=BODY), 415, "not_multipart")
        for body in (b"", b"junk", b"--b--\r\n", BODY, b"--b\r\n\r\nx\r\n--b--\r\n"):
            self.refused(self.post(headers=MULTIPART, content=body), 400, "malformed")
        for name, value in (("hu_offset", "nan"), ("series_uid", "../x"), ("output", "/tmp"), ("allow_gaps", "-1")):
            self.refused(self.send(params={name: value}), 422, "malformed")
        self.refused(self.get("/..%2f..%2flock"), 404, "no_route")
        for header, value in (("Host", "evil.example"), ("Origin", "http://evil.example")):
            self.refused(self.send(headers={header: value}), 403, "other_site")
        for sent in (b"NONSENSE\r\n\r\n", b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n"):
            answer = self.raw(sent).makefile().read()
            self.assertTrue(answer.startswith("HTTP/1.1 400 ") and LABEL in answer, answer)
        self.nothing_left()

    def test_token(self) -> None:
        for options, token in ((("--host", "0.0.0.0"), ""), ((), "short"), (("--token-file", "/none"), "")):
            self.start(WAITING, *options, token=token)
            self.assertEqual(self.process.wait(20), 2, self.log())
        self.start(WAITING, "--host", "0.0.0.0", token=TOKEN)
        for given in ("", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \u00e9".encode()):
            for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/metrics")):
                self.refused(self.http.request(method, path, headers={"Authorization": given}), 401, "unauthorized")
        self.assertEqual(self.http.get("/health", headers={"Authorization": ""}).json()["label"], LABEL)
        self.assertEqual(self.get("").json()["jobs"], [])


if __name__ == "__main__":
    unittest.main()
