"""A Python that is too old is told so at once, by pip and by make."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLD_PYTHON = f"""\
#!/bin/sh
exec {sys.executable} -c 'import sys; sys.version_info = (3, 10, 1); exec(sys.argv[1])' "$2"
"""
"""Runs `-c CODE` as a Python 3.10 would see it."""


def test_the_build_backend_refuses_a_python_that_is_too_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends before pip resolves anything, with one sentence."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))

    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "tools/build_backend.py"))

    assert caught.value.code == (
        "statefun needs Python 3.11 or newer, and this is Python 3.10: "
        "install it with a newer one, as in `python3.12 -m pip install`."
    )


def test_make_refuses_a_python_that_is_too_old(tmp_path: Path) -> None:
    """Before it makes an environment, with one sentence that says what to type instead."""
    make = shutil.which("make")
    assert make is not None, "the verbs of the Makefile need make"
    python, environment = tmp_path / "python", tmp_path / "venv"
    python.write_text(OLD_PYTHON)
    python.chmod(0o755)
    command = [make, f"PYTHON={python}", f"VENV={environment}", f"{environment}/bin/python"]

    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == (
        f"statefun needs Python 3.11 or newer, and {python} is Python 3.10: "
        "name a newer one, as in make PYTHON=python3.12"
    )
    assert not environment.exists()
