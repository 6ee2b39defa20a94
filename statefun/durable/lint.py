"""Lint: what a replay of a handler would see differently, as far as its source shows it.

Law: it only warns, at the line where it stands. What it looks at is the body of the handler itself;
functions and lambdas inside it may be effects, which are free to do anything. What can be replaced
or refused while a handler runs is in `guards`.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
import warnings
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from statefun.durable.exceptions import NotDeterministicWarning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["warn_of_hazards"]

_TIME = "take the time from await ctx.time()"
_EFFECT = "use it in an effect: await ctx.run_typed(name, function)"
_SORT = "the order of a set differs between processes: iterate over sorted(...)"

_ADVICE = {
    **dict.fromkeys(("datetime.datetime.now", "datetime.datetime.utcnow"), _TIME),
    **dict.fromkeys(("datetime.datetime.today", "datetime.date.today"), _TIME),
    **dict.fromkeys(("time.localtime", "time.gmtime", "time.ctime"), _TIME),
    **dict.fromkeys(("secrets.token_bytes", "secrets.token_hex", "secrets.token_urlsafe"), _EFFECT),
    **dict.fromkeys(("posix.urandom", "nt.urandom", "_io.open", "io.open"), _EFFECT),
    **dict.fromkeys(("builtins.input",), _EFFECT),
}
_OF_A_GIVEN_TIME = {"time.localtime", "time.gmtime", "time.ctime"}
"""These tell the time now only without an argument."""


def warn_of_hazards(function: Any, what: str) -> None:
    """Warn of each place in a handler that a replay would see differently.

    Args:
        function: The handler's function.
        what: Whose it is, for the sentence: `handler 'buy' of 'Shop'`.
    """
    function = inspect.unwrap(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return  # there is no source, as in a console, or it is not a function
    file, first = inspect.getsourcefile(function) or "", function.__code__.co_firstlineno
    for line, called, advice in _hazards(tree, _names(function)):
        warnings.warn_explicit(
            f"{what} uses {called}, which a replay would see differently: {advice}",
            NotDeterministicWarning,
            file,
            first + line - 1,
        )


def _hazards(tree: ast.Module, names: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    """The line, the source and the advice of each."""
    for node in _own_nodes(getattr(tree.body[0], "body", [])):
        if isinstance(node, ast.Call):
            name = _name_of(_resolved(node.func, names))
            advice = _ADVICE.get(name)
            if advice is not None and not (node.args and name in _OF_A_GIVEN_TIME):
                yield node.lineno, f"{ast.unparse(node.func)}()", advice
        elif isinstance(node, ast.For) and _is_set(node.iter, names):
            yield node.lineno, ast.unparse(node.iter), _SORT


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of a body, in their order, without those of functions inside it."""
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def _is_set(node: ast.expr, names: Mapping[str, Any]) -> bool:
    if isinstance(node, ast.Call):
        return _name_of(_resolved(node.func, names)) in ("builtins.set", "builtins.frozenset")
    return isinstance(node, ast.Set | ast.SetComp)


def _resolved(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What a dotted name stands for, through modules and classes; None if that is not known."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolved(node.value, names)
        return getattr(owner, node.attr, None) if isinstance(owner, ModuleType | type) else None
    return None


def _name_of(found: Any) -> str:
    """The full name of a function or class; empty if it has none."""
    owner = getattr(found, "__self__", None)
    if isinstance(owner, type):
        return f"{owner.__module__}.{owner.__qualname__}.{found.__name__}"
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    return f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else ""


def _names(function: Any) -> dict[str, Any]:
    """What names stand for in a function that are not its own."""
    found = {**vars(builtins), **function.__globals__}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        with suppress(ValueError):  # it is assigned after the function
            found[name] = cell.cell_contents
    return found
