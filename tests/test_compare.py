"""The arithmetic and exit codes of bench/compare.py on small runs with planted differences."""
import copy
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

COMPARE = Path(__file__).resolve().parents[1] / "bench/compare.py"


def run() -> dict[str, Any]:
    stage = {"stage": "detector", "patches": 0, "median_ms": 100.0, "between_ms": -0.5,
             "kernels": [{"kernel": "conv_a", "ms": 80.0}, {"kernel": "relu_b", "ms": 20.0}],
             "nodes": [{"node": "first", "ms": 80.0}, {"node": "second", "ms": 20.5}]}
    cases = [{"case": "relu h=1", "kernel": "relu_b", "refused": "", "warm_us": 10.0},
             {"case": "relu h=1", "kernel": "relu_c", "refused": "too small", "warm_us": 0}]
    return {"stages": [stage], "kernels": cases}


class Compare(unittest.TestCase):
    def setUp(self) -> None:
        self.base, self.other = run(), run()

    def compare(self, *arguments: str, more: Any = None) -> tuple[int, list[str]]:
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name, document in (("base", self.base), ("other", self.other), ("more", more)):
                if document is not None:
                    paths.append(Path(folder) / f"{name}.json")
                    paths[-1].write_text(json.dumps(document))
            done = subprocess.run([sys.executable, str(COMPARE), *map(str, paths), *arguments], capture_output=True,
                                  text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()

    def row(self, lines: list[str], start: str) -> list[str]:
        return next(line for line in lines if line.startswith(start)).split()

    def test_equal_runs(self) -> None:
        code, lines = self.compare("--threshold", "1")
        self.assertEqual(code, 0)
        self.assertEqual(self.row(lines, "detector ")[1:], ["100.000", "100.000", "1.000", "+0.000"])
        self.assertTrue(any("geometric mean of the ratios 1.000" in line for line in lines))

    def test_threshold_is_on_the_stage(self) -> None:
        self.other["stages"][0]["median_ms"] = 103.0
        self.assertEqual(self.compare("--threshold", "1.02")[0], 1)
        self.assertEqual(self.compare("--threshold", "1.04")[0], 0)
        self.assertEqual(self.compare()[0], 0)

    def test_threshold_is_on_the_cases_where_there_is_no_stage(self) -> None:
        self.base["stages"] = self.other["stages"] = []
        self.other["kernels"][0]["warm_us"] = 12.0
        self.assertEqual(self.compare("--threshold", "1.1")[0], 1)

    def test_sorted_by_time_lost_and_mean_of_ratios(self) -> None:
        kernels = self.other["stages"][0]["kernels"]
        kernels[0]["ms"], kernels[1]["ms"] = 82.0, 5.0  # +2 ms, -15 ms
        _, lines = self.compare("--what", "kernel")
        self.assertIn("relu_b", lines[1])
        self.assertEqual(self.row(lines, "detector: relu_b")[-2:], ["0.250", "-15.000"])
        self.assertIn(f"{(82 / 80 * 5 / 20) ** 0.5:.3f}", lines[3])

    def test_refused_and_missing_rows(self) -> None:
        del self.other["stages"][0]["nodes"][0]
        _, lines = self.compare("--what", "node", "case")
        self.assertFalse(any("relu_c" in line for line in lines))
        self.assertTrue(any(line.startswith("only in some of the runs") and "first" in line for line in lines))

    def test_three_runs_are_three_columns(self) -> None:
        third = copy.deepcopy(self.base)
        third["stages"][0]["median_ms"] = 200.0
        _, lines = self.compare("--what", "stage", more=third)
        self.assertEqual(self.row(lines, "detector ")[1:],
                         ["100.000", "100.000", "1.000", "200.000", "2.000", "+100.000"])

    def test_files_that_are_no_runs(self) -> None:
        for broken in ({}, {"stages": [{"stage": "x"}]}, {"stages": 3}, []):
            self.other = broken
            self.assertEqual(self.compare()[0], 2, broken)
        self.other = run()
        self.other["stages"][0]["median_ms"] = float("nan")
        self.assertEqual(self.compare()[0], 2)


if __name__ == "__main__":
    unittest.main()
