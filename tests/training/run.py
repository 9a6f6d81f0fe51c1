"""Runs one test file of the recipe, or says why not: exit code 77 where this Python lacks what the recipe needs.

usage: run.py TEST_FILE MODULE...
"""

import ast
import importlib.util
import runpy
import sys
import unittest
from pathlib import Path

SKIPPED = 77


def main() -> int:
    path, modules = Path(sys.argv[1]), sys.argv[2:]
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if not missing:
        sys.argv = [str(path)]
        sys.path.insert(0, str(path.parent))
        try:
            runpy.run_path(str(path), run_name="__main__")
        except unittest.SkipTest as why:
            print(f"{path.name}: Skipped\n{path.name}: {why}")
            return SKIPPED
        return 0
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    count = sum(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in tree)
    print(f"{path.name}: Skipped\n{count} tests of {path.name}: this Python lacks {', '.join(missing)}")
    return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
