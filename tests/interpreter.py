"""A fresh interpreter, for what only happens once in a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TIMEOUT_SECONDS = 50

HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def printed(program: str, *, without: set[str] | frozenset[str] = frozenset()) -> list[str]:
    """The lines that a program prints in a process of its own, where some libraries are missing."""
    command = [sys.executable, "-W", "error", "-c", HIDE.format(names=set(without)) + program]
    finished = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.splitlines()
