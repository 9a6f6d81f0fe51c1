"""Studies on a cluster of several Ray nodes on this machine: workers and nodes that die, studies that kill, a full disk.

What concerns Ray runs on a stand-in for the engine, what concerns results on the real one. Needs SPINERT_BINARY;
MAKE_MODEL, the maker of the reduced model, makes it fast. Runs under unittest and pytest."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
try:
    import numpy  # noqa: F401 - of the package
    import pyarrow as pa
    import pyarrow.parquet as pq
    import ray
    import ray.cluster_utils
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None
import spinert  # noqa: E402
import spinert.ray  # noqa: E402
from spinert.ray import reports  # noqa: E402
from spinert.ray.plan import ENGINE_MEMORY, plan  # noqa: E402

PATIENCE = 300  # seconds for what must happen on a loaded machine


class StandIn:
    """Writes a report as the engine does, and does what the file `act` of the study says."""

    def __init__(self, job):
        self.job = job

    def diagnose_paths(self, inputs, folder, *, overwrite, resume):
        path, folder = Path(inputs[0]), Path(folder)
        act = (path / "act").read_text() if (path / "act").exists() else ""
        if act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if act == "damaged":
            raise spinert.InputInvalid(4, "E_PNG", "a checksum is wrong")
        if act == "wait once" and not (path / "began").exists():
            told = path / "telling"
            told.write_text(json.dumps({"pid": os.getpid(), "node": ray.get_runtime_context().get_node_id()}))
            told.rename(path / "began")
            time.sleep(PATIENCE)
        time.sleep(0.2)
        picture = path / "slice.png"
        found = {"source": picture.name, "sha256": hashlib.sha256(picture.read_bytes()).hexdigest(), "vertebrae": [{}]}
        report = {"status": "completed", "alert": "negative", "reasons": [], "exit_code": 0, "device": {"isa": "none"},
                  "model": {"sha256": self.job.key.model_sha256}, "input": {"kind": "pictures", "slices": 1},
                  "slices": [found],
                  "volatile": {"command_line": "diagnose --threads 1", "deterministic_sha256": found["sha256"]}}
        folder.mkdir(exist_ok=True)
        with open(path / "published", "a", encoding="utf-8") as log:
            log.write("once\n")
        (folder / "staged").write_text(json.dumps(report))
        (folder / "staged").rename(folder / "report.json")
        if act == "kill after":
            os.kill(os.getpid(), signal.SIGKILL)
        return [spinert.BatchRow("pictures", str(folder), "pictures", "completed", "negative", "", 1, 0)]


def stable(report):
    return report.partition(b'\n  "volatile"')[0]


class OnRay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.base.cleanup)
        cls.model = str(ROOT / "models" / "spine-demo.safetensors")
        if maker := os.environ.get("MAKE_MODEL"):
            made = subprocess.run([maker, cls.base.name], capture_output=True, text=True, check=True)
            cls.model = made.stdout.strip()
        places = [str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]
        # Ray's workers are nice (15) unless told otherwise: beside other work they would get nothing done.
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
        os.environ["PYTHONPATH"] = os.pathsep.join(place for place in places if place)
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        # The head computes nothing, so that any node with an engine can be taken away.
        cls.cluster = ray.cluster_utils.Cluster(initialize_head=True, head_node_args={
            "num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20})
        cls.addClassCleanup(cls.cluster.shutdown)
        for _ in range(2):
            cls.add_node()
        ray.init(address=cls.cluster.address, log_to_driver=False, logging_level="ERROR")
        cls.addClassCleanup(ray.shutdown)

    @classmethod
    def add_node(cls):
        return cls.cluster.add_node(num_cpus=1, memory=2 * ENGINE_MEMORY, object_store_memory=80 << 20)

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(dir=self.base.name))
        self.studies, self.out = self.place / "studies", self.place / "out"

    def make(self, **acts):
        for name, act in acts.items():
            folder = self.studies / name
            folder.mkdir(parents=True)
            (folder / "slice.png").write_bytes(b"\x89PNG of " + name.encode())
            if act:
                (folder / "act").write_text(act)

    def run_all(self, **more):
        summary = spinert.ray.run([self.studies], self.out, model=self.model, threads=1, make_engine=StandIn, **more)
        self.assertTrue(pq.read_table(summary.path).equals(summary.table))
        return summary, {row["study"]: row for row in summary.table.to_pylist()}

    def published(self):
        logs = {path.name: path / "published" for path in sorted(self.studies.iterdir())}
        return {name: len(log.read_text().split()) if log.exists() else 0 for name, log in logs.items()}

    def during(self, path, do):
        """do(what the study said) as soon as it waits."""
        def wait():
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                if (path / "began").exists():
                    return do(json.loads((path / "began").read_text()))
                time.sleep(0.1)
        thread = threading.Thread(target=wait)
        thread.start()
        self.addCleanup(thread.join)

    def test_a_killed_worker_costs_nothing(self):
        self.make(a="", b="wait once", c="", d="kill after", e="")
        self.during(self.studies / "b", lambda said: os.kill(said["pid"], signal.SIGKILL))
        summary, rows = self.run_all()
        self.assertEqual(summary.exit_code, 0)
        self.assertEqual(list(rows), ["a", "b", "c", "d", "e"])
        self.assertEqual(self.published(), dict.fromkeys("abcde", 1))
        self.assertEqual([rows[name]["attempts"] for name in "abcde"], [1, 2, 1, 2, 1])
        # Published before the worker died: found by the second attempt and not made again.
        self.assertEqual([rows[name]["kept"] for name in "abcde"], [False, False, False, True, False])
        for name, row in rows.items():
            self.assertEqual(row["deterministic_sha256"],
                             hashlib.sha256((self.studies / name / "slice.png").read_bytes()).hexdigest())
            self.assertEqual((row["path"], row["vertebrae"], row["label"]),
                             (str(self.studies / name), 1, "Research use only. Not for diagnostic use."))

    def test_a_lost_node_costs_nothing(self):
        self.make(a="", b="", c="wait once", d="", e="")

        def take_away(said):
            lost = next(node for node in self.cluster.worker_nodes if node.node_id == said["node"])
            self.cluster.remove_node(lost, allow_graceful=False)
        self.during(self.studies / "c", take_away)
        try:
            summary, rows = self.run_all()
        finally:
            self.add_node()
        self.assertEqual((summary.exit_code, rows["c"]["attempts"]), (0, 2))
        self.assertEqual(self.published(), dict.fromkeys("abcde", 1))
        lost = json.loads((self.studies / "c" / "began").read_text())["node"]
        self.assertNotIn(lost[:12], rows["c"]["worker"])

    def test_poison_takes_no_other_study_with_it(self):
        self.make(a="", b="kill", c="", d="damaged", e="")
        summary, rows = self.run_all(attempts=2)
        self.assertEqual(summary.exit_code, 11)
        self.assertEqual(self.published(), {"a": 1, "b": 0, "c": 1, "d": 0, "e": 1})
        told = {name: (row["exit_code"], row["status"], row["alert"], row["error"]) for name, row in rows.items()}
        self.assertEqual(told["b"], (1, "failed", "review", "E_INTERNAL"))
        self.assertEqual(told["d"], (4, "failed", "review", "E_PNG"))
        self.assertEqual({told[name] for name in "ace"}, {(0, "completed", "negative", "")})
        self.assertEqual((rows["b"]["attempts"], rows["d"]["attempts"]), (2, 1))
        # Cured, and resumed: only these two are done, and the one with another picture under the same name.
        for name in "bd":
            (self.studies / name / "act").unlink()
        with self.assertRaises(spinert.OutputError):
            self.run_all()
        (self.studies / "a" / "slice.png").write_bytes(b"\x89PNG, another")
        summary, rows = self.run_all(resume=True)
        self.assertEqual((summary.exit_code, self.published()), (0, {**dict.fromkeys("bcde", 1), "a": 2}))
        self.assertEqual([rows[name]["kept"] for name in "abcde"], [False, False, True, False, True])

    def test_a_full_disk_and_the_bytes_of_the_program(self):
        for name in ("001", "014", "028"):
            (self.studies / name).mkdir(parents=True)
            shutil.copy(ROOT / "examples" / f"slice_{name}.png", self.studies / name)
        self.out.mkdir()
        # Two results of about 400 KB fit. Without the right to mount, a file is in the way of the third.
        small = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1000k", "none", self.out], check=False,
                               capture_output=True).returncode == 0
        if small:
            self.addCleanup(subprocess.run, ["umount", self.out], check=True)
        else:
            (self.out / "014").touch()
        more = {"model": self.model, "threads": 1, "resume": True, "summary": self.place / "summary.parquet"}
        rows = spinert.ray.run([self.studies], self.out, **more).table.to_pylist()
        failed = [row for row in rows if row["exit_code"] == 10]
        self.assertEqual([(row["error"], row["status"], row["deterministic_sha256"], row["attempts"]) for row in failed],
                         [("E_OUTPUT", "failed", "", 2)])
        self.assertFalse((self.out / failed[0]["study"] / "report.json").exists())
        done = {row["study"]: (self.out / row["study"] / "report.json") for row in rows if row not in failed}
        before = {name: path.stat().st_mtime_ns for name, path in done.items()}
        self.assertEqual(len(done), 2)
        if small:
            subprocess.run(["mount", "-o", "remount,size=8m", self.out], check=True)
        else:
            (self.out / "014").unlink()
        rows = spinert.ray.run([self.studies], self.out, **more).table.to_pylist()
        self.assertEqual({row["study"] for row in rows if row["kept"]}, set(done))
        self.assertEqual({name: path.stat().st_mtime_ns for name, path in done.items()}, before)
        for row in rows:
            one = self.place / row["study"]
            code = subprocess.run([os.environ["SPINERT_BINARY"], "diagnose", self.studies / row["study"], "--model",
                                   self.model, "-o", one], capture_output=True, check=False).returncode
            theirs = (one / "report.json").read_bytes()
            ours = (self.out / row["study"] / "report.json").read_bytes()
            self.assertEqual(row["exit_code"], code)
            self.assertEqual(stable(ours), stable(theirs))
            self.assertEqual(row["deterministic_sha256"], json.loads(theirs)["volatile"]["deterministic_sha256"])

    def test_the_command_tells_what_is_wrong(self):
        self.make(a="", b="")  # not PNG files at all
        table = pa.table({"path": [str(self.studies / "a"), str(self.studies / "none")], "study": ["one", "two"]})
        pq.write_table(table, self.place / "list.parquet")
        command = [sys.executable, "-m", "spinert.ray", str(self.place / "list.parquet"), "-o", str(self.out), "--model",
                   self.model, "--threads", "1", "--address", self.cluster.address]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 11, done.stderr)
        rows = pq.read_table(self.out / "summary.parquet").to_pylist()
        self.assertEqual([(row["study"], row["exit_code"], row["error"], row["status"]) for row in rows],
                         [("one", 4, "E_PNG", "failed"), ("two", 3, "E_INPUT_EMPTY", "failed")])
        self.assertIn("two: failed, E_INPUT_EMPTY", done.stderr)
        again = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((again.returncode, again.stdout), (10, ""))
        self.assertIn("spinert: error E_OUTPUT: the output folder is not empty", again.stderr)

    def test_refused_before_anything_runs(self):
        self.make(a="")
        with self.assertRaises(spinert.OutputError):
            spinert.ray.run([self.studies], self.studies / "out", model=self.model)
        with self.assertRaises(spinert.ModelInvalid):
            spinert.ray.run([self.studies], self.out, model=self.studies / "a" / "slice.png")
        with self.assertRaises(spinert.DeviceError):
            self.run_all(engine={"device": "cuda"})


class Parts(unittest.TestCase):
    def test_studies(self):
        with tempfile.TemporaryDirectory() as base:
            for name in ("b", "a", ".hidden"):
                os.mkdir(f"{base}/{name}")
            Path(base, "c.nii.gz").touch()
            found = spinert.ray.find_studies([base])
            self.assertEqual(found, [(name, f"{base}/{name}") for name in ("a", "b", "c.nii.gz")])
            self.assertEqual(spinert.ray.find_studies([f"{base}/b", f"{base}/a"])[0], ("b", f"{base}/b"))
            Path(base, "loose.png").touch()
            bad = [([base], spinert.UsageError), ([f"{base}/a"], spinert.InputMissing), ([], spinert.InputMissing),
                   ([f"{base}/a", f"{base}/b/../a"], spinert.UsageError), (["/", base], spinert.UsageError),
                   ([base + "/.hidden", base], spinert.UsageError), ([f"{base}/no.parquet"], spinert.InputMissing)]
            lists = [{"path": ["/x", "/y"], "study": ["n", "n"]}, {"path": ["/x"], "study": ["../n"]},
                     {"path": ["/x"], "study": [""]}, {"path": ["/x"], "study": ["summary.parquet"]},
                     {"path": [1]}, {"path": ["/x", None]}, {"file": ["/x"]}]
            for number, columns in enumerate(lists):
                pq.write_table(pa.table(columns), f"{base}/{number}.parquet")
                kind = spinert.UsageError if "study" in columns else spinert.InputInvalid
                bad.append(([f"{base}/{number}.parquet"], kind))
            Path(base, "torn.parquet").write_bytes(b"PAR1")
            bad.append(([f"{base}/torn.parquet"], spinert.InputInvalid))
            for inputs, kind in bad:
                with self.subTest(inputs), self.assertRaises(kind):
                    spinert.ray.find_studies(inputs)

    def test_plan(self):
        big, small = {"CPU": 8, "memory": 64 << 30}, {"CPU": 8, "memory": 4 << 30}
        card = {"CPU": 16, "GPU": 2, "memory": 64 << 30}
        for nodes, arguments, actors, threads in [
                ([big, big], {}, 16, 1), ([small], {}, 4, 2), ([big], {"threads": 4}, 2, 4), ([big, card], {}, 24, 1),
                ([big, card], {"device": "cuda"}, 2, 8), ([big], {"actors": 3}, 3, 1), ([{"CPU": 0}, big], {}, 8, 1)]:
            made = plan(nodes, **arguments)
            self.assertEqual((made.actors, made.threads), (actors, threads), (nodes, arguments))
        for nodes, arguments in [([{"CPU": 0}], {}), ([big], {"device": "cuda"}), ([big], {"threads": 9})]:
            with self.assertRaises(spinert.DeviceError):
                plan(nodes, **arguments)

    def test_settings(self):
        said = reports.settings_of("diagnose --threads 2 --threshold 0.50 --fast true --isa avx2 --device auto")
        made = reports.settings_for({"threads": 1, "isa": "avx2", "threshold": 0.5, "fast": True, "device": "auto",
                                     "hu_offset": None})
        self.assertEqual(said, made)
        self.assertNotEqual(said, reports.settings_for({"isa": "avx2", "threshold": 0.25, "fast": True}))


if __name__ == "__main__":
    unittest.main()
