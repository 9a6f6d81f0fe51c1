"""What a program that is built against libspinert relies on: signatures and the layout of structs, as lines of text.

usage: abi.py LIBRARY HEADER          prints them
       abi.py LIBRARY HEADER LIST     compares them with the checked-in list; 77 where this cannot be told

abidw (libabigail) reads them from the debug information of the library, and what no function of HEADER reaches is left
out. Offsets and sizes are bytes.
"""

import difflib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

SKIPPED = 77


class Types:
    """Names of types by their id in abidw's description."""

    def __init__(self, corpus: xml.Element) -> None:
        kinds = {"type-decl", "typedef-decl", "class-decl", "pointer-type-def", "qualified-type-def", "function-type",
                 "array-type-def", "enum-decl", "union-decl"}
        self.by_id = {element.get("id"): element for element in corpus.iter() if element.tag in kinds}

    def name(self, identity: str | None) -> str:
        element = self.by_id[identity]
        inner = element.get("type-id")
        match element.tag:
            case "pointer-type-def":
                return self.name(inner) + "*"
            case "qualified-type-def":
                return f"{self.name(inner)} {'const' if element.get('const') else 'volatile'}"
            case "array-type-def":
                lengths = "".join(f"[{part.get('length')}]" for part in element.findall("subrange"))
                return self.name(inner) + lengths
            case "function-type":
                return self.signature(element)
        return element.get("name", "?")

    def signature(self, function: xml.Element) -> str:
        returned = function.find("return")
        arguments = ", ".join(self.name(part.get("type-id")) for part in function.findall("parameter"))
        return f"{self.name(returned.get('type-id')) if returned is not None else 'void'}({arguments})"


def describe(corpus: xml.Element) -> list[str]:
    types = Types(corpus)
    parts = {(f"{function.get('name')}: {types.signature(function)}",) for function in corpus.iter("function-decl")}
    for element in types.by_id.values():
        name = element.get("name", "")
        if element.tag == "typedef-decl" and name.startswith("spinert_"):
            target = types.name(element.get("type-id"))
            if target != name:
                parts.add((f"typedef {name} = {target}",))
        elif element.tag == "class-decl" and element.get("is-declaration-only") != "yes":
            members = [f"struct {name}, {int(element.get('size-in-bits', '0')) // 8} bytes"]
            for member in element.findall("data-member"):
                field = member.find("var-decl")
                assert field is not None
                offset = int(member.get("layout-offset-in-bits", "0")) // 8
                members.append(f"{offset:5} {types.name(field.get('type-id'))} {field.get('name')}")
            parts.add(tuple(members))
    return [line for part in sorted(parts) for line in part]


def main() -> int:
    library, header, *listed = sys.argv[1:]
    if shutil.which("abidw") is None:
        print("abi: Skipped\nno abidw here (Debian: abigail-tools)")
        return SKIPPED
    sections = subprocess.run(["readelf", "-S", "--wide", library], capture_output=True, text=True, check=True).stdout
    if ".debug_info" not in sections:
        print("abi: Skipped\nthis library has no debug information (stripped, or built without tests)")
        return SKIPPED
    # The header alone in a folder: --header-file of abidw 2.2 takes every struct for a private one.
    with tempfile.TemporaryDirectory() as headers:
        shutil.copy(header, headers)
        command = ["abidw", "--exported-interfaces-only", "--drop-private-types", "--headers-dir", headers, library]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        print(f"abi: abidw ended with {run.returncode}: {run.stderr.strip()}")
        return 1
    found = describe(xml.fromstring(run.stdout))
    if not listed:
        print("\n".join(found))
        return 0
    wanted = Path(listed[0]).read_text(encoding="utf-8").splitlines()
    if found == wanted:
        print(f"abi: {len(found)} lines as in {listed[0]}")
        return 0
    print("\n".join(difflib.unified_diff(wanted, found, listed[0], library, n=0, lineterm="")))
    print("abi: the interface is another one. A function or struct may only grow, at its end, with a new SPINERT_ABI; then "
          "renew the list: abi.py LIBRARY HEADER > LIST")
    return 1


if __name__ == "__main__":
    sys.exit(main())
