"""The Debian packages of this build: made, taken apart and used, and the parts list in them compared with the files.

Ends with 77 where dpkg's tools or the parts list are missing.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["SPINERT_BUILD"])
VERSION = re.search(r"project\(spinert VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text(encoding="utf-8"))[1]


def said(*command: str, **options: Any) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert run.returncode == 0, f"{command} ended with {run.returncode}: {run.stdout}{run.stderr}"
    return run.stdout


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        made, cls.root = Path(cls.folder.name, "made"), Path(cls.folder.name, "root")
        # gzip: a tenth of the time of xz.
        said("cpack", "-B", str(made), "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip", cwd=BUILD)
        cls.packages = {path.name.split("_")[0]: path for path in made.glob("*.deb")}
        for path in cls.packages.values():
            said("dpkg-deb", "-x", str(path), str(cls.root))
        [cls.list] = [json.loads(path.read_text(encoding="utf-8")) for path in cls.root.glob("usr/share/doc/spinert/*.cdx.json")]
        [cls.library] = cls.root.glob("usr/lib/**/libspinert.so.*.*")
        cls.files = [cls.root / "usr/bin/spinert", cls.library, *cls.root.glob("usr/libexec/spinert/spinert-dicom")]

    def field(self, package: str, name: str) -> str:
        return said("dpkg-deb", "-f", str(self.packages[package]), name).strip()

    def test_names_and_dependencies(self) -> None:
        self.assertEqual(set(self.packages), {"spinert", "libspinert0", "libspinert-dev"})
        for package in self.packages:
            self.assertEqual(self.field(package, "Version"), VERSION)
            self.assertIn("Research use only", self.field(package, "Description"))
        for package in ("spinert", "libspinert0"):
            self.assertRegex(self.field(package, "Depends"), r"libc6 \(>= .*libssl3.*zlib1g")
        if len(self.files) == 3:
            self.assertIn("libdcmtk", self.field("spinert", "Depends"))
        self.assertIn(f"libspinert0 (= {VERSION})", self.field("libspinert-dev", "Depends"))
        control = Path(self.folder.name, "control")
        said("dpkg-deb", "-e", str(self.packages["libspinert0"]), str(control))
        self.assertRegex((control / "shlibs").read_text(encoding="utf-8"), rf"libspinert 0 libspinert0 \(>= {VERSION}\)")

    def test_each_file_is_in_one_package(self) -> None:
        owners: dict[str, str] = {}
        for package, path in self.packages.items():
            for line in said("dpkg-deb", "-c", str(path)).splitlines():
                rights, owner, *_, name = line.split(maxsplit=5)
                self.assertEqual(owner, "root/root", line)
                self.assertNotIn(name, owners if not rights.startswith("d") else ())
                owners[name] = package
            self.assertIn(f"./usr/share/doc/{package}/copyright", owners)
            self.assertIn(f"./usr/share/doc/{package}/changelog.gz", owners)
        for path in ("bin/spinert", "share/man/man1/spinert.1.gz", "share/bash-completion/completions/spinert"):
            self.assertEqual(owners.get(f"./usr/{path}"), "spinert", path)
        self.assertEqual(owners.get("./usr/include/spinert.h"), "libspinert-dev")

    def test_the_program_finds_its_model_and_decoder(self) -> None:
        program, out = self.root / "usr/bin/spinert", Path(self.folder.name, "out")
        picture = SOURCE / "examples/slice_014.png"
        run = subprocess.run([program, "diagnose", picture, "-o", out], capture_output=True, text=True, check=False)
        self.assertIn(run.returncode, (0, 13), run.stderr)
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        self.assertGreater(len(report["slices"][0]["vertebrae"]), 3)
        model = hashlib.sha256((self.root / "usr/share/spinert/spine-demo.safetensors").read_bytes()).hexdigest()
        self.assertEqual(report["model"]["sha256"], model)
        if len(self.files) == 3:
            broken = Path(self.folder.name, "dicom")
            broken.mkdir()
            (broken / "broken.dcm").write_bytes(bytes(128) + b"DICM")
            run = subprocess.run([program, "inspect", broken], capture_output=True, text=True, check=False)
            self.assertRegex(run.stdout + run.stderr, "E_DICOM")
            self.assertNotIn("E_NO_DICOM", run.stdout + run.stderr)

    def test_the_parts_list_names_what_is_shipped(self) -> None:
        hashes = {part["name"]: part["hashes"][0]["content"] for part in self.list["components"] if "hashes" in part}
        for path in [*self.files, self.root / "usr/share/spinert/spine-demo.safetensors"]:
            name = path.stem if path.suffix == ".safetensors" else path.name
            self.assertEqual(hashes[name], hashlib.sha256(path.read_bytes()).hexdigest(), name)
        names = {part["name"] for part in self.list["components"]}
        for package in re.findall(r"([\w.+-]+) \(", self.field("spinert", "Depends") + self.field("libspinert0", "Depends")):
            self.assertIn(package, names)  # what dpkg-shlibdeps found by itself
        self.assertLessEqual({"nlohmann-json3-dev", "libcli11-dev", "libstb-dev"}, names)

    def test_the_parts_list_is_whole(self) -> None:
        root = self.list["metadata"]["component"]["bom-ref"]
        references = [root] + [part["bom-ref"] for part in self.list["components"]]
        self.assertEqual(len(references), len(set(references)))
        depends = {entry["ref"]: entry["dependsOn"] for entry in self.list["dependencies"]}
        self.assertEqual(set(depends), set(references))
        reached, new = set(), {root}
        while new:
            reached |= new
            new = {reference for user in new for reference in depends[user]} - reached
        self.assertEqual(reached, set(references), "a part that nothing of ours needs, or one that is not listed")
        try:
            from cyclonedx.schema import SchemaVersion
            from cyclonedx.validation.json import JsonStrictValidator
        except ImportError:
            self.skipTest("its schema: this Python has no cyclonedx-python-lib[json-validation]")
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(self.list)))

    def test_manifests_have_the_version_of_the_package(self) -> None:
        for name in ("app.json", "pkg.json"):
            self.assertEqual(json.loads((SOURCE / "packaging" / name).read_text(encoding="utf-8"))["version"], VERSION)


if __name__ == "__main__":
    missing = [name for name in ("cpack", "dpkg-deb", "dpkg-shlibdeps", "file") if shutil.which(name) is None]
    if not (BUILD / "spinert.cdx.json").exists():
        missing.append("the parts list")
    if missing:
        print(f"packages: Skipped\nmissing here: {', '.join(missing)}")
        sys.exit(77)
    unittest.main()
