# SPDX-License-Identifier: Apache-2.0
"""What the checks share. A check is called as `checks/NAME ROOT BUILD`; it prints each problem and exits 1 if any."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
HOME = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOME / "src" / "api"))
import prototypes  # noqa: E402,F401

SOURCE_SUFFIXES = {".c", ".cpp", ".h", ".hpp", ".inc"}
SKIPPED_FOLDERS = {"bad", "target", "vendor", "__pycache__"}


def is_skipped(path, root):
    return any(part in SKIPPED_FOLDERS for part in path.relative_to(root).parts)


def sources(root, *folders, suffixes=frozenset(SOURCE_SUFFIXES)):
    """The source files below some folders of the tree, bad samples and what other tools build left out."""
    found = []
    for folder in folders:
        paths = sorted((root / folder).rglob("*"))
        found += [path for path in paths if path.suffix in suffixes and path.is_file() and not is_skipped(path, root)]
    return found


def main(check):
    """Runs check(root, build), which yields problems."""
    root, build = (Path(argument).resolve() for argument in sys.argv[1:3])
    problems = list(check(root, build))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
