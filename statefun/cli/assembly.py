"""The one place that puts an embedded runtime together: files, functions, connectors, options."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.connectors.http import HttpEgress, HttpIngress
from statefun.errors import ConfigurationError
from statefun.runtime import Durability, FailurePolicy, Runtime
from statefun.runtime.dialects import DEFAULT_DIALECT
from statefun.runtime.module import Module, load_modules
from statefun.sdk.functions import StatefulFunctions
from statefun.serve.target import load_functions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.runtime.policy import Outcome

__all__ = ["DEFAULT_INGRESS_PORT", "Assembly", "assemble"]

logger = logging.getLogger("statefun.runtime")

DEFAULT_INGRESS_PORT = 8090


@dataclass(frozen=True, slots=True)
class Assembly:
    """A runtime, and what people reach it by."""

    runtime: Runtime
    ingresses: tuple[HttpIngress, ...]
    egresses: tuple[HttpEgress, ...]


def assemble(
    files: Sequence[str],
    targets: Sequence[str],
    *,
    data: str,
    durability: Durability = "full",
    host: str = "127.0.0.1",
    strict: bool = False,
    dialect: str = DEFAULT_DIALECT,
    on_failure: Outcome = "dead-letter",
    drain: timedelta = timedelta(seconds=10),
) -> Assembly:
    """Make a runtime of module files and of functions of this process.

    Without any file there is an ingress on the port 8090.

    Args:
        files: Module files; together they are one module.
        targets: `MODULE:ATTR` of functions that run in this process.
        data: The data directory.
        durability: See `Durability`.
        host: Where the ingresses and egresses listen.
        strict: Whether an unknown key in a file is an error.
        dialect: The engine that the files were written for.
        on_failure: What becomes of messages that functions of this process fail on.
        drain: How long calls that are under way may go on when the runtime stops.

    Raises:
        ConfigurationError: If a file or a target is wrong, or they do not go together.
    """
    module = load_modules(files, strict=strict, dialect=dialect)
    functions = [_functions(target) for target in targets]
    _check(module, files, functions)
    ingresses = tuple(HttpIngress(spec.port, host) for spec in module.ingresses)
    if not files:
        ingresses = (HttpIngress(DEFAULT_INGRESS_PORT, host),)
    egresses = tuple(HttpEgress(spec.port, spec.topics, host, spec.id) for spec in module.egresses)
    failure = FailurePolicy(on_failure)
    runtime = Runtime(
        functions,
        data=data,
        durability=durability,
        endpoints=[spec.endpoint(module.dialect) for spec in module.endpoints],
        ingresses=ingresses,
        egresses=egresses,
        failure={name: failure for each in functions for name in each.typenames},
        drain=drain,
    )
    return Assembly(runtime, ingresses, egresses)


def _functions(target: str) -> StatefulFunctions:
    found: Any = load_functions(target)
    return found if isinstance(found, StatefulFunctions) else found.functions


def _check(module: Module, files: Sequence[str], functions: Sequence[StatefulFunctions]) -> None:
    where = ", ".join(files)
    if not functions and not module.endpoints:
        raise ConfigurationError(
            f"{where or 'nothing'} names no functions: add a component of the kind "
            "'io.statefun.endpoints.v2/http', or pass --functions MODULE:ATTR"
        )
    if files and not functions and not module.ingresses:
        raise ConfigurationError(
            f"{where} brings no messages in: add a component of the kind "
            "'io.statefun.playground.v1/ingress', here or in another file"
        )
