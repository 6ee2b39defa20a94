"""Connectors of other packages: an entry point makes a kind of module files run."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from statefun.cli.assembly import assemble
from statefun.cli.connectors import CONNECTORS, connectors
from statefun.cli.program import main
from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KIND = "com.example.v1/ingress"
MODULE = """
    from statefun.connectors import Connector
    from statefun.modulefiles.fields import Count, Spec, Typename


    class TickSpec(Spec):
        id: Typename
        every: Count


    class Ticks:
        def __init__(self, spec, around):
            self.spec, self.around = spec, around


    INGRESS = Connector("ingress", TickSpec, Ticks)
    NONE = "ticks"
    """
FUNCTIONS = """
    from statefun import StatefulFunctions

    functions = StatefulFunctions()
    functions.register("com.example/greeter", lambda context, message: None)
    """
FILE = f"""
    kind: {KIND}
    spec:
      id: com.example/ticks
      every: 5
    """


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a package with one entry point, until the test is over."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # `assemble` adds the directory

    def install(value: str = "example_ticks:INGRESS", kind: str = KIND) -> None:
        (tmp_path / "example_ticks.py").write_text(dedent(MODULE))
        (tmp_path / "example_functions.py").write_text(dedent(FUNCTIONS))
        (tmp_path / "ticks.yaml").write_text(dedent(FILE))
        info = tmp_path / "example_ticks-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example-ticks\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[statefun.connectors]\n{kind} = {value}\n")
        for name in ("example_ticks", "example_functions"):
            monkeypatch.delitem(sys.modules, name, raising=False)

    return install


def test_a_kind_of_another_package_runs(install: Callable[..., None]) -> None:
    """It is made of its spec, and told where to listen and who may come."""
    install()

    assembly = assemble(
        ["ticks.yaml"], ["example_functions:functions"], data="data", host="127.0.0.9"
    )

    [ingress] = assembly.ingresses
    assert vars(ingress)["spec"].every == 5
    assert vars(ingress)["around"].host == "127.0.0.9"


def test_the_file_is_checked_like_any_other(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With file, line, and what to write."""
    install()
    (tmp_path / "ticks.yaml").write_text(dedent(FILE).replace("every: 5", "every: 0"))

    assert main(["check", "ticks.yaml"]) == 1

    assert capsys.readouterr().err.startswith("ticks.yaml:5: 'every'")


def test_without_the_package_the_kind_is_unknown(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The sentence lists the kinds that there are."""
    install()
    (tmp_path / "example_ticks-1.0.dist-info" / "entry_points.txt").write_text("")

    assert main(["check", "ticks.yaml"]) == 1

    assert f"unknown kind '{KIND}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("example_nowhere:INGRESS", r"cannot be loaded from 'example_nowhere:INGRESS' \(Module"),
        ("example_ticks:NONE", r"is a str: let 'example_ticks:NONE' be a statefun.connectors.Conn"),
    ],
)
def test_an_entry_point_that_is_no_connector_is_said_to_be_none(
    install: Callable[..., None], value: str, sentence: str
) -> None:
    """With the package that has to be repaired."""
    install(value)

    with pytest.raises(ConfigurationError, match=sentence):
        connectors()


def test_a_package_does_not_replace_a_connector_of_this_one(install: Callable[..., None]) -> None:
    """The same file would mean something else on another machine."""
    install(kind=next(iter(CONNECTORS)))

    with pytest.raises(ConfigurationError, match="which exists: remove that package"):
        connectors()
