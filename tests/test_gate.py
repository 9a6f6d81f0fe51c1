"""The rules of bench/gate.py on small reports with planted differences; each kind is caught by its name."""
import copy
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

GATE = Path(__file__).resolve().parents[1] / "bench/gate.py"
CLASSES = ("OVCF", "normal")
VERTEBRAE = 50  # of a slice: one box near the threshold is then 2 %, two are more


def box(i: int) -> list[float]:
    return [10.0, 100.0 * i, 70.0, 100.0 * i + 80]


def report() -> dict[str, Any]:
    """One slice of firm vertebrae and one box far below the threshold."""
    vertebrae = [
        {"box": box(i), "score": 0.99 - i * 1e-3, "probabilities": {"OVCF": 0.2, "normal": 0.9}, "labels": ["normal"]}
        for i in range(VERTEBRAE)
    ]
    candidates = [{"box": v["box"], "score": v["score"]} for v in vertebrae]
    candidates.append({"box": box(VERTEBRAE), "score": 0.4})
    entry = {"source": "a.png", "sha256": "00", "status": "completed", "alert": "negative", "error": "OK",
             "vertebrae": vertebrae, "candidates": candidates}
    return {"model": {"sha256": "11"}, "thresholds": {"score": 0.75, "OVCF": 0.5}, "slices": [entry]}


def set_score(of: dict[str, Any], i: int, score: float) -> None:
    """Gives box i a score; it is a vertebra at the threshold and above."""
    entry = of["slices"][0]
    entry["vertebrae"] = [v for v in entry["vertebrae"] if v["box"] != box(i)]
    candidate = next(c for c in entry["candidates"] if c["box"] == box(i))
    candidate["score"] = score
    if score >= 0.75:
        entry["vertebrae"].append({**candidate, "probabilities": dict.fromkeys(CLASSES, 0.5), "labels": []})


class Gate(unittest.TestCase):
    def setUp(self) -> None:
        self.base, self.other = report(), report()

    def run_gate(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("base.json", "other.json", "out.json")]
            paths[0].write_text(json.dumps(self.base))
            paths[1].write_text(json.dumps(self.other))
            if not arguments:
                arguments = ("--reports", str(paths[0]), str(paths[1]), "--json", str(paths[2]))
            run = subprocess.run([sys.executable, str(GATE), *arguments], capture_output=True, text=True, check=False)
            out = json.loads(paths[2].read_text()) if paths[2].exists() else {}
            return run.returncode, out.get("groups", [{}])[-1], run.stdout + run.stderr

    def expect(self, code: int, **counts: int) -> str:
        got, total, text = self.run_gate()
        self.assertEqual(got, code, text)
        wanted = dict.fromkeys(("lost", "gained", "probabilities", "failed", "apart", "flips", "changes"), 0) | counts
        near = wanted.pop("near", 0)
        self.assertEqual({name: len(total[name]) for name in wanted}, wanted, text)
        self.assertEqual(total["near"], near, text)
        return text

    def test_equal_reports_pass(self) -> None:
        self.assertIn("gate: passed", self.expect(0))

    def test_lost(self) -> None:
        set_score(self.other, 3, 0.74)  # it is the base that says what is near
        self.assertIn("LOST: a.png: box [10.0, 300.0, 70.0, 380.0]", self.expect(1, lost=1))

    def test_moved_away_is_lost_and_gained(self) -> None:
        self.other["slices"][0]["vertebrae"][3]["box"] = [500.0, 300.0, 560.0, 380.0]
        self.expect(1, lost=1, gained=1)

    def test_gained(self) -> None:
        set_score(self.other, VERTEBRAE, 0.76)
        self.assertIn("GAINED: a.png", self.expect(1, gained=1))

    def test_near_the_threshold_is_apart(self) -> None:
        set_score(self.base, 3, 0.76)
        set_score(self.other, 3, 0.5)
        self.expect(0, apart=1, near=1)

    def test_risen_from_near_below_is_apart(self) -> None:
        self.base["slices"][0]["vertebrae"].pop()
        self.base["slices"][0]["candidates"].pop(VERTEBRAE - 1)
        self.other = copy.deepcopy(self.base)
        set_score(self.base, VERTEBRAE, 0.735)
        set_score(self.other, VERTEBRAE, 0.9)
        self.expect(0, apart=1, near=1)

    def test_too_many_near(self) -> None:
        for i in (3, 4):
            set_score(self.base, i, 0.765)
        self.other = copy.deepcopy(self.base)
        self.assertIn("2 of 50 boxes lie within", self.expect(1, near=2))

    def test_probability(self) -> None:
        self.other["slices"][0]["vertebrae"][7]["probabilities"]["OVCF"] += 0.0099
        self.expect(0)
        self.other["slices"][0]["vertebrae"][7]["probabilities"]["OVCF"] += 0.0002
        self.assertIn("OVCF 0.2000 -> 0.2101", self.expect(1, probabilities=1))

    def test_probability_that_is_no_number(self) -> None:
        self.other["slices"][0]["vertebrae"][7]["probabilities"]["normal"] = float("nan")
        self.expect(1, probabilities=1)

    def test_label_flip_and_status_are_told(self) -> None:
        self.other["slices"][0]["vertebrae"][7]["labels"] = ["OVCF"]
        self.other["slices"][0]["alert"] = "positive"
        self.expect(0, flips=2, changes=1)

    def test_slices_without_result(self) -> None:
        self.other["slices"][0]["status"] = "failed"
        self.expect(1, failed=1)
        self.other = copy.deepcopy(self.base)
        self.other["slices"].append({**self.base["slices"][0], "source": "b.png"})
        self.expect(1, failed=1)

    def test_nothing_compared(self) -> None:
        for of in (self.base, self.other):
            of["slices"][0]["vertebrae"] = []
        self.assertIn("no box was compared", self.expect(1))

    def test_shift_and_score_are_measured(self) -> None:
        self.other["slices"][0]["vertebrae"][0]["box"] = [10.0, 0.0, 70.0, 72.0]
        self.other["slices"][0]["vertebrae"][1]["score"] -= 0.05
        total = self.run_gate()[1]
        self.assertAlmostEqual(total["least_iou"], 0.9)
        self.assertAlmostEqual(total["most_score"], 0.05)

    def test_a_run_that_dies_is_no_result(self) -> None:
        """A program that writes a report once and then only fails: the report of before must not count."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out/0-test_gate.py"
            for side in ("base", "candidate"):
                (out / side).mkdir(parents=True)
                (out / side / "report.json").write_text(json.dumps(self.base))
            code, _, text = self.run_gate("--candidate", "", "--spinert", "/bin/false", "--reuse-base", "--out",
                                          str(out.parent), __file__)
            self.assertEqual(code, 2, text)
            self.assertIn("exit code 1", text)

    def test_unusable(self) -> None:
        self.other["model"]["sha256"] = "22"
        self.assertEqual(self.run_gate()[0], 2)
        self.other = copy.deepcopy(self.base)
        self.other["thresholds"]["score"] = 0.5
        self.assertEqual(self.run_gate()[0], 2)
        for arguments in (["--reports", "none.json", "none.json"], ["--candidate", "x"], ["examples"], ["--wrong"],
                          ["--candidate", "x", "no-such-folder"],
                          ["--candidate", "x", "--spinert", "/no/such/program", str(GATE)]):
            self.assertEqual(self.run_gate(*arguments)[0], 2, arguments)


if __name__ == "__main__":
    unittest.main()
