"""A target: the `MODULE:ATTR` that names functions on a command line."""

from __future__ import annotations

import importlib
import sys
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from statefun.errors import ConfigurationError
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler

if TYPE_CHECKING:
    from types import ModuleType


__all__ = ["Functions", "load_functions"]

Functions: TypeAlias = StatefulFunctions | RequestReplyHandler
"""Objects that can be served."""


def load_functions(target: str) -> Functions:
    """Import what a target names; the current directory is searched first.

    Args:
        target: `MODULE:ATTR`, such as `shop.functions:functions`; ATTR may have dots.

    Raises:
        ConfigurationError: If it is not of this form, the module cannot be imported, or what it
            names is missing or cannot be served.
    """
    module_name, attribute = parse_target(target)
    here = _here()
    if here not in sys.path:
        sys.path.insert(0, here)
    module = _import(module_name, here)
    try:
        functions = attrgetter(attribute)(module)
    except AttributeError as error:
        raise ConfigurationError(
            f"the module {module_name!r} has no {attribute!r}{_hint(module)}",
            option="target",
            given=target,
        ) from error
    found = _served(functions)
    if found is None:
        raise ConfigurationError(
            f"{target!r} is a {type(functions).__name__}, not StatefulFunctions and not a "
            f"RequestReplyHandler{_hint(module)}",
            option="target",
            given=target,
        )
    return found


def _served(given: object) -> Functions | None:
    """What is served of an object: itself, or its `functions`, as those of a worker."""
    if isinstance(given, StatefulFunctions | RequestReplyHandler):
        return given
    functions = getattr(given, "functions", None)
    return functions if isinstance(functions, StatefulFunctions) else None


def parse_target(target: str) -> tuple[str, str]:
    """The module and the attribute of a `MODULE:ATTR`.

    Raises:
        ConfigurationError: If it is something else.
    """
    module, colon, attribute = target.partition(":")
    wrong = ""
    if not (module and colon and attribute):
        wrong = f"{target!r} is not of the form MODULE:ATTR: write for example 'greeter:functions'"
    elif module.endswith(".py"):
        right = f"{module.removesuffix('.py').replace('/', '.')}:{attribute}"
        wrong = f"{module!r} is a file, not a module: write {right!r}"
    if wrong:
        raise ConfigurationError(wrong, option="target", given=target)
    return module, attribute


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError as error:
        raise ConfigurationError(
            f"the current directory is gone or may not be looked at ({error.strerror}): "
            "run this from the directory that contains the functions"
        ) from error


def _import(module_name: str, here: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigurationError(
                f"there is no module {module_name!r} in {here} nor among the installed packages: "
                "run this from the directory that contains it",
                option="target",
                given=module_name,
            ) from error
        raise _broken(module_name, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(module_name, error) from error


def _broken(module_name: str, error: BaseException) -> ConfigurationError:
    sentence = error.msg if isinstance(error, SyntaxError) else error
    reason = " ".join(f"{type(error).__name__}: {sentence}".split())
    return ConfigurationError(
        f"importing the module {module_name!r} failed: {reason}{_where(error)}",
        option="target",
        given=module_name,
    )


def _where(error: BaseException) -> str:
    """The file and the line that are at fault."""
    if isinstance(error, SyntaxError):
        return f" ({error.filename}, line {error.lineno})" if error.filename else ""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})" if trace else ""


def _hint(module: ModuleType) -> str:
    """What of the module could be meant."""
    fitting = [
        name
        for name, value in vars(module).items()
        if not isinstance(value, type) and _served(value) is not None
    ]
    if fitting:
        return f"; what can be served there: {', '.join(fitting)}"
    return "; nothing there can be served: bind functions to a StatefulFunctions"
