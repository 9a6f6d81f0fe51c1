"""The DICOM connection from outside: DCMTK's programs, a real Orthanc, and what breaks the rules. Needs MAKE_MODEL."""

import contextlib
import io
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

try:
    import fastapi, httpx, numpy, pydicom, python_multipart, uvicorn  # noqa
    from pynetdicom import AE, evt
    from pynetdicom.dimse_primitives import C_STORE
except ImportError as missing:
    raise unittest.SkipTest(f"this Python lacks {missing.name}") from None

from orthanc import HOST, free_port, orthanc_config

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
from spinert.serve.main import main  # noqa: E402

CT, SC, SR = ("1.2.840.10008.5.1.4.1.1." + one for one in ("2", "7", "88.34"))
IMPLICIT, STUDY = "1.2.840.10008.1.2", "2.25.424242"
QUICK, NEVER = ("--stable-seconds", "2"), ("--stable-seconds", "1000")
REAL = "from spinert.serve.main import main; raise SystemExit(main())"
HELD = """
import os, pathlib, spinert, time
from spinert.serve.main import main
class Engine(spinert.Engine):
    def diagnose_paths(self, *paths, **more):
        while not (pathlib.Path(os.environ["FOLDER"]) / "go").exists():
            time.sleep(0.02)
            if more["progress"]({"kind": "begins", "done": 0, "total": 1}):
                raise spinert.Cancelled(130, "E_CANCELLED", "stopped")
        return super().diagnose_paths(*paths, **more)
raise SystemExit(main(open_engine=Engine))
"""


@unittest.skipUnless(shutil.which("storescu"), "the Debian package dcmtk is not installed")
class Dicom(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data, self.archive, self.slices = self.folder / "data", self.folder / "archive", 0
        self.log = (self.folder / "log").read_text
        self.get = httpx.Client(timeout=60).get
        self.model = subprocess.check_output([os.environ["MAKE_MODEL"], self.folder], text=True).strip()
        self.port, self.archive_port = free_port(), free_port()
        self.to_archive = ("--send-to", f"ARCHIVE@{HOST}:{self.archive_port}")

    def start(self, *options: str, program: str = REAL) -> None:
        with open(self.folder / "log", "w") as log:
            self.process = self.background(
                sys.executable, "-c", program, "--data", self.data, "--port=0", "--threads=1", "--model", self.model,
                "--dicom-port", str(self.port), "--allow-ae", "CT1", *options, stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT / "python"), "FOLDER": self.folder})
        self.until(lambda: " listening on " in self.log())
        self.url = f"http://{HOST}:" + re.search(r" listening on \S+ port (\d+)", self.log())[1]

    def background(self, *command, **more) -> subprocess.Popen:
        process = subprocess.Popen(command, **{"stderr": subprocess.DEVNULL} | more)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        return process

    def stop(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def until(self, true) -> None:
        end = time.monotonic() + 90
        while not true():
            self.assertLess(time.monotonic(), end, self.log())
            time.sleep(0.05)

    def jobs(self) -> list[dict]:
        """Oldest first."""
        return self.get(self.url + "/v1/jobs").json()["jobs"][::-1]

    def wait(self, number: int, state: str, *delivery: str) -> dict:
        self.until(lambda: len(jobs := self.jobs()) >= number and jobs[number - 1]["state"] == state and (
            not delivery or [one["state"] for one in jobs[number - 1]["delivery"]] == [*delivery]))
        return self.jobs()[number - 1]

    def figure(self, kind: str, outcome: str) -> float:
        text = self.get(self.url + "/metrics").text
        return sum(map(float, re.findall(f'^spinert_dicom_{kind}_total{{.*"{outcome}"}} (.*)', text, re.M)))

    def slice(self, number: int, **more) -> Path:
        """A native sagittal CT slice. An attribute given as None is left out."""
        pixels = (numpy.arange(12000) * 7 + number) % 251 * 8 - 1000
        values = dict(
            SOPClassUID=CT, SOPInstanceUID=f"{STUDY}.{number}", StudyInstanceUID=STUDY, SeriesInstanceUID="2.25.1",
            FrameOfReferenceUID="2.25.2", Modality="CT", PatientName="Doe^Jane", PatientID="MRN4711", StudyTime="1200",
            StudyDate="20260101", ImagePositionPatient=[3 * number, 0, 0], ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
            PixelSpacing=[1, 1], RescaleSlope=1, RescaleIntercept=0, Rows=120, Columns=100, SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=1,
            PixelData=pixels.astype("<i2").tobytes()) | more
        one = pydicom.Dataset()
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = IMPLICIT
        one.update({name: value for name, value in values.items() if value is not None})
        self.slices += 1
        one.save_as(path := self.folder / f"{self.slices}.dcm", enforce_file_format=True)
        return path

    def storescu(self, *files: Path, calling: str = "CT1", called: str = "SPINERT", port: int = 0) -> str:
        command = ["storescu", "-v", "-R", "-aet", calling, "-aec", called, HOST, str(port or self.port), *files]
        return subprocess.run(command, capture_output=True, text=True, timeout=120).stderr

    def send(self, *files: Path) -> None:
        said = self.storescu(*files)
        self.assertEqual(said.count("Received Store Response (Success)"), len(files), said)

    def associate(self, **more):
        entity = AE("CT1")
        entity.add_requested_context(CT, IMPLICIT)
        association = entity.associate(HOST, self.port, ae_title="SPINERT", **more)
        self.addCleanup(association.abort)
        return association

    def arriving(self) -> int:
        files = [str(path.relative_to(self.data)) for path in self.data.glob("arriving/*/*/*")]
        for one in files:
            self.assertRegex(one, r"\Aarriving/[0-9a-f]{32}/upload/[0-9a-f]{32}\.dcm(\.part)?\Z")
        return sum(one.endswith(".dcm") for one in files)

    def check(self, *files: Path) -> None:
        """Results of the study of two slices, each once."""
        found = [pydicom.dcmread(path) for path in files]
        self.assertEqual(sorted(one.SOPClassUID for one in found), [SC, SC, SR])
        self.assertEqual(len({one.SOPInstanceUID for one in found}), 3)
        self.assertEqual({(one.StudyInstanceUID, one.PatientID, str(one.PatientName)) for one in found},
                         {(STUDY, "MRN4711", "Doe^Jane")})

    def test_storescu_to_storescp_and_what_comes_late(self) -> None:
        self.archive.mkdir()
        self.background("storescp", "-aet", "ARCHIVE", "-od", self.archive, str(self.archive_port))
        self.start(*self.to_archive, *QUICK)
        self.send(self.slice(1), second := self.slice(2))
        job = self.wait(1, "finished", "sent")
        self.assertEqual((len(job["files"]), job["options"], self.arriving()), (2, {"dicom_output": True}, 0))
        self.check(*self.archive.iterdir())
        self.send(second)  # once more: no new job, but its results are sent again
        self.until(lambda: self.figure("deliveries", "sent") == 2)
        self.check(*self.archive.iterdir())
        self.send(self.slice(3))
        self.assertEqual(len(self.wait(2, "finished", "sent")["files"]), 3)
        self.send(self.slice(1, RescaleIntercept=1), self.slice(1, PixelData=b"\7" * 24000))
        job = self.wait(3, "finished", "sent")
        stored = [(self.data / "jobs" / job["id"] / "upload" / file["name"]).read_bytes() for file in job["files"]]
        self.assertEqual((len(stored), sum(b"\7" * 24000 in one for one in stored), len(self.jobs())), (3, 1, 3))
        self.assertEqual([self.figure("instances", one) for one in ("stored", "replaced")], [5, 1])
        for secret in ("Doe", "MRN4711", STUDY):
            self.assertNotIn(secret, self.log())

    @unittest.skipUnless(shutil.which("Orthanc"), "the Debian package orthanc is not installed")
    def test_orthanc_and_sudden_deaths(self) -> None:
        http = free_port()
        self.background("Orthanc", orthanc_config(self.folder, "ARCHIVE", http, self.archive_port, self.port))
        options = "--allow-ae", f"ARCHIVE@{HOST}", *self.to_archive
        self.start(*options, *NEVER)
        both = self.slice(1), self.slice(2)
        self.until(lambda: "Success" in self.storescu(*both, called="ARCHIVE", port=self.archive_port))
        self.until(lambda: self.arriving() == 2)
        self.stop()  # after the arrival
        self.start(*options, *QUICK, program=HELD)
        self.wait(1, "running")
        self.stop()  # while it runs
        (self.folder / "go").touch()
        self.start(*options, *QUICK)
        job = self.wait(1, "finished", "sent")
        self.assertEqual((job["attempts"], len(self.jobs()), self.arriving()), (2, 1, 0))
        found = []
        for id in self.get(f"http://{HOST}:{http}/instances").json():
            found.append(self.folder / id)
            found[-1].write_bytes(self.get(f"http://{HOST}:{http}/instances/{id}/file").content)
        self.assertEqual(len(found), 5)
        self.check(*(path for path in found if pydicom.dcmread(path).SOPClassUID != CT))

    def test_a_destination_that_is_down_refuses_and_a_death_while_sending(self) -> None:
        self.start(*self.to_archive, *QUICK)
        self.send(self.slice(1), self.slice(2))
        self.until(lambda: self.wait(1, "finished", "waiting")["delivery"][0]["error"] == "no association")
        self.stop()
        came, acts = [], ["refuse", "keep", "kill"]

        def store(event: evt.Event) -> int:
            act = acts.pop(0) if acts else "keep"
            if act == "refuse":
                return 0xA700
            came.append((event.request.AffectedSOPInstanceUID, event.encoded_dataset()))
            if act == "kill":
                self.process.kill()
            return 0
        entity = AE("ARCHIVE")
        for one in (SC, SR):
            entity.add_supported_context(one)
        server = entity.start_server((HOST, self.archive_port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
        self.addCleanup(server.shutdown)
        self.start(*self.to_archive, *QUICK)
        self.assertEqual((self.process.wait(60), acts), (-9, []))
        self.start(*self.to_archive, *QUICK)
        self.assertGreater(self.wait(1, "finished", "sent")["delivery"][0]["attempts"], 1)
        self.assertEqual((len(came), len({*came}), len({uid for uid, _ in came})), (5, 3, 3))
        self.stop()
        # An address on the disk is no order to send patients' data where nobody says so any more.
        record = next(self.data.glob("jobs/*/job.json"))
        record.write_text(record.read_text().replace('"state": "sent"', '"state": "waiting"'))
        self.start()
        self.wait(1, "finished", "failed")

    def test_a_study_without_a_result(self) -> None:
        self.start(*self.to_archive, *QUICK)
        self.send(self.slice(1), self.slice(2, ImageOrientationPatient=None))
        job = self.wait(1, "failed", "failed")
        self.assertEqual((job["alert"], job["delivery"][0]["error"]), ("review", "the job gave no results"))
        self.assertIn("gave no results", self.log())
        self.send(self.slice(2))
        self.assertEqual(len(self.wait(2, "finished")["files"]), 2)

    def test_who_and_what_is_refused(self) -> None:
        self.start("--allow-ae", "CT2@10.1.2.0/24", *QUICK)
        for calling, called, wrong in (("NOBODY", "SPINERT", "Calling"), ("CT2", "SPINERT", "Calling"),
                                       ("ct1", "SPINERT", "Calling"), ("CT1", "OTHER", "Called")):
            said = self.storescu(self.slice(1), calling=calling, called=called)
            self.assertIn(wrong + " AE Title Not Recognized", said)
        for kind in (CT + ".1", CT[:-1] + "4", SC):  # enhanced CT, MR
            self.assertIn("No Acceptable Presentation", self.storescu(self.slice(1, SOPClassUID=kind)))
        subprocess.run(["echoscu", "-aet", "CT1", "-aec", "SPINERT", HOST, str(self.port)], check=True)
        self.assertEqual([self.figure("associations", one + "_title") for one in ("calling", "called")], [3, 1])
        self.assertEqual((self.arriving(), self.jobs()), (0, []))

    def test_objects_that_are_not_taken(self) -> None:
        self.start(*NEVER)
        association = self.associate()

        def status(data: bytes, instance: str = STUDY + ".1") -> int:
            request = C_STORE()
            request.MessageID, request.Priority, request.DataSet = 1, 2, io.BytesIO(data)
            request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CT, instance
            association._reactor_checkpoint.clear()
            association.dimse.send_msg(request, 1)
            return association.dimse.get_msg(block=True)[1].Status
        good = self.slice(1).read_bytes()
        good = good[good.index(b"\x08\0\x16\0"):]
        for uid in (b"../../../../x", b"/etc/passwd", b"1." * 32 + b"10", b"", b"2.25.01", b"1..2", b"1.2\0/3"):
            uid += b"\0" * (len(uid) % 2)
            changed = good.replace(b"\f\0\0\0" + STUDY.encode() + b"\0", struct.pack("<L", len(uid)) + uid)
            self.assertNotEqual(changed, good)
            self.assertEqual(status(changed), 0xC000, uid)
        self.assertEqual(status(good.replace(STUDY.encode() + b".1", b"../../../x.1\0"), "../../../x.1"), 0xC000)
        deflated = b"\2\0\x10\0\x16\0\0\0" + b"1.2.840.10008.1.2.1.99"  # where only a file may say it
        for bad in (deflated + good, good[:-24008], good[:50], b"\xff" * 999):
            self.assertEqual(status(bad), 0xC000)
        self.assertEqual((status(good, STUDY + ".9"), self.arriving()), (0xA900, 0))
        good = good.replace(b"\xe0\x7f\x10\0", b"\xe0\x7f\0\0\4\0\0\0\0\0\0\0\xe0\x7f\x10\0")  # its group says how long it is
        self.assertEqual((status(good), self.arriving(), self.figure("instances", "cannot_understand")), (0, 1, 12))

    def test_associations_that_are_cut_and_no_dicom(self) -> None:
        self.start(*NEVER)
        said = bytearray()
        association = self.associate(evt_handlers=[(evt.EVT_DATA_SENT, lambda event: said.extend(event.data))])
        self.assertEqual(association.send_c_store(pydicom.dcmread(self.slice(1))).Status, 0)
        request, half = said[:6 + struct.unpack(">L", said[2:6])[0]], said[:-10000]
        association.release()

        def say(what: bytes) -> socket.socket:
            client = socket.create_connection((HOST, self.port), timeout=60)
            self.addCleanup(client.close)
            client.sendall(what)
            return client
        no_command = say(request)
        no_command.recv(9999)  # accepted
        no_command.sendall(b"\4\0\0\0\0\6\0\0\0\2\1\3")
        for client in (no_command, say(b"GET / HTTP/1.1\r\n\r\n"), say(b"\4\0\0\0\0\x10" + bytes(16))):
            self.assertIn(b"\7\0\0\0\0\4", client.makefile("rb").read())  # an A-ABORT
        endless = say(request)
        endless.recv(9999)
        with self.assertRaises(OSError):
            for _ in range(1000):
                endless.sendall(struct.pack(">HLLH", 0x400, 100006, 100002, 0x101) + bytes(100000))
        for cut in (b"\1\0\xff\xff\xff\xff" + bytes(99), half[:99], half):
            say(cut).shutdown(socket.SHUT_WR)
        say(half)
        self.until(lambda: self.figure("associations", "accepted") == 5)
        self.send(self.slice(2))
        self.assertEqual(self.stop(signal.SIGTERM), 0)  # half an instance does not hold it up
        self.assertEqual(self.arriving(), 2)
        self.assertNotIn("Traceback", self.log())

    def test_late_while_it_runs_limits_and_a_full_queue(self) -> None:
        self.start("--max-files", "2", "--queue", "1", *QUICK, program=HELD)
        self.send(self.slice(1))
        self.wait(1, "running")
        self.send(self.slice(2))
        self.wait(1, "cancelled")
        self.wait(2, "running")
        self.assertIn("OutOfResources", self.storescu(self.slice(3)))  # with the two of the job it would be three
        self.send(self.slice(1, StudyInstanceUID="2.25.3"))
        self.wait(3, "queued")
        self.send(self.slice(1, StudyInstanceUID="2.25.4"))
        time.sleep(3)  # more than until it is at rest
        self.assertEqual((len(self.jobs()), self.arriving()), (3, 1))
        (self.folder / "go").touch()
        self.assertEqual([len(self.wait(number, "finished")["files"]) for number in (2, 3, 4)], [2, 1, 1])

    def test_a_full_disk(self) -> None:
        self.data.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", self.data]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            self.skipTest("no right to mount a small disk")
        self.addCleanup(subprocess.run, ["umount", "-l", self.data], check=True)
        self.start(*QUICK)
        many = [self.slice(number) for number in range(1, 11)]
        self.assertIn("OutOfResources", "".join(map(self.storescu, many)))
        self.assertEqual([*self.data.rglob("*.part")], [])
        subprocess.run(["mount", "-o", "remount,size=64m", self.data], check=True)
        self.send(*many)
        self.until(lambda: [job for job in self.jobs() if job["state"] == "finished" and len(job["files"]) == 10])

    def test_command_line(self) -> None:
        held = socket.create_server((HOST, self.port))
        self.addCleanup(held.close)
        port, both = ("--dicom-port", "0"), ("--dicom-port", str(self.port), "--allow-ae", "CT1")
        for said, *wrong in (("needs --allow-ae", *port), ("need --dicom-port", *self.to_archive),
                             ("TITLE@HOST", *both, "--dicom-host", "0.0.0.0"), ("AE title", *both, "--ae-title", "a\\b"),
                             ("TITLE@10.", *port, "--allow-ae", "CT1@host"), ("cannot listen", *both),
                             ("TITLE@HOST:PORT", *both, "--send-to", "A@host")):
            command = ["--data", str(self.data), "--port=0", *wrong]
            with contextlib.redirect_stderr(io.StringIO()) as errors, self.assertRaises(SystemExit) as ended:
                sys.exit(main(command, lambda *_, **__: contextlib.nullcontext()))
            self.assertEqual(ended.exception.code, 2)
            self.assertIn(said, errors.getvalue())


if __name__ == "__main__":
    unittest.main()
