"""The environment: where the peer lives, and what the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = [
    "BEFORE_PYTHON",
    "DBOS_PYTHON",
    "PROGRAMS",
    "RESTATE",
    "ROOT",
    "TEMPORAL",
    "UPSTREAM_PYTHON",
    "Unavailable",
    "described",
    "python_of",
    "upstream_python",
]

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(__file__).parent / "programs"
UPSTREAM_PYTHON = ROOT / ".venv-upstream" / "bin" / "python"
BEFORE_PYTHON = ROOT / ".venv-before" / "bin" / "python"
DBOS_PYTHON = ROOT / ".venv-dbos" / "bin" / "python"
RESTATE = ROOT / ".venv-restate"
TEMPORAL = ROOT / ".venv-temporal"

_OURS = ("statefun", "protobuf", "httptools", "uvloop")
_PEERS = {
    UPSTREAM_PYTHON: ("flink-statefun", "protobuf", "aiohttp"),
    BEFORE_PYTHON: ("statefun", "protobuf", "httptools", "uvloop"),
    RESTATE / "bin" / "python": ("restate-sdk", "hypercorn"),
    DBOS_PYTHON: ("dbos",),
}
_SETTINGS = (
    "settings: durability full everywhere; the ingress has 64 clients of wrk and 3 s a round; "
    "Restate 1.7.12 of npm syncs its log; DBOS has SQLite's defaults; CPU time is user and system"
)


class Unavailable(Exception):  # noqa: N818 - no error: the table says so
    """A figure cannot be measured on this machine; the sentence says what it lacks."""


def upstream_python() -> str:
    """The interpreter that has the old SDK.

    Raises:
        Unavailable: If it has not been made.
    """
    return python_of(UPSTREAM_PYTHON)


def python_of(python: Path) -> str:
    """An interpreter of an environment of its own.

    Raises:
        Unavailable: If it has not been made.
    """
    if not python.exists():
        folder = python.parents[1].name
        raise Unavailable(f"there is no {folder}: run `make {folder}/.done`")
    return str(python)


def described() -> list[str]:
    """The machine and the versions, in lines."""
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs ({_processor()})"
    ours = [f"{name} {_version(name)}" for name in _OURS]
    lines = [f"{system}, Python {platform.python_version()}", f"ours: {', '.join(ours)}"]
    lines += [
        f"peer: {', '.join(_versions(python, names))}"
        for python, names in _PEERS.items()
        if python.exists()
    ]
    return [*lines, _SETTINGS]


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _versions(python: Path, names: tuple[str, ...]) -> list[str]:
    """The versions that an environment of its own has."""
    code = (
        "import sys; from importlib.metadata import version\n"
        "print(*(f'{name} {version(name)}' for name in sys.argv[1:]), sep='\\n')"
    )
    command = [str(python), "-c", code, *names]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, cwd=python.parent)
    return [*shown.stdout.splitlines(), f"in {python.parents[1].name}"]
