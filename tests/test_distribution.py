"""What is shipped: the wheel works in an environment of its own, and nothing else is in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SDIST = {
    *("statefun", "protos", "tools", "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"),
    *("PKG-INFO", "NOTICE", ".gitignore"),
}
GREETER = """
from statefun import IntType, StatefulFunctions, ValueSpec
from statefun.testing import Harness

functions = StatefulFunctions()

@functions.bind("com.example/greeter", specs=[ValueSpec("seen", IntType)])
async def greet(context, message):
    context.storage.seen = (context.storage.seen or 0) + 1

harness = Harness(functions)
for _ in range(2):
    harness.send("com.example/greeter", "Ada", str_value="hello")
harness.run()
print(harness.state("com.example/greeter", "Ada")["seen"].value)
"""

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "STATEFUN_CORE"}
"""Of the commands of the wheel, which comes without the native core."""


def run(*command: str | Path, **environ: str) -> str:
    """Run a command away from the repository, whose folder would go before what is installed."""
    done = subprocess.run(
        list(map(str, command)),
        cwd="/",
        env={**ENVIRONMENT, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked(folder: str) -> set[str]:
    """The files of a folder that belong to the repository."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", folder], capture_output=True, text=True, check=True
    )
    return {name for name in listed.stdout.split("\0") if name}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built as `pip` builds them."""
    folder = tmp_path_factory.mktemp("dist")
    program = "import build_backend, sys; print(build_backend.{}(sys.argv[1]))"
    for build in ("build_wheel", "build_sdist"):
        done = subprocess.run(
            [sys.executable, "-c", program.format(build), str(folder)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Python of an environment that has the wheel, and protobuf from here, alone."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    [wheel] = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--quiet", "--python", str(python))
    run(*pip, "install", "--no-deps", "--no-index", "--disable-pip-version-check", wheel)
    [packages] = folder.glob("lib/python*/site-packages")
    here = Path(sysconfig.get_path("purelib"))
    (packages / "google").symlink_to(here / "google")
    yield python
    (packages / "google").unlink()


def test_the_wheel_has_the_package_and_nothing_else(built: Path) -> None:
    """Every file of it, the descriptors of the wire among them."""
    [wheel] = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()

    assert {name for name in names if ".dist-info/" not in name} == tracked("statefun")


def test_the_sdist_has_what_a_build_needs_and_nothing_else(built: Path) -> None:
    """No tests, no benchmarks, nothing of the place where it was built."""
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {name.partition("/")[0] for name in names if name} <= SDIST
    assert {name for name in names if name.startswith("statefun/")} == tracked("statefun")
    assert {name for name in names if name.startswith("tools/")} == {"tools/build_backend.py"}


def test_the_greeter_runs_on_the_wheel_and_protobuf_alone(installed: Path) -> None:
    """Neither an extra nor the repository is needed."""
    assert run(installed, "-c", GREETER) == "2\n"


def test_the_state_manager_runs_on_the_wheel_alone(installed: Path, tmp_path: Path) -> None:
    """All of its reference but the block that starts a runtime, which names the extra."""
    page = (ROOT / "docs" / "reactive.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    bare = [block for block in blocks if "statefun.runtime" not in block]
    assert len(blocks) - len(bare) == 1

    program = "\n".join([f"import os; os.chdir({str(tmp_path)!r})", *bare, "print('done')"])

    assert run(installed, "-c", program) == "done\n"


def test_the_command_of_the_wheel_says_what_an_extra_is_for(installed: Path) -> None:
    """Its commands are there, and one line says what to install."""
    command = installed.with_name("statefun")
    assert run(command, "--version").startswith("statefun ")

    done = subprocess.run(
        [command, "serve", "greeter:functions"],
        cwd="/",
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "statefun serve: serving needs httptools: pip install 'statefun[serve]'\n"
    )


def test_the_greeter_is_killed_and_goes_on_with_the_wheel(installed: Path, tmp_path: Path) -> None:
    """The demonstration of `make greeter`, with the libraries that are installed here."""
    [packages] = installed.parents[1].glob("lib/python*/site-packages")
    libraries = packages / "libraries.pth"
    libraries.write_text(sysconfig.get_path("purelib") + "\n")
    try:
        where = run(installed, "-c", "import statefun; print(statefun.__file__)")
        output = run(installed, ROOT / "examples" / "greeter" / "demo.py")
    finally:
        libraries.unlink()

    assert Path(where.strip()).is_relative_to(packages)
    assert output.endswith("Every acknowledged visit was counted exactly once.\n")
