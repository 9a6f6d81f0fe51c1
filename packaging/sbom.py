#!/usr/bin/env python3
"""Writes the parts list (SBOM) of built SpineRT files as CycloneDX 1.6 JSON.

What a file loads is asked of ldd, who needs whom of readelf, which Debian package that is of dpkg. What was compiled in
leaves no trace in the file, so the build names it. A library of no package is listed with its hash alone and reported.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

Component = dict[str, Any]


def said(*command: str) -> str:
    """What a command prints; a failure ends the program with what it said."""
    run = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if run.returncode != 0:
        sys.exit(f"sbom: {' '.join(command)} ended with {run.returncode}: {(run.stderr or run.stdout).strip()}")
    return run.stdout


def sha256(path: Path) -> list[dict[str, str]]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return [{"alg": "SHA-256", "content": digest.hexdigest()}]


def loaded_libraries(path: Path) -> dict[str, Path]:
    """Name to file of every library that the dynamic linker loads with this file."""
    found: dict[str, Path] = {}
    for line in said("ldd", str(path)).splitlines():
        if match := re.match(r"\s*(\S+) => (/\S+) \(0x", line):
            found[match[1]] = Path(match[2])
        elif match := re.match(r"\s*(/\S+) \(0x", line):  # the linker itself
            found[Path(match[1]).name] = Path(match[1])
        elif "not found" in line:
            sys.exit(f"sbom: {path} needs a library that is not here: {line.strip()}")
    return found


@cache
def needed(path: Path) -> list[str]:
    return re.findall(r"\(NEEDED\).*\[(.+)\]", said("readelf", "-d", str(path)))


def owners(paths: list[Path]) -> dict[Path, str]:
    """The Debian package of each file that has one; dpkg may know it by the name with or without /usr, or by a link."""
    forms: dict[str, Path] = {}
    for path in paths:
        for text in (str(path), str(path.resolve())):
            forms |= {text: path, text.removeprefix("/usr"): path, "/usr" + text.removeprefix("/usr"): path}
    # One call, because each reads all lists of dpkg; it ends with 1 where a name is in none of them.
    run = subprocess.run(["dpkg-query", "-S", *forms], capture_output=True, text=True, check=False)
    found: dict[Path, str] = {}
    for line in run.stdout.splitlines():
        packages, _, name = line.rpartition(": ")
        if name in forms:
            found.setdefault(forms[name], packages.split(", ")[0])
    return found


class Parts:
    """Components by their bom-ref, and who depends on whom."""

    def __init__(self) -> None:
        self.components: dict[str, Component] = {}
        self.depends: dict[str, set[str]] = {}
        self.package_of: dict[Path, str] = {}
        self.facts: dict[str, list[str]] = {}  # of a package: name, version, architecture, source
        system = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(encoding="utf-8"), re.M))
        self.distribution = (system.get("ID", "debian"), system.get("VERSION_ID", "rolling"))

    def add(self, reference: str, component: Component) -> str:
        self.components.setdefault(reference, {**component, "bom-ref": reference})
        self.depends.setdefault(reference, set())
        return reference

    def learn_packages(self, paths: list[Path]) -> None:
        """Asks dpkg once for all files that add_package will be asked for."""
        self.package_of = owners(paths)
        form = "${binary:Package}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\n"
        packages = sorted(set(self.package_of.values()))
        for line in said("dpkg-query", "-W", "-f", form, *packages).splitlines() if packages else []:
            called, *facts = line.split("\t")
            self.facts[called] = facts

    def add_package(self, path: Path) -> str:
        """The package that a library or header belongs to, else the file itself."""
        package = self.package_of.get(path)
        if package is None:
            print(f"sbom: {path} belongs to no package; it is listed with its hash", file=sys.stderr)
            return self.add(f"file:{path.name}", {"type": "file", "name": path.name, "hashes": sha256(path.resolve())})
        name, version, architecture, source = self.facts[package]
        # Security notices go by the source package.
        purl = f"pkg:deb/{self.distribution[0]}/{name}@{quote(version)}?arch={architecture}&distro={'-'.join(self.distribution)}"
        purl += f"&upstream={quote(source)}" if source != name else ""
        return self.add(purl, {"type": "library", "name": name, "version": version, "purl": purl})

    def add_file(self, path: Path, version: str, libraries: dict[str, Path]) -> str:
        """One of our files and all that it loads."""
        kind = "library" if ".so" in path.name else "application"
        own = self.add(f"spinert:{path.name}", {"type": kind, "name": path.name, "version": version, "hashes": sha256(path)})
        for library in [path, *libraries.values()]:
            user = own if library == path else self.add_package(library)
            uses = {self.add_package(libraries[name]) for name in needed(library) if name in libraries}
            self.depends[user] |= uses - {user}
        return own


def document(arguments: argparse.Namespace) -> dict[str, Any]:
    parts = Parts()
    loaded = {path: loaded_libraries(path) for path in arguments.file}
    built_in = [Path(entry) for entry in arguments.compiled_in if "=" not in entry]
    parts.learn_packages(built_in + [path for libraries in loaded.values() for path in libraries.values()])
    own = [parts.add_file(path, arguments.version, libraries) for path, libraries in loaded.items()]
    compiled_in = {parts.add_package(path) for path in built_in}
    for name, _, version in (entry.partition("=") for entry in arguments.compiled_in if "=" in entry):
        compiled_in.add(parts.add(f"compiled-in:{name}", {"type": "library", "name": name, "version": version}))
    for reference in own:
        parts.depends[reference] |= compiled_in
    if arguments.model:
        model = {"type": "machine-learning-model", "name": arguments.model.stem, "hashes": sha256(arguments.model)}
        own.append(parts.add(f"spinert:{arguments.model.name}", model))

    root = f"pkg:generic/spinert@{arguments.version}"
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    time = datetime.fromtimestamp(int(epoch), timezone.utc) if epoch else datetime.now(timezone.utc)
    body: dict[str, Any] = {
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "component": {"type": "application", "bom-ref": root, "name": "spinert", "version": arguments.version,
                          "purl": root, "licenses": [{"license": {"id": "Apache-2.0"}}],
                          "description": "Vertebra diagnosis on sagittal spine CT. Research use only. Not for diagnostic use."},
        },
        "components": [parts.components[reference] for reference in sorted(parts.components)],
        "dependencies": [{"ref": root, "dependsOn": sorted(own)}]
        + [{"ref": reference, "dependsOn": sorted(parts.depends[reference])} for reference in sorted(parts.depends)],
    }
    # The serial number follows from the parts, not from the time: the same build has the same list.
    content = json.dumps([body["components"], body["dependencies"]], sort_keys=True)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, content)
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1, **body}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True, help="version of SpineRT")
    parser.add_argument("--file", nargs="+", type=Path, required=True, help="programs and libraries of the build")
    parser.add_argument("--compiled-in", nargs="*", default=[], help="paths of headers and static libraries, or NAME=VERSION")
    parser.add_argument("--model", type=Path, help="model that is delivered with them")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    for path in [*arguments.file, *([arguments.model] if arguments.model else [])]:
        if not path.is_file():
            parser.error(f"{path} is no file; build it first")
    arguments.output.write_text(json.dumps(document(arguments), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
