"""The old SDK installed over, beside, or away from under this package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import statefun

PACKAGE = Path(statefun.__file__).parent
ROOT = PACKAGE.parent
WAY_OUT = (
    "run 'pip uninstall -y apache-flink-statefun flink-statefun', then "
    "'pip install --force-reinstall --no-deps statefun'"
)
OLD = {"__init__.py": "from statefun.core import Type\n", "core.py": "class Type:\n    pass\n"}
START = f"import sys; sys.path = [each for each in sys.path if each != {str(ROOT)!r}]; "


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder in which the package is installed."""
    shutil.copytree(PACKAGE, tmp_path / "statefun", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def python(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"{START}sys.path.insert(0, ''); {code}"],
        check=False,
        capture_output=True,
        text=True,
        cwd=site,
    )


def program(site: Path) -> tuple[int, str]:
    code = "from statefun.__main__ import main; sys.argv = ['statefun', '--help']; sys.exit(main())"
    outcome = python(site, code)
    return outcome.returncode, outcome.stderr


def test_nothing_is_said_of_a_sound_installation(site: Path) -> None:
    """Neither by the import nor by the command."""
    imported = python(site, "import statefun.core; print(statefun.core.__file__)")

    assert (imported.returncode, imported.stderr) == (0, "")
    assert imported.stdout.strip() == str(site / "statefun" / "legacy" / "core.py")
    assert program(site) == (0, "")


def test_an_old_sdk_beside_this_package_is_warned_of(site: Path) -> None:
    """The names mean this package; but to uninstall the old one would damage it."""
    (site / "statefun" / "core.py").write_text(OLD["core.py"])

    outcome = python(site, "import statefun.core; print(statefun.core.__file__)")

    assert outcome.stdout.strip() == str(site / "statefun" / "legacy" / "core.py")
    assert (
        f"RuntimeWarning: the old SDK is installed beside this package, under the same name: "
        f"{WAY_OUT}"
    ) in outcome.stderr


@pytest.mark.parametrize("happened", ["removed with", "overwritten by"])
@pytest.mark.parametrize("module", ["statefun.runtime", "statefun.serve", "statefun.testing"])
def test_a_facade_that_is_gone_is_named_by_every_import(
    site: Path, happened: str, module: str
) -> None:
    """With the commands that mend it."""
    damage(site, happened)

    outcome = python(site, f"import {module}")

    assert outcome.stderr.splitlines()[-1] == (
        f"ImportError: statefun/__init__.py was {happened} the old SDK, whose module has the same "
        f"name: {WAY_OUT}"
    )


@pytest.mark.parametrize("happened", ["removed with", "overwritten by"])
def test_the_command_says_in_one_line_that_the_facade_is_gone(site: Path, happened: str) -> None:
    """No traceback, and the exit code of a failure."""
    damage(site, happened)

    code, errors = program(site)

    assert code == 1
    assert errors == (
        f"statefun: statefun/__init__.py was {happened} the old SDK, whose module has the same "
        f"name: {WAY_OUT}\n"
    )


def damage(site: Path, happened: str) -> None:
    package = site / "statefun"
    if happened == "removed with":
        (package / "__init__.py").unlink()
    else:
        for name, text in OLD.items():
            (package / name).write_text(text)
