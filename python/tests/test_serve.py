"""The service from outside: uvicorn in a process, httpx and sockets. An engine that waits for a file stands in where only
the queue matters. SPINERT_BINARY, the program, gives the report to compare with."""

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
    import httpx
    from prometheus_client.parser import text_string_to_metric_families
    import fastapi, numpy, python_multipart, uvicorn  # noqa: E401, F401
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None

ROOT = Path(__file__).resolve().parents[2]
LABEL = "Research use only. Not for diagnostic use."
TOKEN = "0123456789abcdef"
SLICE = ROOT / "examples/slice_001.png"
REAL = "import sys; from spinert.serve.main import main; sys.exit(main())"
WAITING = """
import os, sys, time, pathlib, spinert
from spinert.serve.main import main
folder = pathlib.Path(os.environ["FOLDER"])
class Engine:
    def __init__(self, *_, **__): pass
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def diagnose_paths(self, inputs, output, *, progress, **_):
        with open(folder / "runs", "a") as runs: print(inputs[0].parts[-3], file=runs)
        while not (folder / "go").exists():
            time.sleep(0.02)
            if progress({"kind": "begins", "done": 0, "total": 1}):
                raise spinert.Cancelled(130, "E_CANCELLED", "stopped")
        output.mkdir()
        (output / "report.json").write_text('{"volatile": {"files": [{"name": "../../job.json"}]}}')
        return [spinert.BatchRow("pictures", str(output), "pictures", "completed", "negative", "", 1, 0)]
sys.exit(main(open_engine=Engine))
"""


class Service(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = self.folder / "data"

    def start(self, program: str, *options: str, **variables: str) -> None:
        log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "--data", str(self.data), "--port", "0", "--min-free-mib", "1", *options],
            stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT / "python"), "FOLDER": str(self.folder), **variables})
        self.addCleanup(lambda process=self.process: (process.kill(), process.wait(), log.close()))
        self.until(lambda: self.process.poll() is not None or " port " in self.log())
        if found := re.search(r" port (\d+)", self.log()):
            self.port = int(found[1])
            headers = {"Authorization": f"Bearer {TOKEN}"} if variables else {}
            self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=60)
            self.addCleanup(self.http.close)

    def stop(self, number: int) -> None:
        self.process.send_signal(number)
        self.assertEqual(self.process.wait(20), 0 if number == signal.SIGTERM else -number)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def until(self, true, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while not true():
            self.assertLess(time.monotonic(), end, self.log())
            time.sleep(0.05)

    def send(self, name: str = "a.png", data: bytes = b"data", **more) -> httpx.Response:
        return self.http.post("/v1/jobs", files={"file": (name, data)}, **more)

    def accepted(self, *arguments, **more) -> str:
        answer = self.send(*arguments, **more)
        self.assertEqual(answer.status_code, 202, answer.text)
        return answer.json()["id"]

    def job(self, id: str) -> dict:
        return self.http.get(f"/v1/jobs/{id}").json()

    def wait(self, id: str, *states: str) -> dict:
        self.until(lambda: self.job(id)["state"] in states)
        return self.job(id)

    def refused(self, answer: httpx.Response, status: int, error: str) -> None:
        self.assertEqual((answer.status_code, answer.json()["error"]), (status, error), answer.text)
        self.assertEqual((answer.json()["label"], answer.headers["X-Research-Use"]), (LABEL, LABEL))

    def nothing_left(self) -> None:
        self.until(lambda: not list((self.data / "incoming").iterdir()), 10)
        self.assertEqual(list((self.data / "jobs").iterdir()), [])

    def raw(self, text: str) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.addCleanup(client.close)
        client.sendall(text.encode())
        return client

    def runs(self) -> list[str]:
        return (self.folder / "runs").read_text().split() if (self.folder / "runs").exists() else []


PART = ('POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n'
        'Content-Length: 5000\r\n\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\nhalf')


class Real(Service):
    def test_the_whole_way(self) -> None:
        self.start(REAL, "--threads", "1", SPINERT_SERVE_TOKEN=TOKEN)
        id = self.accepted("../../Doe^John\0\u202e" + "x" * 2000 + "/y^Doe.png", SLICE.read_bytes())
        job = self.wait(id, "finished", "failed")
        self.assertEqual((job["state"], job["exit_code"], job["alert"]), ("finished", 0, "positive"), job)
        self.assertEqual((job["files"][0]["name"], job["files"][0]["client_name"]), ("0001.png", "y^Doe.png"))
        answer = self.http.get(f"/v1/jobs/{id}/files/report.json")
        self.assertEqual(answer.headers["X-Research-Use"], LABEL)
        model = ROOT / "models/spine-demo.safetensors"
        subprocess.run([os.environ["SPINERT_BINARY"], "diagnose", self.data / "jobs" / id / "upload/0001.png", "--model",
                        model, "-o", self.folder / "out", "--threads", "1"], check=True, capture_output=True)
        for name in ("report.json", "report.html", "preview-0001.png"):
            got, want = self.http.get(f"/v1/jobs/{id}/files/{name}").content, (self.folder / "out" / name).read_bytes()
            self.assertEqual(*(one.partition(b'\n  "volatile"')[0] for one in (got, want)), name)
        for name in ("job.json", "..%2fjob.json", "%2e%2e/job.json", "..%2f..%2f..%2flock", "%00", "preview-0001.png%00"):
            self.assertEqual(self.http.get(f"/v1/jobs/{id}/files/{name}").status_code, 404, name)
        self.assertEqual(self.http.get(f"/v1/jobs/{id}/files/report.json?study=2").status_code, 404)
        failed = self.wait(self.accepted("b.dcm", b"junk"), "failed")
        self.assertEqual((failed["error"], failed["exit_code"], failed["alert"]), ("E_DICOM", 4, "review"))
        self.assertNotIn(str(self.folder), failed["message"])
        self.assertEqual(self.http.get(f"/v1/jobs/{failed['id']}/files/report.json").json()["status"], "failed")
        self.assertNotIn("Doe", self.log())

    def test_killed_in_the_middle(self) -> None:
        self.start(REAL, "--threads", "1")
        id = self.accepted("a.png", SLICE.read_bytes())
        self.wait(id, "running")
        self.until(lambda: self.job(id).get("progress"))
        self.stop(signal.SIGKILL)
        self.start(REAL, "--threads", "1")
        job = self.wait(id, "finished")
        self.assertEqual((job["attempts"], job["exit_code"]), (2, 0))
        self.assertEqual(len(self.http.get("/v1/jobs").json()["jobs"]), 1)


class Queue(Service):
    def test_full_cancelled_and_stopped(self) -> None:
        self.start(WAITING, "--queue", "2")
        first = self.accepted()
        self.wait(first, "running")
        self.refused(self.http.get(f"/v1/jobs/{first}/files/report.json"), 409, "not_ended")
        self.refused(self.http.delete(f"/v1/jobs/{first}"), 409, "not_ended")
        second, third = self.accepted(), self.accepted()
        full = self.send()
        self.refused(full, 429, "queue_full")
        self.assertGreater(int(full.headers["Retry-After"]), 0)
        self.assertEqual(self.http.post(f"/v1/jobs/{second}/cancel").json()["state"], "cancelled")
        self.assertEqual(self.http.delete(f"/v1/jobs/{second}").status_code, 204)
        self.refused(self.http.get(f"/v1/jobs/{second}"), 404, "no_job")
        fourth = self.accepted()
        figures = {sample.name + str(sample.labels.get("outcome", "")): sample.value for family in
                   text_string_to_metric_families(self.http.get("/metrics").text) for sample in family.samples}
        self.assertEqual([figures[name] for name in ("spinert_jobs_queued", "spinert_jobs_running",
                                                     "spinert_jobs_totalcancelled")], [2, 1, 1])
        self.http.post(f"/v1/jobs/{first}/cancel")
        self.wait(first, "cancelled")
        self.wait(third, "running")
        self.stop(signal.SIGTERM)
        self.assertEqual(json.loads((self.data / "jobs" / third / "job.json").read_text())["state"], "queued")
        (self.folder / "go").touch()
        self.start(WAITING)
        self.wait(fourth, "finished")
        self.assertEqual(self.job(third)["attempts"], 1)
        self.assertEqual(self.http.get(f"/v1/jobs/{third}/files/..%2f..%2fjob.json").status_code, 404)
        self.assertEqual(self.runs(), [first, third, third, fourth])
        page = self.http.get("/v1/jobs?state=finished&limit=1").json()
        self.assertEqual(([job["id"] for job in page["jobs"]], page["more"]), ([fourth], True))

    def test_one_folder_one_process_and_a_deadly_job(self) -> None:
        self.start(WAITING)
        id = self.accepted()
        for _ in range(3):
            self.wait(id, "running")
            self.stop(signal.SIGKILL)
            self.start(WAITING)
        job = self.wait(id, "failed")
        self.assertEqual((job["error"], self.runs()), ("E_INTERNAL", [id] * 3))
        self.start(WAITING)
        self.assertEqual(self.process.wait(20), 10, self.log())

    def test_too_much(self) -> None:
        self.start(WAITING, "--max-mib", "2", "--max-files", "2")
        big = b"x" * (3 << 20)
        self.refused(self.send(data=big), 413, "too_large")
        self.refused(self.http.post("/v1/jobs", headers={"Content-Type": "multipart/form-data; boundary=b"}, content=(
            one for one in (PART.partition("\r\n\r\n")[2].encode(), big, big))), 413, "too_large")
        self.refused(self.http.post("/v1/jobs", files=[("f", ("a.png", b"1"))] * 3), 413, "too_many_files")
        self.nothing_left()

    def test_broken_and_slow_uploads(self) -> None:
        self.start(WAITING, "--queue", "2", "--upload-seconds", "2")
        self.raw(PART).close()
        slow = self.raw(PART)
        self.until(lambda: len(list((self.data / "incoming").iterdir())) == 1, 10)
        self.assertEqual(self.http.get("/ready").status_code, 200)
        self.accepted()
        self.refused(self.send(params={"allow_gaps": 1}), 429, "queue_full") if not self.runs() else self.accepted()
        self.assertIn(b" 408 ", slow.recv(100))
        self.until(lambda: not list((self.data / "incoming").iterdir()), 10)

    def test_malformed(self) -> None:
        self.start(WAITING)
        multipart = {"Content-Type": "multipart/form-data; boundary=b"}
        post = self.http.post
        for answer, status, error in (
                (post("/v1/jobs", content=b"x"), 415, "not_multipart"),
                (post("/v1/jobs", headers={"Content-Type": "multipart/form-data"}, content=b"x"), 415, "not_multipart"),
                (post("/v1/jobs", headers=multipart, content=b"junk"), 400, "malformed"),
                (post("/v1/jobs", headers=multipart, content=b""), 400, "malformed"),
                (post("/v1/jobs", headers=multipart, content=b"--b--\r\n"), 400, "malformed"),
                (post("/v1/jobs", headers=multipart, content=PART.partition("\r\n\r\n")[2]), 400, "malformed"),
                (post("/v1/jobs", headers=multipart, content=b"--b\r\n\r\nx\r\n--b--\r\n"), 400, "malformed"),
                (self.send(params={"hu_offset": "nan"}), 422, "malformed"),
                (self.send(params={"series_uid": "../x"}), 422, "malformed"),
                (self.send(params={"output": "/tmp"}), 422, "malformed"),
                (self.http.get("/v1/jobs?limit=-1"), 422, "malformed"), (self.http.put("/v1/jobs"), 405, "no_route"),
                (self.http.get("/v1/jobs/..%2f..%2flock"), 404, "no_route"), (self.http.get("/v1/jobs/x"), 404, "no_job"),
                (self.http.get("/docs"), 404, "no_route"),
                (self.http.get("/v1/jobs", headers={"Host": "evil.example"}), 403, "other_host"),
                (self.send(headers={"Origin": "http://evil.example"}), 403, "other_origin")):
            with self.subTest(error=answer.text):
                self.refused(answer, status, error)
        for text in ("NONSENSE\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n bad\0header\r\n\r\n",
                     "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n"):
            answer = self.raw(text).recv(1000)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 ") and LABEL.encode() in answer, answer)
        self.nothing_left()

    def test_token(self) -> None:
        for options, variables in ((["--host", "0.0.0.0"], {}), ([], {"SPINERT_SERVE_TOKEN": "short"}),
                                   (["--token-file", "/none"], {})):
            self.start(WAITING, *options, **variables)
            self.assertEqual(self.process.wait(20), 2, self.log())
        self.start(WAITING, "--host", "0.0.0.0", SPINERT_SERVE_TOKEN=TOKEN)
        for given in ("", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \u00e9".encode()):
            for route in ("/v1/jobs", "/metrics", "/none"):
                answer = self.http.get(route, headers={"Authorization": given})
                self.refused(answer, 401, "unauthorized")
            self.refused(self.send(headers={"Authorization": given}), 401, "unauthorized")
        self.assertEqual(self.http.get("/health", headers={"Authorization": ""}).json()["label"], LABEL)
        self.assertEqual(self.http.get("/v1/jobs").json()["jobs"], [])
        self.nothing_left()


if __name__ == "__main__":
    unittest.main()
