"""The import picture, and the other laws of the house that a parser can check.

The picture is the data at the top; `violations` compares it with what the files import. An import
counts wherever it stands: at the top, inside a function, or for the type checker alone.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "statefun"

# --- the picture ----------------------------------------------------------------------------------

# A room → what of the others its modules may import: a room, a room inside it, or one module.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "installation": set(),
    "sdk": {"errors", "installation"},
    "": {"sdk", "installation"},  # statefun/__init__.py, the facade
    "legacy": {"errors", "sdk"},
    "ports": {"sdk"},
    "loading": {"errors", "sdk"},
    "tasks": set(),
    "logs": {"sdk"},
    "blocking": set(),
    "threads": set(),
    "http": {"errors", "tasks"},
    # shells over the sdk, which do not know one another
    "serve": {"errors", "sdk", "http", "loading", "logs", "blocking"},
    "connectors": {"errors", "sdk", "http", "ports"},
    "modulefiles": {
        *("errors", "sdk", "runtime.engine.policy", "runtime.engine.retry"),
        "runtime.transports.options",
    },
    "durable": {
        *("errors", "sdk", "http", "ports", "threads"),
        *("serve.asgi", "serve.endpoint"),  # an app is an ASGI application
        "testing.durable",  # the harness, under its peer's name
    },
    "workflows": {"errors", "blocking", "sdk", "http", "ports", "durable", "testing.workflows"},
    "reactive": {"errors", "sdk"},
    "runtime": {
        *("errors", "installation", "sdk", "http", "ports", "tasks", "logs", "blocking"),
    },
    # tools
    "testing": {"errors", "sdk", "ports", "durable", "workflows", "runtime"},
    "cli": {
        *("errors", "sdk", "http", "loading", "ports", "serve", "connectors", "modulefiles"),
        "blocking",
        *("durable", "workflows", "runtime"),
    },
    "__main__": {"cli"},
}

# A room with rooms inside → what each of these may import of the same room; "" is the room itself.
INNER_ROOMS: dict[str, dict[str, set[str]]] = {
    "runtime": {
        "engine": set(),
        "stores": {"engine"},
        "transports": {"engine"},
        "admin": {"engine", "stores", "transports"},
        "": {"engine", "stores", "transports", "admin"},
    },
}

# Rooms that are pure: events and the time go in, what to do comes out.
PURE = ("runtime.engine",)

# Inside the sdk, each module imports only from its left: a cycle cannot be written.
SDK = [
    *(
        "address",
        "wire",
        "json_values",
        "types",
        "primitives",
        "specs",
        "messages",
        "builders",
        "egress",
    ),
    *("storage", "effects", "context", "state", "functions", "results", "middleware", "executor"),
    *("failures", "handler"),
]

# The same inside the room of bytes; the last is its door, the only part that others import.
WIRE = [
    *("tags", "text", "framing", "records", "_proto", "scalars", "python", "native", "core"),
    *("egress_records", "durability", ""),
]

# The outside world → who may let it in; everybody else is given what they need.
WORLD: dict[str, set[str]] = {
    "time": {
        *("runtime.clock", "serve.workers", "reactive.backends.cached"),
        *("connectors.reports", "connectors.kafka.writer", "connectors.kinesis.ingress"),
        *("durable.application", "durable.guards", "durable.watchdog"),
        *("workflows.remote", "workflows.worker"),
    },
    "random": {
        *("runtime.runtime", "reactive.subscribing"),
        *("durable.guards", "durable.run"),  # seeded by the invocation
        *("durable.context", "durable.loop"),  # for type checkers alone
        "durable.host",  # numbers that no other turn has
        "testing.handlers",  # faults, seeded by the test
        "workflows.workflow",  # a source that is seeded by the run
    },
    "uuid": {
        *("durable.context", "durable.guards", "durable.contexts.effects"),
        *(
            "workflows.instance",
            "workflows.client.requests",
            "workflows.json_types",
            "workflows.converter",
        ),
        "workflows.workflow",  # for type checkers alone
    },
    "secrets": {"reactive.subscribing", "reactive.backends.function", "connectors.kafka.identity"},
    "sqlite3": {
        *(f"runtime.stores.{name}" for name in ("sqlite", "writes", "datafile")),
        *(f"runtime.stores.{name}" for name in ("migrations", "backup")),
        "reactive.backends.sqlite",
    },
}

# What neither the sdk nor the pure part of the runtime knows, with the two exceptions.
SHELL_ONLY = {"asyncio", "threading", "concurrent", "os", "socket", "sqlite3", "logging", "pathlib"}
SHELL_ONLY_EXCEPT = {
    "sdk.wire.core": {"os"},  # a variable of the environment chooses the core
    "sdk.wire._proto": {"pathlib"},  # reads the schema that lies beside it
    "sdk.handler": {"asyncio"},
    "sdk.failures": {"asyncio"},
    "sdk.results": {"asyncio", "concurrent"},  # a function may return the future of a thread
    # Only if `bind` asked for a thread, or a caller that is not async for an event loop.
    "sdk.executor": {"asyncio", "threading", "concurrent", "os"},
}

# A library → the files that adapt it.
LIBRARIES: dict[str, set[str]] = {
    "google": {
        *("sdk.types", "durable.serde", "durable.schema"),
        *("workflows.converter", "workflows.histories"),
        *(f"sdk.wire.{name}" for name in ("_proto", "scalars", "python", "egress_records")),
    },
    "statefun_core": {"sdk.wire.native"},
    "aiohttp": {
        "connectors.webhook",
        "serve.aiohttp",
        "runtime.transports.http",
        *("durable.client", "durable.discovery"),
    },
    "httpx": {"durable.harness"},  # of the test that uses it
    "yarl": {"durable.client"},  # comes with aiohttp
    "httptools": {"http.reader", "http.server", "serve.server"},
    "uvloop": {"http.loops"},
    "filelock": {"runtime.stores.datafile"},
    "yaml": {"modulefiles.yaml"},
    "pydantic": {
        *(f"modulefiles.{name}" for name in ("fields", "kinds", "validation", "transports")),
        *(
            f"modulefiles.{name}"
            for name in ("kafka", "kinesis", "durable", "webhook", "failures", "files")
        ),
        *("sdk.json_values", "workflows.contrib.pydantic"),
    },
    "pydantic_core": {
        *("modulefiles.validation", "sdk.json_values", "workflows.contrib.pydantic"),
    },
    "msgspec": {"sdk.json_values"},
    "cronsim": {"durable.schedule"},
    "typing_extensions": {
        "durable.context_types",
        "durable.serde",
        "reactive.events",
        "sdk.context",
    },  # for type checkers alone
    "prometheus_client": {"runtime.admin.metrics"},
    "watchfiles": {"cli.dev"},
    "pytest": {"testing.pytest_plugin"},
    "hypothesis": {"testing.strategies"},
    "boto3": {"connectors.kinesis.cloud"},
    "botocore": {"connectors.kinesis.cloud"},
    "confluent_kafka": {
        "connectors.kafka",
        *(f"connectors.kafka.{name}" for name in ("reader", "ingress", "writer", "egress")),
    },
}

# Files that need their extra to be imported at all: they import it at the top, and are themselves
# imported inside functions only. Everywhere else a library is imported inside a function.
NEED_AN_EXTRA = {
    *("sdk.wire.native", "workflows.contrib.pydantic"),
    *("http.connection", "http.reader"),
    *("testing.pytest_plugin", "testing.strategies"),
    *(f"modulefiles.{name}" for name in ("yaml", "components", "fields", "transports", "kinds")),
    *(f"modulefiles.{name}" for name in ("kafka", "kinesis", "durable", "webhook", "files")),
    *(f"modulefiles.{name}" for name in ("validation", "module")),
    "modulefiles.failures",
    *("cli.assembly", "cli.connectors"),
    "connectors.kafka",
    *(f"connectors.kafka.{name}" for name in ("reader", "ingress", "writer", "egress")),
    "connectors.kinesis.cloud",
}

MOST_LINES_OF_A_FUNCTION = 50  # of 95 in a hundred


# --- what the files say ---------------------------------------------------------------------------

When: TypeAlias = Literal["import", "call", "typing"]


@dataclass(frozen=True, order=True)
class Arrow:
    """One import.

    Attributes:
        source: The module it stands in, without `statefun.`; the facade is empty.
        target: What is imported, as it is written.
        when: When it happens: on import, when a function is called, for the type checker.
    """

    source: str
    line: int
    target: str
    when: When
    is_relative: bool = False

    def __str__(self) -> str:
        return f"statefun.{self.source}, line {self.line}, imports {self.target}"

    @property
    def inside(self) -> str | None:
        """The module of our package that is meant, without `statefun.`; None for a library."""
        top, _, name = self.target.partition(".")
        if top != "statefun":
            return None
        while name and name not in modules():
            name = name.rpartition(".")[0]
        return name


def room(module: str) -> str:
    return module.partition(".")[0]


def inner_room(inner: dict[str, set[str]], module: str) -> str:
    """The room inside a room that a module stands in; empty for the room itself."""
    name = module.split(".")[1] if "." in module else ""
    return name if name in inner else ""


def ancestors(module: str) -> set[str]:
    """The module and the rooms around it: a.b.c → a, a.b, a.b.c."""
    parts = module.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)}


@cache
def modules() -> dict[str, Path]:
    """All modules of the package: dotted name without `statefun.` → file."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def arrows_of(module: str, tree: ast.AST, when: When = "import") -> Iterator[Arrow]:
    """Every import in a module."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Arrow(module, node.lineno, alias.name, when)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                target = f"{node.module}.{alias.name}"
                yield Arrow(module, node.lineno, target, when, is_relative=node.level > 0)
        elif isinstance(node, ast.expr):
            continue  # no import stands in an expression
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            yield from arrows_of(module, ast.Module(node.body, []), "typing")
            yield from arrows_of(module, ast.Module(node.orelse, []), when)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from arrows_of(module, node, "call")
        else:
            yield from arrows_of(module, node, when)


@cache
def all_arrows() -> list[Arrow]:
    return [arrow for name, path in modules().items() for arrow in arrows_of(name, parsed(path))]


# --- the laws -------------------------------------------------------------------------------------


def violations(arrows: Iterable[Arrow]) -> list[str]:
    """What breaks the picture, one sentence each."""
    return [f"{arrow}: {law}" for arrow in sorted(arrows) for law in broken_by(arrow)]


def broken_by(arrow: Arrow) -> Iterator[str]:
    if arrow.is_relative:
        yield "imports are absolute"
    elif arrow.inside is None:
        yield from broken_outside(arrow, arrow.target.partition(".")[0])
    else:
        yield from broken_inside(arrow, arrow.inside)


def broken_inside(arrow: Arrow, target: str) -> Iterator[str]:
    here, there = room(arrow.source), room(target)
    if not target:
        yield "the facade is for users; import from the module that owns the name"
    elif here != there and not ancestors(target) & ROOMS.get(here, set()):
        yield f"{here or 'the facade'} may not know {there}"
    if here == there == "sdk":
        yield from broken_inside_the_sdk(arrow.source, target)
    is_inside_wire = "sdk.wire" in ancestors(target) - {target}
    if is_inside_wire and "sdk.wire" not in ancestors(arrow.source) and here != "legacy":
        yield "bytes go through the door, statefun.sdk.wire"
    if here == there and here in INNER_ROOMS:
        yield from broken_between_inner_rooms(INNER_ROOMS[here], arrow.source, target)
    needs_an_extra = target in NEED_AN_EXTRA and arrow.when == "import"
    if needs_an_extra and arrow.source not in NEED_AN_EXTRA:
        yield "a file that needs an extra is imported inside a function"


def broken_inside_the_sdk(source: str, target: str) -> Iterator[str]:
    places = [each.removeprefix("sdk.") for each in (source, target)]
    order, (own, other) = SDK, [each.partition(".")[0] for each in places]
    if own == other == "wire":
        order, (own, other) = WIRE, [each.partition(".")[2] for each in places]
    if other not in order[: order.index(own) if own in order else 0]:
        yield "inside the sdk, imports point to the left"


def broken_between_inner_rooms(
    inner: dict[str, set[str]], source: str, target: str
) -> Iterator[str]:
    own, other = inner_room(inner, source), inner_room(inner, target)
    if own != other and other not in inner[own]:
        yield f"{own} may not know {other or 'the room around it'}"


def broken_outside(arrow: Arrow, library: str) -> Iterator[str]:
    if library in WORLD and arrow.source not in WORLD[library]:
        yield f"only those named may import {library}; take what you need as an argument"
    is_pure = room(arrow.source) == "sdk" or not ancestors(arrow.source).isdisjoint(PURE)
    if is_pure and library in SHELL_ONLY - SHELL_ONLY_EXCEPT.get(arrow.source, set()):
        yield "no I/O and no threads here"
    if library in sys.stdlib_module_names:
        return
    if arrow.source not in LIBRARIES.get(library, set()):
        yield f"{library} is adapted elsewhere, or by nobody yet"
    if arrow.when == "import" and library != "google" and arrow.source not in NEED_AN_EXTRA:
        yield "a library is imported inside the function that needs it"


def test_the_imports_are_those_of_the_picture() -> None:
    """No arrow points up, sideways, at the facade, at the schema or at a stranger's library."""
    assert violations(all_arrows()) == []


@pytest.mark.parametrize(
    ("module", "code", "law"),
    [
        ("sdk.specs", "from statefun.sdk.messages import Message", "imports point to the left"),
        ("sdk.effects", "def f(): from statefun.sdk import handler", "imports point to the left"),
        ("sdk.wire", "from statefun.runtime import Runtime", "sdk may not know runtime"),
        (
            "sdk.wire",
            "if TYPE_CHECKING:\n    import statefun.serve.asgi",
            "sdk may not know serve",
        ),
        ("errors", "from statefun.sdk.address import Address", "errors may not know sdk"),
        ("serve.asgi", "import statefun.connectors.http", "serve may not know connectors"),
        ("connectors.http", "from statefun.runtime.clock import Clock", "may not know runtime"),
        ("runtime.streams", "from statefun.connectors.http import X", "may not know connectors"),
        ("runtime.runtime", "from statefun.testing import Harness", "may not know testing"),
        ("new_room.thing", "from statefun.sdk.address import Address", "may not know sdk"),
        ("runtime.clock", "from statefun import ValueSpec", "the facade is for users"),
        ("cli.run", "import statefun", "the facade is for users"),
        ("sdk.handler", "from .context import Context", "imports are absolute"),
        ("runtime.values", "from statefun.sdk.wire import _proto", "through the door"),
        ("sdk.storage", "from statefun.sdk.wire.tags import TRUE", "through the door"),
        ("sdk.wire.tags", "from statefun.sdk.wire import python", "imports point to the left"),
        ("runtime.engine.engine", "import asyncio", "no I/O and no threads here"),
        ("runtime.engine.engine", "import random", "only those named may import random"),
        (
            "runtime.engine.engine",
            "from statefun.runtime.clock import Clock",
            "engine may not know the room around it",
        ),
        (
            "runtime.stores.sqlite",
            "from statefun.runtime.transports.base import Transport",
            "stores may not know transports",
        ),
        (
            "modulefiles.kinds",
            "from statefun.runtime.transports.http import HttpEndpoint",
            "modulefiles may not know runtime",
        ),
        ("runtime.dispatcher", "from time import monotonic", "only those named may import time"),
        ("sdk.handler", "import threading", "no I/O and no threads here"),
        ("serve.asgi", "def f():\n    import fastapi", "adapted elsewhere, or by nobody"),
        ("serve.aiohttp", "from aiohttp import web", "inside the function that needs it"),
        ("cli.run", "from statefun.modulefiles.module import X", "imported inside a function"),
    ],
)
def test_a_stray_import_is_found(module: str, code: str, law: str) -> None:
    """Each law can be broken, and then says so."""
    [sentence] = violations(arrows_of(module, ast.parse(code)))

    assert law in sentence


def test_the_picture_names_only_what_there_is() -> None:
    """A module that is gone, or a permission that nobody uses, leaves the picture."""
    adapters = {(arrow.target.partition(".")[0], arrow.source) for arrow in all_arrows()}
    allowed = {(name, each) for name, files in (LIBRARIES | WORLD).items() for each in files}

    inside_sdk = {name.removeprefix("sdk.") for name in modules() if name.startswith("sdk.")}
    inside_wire = {name.removeprefix("wire.") for name in inside_sdk if name.startswith("wire.")}

    assert sorted(SDK) == sorted({name.partition(".")[0] for name in inside_sdk})
    assert sorted(WIRE) == sorted({*inside_wire, ""})
    crossings = {
        (room(arrow.source), each)
        for arrow in all_arrows()
        for each in ancestors(arrow.inside or "")
    }

    assert {
        (name, each) for name, targets in ROOMS.items() for each in targets
    } - crossings == set()
    assert allowed - adapters == set()
    assert NEED_AN_EXTRA - modules().keys() == set()
    assert set(PURE) - modules().keys() == set()
    for outer, inner in INNER_ROOMS.items():
        assert {f"{outer}.{name}" for name in inner if name} - modules().keys() == set()


def test_the_page_draws_the_picture_and_names_only_files_there_are() -> None:
    """A room of its own line, with the rooms that it may import besides the sdk; files by path."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    drawn = {
        source: set(re.findall(r"\w+", targets))
        for source, targets in re.findall(r"^  (\w+) +──► (.*)$", page, re.MULTILINE)
    }
    everywhere = {"errors", "sdk", "installation"}
    rooms = {
        name: {room(target) for target in targets} - everywhere
        for name, targets in ROOMS.items()
        if name not in {"", "__main__", "cli"}
    }
    named = set(re.findall(r"`((?:statefun|tests)/[\w/.]+)`", page))

    assert drawn.pop("cli") == {"everything"}
    assert drawn == {name: targets for name, targets in rooms.items() if targets}
    assert {name for name in named if not (ROOT / name).exists()} == set()
    assert {name for name in ROOMS if not re.search(rf"\b{name}\b", page)} == {"__main__"}


def test_no_import_leads_back() -> None:
    """The graph of all modules has no cycle, imports inside functions and for types included."""
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for arrow in all_arrows():
        if arrow.inside is not None:
            graph[arrow.source].add(arrow.inside)
    while leaves := {name for name, targets in graph.items() if not targets}:
        graph = {name: targets - leaves for name, targets in graph.items() if name not in leaves}

    assert graph == {}


def test_only_the_clock_asks_what_time_it_is() -> None:
    """`datetime.now` and its like are nowhere, whatever is imported."""
    asked = [
        f"{name}:{node.lineno} {node.attr}"
        for name, path in modules().items()
        if name not in WORLD["time"]
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns"}
    ]

    assert asked == []


def test_functions_are_short() -> None:
    """Of a hundred functions, 95 fit on a screen."""
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in modules().values()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )

    assert lengths[len(lengths) * 95 // 100] <= MOST_LINES_OF_A_FUNCTION


def test_every_test_says_its_rule() -> None:
    """A test has a docstring, and mocks none of our classes."""
    lacking = [
        f"{path.relative_to(ROOT)} {what}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(parsed(path))
        for what in lacks(node)
    ]

    assert lacking == []


def lacks(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if node.name.startswith("test_") and not ast.get_docstring(node):
            yield f"{node.name} has no docstring"
    elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest"):
        yield f"line {node.lineno} imports unittest"
