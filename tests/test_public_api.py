"""What is public: names that exist, docstrings of their own, imports that need no extra."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import statefun
from tests.compat.test_import_paths import THE_22_NAMES
from tests.interpreter import printed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

PACKAGE = Path(statefun.__file__).parent
EXTRAS = {
    *("aiohttp", "granian", "uvicorn", "httptools", "uvloop", "pydantic", "pydantic_core"),
    *("yaml", "filelock", "prometheus_client"),
}

# Modules that users import from, each importable with protobuf alone.
FACES = [
    *("statefun", "statefun.errors", "statefun.serve", "statefun.runtime", "statefun.testing"),
    *("statefun.connectors", "statefun.ports", "statefun.loading", "statefun.connectors.http"),
    *("statefun.cli", "statefun.http", "statefun.durable"),
    *(f"statefun.durable.{name}" for name in ("serde", "exceptions", "context_managers")),
    *("statefun.workflows", "statefun.workflows.workflow", "statefun.workflows.activity"),
    *(f"statefun.workflows.{name}" for name in ("client", "worker", "testing", "common")),
    *(f"statefun.workflows.{name}" for name in ("converter", "exceptions", "service")),
]

# Files that only hold a place, refuse to be imported, or are run.
NO_NAMES = {
    *(
        "statefun.sdk",
        "statefun.sdk.wire._proto",
        "statefun.durable._proto",
        "statefun.workflows._proto",
        "statefun.workflows.contrib",
        "statefun.__main__",
    ),
    *("statefun.modulefiles", "statefun.runtime.engine", "statefun.runtime.stores"),
    *("statefun.runtime.transports", "statefun.runtime.admin"),
    *(f"statefun.legacy.{name}" for name in ("exceptions", "request_reply", "typed_value_utils")),
}


def module_names() -> list[str]:
    """All modules that have public names."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        names.append(".".join(part for part in parts if part != "__init__"))
    return [name for name in names if name not in NO_NAMES]


@pytest.fixture(params=module_names())
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Each module in turn; those whose extra is not installed are skipped."""
    try:
        return importlib.import_module(request.param)
    except ModuleNotFoundError as error:
        room = (error.name or "statefun").partition(".")[0]
        if room == "statefun" and "pip install" not in str(error):
            raise
        pytest.skip(str(error))


# --- names ----------------------------------------------------------------------------------------


def test_the_facade_is_exactly_the_drop_in_names() -> None:
    """Everything new is reached by its module, so no star import shadows a user's name."""
    assert statefun.__all__ == THE_22_NAMES
    assert len(THE_22_NAMES) == 22


def test_a_module_exports_what_it_says(module: ModuleType) -> None:
    """`__all__` is sorted, names nothing twice, and each of its names exists."""
    exported = module.__all__

    assert exported == sorted(set(exported), key=ruff_order)
    assert [name for name in exported if not hasattr(module, name)] == []


def ruff_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as the linter wants it."""
    if name.isupper():
        return 0, name
    return 1 if name[0].isupper() else 2, name


def test_a_star_import_brings_what_the_module_exports(module: ModuleType) -> None:
    """No more and no less."""
    names: dict[str, Any] = {}

    exec(f"from {module.__name__} import *", names)

    assert names.keys() - {"__builtins__"} == set(module.__all__)


# --- docstrings -----------------------------------------------------------------------------------


def test_everything_public_has_a_docstring_of_its_own(module: ModuleType) -> None:
    """Classes, their methods and properties, and functions; what is inherited does not count."""
    assert module.__doc__
    assert sorted(undocumented(module)) == []


def undocumented(module: ModuleType) -> Iterator[str]:
    for name in module.__all__:
        thing = getattr(module, name)
        if not (getattr(thing, "__module__", None) or "").startswith("statefun"):
            continue  # a number, an alias of a type, a message class of protobuf
        if inspect.isfunction(thing) and not thing.__doc__:
            yield name
        elif inspect.isclass(thing):
            if not has_own_docstring(thing):
                yield name
            yield from (
                f"{name}.{member}"
                for member, value in vars(thing).items()
                if not member.startswith("_") and not is_documented(thing, value)
            )


def has_own_docstring(thing: type) -> bool:
    """Whether a class says what it is; dataclasses and named tuples make one up otherwise."""
    text = vars(thing).get("__doc__") or ""
    return bool(text) and not text.startswith(f"{thing.__name__}(")


def is_documented(owner: type, value: Any) -> bool:
    """Methods and properties need a docstring; fields and constants are described by the class."""
    value = getattr(value, "__func__", value)
    if isinstance(value, property):
        documented = value.fget is None or value.fget.__doc__ or not inspect.isfunction(value.fget)
        return bool(documented)
    return bool(value.__doc__) if inspect.isfunction(value) else True


# --- imports --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FACES)
def test_importing_needs_protobuf_alone(name: str) -> None:
    """Whatever an extra brings is imported when it is used, and `-W error` finds nothing to say."""
    assert printed(f"import {name}; print({name}.__name__)", without=EXTRAS) == [name]


def test_the_sdk_is_imported_without_the_rooms_around_it() -> None:
    """All of `statefun` brings the sdk and its errors: no server, no store, no command line."""
    program = """
import sys
from statefun import *
names = {name.split(".")[1] for name in sys.modules if name.startswith("statefun.")}
print(*sorted(names))
print(*sorted({"sqlite3", "argparse", "http", "multiprocessing"} & sys.modules.keys()))
"""

    assert printed(program) == ["errors installation sdk", ""]
