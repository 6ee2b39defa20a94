"""The one place that puts an embedded runtime together: files, functions, connectors, options."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.connectors.http import HttpEgress, HttpIngress
from statefun.durable.catalogue import Catalogue
from statefun.durable.discovery import Discovery
from statefun.durable.endpoint import App
from statefun.durable.ingress import InvocationIngress
from statefun.errors import ConfigurationError
from statefun.loading import load_functions
from statefun.modulefiles.dialects import DEFAULT_DIALECT
from statefun.modulefiles.module import Module, load_modules
from statefun.runtime import Durability, FailurePolicy, Runtime
from statefun.runtime.clock import SystemClock
from statefun.runtime.engine.policy import Rules
from statefun.runtime.transports.http import HttpEndpoint
from statefun.sdk.address import TypenamePattern
from statefun.sdk.functions import StatefulFunctions
from statefun.serve.endpoint import SERVICES_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statefun.http import Access
    from statefun.modulefiles.dialects import Dialect
    from statefun.modulefiles.kinds import EndpointSpec
    from statefun.runtime.engine.policy import Outcome

__all__ = ["DEFAULT_INGRESS_PORT", "DEFAULT_INVOCATION_PORT", "Assembly", "assemble"]

logger = logging.getLogger("statefun.runtime")

DEFAULT_INGRESS_PORT = 8090
DEFAULT_INVOCATION_PORT = 8080


@dataclass(frozen=True, slots=True)
class Assembly:
    """A runtime, and what people reach it by."""

    runtime: Runtime
    ingresses: tuple[HttpIngress, ...]
    egresses: tuple[HttpEgress, ...]
    invocations: InvocationIngress | None = None


def assemble(
    files: Sequence[str],
    targets: Sequence[str],
    *,
    data: str,
    durability: Durability = "full",
    host: str = "127.0.0.1",
    strict: bool = False,
    dialect: str = DEFAULT_DIALECT,
    on_failure: Mapping[str, Outcome] | None = None,
    drain: timedelta = timedelta(seconds=10),
    access: Access | None = None,
    invocation_port: int | None = None,
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
        on_failure: What becomes of messages that functions fail on, by `namespace/name` or
            `namespace/*`, which go before what files say; and by `*`, for all others of this
            process.
        drain: How long calls that are under way may go on when the runtime stops.
        access: Who may reach the ingresses and egresses; by default whoever is on this machine.
        invocation_port: Where invocations of durable handlers are taken in, those of endpoints
            too; None for 8080 if there are any in this process, else for nowhere.

    Raises:
        ConfigurationError: If a file or a target is wrong, or they do not go together.
    """
    module = load_modules(files, strict=strict, dialect=dialect)
    functions = [_functions(target) for target in targets]
    _check(module, files, functions)
    ports = [spec.port for spec in module.ingresses] if files else [DEFAULT_INGRESS_PORT]
    ingresses = tuple(HttpIngress(port, host, access=access) for port in ports)
    egresses = tuple(
        HttpEgress(spec.port, spec.topics, host, spec.id, access=access) for spec in module.egresses
    )
    invocations = _invocations(functions, module, invocation_port, host, access)
    runtime = Runtime(
        functions,
        data=data,
        durability=durability,
        endpoints=[_endpoint(spec, module.dialect) for spec in module.endpoints],
        ingresses=[*ingresses, *([invocations] if invocations else ())],
        egresses=[*egresses, *([invocations.replies] if invocations else ())],
        failure=_failures(functions, module, on_failure or {}),
        drain=drain,
    )
    return Assembly(runtime, ingresses, egresses, invocations)


def _invocations(
    functions: Sequence[StatefulFunctions],
    module: Module,
    port: int | None,
    host: str,
    access: Access | None,
) -> InvocationIngress | None:
    """The ingress of invocations, if there is anything to invoke or it was asked for."""
    apps = [each for each in functions if isinstance(each, App)]
    remote = [each.url_path_template for each in module.endpoints]
    urls = [f"{url}{SERVICES_PATH}" for url in remote if url.startswith("http") and "{" not in url]
    if not apps and port is None:
        return None
    if not apps and not urls:
        raise ConfigurationError(
            "--ingress-port takes invocations of durable handlers in, and there are none: "
            "pass --functions MODULE:ATTR with what app([...]) returns",
            option="--ingress-port",
        )
    local = Catalogue(entry for each in apps for entry in each.catalogue.services.values())
    return InvocationIngress(
        Discovery(local, urls),
        DEFAULT_INVOCATION_PORT if port is None else port,
        host,
        now_ms=SystemClock().now_ms,
        first_messages=[message for each in apps for message in each.first_messages()],
        access=access,
    )


def _endpoint(spec: EndpointSpec, dialect: Dialect) -> HttpEndpoint:
    """An endpoint of a module file, with the failure policy of the file or of its dialect."""
    return HttpEndpoint(
        spec.functions,
        spec.url_path_template,
        max_batch=spec.max_batch,
        options=spec.options(),
        failure=spec.failure(dialect),
    )


def _failures(
    functions: Sequence[StatefulFunctions], module: Module, on_failure: Mapping[str, Outcome]
) -> dict[str, FailurePolicy]:
    """What becomes of messages by function, where it is not for the files alone to say."""
    given = {pattern: FailurePolicy(outcome) for pattern, outcome in on_failure.items()}
    named = {pattern: policy for pattern, policy in given.items() if pattern != "*"}
    here = [name for each in functions for name in each.typenames]
    elsewhere = {spec.functions: spec.failure(module.dialect) for spec in module.endpoints}
    for pattern in named:
        named_here = TypenamePattern.parse(pattern)
        if not any(named_here.overlaps(TypenamePattern.parse(n)) for n in (*here, *elsewhere)):
            raise ConfigurationError(
                f"--on-failure names {pattern!r}, and no function is: write one of "
                f"{', '.join([*here, *elsewhere])}",
                option="--on-failure",
                given=pattern,
            )
    failures: dict[str, FailurePolicy] = {}
    for name in (*named, *elsewhere):
        if not named.keys().isdisjoint((name, f"{name.rpartition('/')[0]}/*")):
            on_exhausted = Rules(named).failure_of(name).on_exhausted
            failures[name] = replace(Rules(elsewhere).failure_of(name), on_exhausted=on_exhausted)
    return failures | {name: Rules(given).failure_of(name) for name in here}


def _functions(target: str) -> StatefulFunctions:
    found: Any = load_functions(target)
    return found if isinstance(found, StatefulFunctions) else found.functions


def _check(module: Module, files: Sequence[str], functions: Sequence[StatefulFunctions]) -> None:
    where = ", ".join(files)
    if not functions and not module.endpoints:
        raise ConfigurationError(
            f"{where or 'nothing'} names no functions: add a component of the kind "
            "'io.statefun.endpoints.v2/http', or pass --functions MODULE:ATTR",
            option="--functions",
        )
    if files and not functions and not module.ingresses:
        raise ConfigurationError(
            f"{where} brings no messages in: add a component of the kind "
            "'io.statefun.playground.v1/ingress', here or in another file",
            option="files",
            given=where,
        )
