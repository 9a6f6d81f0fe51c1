"""Manual pages and completion say what --help says: every option, in the section of its subcommand, and no other."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
SPINERT = os.environ["SPINERT_BINARY"]


def help_of(*words: str) -> str:
    return subprocess.run([*words, "--help"], capture_output=True, text=True, check=True).stdout


def subcommands() -> list[str]:
    listed = help_of(SPINERT).split("Subcommands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


def options(text: str) -> set[str]:
    """Long names of the entries of a help text."""
    return set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.M))


def plain(roff: str) -> str:
    return roff.replace("\\-", "-").replace("\\:", "").replace("\\&", "").replace("\\(dq", '"').replace("\\e", "\\")


class Manual(unittest.TestCase):
    def setUp(self) -> None:
        command = ["sh", str(SOURCE / "packaging/manual.sh"), SPINERT, str(SOURCE / "docs/spinert.1")]
        self.page = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def sections(self) -> dict[str, str]:
        body = plain(self.page).split(".SH OPTIONS\n")[1].split(".SH ")[0]
        first, *rest = re.split(r"^\.SS (\w+)\n", body, flags=re.M)
        return {"": first, **dict(zip(rest[::2], rest[1::2], strict=True))}

    def test_every_option_stands_in_its_section(self) -> None:
        sections = self.sections()
        self.assertEqual(list(sections), ["", *subcommands()])
        for name, section in sections.items():
            listed = set(re.findall(r'^\.B "(?:-\w, )?(--[\w-]+)', section, re.M))
            self.assertEqual(listed, options(help_of(SPINERT, *name.split())), name)
            self.assertNotRegex(section, r'(?m)^\.B ".*  ')  # a name that swallowed what it does

    def test_every_word_of_help_is_there(self) -> None:
        for name, section in self.sections().items():
            entries = help_of(SPINERT, *name.split()).partition("Usage:")[2].split("Subcommands:")[0]
            for word in re.findall(r"[A-Za-z]{3,}", re.sub(r"Excludes:|Needs:|^\w+:$", "", entries, flags=re.M)):
                self.assertIn(word, section, name)

    def test_the_title_has_the_version(self) -> None:
        version = subprocess.run([SPINERT, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
        self.assertIn(f'"SpineRT {version}"', self.page)

    @unittest.skipUnless(shutil.which("man"), "no man here")
    def test_man_has_nothing_to_say_against_the_pages(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder, "spinert.1")
            made.write_text(self.page, encoding="utf-8")
            for page in (made, SOURCE / "docs/spinert-dicom.1"):
                run = subprocess.run(["man", "--warnings", "-l", str(page)], capture_output=True, text=True, check=True,
                                     env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
                self.assertEqual(run.stderr, "")

    def test_page_of_the_decoder(self) -> None:
        decoder = Path(SPINERT).parent / "spinert-dicom"
        if not decoder.exists():
            self.skipTest("no spinert-dicom in this build")
        page = plain((SOURCE / "docs/spinert-dicom.1").read_text(encoding="utf-8"))
        known = {"--help", *re.findall(r"^  spinert-dicom (--\w+)", help_of(str(decoder)), re.M)}
        self.assertEqual(set(re.findall(r"^\.B (--\w+)$", page, re.M)), known)


class Completion(unittest.TestCase):
    def complete(self, *words: str, program: str = SPINERT) -> set[str]:
        """What bash offers for the last word."""
        script = '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spinert; printf "%s\\n" "${COMPREPLY[@]}"'
        command = ["bash", "--norc", "-c", script, "bash", str(SOURCE / "packaging/spinert.bash"), program, *words]
        run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=SOURCE)
        self.assertEqual(run.stderr, "")
        return set(run.stdout.split())

    def test_subcommands(self) -> None:
        self.assertEqual(self.complete(""), set(subcommands()))
        self.assertEqual(self.complete("ev"), {"evaluate"})

    def test_options_are_those_of_the_subcommand(self) -> None:
        for name in subcommands():
            self.assertEqual(self.complete(name, "--"), options(help_of(SPINERT, name)), name)
        self.assertEqual(self.complete("-"), {"-h", "--help", "--version", "--exit-codes"})

    def test_values(self) -> None:
        self.assertEqual(self.complete("diagnose", "--overwrite", ""), {"never", "replace", "suffix"})
        self.assertEqual(self.complete("diagnose", "--overwrite", "=", "s"), {"suffix"})
        self.assertEqual(self.complete("diagnose", "--overwrite", "="), {"never", "replace", "suffix"})
        self.assertEqual(self.complete("diagnose", "-o", "REA"), set())  # folders alone
        self.assertIn("README.md", self.complete("diagnose", "--model", "REA"))
        self.assertEqual(self.complete("diagnose", "--threads", ""), set())
        self.assertIn("README.md", self.complete("inspect", "--json", "REA"))  # a flag: the next word is an input

    def test_a_program_that_is_not_there(self) -> None:
        self.assertEqual(self.complete("diagnose", "--", program="/nowhere/spinert"), set())


if __name__ == "__main__":
    unittest.main()
