"""The first process of the container: which command it makes of what a host says, and which exit code it ends with.

A stand-in called spinert writes down its arguments; one test runs the real program.
"""

import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ENTRY = Path(__file__).resolve().parents[2] / "packaging/entry.sh"
STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" >"$SEEN"
if [ -n "${SLEEPS:-}" ]; then trap 'kill $!; exit 143' TERM; : >"$SEEN.ready"; sleep 60 & wait; fi
exit "${ENDS_WITH:-0}"
"""


class Entry(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.seen = Path(self.folder.name, "seen")
        program = Path(self.folder.name, "spinert")
        program.write_text(STAND_IN, encoding="utf-8")
        program.chmod(0o755)

    def environment(self, **variables: str) -> dict[str, str]:
        return {"PATH": f"{self.folder.name}:{os.environ['PATH']}", "SEEN": str(self.seen), **variables}

    def command(self, *arguments: str, code: int = 0, **variables: str) -> list[str] | None:
        run = subprocess.run(["sh", str(ENTRY), *arguments], env=self.environment(**variables), capture_output=True,
                             text=True, check=False, cwd=self.folder.name)
        self.assertEqual(run.returncode, code, run.stderr)
        self.said = run.stderr
        return self.seen.read_text(encoding="utf-8").splitlines() if self.seen.exists() else None

    def test_folders_of_each_host(self) -> None:
        wanted = ["diagnose", "/d/a study", "-o", "/out", "--dicom-output"]
        for into, out in (("MERCURE_IN_DIR", "MERCURE_OUT_DIR"), ("MONAI_INPUTPATH", "MONAI_OUTPUTPATH"),
                          ("HOLOSCAN_INPUT_PATH", "HOLOSCAN_OUTPUT_PATH")):
            self.assertEqual(self.command(**{into: "/d/a study", out: "/out"}), wanted, into)
        # mercure sets all of them.
        self.assertEqual(self.command(MERCURE_IN_DIR="/d/a study", HOLOSCAN_INPUT_PATH="/d/a study/", MONAI_INPUTPATH="/d/a study",
                                      MERCURE_OUT_DIR="/out", MONAI_OUTPUTPATH="/out"), wanted)
        self.assertEqual(self.command(), ["diagnose", "/var/monai/input", "-o", "/var/monai/output", "--dicom-output"])

    def test_two_names_that_differ_are_refused(self) -> None:
        self.assertIsNone(self.command(code=2, MERCURE_IN_DIR="/a", MONAI_INPUTPATH="/b"))
        self.assertIn("MONAI_INPUTPATH is /b, but MERCURE_IN_DIR is /a", self.said)

    def test_options(self) -> None:
        base = ["diagnose", "/i", "-o", "/o"]
        folders = {"MERCURE_IN_DIR": "/i", "MERCURE_OUT_DIR": "/o"}
        self.assertEqual(self.command(**folders, SPINERT_OPTIONS=""), base)
        self.assertEqual(self.command(**folders, SPINERT_OPTIONS="--threads 2 --isa *"), [*base, "--threads", "2", "--isa", "*"])
        self.assertEqual(self.command(**folders, MONAI_TIMEOUT="60"), [*base, "--dicom-output", "--timeout", "60"])
        self.assertEqual(self.command(**folders, MONAI_TIMEOUT="0"), [*base, "--dicom-output"])
        self.assertEqual(self.command("inspect", "a b", **folders), ["inspect", "a b"])

    def test_folders_are_never_carried_out(self) -> None:
        harm = f"$(touch {self.folder.name}/harm); touch {self.folder.name}/harm"
        self.assertEqual((self.command(MERCURE_IN_DIR=harm, SPINERT_OPTIONS="") or [])[1], harm)
        self.assertFalse(Path(self.folder.name, "harm").exists())

    def test_exit_codes(self) -> None:
        for code in (0, 4, 11, 13, 14):
            self.command(code=code, ENDS_WITH=str(code))
            # Only results that say themselves that they are doubtful can be delivered, and only if somebody asked.
            self.command(code=0 if code in (11, 13) else code, ENDS_WITH=str(code), SPINERT_DELIVER="4 11 13 14")
        self.command(code=11, ENDS_WITH="11", SPINERT_DELIVER="13")

    def test_a_stop_reaches_the_program(self) -> None:
        for deliver in ("", "13"):
            Path(f"{self.seen}.ready").unlink(missing_ok=True)
            environment = self.environment(SLEEPS="1", SPINERT_DELIVER=deliver)
            with subprocess.Popen(["sh", str(ENTRY)], env=environment, cwd=self.folder.name) as entry:
                end = time.monotonic() + 30
                while not Path(f"{self.seen}.ready").exists() and time.monotonic() < end:
                    time.sleep(0.02)
                entry.send_signal(signal.SIGTERM)
                self.assertEqual(entry.wait(30), 143, f"SPINERT_DELIVER={deliver}")

    def test_the_real_program(self) -> None:
        work = Path(self.folder.name, "work")
        into, out = work / "in", work / "out"
        for folder in (into, out):
            folder.mkdir(parents=True)
        model = subprocess.run([os.environ["MAKE_MODEL"], str(work)], capture_output=True, text=True, check=True).stdout.strip()
        (work / "slice.png").rename(into / "slice.png")
        (into / "task.json").write_text("{}", encoding="utf-8")  # mercure's, beside the pictures
        Path(self.folder.name, "spinert").unlink()
        Path(self.folder.name, "spinert").symlink_to(os.environ["SPINERT_BINARY"])
        self.command(code=0, MERCURE_IN_DIR=str(into), MERCURE_OUT_DIR=str(out), SPINERT_DELIVER="13",
                     SPINERT_OPTIONS=f"--model {model} --threads 1")
        self.assertEqual({path.name for path in out.iterdir()}, {"report.json", "report.html", "preview-slice.png"})


if __name__ == "__main__":
    unittest.main()
