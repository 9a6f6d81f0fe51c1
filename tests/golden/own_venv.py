"""Runs a script with the packages that it needs: in the current interpreter where they are, else in a venv of its own.

Only the standard library is imported here, so that this file works on a bare Python.
"""
import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Sequence

# Set in the child so that a broken venv ends in a plain ImportError and not in an endless chain of restarts.
GUARD = "SPINERT_OWN_VENV"


def missing(modules: Sequence[str]) -> list[str]:
    """The modules among `modules` that this interpreter cannot import."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def ensure(requirements: Path, modules: Sequence[str]) -> None:
    """Returns when all `modules` are importable; else restarts the running script in `<folder of requirements>/.venv`.

    The venv is made and filled from `requirements` once; `--no-venv` on the command line turns all of this off and
    reports what is missing instead.
    """
    absent = missing(modules)
    if not absent:
        return
    if "--no-venv" in sys.argv or os.environ.get(GUARD):
        sys.exit(f"{Path(sys.argv[0]).name}: this Python lacks {', '.join(absent)}; see {requirements}")
    folder = requirements.parent / ".venv"
    python = folder / "bin" / "python"
    done = folder / "complete"  # written last: a half-filled venv is filled again
    if not done.exists() or done.read_text() != requirements.read_text():
        print(f"making {folder} from {requirements.name} (once)", file=sys.stderr)
        try:
            venv.create(folder, with_pip=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)], check=True)
        except subprocess.CalledProcessError as failure:
            sys.exit(f"{folder} could not be made (Debian: apt-get install python3-venv; network needed): {failure}")
        done.write_text(requirements.read_text())
    os.execve(str(python), [str(python), *sys.argv], {**os.environ, GUARD: "1"})
