"""Targets and endpoints: what can be served, and what is said about what cannot."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from statefun.errors import ConfigurationError
from statefun.loading import load_functions
from statefun.serve.endpoint import FunctionEndpoint
from statefun.serve.server import serve
from tests.serve import endpoint_functions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = "tests.serve.endpoint_functions"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current directory, forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_functions_and_handlers_are_found() -> None:
    """A target names a StatefulFunctions or a RequestReplyHandler."""
    found = [load_functions(f"{HERE}:functions"), load_functions(f"{HERE}:handler")]

    assert found == [endpoint_functions.functions, endpoint_functions.handler]


def test_modules_of_the_current_directory_are_found(folder: Path) -> None:
    """Nobody has to set PYTHONPATH to serve what lies here."""
    (folder / "lies_here.py").write_text(
        "from statefun.sdk.functions import StatefulFunctions\n"
        "class app:\n    functions = StatefulFunctions()\n"
    )

    load_functions("lies_here:app.functions")

    assert str(folder) in sys.path


@pytest.mark.parametrize("target", ["", "greeter", "greeter:", ":functions"])
def test_a_target_names_a_module_and_an_attribute(target: str) -> None:
    """Anything else is said to be of the wrong form."""
    with pytest.raises(ConfigurationError) as caught:
        load_functions(target)

    expected = f"{target!r} is not of the form MODULE:ATTR: write for example 'greeter:functions'"
    assert str(caught.value) == expected


@pytest.mark.parametrize("module", ["not_there", "tests.not_there", "tests.serve.requests.deeper"])
def test_a_module_that_does_not_exist_is_said_to_be_missing(folder: Path, module: str) -> None:
    """The sentence says where it was looked for."""
    with pytest.raises(ConfigurationError) as caught:
        load_functions(f"{module}:functions")

    assert str(caught.value) == (
        f"there is no module {module!r} in {folder} nor among the installed packages: "
        "run this from the directory that contains it"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import not_there_either", "ModuleNotFoundError: No module named 'not_there_either'"),
        ("def broken(", "SyntaxError: '(' was never closed"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_module_that_fails_is_said_to_fail(folder: Path, line: str, reason: str) -> None:
    """The sentence says what went wrong, in which file and line."""
    broken = folder / "broken_module.py"
    broken.write_text(f"\n{line}\n")

    with pytest.raises(ConfigurationError) as caught:
        load_functions("broken_module:functions")

    expected = f"importing the module 'broken_module' failed: {reason} ({broken}, line 2)"
    assert str(caught.value) == expected


def test_an_attribute_that_is_missing_is_named_with_what_there_is() -> None:
    """A slip of the pen is told from a module without functions."""
    with pytest.raises(ConfigurationError) as caught:
        load_functions(f"{HERE}:funktions")

    assert str(caught.value) == (
        f"the module {HERE!r} has no 'funktions'; what can be served there: functions, handler"
    )


def test_an_attribute_of_another_kind_is_refused() -> None:
    """What is no StatefulFunctions and no handler cannot be called by an engine."""
    with pytest.raises(ConfigurationError) as caught:
        load_functions(f"{HERE}:nothing_of_the_kind")

    assert str(caught.value) == (
        f"'{HERE}:nothing_of_the_kind' is a dict, not StatefulFunctions and not a "
        "RequestReplyHandler; what can be served there: functions, handler"
    )


def test_a_module_without_functions_says_how_to_get_some() -> None:
    """The sentence ends with what to do."""
    with pytest.raises(ConfigurationError, match="bind functions to a StatefulFunctions"):
        load_functions("tests.serve.requests:TEXT")


def test_an_adapter_refuses_what_has_no_functions() -> None:
    """The mistake shows when the endpoint is made, not at the first request."""
    with pytest.raises(ConfigurationError, match=r"^a dict cannot be served: pass the "):
        FunctionEndpoint({})  # type: ignore[arg-type]  # the point is to be refused


def test_a_path_begins_with_a_slash() -> None:
    """The sentence shows it as it should be."""
    with pytest.raises(ConfigurationError) as caught:
        FunctionEndpoint(endpoint_functions.functions, "statefun")

    assert str(caught.value) == "the path 'statefun' does not begin with '/': write '/statefun'"


def test_a_port_in_use_is_said_to_be_in_use() -> None:
    """One sentence says what is taken and what to choose instead."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError) as caught:
            serve(f"{HERE}:functions", port=port)

    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; stop what uses the port, or "
        "choose another one"
    )


def test_a_port_beyond_the_last_is_refused() -> None:
    """The sentence says which ports there are."""
    with pytest.raises(ConfigurationError) as caught:
        serve(f"{HERE}:functions", port=65536)

    assert str(caught.value) == "cannot listen on port 65536: choose one of 0 to 65535"


def test_an_address_of_another_machine_is_refused() -> None:
    """203.0.113.0/24 is nobody's: it is kept for documentation."""
    with pytest.raises(ConfigurationError, match=r"^cannot listen on 203\.0\.113\.1:0: "):
        serve(f"{HERE}:functions", host="203.0.113.1", port=0)


def test_there_is_at_least_one_worker() -> None:
    """Nobody would answer."""
    with pytest.raises(ConfigurationError) as caught:
        serve(f"{HERE}:functions", workers=0)

    assert str(caught.value) == "there cannot be 0 workers: pass 1 or more"
