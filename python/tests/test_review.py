"""Corrections over HTTP: what is saved, refused, in conflict, exported, merged by training/ and counted by evaluate."""

import io
import json
import os
import resource
import subprocess
import sys
import time
import unittest
import zipfile

try:
    import fastapi, numpy, PIL, uvicorn  # noqa
    import httpx
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None

from review_data import FIRST, HU_OFFSET, ROOT, SECOND, WithData, hounsfield

sys.path.append(str(ROOT / "python"))
from spinert.serve.review.journal import Journal  # noqa: E402
from spinert.serve.settings import Refused  # noqa: E402


class Review(WithData):
    edits = 0

    def open(self, **given) -> None:
        self.service = self.serve(**given)
        self.http = httpx.Client(base_url=self.url, timeout=60, follow_redirects=True)
        self.addCleanup(self.http.close)

    def edit(self, job: str, vertebra: str | None = "1", box=(100, 30, 140, 70), labels=("KD",), **change) -> httpx.Response:
        self.edits += 1
        what = {"vertebra": vertebra, "state": {"box": box, "labels": labels}} if vertebra else {"accepted": True}
        return self.http.post(f"/v1/jobs/{job}/review", json={
            "edit": f"{self.edits:032x}", "who": "anna", "slice": FIRST, "based_on": 0} | what | change)

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
        job, again = self.job(), {"edit": f"{1:032x}"}
        self.open()
        self.assertEqual(self.saved(job), 1)
        self.assertEqual(self.saved(job, **again), 1)  # the answer was lost, the edit came again
        self.refused(self.edit(job, labels=["OF"], **again), 422, "edit_reused")
        current = self.refused(self.edit(job, who="ben", labels=["SN"]), 409, "conflict")["current"]
        self.assertEqual((current["who"], current["revision"], current["state"]["labels"]), ("anna", 1, ["KD"]))
        self.assertEqual(self.saved(job, "2", who="ben"), 2)  # another vertebra
        self.assertEqual(self.saved(job, who="ben", based_on=1, state=None), 3)
        self.refused(self.edit(job, None, based_on=2), 409, "conflict")  # of what was not seen
        self.assertEqual(self.saved(job, None, based_on=3), 4)
        self.assertEqual(self.saved(job, None, who="ben"), 4)  # it is accepted already
        self.assertEqual(self.view(job)[FIRST]["accepted"]["who"], "anna")
        with open(self.data / "jobs" / job / "review-1.jsonl", "ab") as file:
            file.write(b'{"revision": 5, "wh')
        self.service.kill()
        self.service.wait()
        self.open()
        self.assertIsNone(self.view(job)[FIRST]["vertebrae"]["1"]["state"])
        self.assertEqual(self.saved(job, "a0000000a"), 5)
        self.assertIsNone(self.view(job)[FIRST]["accepted"])  # it was of the slice as it stood
        self.assertEqual([line["revision"] for line in self.journal(job)], [1, 2, 3, 4, 5])
        self.assertTrue(all(line["when"].endswith("+00:00") and len(line["model_sha256"]) == 64 for line in self.journal(job)))
        [row] = self.http.get("/v1/review").json()["studies"]
        self.assertEqual((row["review"]["state"], row["review"]["accepted"]), ("in work", 0))

    def test_refusals(self) -> None:
        job, old = self.job(), self.job(2, lambda _, folder: [one.unlink() for one in folder.glob("slice-*")])
        failed = self.job(3, state="failed", studies=[])
        self.open()
        for error, changes in {
                "bad_box": [{"box": one} for one in ((0, 0, 3, 50), (50, 0, 9, 50), (0, 0, 9, 5000), (-1, 0, 9, 50))],
                "bad_labels": [{"labels": one} for one in (["XX"], ["KD", "KD"], ["normal", "KD"])],
                "malformed": [{"box": (0, 0, 9)}, {"box": (0, 0, 9, "9")}, {"box": (0, 0, 9, 1e300)}, {"vertebra": "../x"}, {"who": " "},
                              {"who": "x" * 65}, {"who": "a\nb"}, {"edit": "1"}, {"based_on": -1}, {"more": 1}],
                "no_vertebra": [{"vertebra": "99"}, {"accepted": True}], "no_slice": [{"slice": "../job.json"}]}.items():
            for change in changes:
                self.refused(self.edit(job, **change), 404 if error.startswith("no_") else 422, error)
        path = f"/v1/jobs/{job}/review"
        for text, kind, status, error in (("{", "json", 422, "malformed"), ("[" * 16000, "json", 422, "malformed"), (" " * 20000, "json", 413, "too_large"),
                                          ('{"state": {"box": [NaN, 1e400, 0, 0]}}', "json", 422, "malformed"), ("{}", "x", 415, "not_json")):
            self.refused(self.http.post(path, content=text, headers={"Content-Type": f"application/{kind}"}), status, error)
        self.refused(self.edit(old), 409, "not_reviewable")
        self.refused(self.edit(failed), 404, "no_report")
        self.refused(self.http.get(path + "?study=2"), 404, "no_report")
        self.refused(self.edit("0" * 32), 404, "no_job")
        for path in (f"/v1/jobs/{job}/corrections", "/v1/corrections"):
            self.refused(self.http.get(path), 409, "nothing_accepted")
        self.saved(job, labels=[])
        self.refused(self.edit(job, None, based_on=1), 422, "open_vertebra")
        self.assertEqual(len(self.journal(job)), 1)

    def test_disk_full_and_damage(self) -> None:
        path, limits = self.folder / "review-1.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
        journal = Journal(path)
        journal.append({"revision": 1})
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
        self.job()
        self.open(token="0123456789abcdef")
        for path in ("/", "/review/main.js", "/review/review.css", "/v1/review", "/v1/corrections", "/v1/jobs/1/review", "/review/..%2froutes.py"):
            answer, is_open = self.http.get(path), not path.startswith("/v1") and "%" not in path
            self.assertEqual(answer.status_code, 200 if is_open else 401 if path.startswith("/v1") else 404, path)
            self.assertIn("script-src 'self';" if is_open else "sandbox", answer.headers["Content-Security-Policy"])
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_export_merge_evaluate(self) -> None:
        job, hu, out, truth = self.job(), self.job(2, hounsfield), self.folder / "export", self.folder / "truth.json"
        self.open()
        self.saved(job, box=(101.5, 30, 140, 70), labels=["SN", "OVCF"])
        self.saved(job, "2", state=None, who="ben")
        self.saved(job, "a0000000a", (10, 10, 40, 40), ["normal"])
        self.saved(job, None, based_on=3, who="ben")
        self.saved(job, "3", slice=SECOND)  # not accepted
        self.saved(hu, None)
        with zipfile.ZipFile(io.BytesIO(self.http.get("/v1/corrections").content)) as archive:
            archive.extractall(out)
        end = time.monotonic() + 20
        while [*(self.data / "incoming").iterdir()]:
            self.assertLess(time.monotonic(), end)

        def training(*arguments, code: int = 0) -> str:
            run = subprocess.run([sys.executable, "-m", "training", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
            self.assertEqual(run.returncode, code, run.stdout + run.stderr)
            return run.stdout + run.stderr

        def merged(*more) -> dict:
            training("merge", "--corrections", out / job / "corrections.json", "-o", truth, *more)
            return {one["id"].partition("#")[2]: one for one in json.loads(truth.read_text())["annotations"]}

        own = merged()
        self.assertEqual((own["1"]["bbox"], own["1"]["labels"]), ([101.5, 30, 38.5, 40], ["OVCF", "SN"]))
        self.assertNotIn("2", own)
        self.assertEqual([own[id]["provenance"][0]["who"] for id in ("1", "a0000000a", "3")], ["anna", "anna", "ben"])
        self.assertIn("1 slices", training("check", "--truth", truth))
        # A later export of the same review changes what the earlier one brought.
        self.saved(job, based_on=1, box=(90, 30, 140, 70))
        self.saved(job, None, based_on=6)
        (out / job / "corrections.json").write_bytes(self.http.get(f"/v1/jobs/{job}/corrections").content)
        own = merged("--truth", truth)
        self.assertEqual((own["1"]["bbox"], len(own["1"]["provenance"])), ([90, 30, 50, 40], 2))
        mixed = out / hu / "corrections.json"
        self.assertEqual(json.loads(mixed.read_text())["info"]["hu_offset"], HU_OFFSET)
        self.assertIn("hu_offset", training("merge", "--truth", truth, "--corrections", mixed, "-o", self.folder / "no.json", code=1))
        subprocess.run([os.environ["SPINERT_BINARY"], "evaluate", "--reports", out / job, "--truth", truth, "--absent", "ignore",
                        "-o", self.folder / "evaluation"], check=True, capture_output=True)
        names, row = (line.split(",") for line in (self.folder / "evaluation/slices.csv").read_text().splitlines())
        got = dict(zip(names, row))
        self.assertEqual((got["slice"], got["annotated"]), (FIRST, str(len(own))))


if __name__ == "__main__":
    unittest.main()
