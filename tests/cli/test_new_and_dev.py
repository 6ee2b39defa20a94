"""`statefun new` and `statefun dev`: the first ten minutes of a project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from tests.cli.process import PATIENCE_S, Server, statefun
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from pathlib import Path

FILES = [
    ".github/workflows/ci.yml",
    ".gitignore",
    "Dockerfile",
    "README.md",
    "cluster.yaml",
    "compose.yaml",
    "flink-conf.yaml",
    "functions.py",
    "module.yaml",
    "requirements.txt",
    "test_functions.py",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project."""
    assert statefun("new", "shop", cwd=tmp_path).code == 0
    return tmp_path / "shop"


def test_a_new_project_has_functions_tests_module_files_and_ci(project: Path) -> None:
    """Nothing in them is left to be filled in."""
    files = sorted(str(each.relative_to(project)) for each in project.rglob("*") if each.is_file())

    assert files == FILES
    assert not [
        each for each in files if re.search(r"\$name|\$version", (project / each).read_text())
    ]
    assert "functions: shop/*" in (project / "module.yaml").read_text()


def test_the_tests_of_a_new_project_pass(project: Path) -> None:
    """Right away, without a server."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    environment = {**os.environ, "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_module_files_of_a_new_project_are_right(project: Path) -> None:
    """For the embedded runtime, and for a cluster."""
    for options in (["module.yaml"], ["--dialect", "apache", "module.yaml", "cluster.yaml"]):
        assert statefun("check", *options, cwd=project).code == 0


@pytest.mark.parametrize("name", ["1st", "a/b", "statefun", "", "ä"])
def test_a_name_that_no_project_can_have_is_refused(tmp_path: Path, name: str) -> None:
    """It becomes a folder, and part of typenames."""
    done = statefun("new", name, cwd=tmp_path)

    assert (done.code, list(tmp_path.iterdir())) == (2, [])
    assert "is not a name for a project" in done.err


def test_a_folder_that_is_there_already_is_left_alone(project: Path) -> None:
    """One sentence says so."""
    (project / "functions.py").write_text("mine")

    done = statefun("new", "shop", cwd=project.parent)

    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "'shop' is there already" in done.err
    assert (project / "functions.py").read_text() == "mine"


def test_dev_starts_again_when_a_file_changes_and_keeps_state(project: Path) -> None:
    """With a line for each call; a program that does not import is waited for."""
    port = free_port()
    (project / "embedded.yaml").write_text(
        f"kind: io.statefun.playground.v1/ingress\nspec: {{port: {port}}}\n"
    )
    source = (project / "functions.py").read_text()
    dev = Server("dev", "functions:functions", "embedded.yaml", "--admin-port", "0", cwd=project)
    with dev:
        assert "ready" in dev.ready
        first = order(port, 2)
        (project / "functions.py").write_text(source + "\nraise ValueError('not yet')\n")
        broken = dev.lines_until("it starts again when a file changes")
        (project / "functions.py").write_text(
            source.replace("+= order.items", "+= 10 * order.items")
        )
        restarted = dev.lines_until("ready")
        second = order(port, 3)
        calls = dev.lines_until("shop/counter Ann")
        code = dev.stop()

    assert (first, second, code) == ({"items": 2}, {"items": 32}, 0)
    assert any(re.search(r"shop/counter Ann  1 message, \d+\.\d ms$", each) for each in broken)
    assert any("functions.py changed, starting again" in each for each in broken)
    assert any("functions.py changed, starting again" in each for each in restarted)
    assert calls[-1].endswith(" ms")


def order(port: int, items: int) -> dict[str, int]:
    """Send an order and wait for the answer."""
    request = Request(
        f"http://127.0.0.1:{port}/shop/counter/Ann?wait=20s",
        data=json.dumps({"items": items}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=PATIENCE_S) as answer:
        body: dict[str, int] = json.loads(answer.read())
    return body


def test_dev_without_watchfiles_says_what_to_install(tmp_path: Path) -> None:
    """In one sentence."""
    program = (
        "import sys; sys.modules['watchfiles'] = None\n"
        "from statefun.cli import main\n"
        "sys.exit(main(['dev', 'functions:functions']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (
        1,
        "statefun dev: it needs watchfiles: pip install 'statefun[dev]'\n",
    )
