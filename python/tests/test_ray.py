"""Studies on a cluster of Ray nodes on this machine: workers and nodes that die, studies that kill, a full disk. What
concerns Ray runs on a stand-in for the engine. Needs SPINERT_BINARY; MAKE_MODEL makes it fast; unittest and pytest."""

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
    import ray.cluster_utils
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None
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
        act = (path / "act").read_text()
        if act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if act == "damaged":
            raise spinert.InputInvalid(4, "E_PNG", "a checksum is wrong")
        if act == "wait once" and not (path / "began").exists():
            (path / "telling").write_text(f"{os.getpid()} {ray.get_runtime_context().get_node_id()}")
            (path / "telling").rename(path / "began")
            time.sleep(PATIENCE)
        sha256 = hashlib.sha256((path / "slice.png").read_bytes()).hexdigest()
        report = {"status": "completed", "alert": "negative", "reasons": [], "exit_code": 0, "device": {"isa": "none"},
                  "model": {"sha256": self.job.key.model_sha256}, "input": {"kind": "pictures", "slices": 1},
                  "slices": [{"source": "slice.png", "sha256": sha256, "vertebrae": [{}]}],
                  "volatile": {"command_line": "diagnose --threads 1", "deterministic_sha256": sha256}}
        folder.mkdir(exist_ok=True)
        with open(path / "published", "a", encoding="utf-8") as log:
            log.write("+")
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
            cls.model = subprocess.check_output([maker, cls.base.name], text=True).strip()
        # Ray's workers are nice (15) unless told otherwise: beside other work they would get nothing done.
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0",
                       "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])}
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
        cls.cluster.add_node(num_cpus=1, memory=2 * ENGINE_MEMORY, object_store_memory=80 << 20)

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(dir=self.base.name))
        self.studies, self.out = self.place / "studies", self.place / "out"

    def make(self, **acts):
        for name, act in acts.items():
            (self.studies / name).mkdir(parents=True)
            (self.studies / name / "slice.png").write_bytes(b"\x89PNG of " + name.encode())
            (self.studies / name / "act").write_text(act)

    def run_all(self, **more):
        """Exit code, the table's columns as lists, and how often each study was published."""
        summary = spinert.ray.run([self.studies], self.out, model=self.model, threads=1, make_engine=StandIn, **more)
        self.assertTrue(pq.read_table(summary.path).equals(summary.table))
        logs = [folder / "published" for folder in sorted(self.studies.iterdir())]
        published = [len(log.read_text()) if log.exists() else 0 for log in logs]
        return summary.exit_code, summary.table.to_pydict(), published

    def when_waiting(self, study, do):
        def wait():
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                if (self.studies / study / "began").exists():
                    return do(*(self.studies / study / "began").read_text().split())
                time.sleep(0.1)
        thread = threading.Thread(target=wait)
        thread.start()
        self.addCleanup(thread.join)

    def test_a_killed_worker_costs_nothing(self):
        self.make(a="", b="wait once", c="", d="kill after")
        self.when_waiting("b", lambda pid, node: os.kill(int(pid), signal.SIGKILL))
        code, rows, published = self.run_all()
        self.assertEqual((code, rows["study"], published), (0, list("abcd"), [1, 1, 1, 1]))
        self.assertEqual((rows["attempts"], rows["vertebrae"]), ([1, 2, 1, 2], [1, 1, 1, 1]))
        # Published before the worker died: found by the second attempt and not made again.
        self.assertEqual(rows["kept"], [False, False, False, True])
        self.assertEqual(rows["deterministic_sha256"],
                         [hashlib.sha256(b"\x89PNG of " + name).hexdigest() for name in (b"a", b"b", b"c", b"d")])

    def test_a_lost_node_costs_nothing(self):
        self.make(a="", b="wait once", c="", d="")
        lost = []

        def take_away(pid, node):
            lost.append(node[:12])
            gone = next(one for one in self.cluster.worker_nodes if one.node_id == node)
            self.cluster.remove_node(gone, allow_graceful=False)
        self.when_waiting("b", take_away)
        self.addCleanup(self.add_node)
        code, rows, published = self.run_all()
        self.assertEqual((code, published, rows["attempts"][1]), (0, [1, 1, 1, 1], 2))
        self.assertNotIn(lost[0], rows["worker"][1])

    def test_poison_takes_no_other_study_with_it(self):
        self.make(a="", b="kill", c="", d="damaged")
        code, rows, published = self.run_all(attempts=2)
        self.assertEqual((code, published, rows["attempts"]), (11, [1, 0, 1, 0], [1, 2, 1, 1]))
        self.assertEqual((rows["exit_code"], rows["error"]), ([0, 1, 0, 4], ["", "E_INTERNAL", "", "E_PNG"]))
        self.assertEqual(rows["alert"], ["negative", "review", "negative", "review"])
        with self.assertRaises(spinert.OutputError):
            self.run_all()
        # Cured, and resumed: only these are done, and the one with another picture under the same name.
        for name in "bd":
            (self.studies / name / "act").write_text("")
        (self.studies / "a" / "slice.png").write_bytes(b"\x89PNG, another")
        code, rows, published = self.run_all(resume=True)
        self.assertEqual((code, published, rows["kept"]), (0, [2, 1, 1, 1], [False, False, True, False]))

    def test_a_full_disk_and_the_bytes_of_the_program(self):
        alone, sizes = {}, []
        for name in ("001", "014", "023"):
            (self.studies / name).mkdir(parents=True)
            shutil.copy(ROOT / "examples" / f"slice_{name}.png", self.studies / name)
            out = self.place / name
            code = subprocess.run([os.environ["SPINERT_BINARY"], "diagnose", self.studies / name, "--model", self.model,
                                   "-o", out], capture_output=True).returncode
            alone[name] = code, (out / "report.json").read_bytes()
            sizes.append(sum(file.stat().st_size for file in out.iterdir()))
        self.out.mkdir()
        # Two results fit and three do not.
        size = sum(sorted(sizes)[1:]) * 11 // 10
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", self.out]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            self.skipTest("no right to mount a small disk")
        self.addCleanup(subprocess.run, ["umount", self.out], check=True)
        more = {"model": self.model, "threads": 1, "resume": True, "summary": self.place / "summary.parquet"}
        rows = spinert.ray.run([self.studies], self.out, **more).table.to_pylist()
        failed = [row for row in rows if row["exit_code"] == 10]
        self.assertEqual({(row["error"], row["deterministic_sha256"], row["attempts"]) for row in failed},
                         {("E_OUTPUT", "", 2)})
        done = {row["study"]: os.stat(self.out / row["study"] / "report.json").st_mtime_ns for row in rows
                if row not in failed}
        self.assertEqual(len(done) + len(failed), 3)
        self.assertTrue(done)
        self.assertEqual({path.parent.name for path in self.out.glob("*/report.json")}, set(done))
        subprocess.run(["mount", "-o", "remount,size=16m", self.out], check=True)
        rows = spinert.ray.run([self.studies], self.out, **more).table.to_pylist()
        self.assertEqual({row["study"] for row in rows if row["kept"]}, set(done))
        for row in rows:
            ours = self.out / row["study"] / "report.json"
            self.assertEqual(ours.stat().st_mtime_ns, done.get(row["study"], ours.stat().st_mtime_ns))
            code, theirs = alone[row["study"]]
            self.assertEqual((row["exit_code"], stable(ours.read_bytes())), (code, stable(theirs)))
            self.assertEqual(row["deterministic_sha256"], json.loads(theirs)["volatile"]["deterministic_sha256"])

    def test_the_command_tells_what_is_wrong(self):
        self.make(a="")  # no PNG file at all
        table = pa.table({"path": [str(self.studies / "a"), "/no/such"], "study": ["one", "two"]})
        pq.write_table(table, self.place / "list.parquet")
        command = [sys.executable, "-m", "spinert.ray", self.place / "list.parquet", "-o", self.out,
                   "--model", self.model, "--address", self.cluster.address]
        done = subprocess.run(command, capture_output=True, text=True)
        rows = pq.read_table(self.out / "summary.parquet").to_pydict()
        self.assertEqual((done.returncode, rows["study"], rows["exit_code"]), (11, ["one", "two"], [4, 3]), done.stderr)
        self.assertIn("two: failed, E_INPUT_EMPTY", done.stderr)
        again = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual((again.returncode, again.stdout), (10, ""))
        self.assertIn("spinert: error E_OUTPUT: the output folder is not empty", again.stderr)


class Parts(unittest.TestCase):
    def test_studies(self):
        with tempfile.TemporaryDirectory() as base:
            for name in ("b", "a", ".hidden"):
                os.mkdir(f"{base}/{name}")
            Path(base, "c.nii.gz").touch()
            found = spinert.ray.find_studies([base])
            self.assertEqual(found, [(name, f"{base}/{name}") for name in ("a", "b", "c.nii.gz")])
            with self.assertRaises(spinert.OutputError):
                spinert.ray.run([base], f"{base}/a/out")
            Path(base, "loose.png").touch()
            Path(base, "torn.parquet").write_bytes(b"PAR1")
            bad = [([base], 2), ([f"{base}/a"], 3), ([f"{base}/a", f"{base}/b/../a"], 2), (["/", base], 2),
                   ([base, f"{base}/\udc80"], 2), ([f"{base}/no.parquet"], 3), ([f"{base}/torn.parquet"], 4)]
            for number, (code, columns) in enumerate([
                    (2, {"path": ["/x", "/y"], "study": ["n", "n"]}), (2, {"path": ["/x"], "study": ["../n"]}),
                    (2, {"path": ["/x"], "study": [""]}), (4, {"path": ["/x", None]}), (4, {"file": ["/x"]})]):
                pq.write_table(pa.table(columns), f"{base}/{number}.parquet")
                bad.append(([f"{base}/{number}.parquet"], code))
            for inputs, code in bad:
                with self.subTest(inputs), self.assertRaises(spinert.Error) as raised:
                    spinert.ray.find_studies(inputs)
                self.assertEqual(raised.exception.code, code)

    def test_plan(self):
        big, small = {"CPU": 8, "memory": 64 << 30}, {"CPU": 8, "memory": 4 << 30}
        card = {"CPU": 16, "GPU": 2, "memory": 64 << 30}
        for nodes, arguments, wanted in [([big, big], {}, (16, 1, 0)), ([small], {}, (4, 2, 0)),
                                         ([{"CPU": 0}, big], {"threads": 4}, (2, 4, 0)),
                                         ([big, card], {"device": "cuda"}, (2, 8, 1))]:
            self.assertEqual(plan(nodes, **arguments), wanted)
        for node, arguments in [({"CPU": 8, "memory": 1 << 29}, {}), (big, {"device": "cuda"}), (big, {"threads": 9})]:
            with self.assertRaises(spinert.DeviceError):
                plan([node], **arguments)

    def test_settings(self):
        said = reports.settings("diagnose --threads 2 --threshold 0.50 --fast true --isa avx2 --prefer qform")
        made = {"threads": 1, "isa": "avx2", "threshold": 0.5, "fast": True, "hu_offset": None, "transform": "qform"}
        self.assertEqual(said, reports.settings_for(made))
        self.assertNotEqual(said, reports.settings_for({**made, "threshold": 0.25}))


if __name__ == "__main__":
    unittest.main()
