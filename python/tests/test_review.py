"""Corrections over HTTP: what is saved, refused, in conflict, exported, merged by training/ and counted by evaluate."""

import json
import os
import resource
import subprocess
import sys
import time
import unittest
import zipfile

try:
    import fastapi, numpy, uvicorn  # noqa
    import httpx
    import PIL  # noqa
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None

import review_data
from review_data import ROOT, SLICES, WithData

sys.path[:0] = [str(ROOT), str(ROOT / "python")]
from spinert.serve.review.journal import Journal  # noqa: E402
from spinert.serve.settings import Refused  # noqa: E402

TOKEN = "0123456789abcdef"
FIRST, SECOND = SLICES


class Review(WithData):
    def setUp(self) -> None:
        super().setUp()
        self.ids = 0

    def open(self, *jobs, **given) -> None:
        self.service = self.serve(**given)
        self.http = httpx.Client(base_url=self.service.url, timeout=60)
        self.addCleanup(self.http.close)

    def edit(self, job: str, vertebra: str | None = "1", box=(100, 30, 140, 70), labels=("KD",), **change) -> httpx.Response:
        self.ids += 1
        edit = {"edit": f"{self.ids:032x}", "who": "anna", "slice": FIRST, "based_on": 0}
        edit |= {"vertebra": vertebra, "state": {"box": box, "labels": labels}} if vertebra else {
            "accepted": True}
        return self.http.post(f"/v1/jobs/{job}/review", json=edit | change)

    def saved(self, *arguments, **change) -> int:
        answer = self.edit(*arguments, **change)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()["revision"]

    def refused(self, answer: httpx.Response, status: int, error: str) -> dict:
        self.assertEqual((answer.status_code, answer.json()["error"]), (status, error), answer.text)
        return answer.json()

    def view(self, job: str) -> dict:
        return self.http.get(f"/v1/jobs/{job}/review").json()["slices"]

    def test_saved_conflicts_and_restart(self) -> None:
        job = review_data.job(self.data, 1)
        self.open()
        self.assertEqual(self.saved(job), 1)
        again = {"edit": f"{1:032x}"}
        self.assertEqual(self.saved(job, **again), 1)  # the answer was lost, the edit came again
        self.refused(self.edit(job, labels=["OF"], **again), 422, "edit_reused")
        current = self.refused(self.edit(job, who="ben", labels=["SN"]), 409, "conflict")["current"]
        self.assertEqual((current["who"], current["revision"], current["state"]["labels"]), ("anna", 1, ["KD"]))
        self.assertEqual(self.saved(job, "2", who="ben"), 2)  # another vertebra
        self.assertEqual(self.saved(job, who="ben", based_on=1, state=None), 3)
        self.refused(self.edit(job, None, based_on=2), 409, "conflict")  # of what was not seen
        self.assertEqual(self.saved(job, None, based_on=3), 4)
        self.assertEqual(self.view(job)[FIRST]["accepted"]["who"], "anna")
        journal = self.data / "jobs" / job / "review-1.jsonl"
        with open(journal, "ab") as file:
            file.write(b'{"revision": 5, "wh')
        self.service.kill()
        self.open()
        self.assertIsNone(self.view(job)[FIRST]["vertebrae"]["1"]["state"])
        self.assertEqual(self.saved(job, "a0000000a"), 5)
        self.assertIsNone(self.view(job)[FIRST]["accepted"])  # it was of another slice than this
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        self.assertEqual([line["revision"] for line in lines], [1, 2, 3, 4, 5])
        self.assertTrue(all(line["when"].endswith("+00:00") and len(line["model_sha256"]) == 64 for line in lines))
        [row] = self.http.get("/v1/review").json()["studies"]
        self.assertEqual((row["review"]["state"], row["review"]["accepted"]), ("in work", 0))

    def test_refusals(self) -> None:
        job, old = review_data.job(self.data, 1), review_data.job(self.data, 2, lambda _, folder: [
            one.unlink() for one in folder.glob("slice-*")])
        failed = review_data.job(self.data, 3, state="failed", studies=[])
        self.open()
        inf = float("1e400")
        for change, status, error in (
                ({"box": (0, 0, 3, 50)}, 422, "bad_box"), ({"box": (50, 0, 9, 50)}, 422, "bad_box"), ({"box": (0, 0, 9, 5000)}, 422, "bad_box"),
                ({"box": (-1, 0, 9, 50)}, 422, "bad_box"), ({"box": (0, 0, 9)}, 422, "malformed"), ({"box": (0, 0, 9, "9")}, 422, "malformed"),
                ({"labels": ["XX"]}, 422, "bad_labels"), ({"labels": ["KD", "KD"]}, 422, "bad_labels"), ({"labels": ["normal", "KD"]}, 422, "bad_labels"),
                ({"vertebra": "99"}, 404, "no_vertebra"), ({"vertebra": "../x"}, 422, "malformed"), ({"slice": "../job.json"}, 404, "no_slice"),
                ({"who": " "}, 422, "malformed"), ({"who": "x" * 65}, 422, "malformed"), ({"who": "a\nb"}, 422, "malformed"), ({"edit": "1"}, 422, "malformed"),
                ({"based_on": -1}, 422, "malformed"), ({"more": 1}, 422, "malformed"), ({"accepted": True}, 404, "no_vertebra")):
            self.refused(self.edit(job, **change), status, error)
        path = f"/v1/jobs/{job}/review"
        send = lambda text, kind="application/json", where=path: self.http.post(where, content=text, headers={"Content-Type": kind})  # noqa: E731
        self.refused(send("{"), 422, "malformed")
        self.refused(send(json.dumps({"state": {"box": [inf] * 4}})), 422, "malformed")
        self.refused(send("[" * 16000), 422, "malformed")
        self.refused(send(" " * 20000), 413, "too_large")
        self.refused(send("{}", "text/plain"), 415, "not_json")
        self.refused(self.edit(old), 409, "not_reviewable")
        self.refused(self.edit(failed), 404, "no_report")
        self.refused(self.http.get(path + "?study=2"), 404, "no_report")
        self.refused(self.edit("0" * 32), 404, "no_job")
        self.refused(self.http.get(f"/v1/jobs/{job}/corrections"), 409, "nothing_accepted")
        self.refused(self.http.get("/v1/corrections"), 409, "nothing_accepted")
        self.saved(job, labels=[])
        self.refused(self.edit(job, None, based_on=1), 422, "open_vertebra")
        self.assertEqual(list(self.view(job)), [FIRST])

    def test_disk_full_and_damage(self) -> None:
        path = self.folder / "review-1.jsonl"
        journal = Journal(path)
        journal.append({"revision": 1})
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))  # a part of the line still fits
        try:
            self.assertRaises(OSError, journal.append, {"revision": 2, "a": "b"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.assertEqual((path.read_text(), len(journal.entries)), ('{"revision": 1}\n', 1))
        journal.append({"revision": 2})
        self.assertEqual(len(Journal(path).entries), 2)
        for text in ('{"revision": 2}\n', 'junk\n{"revision": 2}\n'):
            path.write_text(text)
            self.assertRaises(Refused, Journal, path)

    def test_token_and_policies(self) -> None:
        review_data.job(self.data, 1)
        self.open(token=TOKEN)
        for path in ("/", "/review/", "/review/main.js", "/review/review.css"):
            answer = self.http.get(path, follow_redirects=True)
            self.assertEqual((answer.status_code, answer.headers["X-Content-Type-Options"]), (200, "nosniff"))
            self.assertIn("script-src 'self';", answer.headers["Content-Security-Policy"])
        for path in ("/v1/review", "/v1/corrections", "/v1/jobs/1/review", "/v1/jobs/1/corrections", "/review/routes.py", "/review/..%2froutes.py"):
            answer = self.http.get(path)
            self.assertIn("sandbox", answer.headers["Content-Security-Policy"])
            self.assertEqual(answer.status_code, 401 if path.startswith("/v1") else 404, path)

    def test_export_merge_evaluate(self) -> None:
        job, hu = review_data.job(self.data, 1), review_data.job(self.data, 2, review_data.in_hounsfield)
        self.open()
        box = (101.5, 30, 140, 70)
        self.saved(job, box=box, labels=["SN", "OVCF"])
        self.saved(job, "2", state=None, who="ben")
        self.saved(job, "a0000000a", (10, 10, 40, 40), ["normal"])
        self.saved(job, None, based_on=3, who="ben")
        self.saved(job, "3", slice=SECOND)  # not accepted
        self.saved(hu, None)
        made = self.http.get(f"/v1/jobs/{job}/corrections").json()
        self.assertEqual([image["file_name"] for image in made["images"]], [f"{job}/{FIRST}"])
        (self.folder / "zip").write_bytes(self.http.get("/v1/corrections").content)
        out = self.folder / "export"
        with zipfile.ZipFile(self.folder / "zip") as archive:
            archive.extractall(out)
        self.assertEqual(made, json.loads((out / job / "corrections.json").read_text()))
        self.assertEqual(json.loads((out / hu / "corrections.json").read_text())["info"]["hu_offset"], review_data.HU_OFFSET)
        end = time.monotonic() + 20
        while [*(self.data / "incoming").iterdir()] and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual([*(self.data / "incoming").iterdir()], [])

        def training(*arguments, code: int = 0) -> str:
            run = subprocess.run([sys.executable, "-m", "training", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
            self.assertEqual(run.returncode, code, run.stdout + run.stderr)
            return run.stdout + run.stderr

        def merged(*more) -> dict:
            training("merge", "--corrections", out / job / "corrections.json", "-o", self.folder / "truth.json", *more)
            truth = json.loads((self.folder / "truth.json").read_text())
            return {one["id"].partition("#")[2]: one for one in truth["annotations"]}

        own = merged()
        self.assertEqual((own["1"]["bbox"], own["1"]["labels"]), ([101.5, 30, 38.5, 40], ["OVCF", "SN"]))
        self.assertNotIn("2", own)
        self.assertEqual([own[id]["provenance"][0]["who"] for id in ("1", "a0000000a", "3")], ["anna", "anna", "ben"])
        self.assertIn("1 slices", training("check", "--truth", self.folder / "truth.json"))
        # A later export of the same review changes what the earlier one brought.
        self.saved(job, based_on=1, box=(90, 30, 140, 70))
        self.saved(job, None, based_on=6)
        (out / job / "corrections.json").write_bytes(self.http.get(f"/v1/jobs/{job}/corrections").content)
        own = merged("--truth", self.folder / "truth.json")
        self.assertEqual((own["1"]["bbox"], len(own["1"]["provenance"])), ([90, 30, 50, 40], 2))
        grey = ("merge", "--truth", self.folder / "truth.json", "--corrections", out / hu / "corrections.json", "-o", self.folder / "no.json")
        self.assertIn("hu_offset", training(*grey, code=1))
        subprocess.run([os.environ["SPINERT_BINARY"], "evaluate", "--reports", out / job, "--truth", self.folder / "truth.json", "--absent", "ignore",
                        "-o", self.folder / "evaluation"], check=True, capture_output=True)
        table = (self.folder / "evaluation/slices.csv").read_text().splitlines()
        row = dict(zip(table[0].split(","), table[1].split(",")))
        self.assertEqual((len(table), row["slice"], row["annotated"]), (2, FIRST, str(len(own))))


if __name__ == "__main__":
    unittest.main()
