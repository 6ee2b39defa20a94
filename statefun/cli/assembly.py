"""The one place that puts an embedded runtime together: files, functions, connectors, options."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statefun.cli.connectors import connectors, kinds_of
from statefun.cli.options import FunctionRules
from statefun.cli.policies import failures_of, limits_of
from statefun.connectors import Surroundings
from statefun.connectors.http import HttpIngress
from statefun.connectors.webhook import WebhookEgress
from statefun.errors import ConfigurationError
from statefun.http import AccessFiles
from statefun.loading import load_functions
from statefun.modulefiles.dialects import DEFAULT_DIALECT
from statefun.modulefiles.durable import INVOCATIONS, InvocationIngressSpec
from statefun.modulefiles.module import Module, load_modules
from statefun.runtime import FailurePolicy, Runtime, RuntimeOptions
from statefun.runtime.clock import SystemClock
from statefun.runtime.transports.http import HttpEndpoint
from statefun.sdk.address import TypenamePattern
from statefun.sdk.functions import StatefulFunctions
from statefun.serve.endpoint import SERVICES_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statefun.cli.workflow_service import WorkflowService
    from statefun.durable.endpoint import App
    from statefun.durable.ingress import InvocationIngress
    from statefun.http import Access
    from statefun.modulefiles.dialects import Dialect
    from statefun.modulefiles.kinds import EndpointSpec
    from statefun.ports import Egress, Ingress
    from statefun.runtime.observe import Observer
    from statefun.workflows.listener import Listener

__all__ = ["DEFAULT_INGRESS_PORT", "DEFAULT_INVOCATION_PORT", "Assembly", "assemble"]

logger = logging.getLogger("statefun.runtime")

DEFAULT_INGRESS_PORT = 8090
DEFAULT_INVOCATION_PORT = 8080


@dataclass(frozen=True, slots=True)
class Assembly:
    """A runtime, and what people reach it by."""

    runtime: Runtime
    ingresses: tuple[Ingress, ...]
    egresses: tuple[Egress, ...]
    invocations: InvocationIngress | None = None
    listener: Listener | None = None


def assemble(
    files: Sequence[str],
    targets: Sequence[str],
    *,
    data: str,
    host: str = "127.0.0.1",
    strict: bool = False,
    dialect: str = DEFAULT_DIALECT,
    options: RuntimeOptions | None = None,
    rules: FunctionRules | None = None,
    access: Access | None = None,
    invocation_port: int | None = None,
    listen: tuple[str, int] | None = None,
    names: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
    webhooks: Mapping[str, str] | None = None,
) -> Assembly:
    """Make a runtime of module files and of functions of this process.

    Without any file there is an ingress on the port 8090.

    Args:
        files: Module files; together they are one module.
        targets: `MODULE:ATTR` of functions that run in this process.
        data: The data directory.
        host: Where the ingresses and egresses listen.
        strict: Whether an unknown key in a file is an error.
        dialect: The engine that the files were written for.
        options: How the runtime works, without `failure` and `limits`.
        rules: The rules for functions, by `namespace/name` or `namespace/*`, which go before
            what files say. What becomes of messages that functions fail on is said by `*` for all
            others of this process; limits are said by it for all others.
        access: The clients of the ingresses and egresses; by default all of this machine.
        invocation_port: Where invocations of durable handlers are taken in, those of endpoints
            too; None for 8080 if there are any in this process, else for nowhere.
        listen: Where clients and workers of `statefun.workflows` connect; None for nowhere.
        names: Names of hosts in the addresses of the files, with or without a port → what to use
            instead.
        observers: Told of every event of the runtime, besides the log.
        webhooks: Egress typename → the URL to which its records are posted.

    Raises:
        ConfigurationError: If a file or a target is wrong, or they do not go together.
    """
    known = connectors()
    module = load_modules(files, strict=strict, dialect=dialect, connectors=kinds_of(known))
    functions = [_functions(target) for target in targets]
    service = None if listen is None else _service(listen, access)
    is_service_alone = service is not None and not (files or functions)
    if not is_service_alone:
        _check(module, files, functions, invocation_port)
    _check_targets(module, functions)
    is_kept = options is None or options.durability != "memory"
    directory = Path(data) if is_kept else None
    around = Surroundings(host, access, dialect, directory, names or {}, functions)
    options = _with_topics(options, module)
    ingresses: list[Any] = [
        known[kind].make(spec, around) for kind, spec in module.ingresses if kind in known
    ]
    if not files and not is_service_alone:
        ingresses.append(
            HttpIngress(DEFAULT_INGRESS_PORT, host, access=access, functions=functions)
        )
    egresses: list[Any] = [known[kind].make(spec, around) for kind, spec in module.egresses]
    egresses += [WebhookEgress(typename, url) for typename, url in (webhooks or {}).items()]
    rules = rules or FunctionRules({}, {})
    endpoints = [_endpoint(spec, module.dialect, around) for spec in module.endpoints]
    invocations = _invocations(functions, module, invocation_port, around)
    all_ingresses, all_egresses = [*ingresses], [*egresses]
    if invocations is not None:
        all_ingresses.append(invocations)
        all_egresses.append(invocations.replies)
    if service is not None:
        all_ingresses += [service.connection, service.listener]
        all_egresses.append(service.connection.replies)
    runtime = Runtime(
        [*functions, *([service.functions] if service else ())],
        data=data,
        endpoints=[*endpoints, *([service.attached] if service else ())],
        ingresses=all_ingresses,
        egresses=all_egresses,
        options=options,
        failure=failures_of(functions, module, rules.on_failure),
        limits=limits_of(functions, endpoints, rules.limits),
        observers=observers,
    )
    if service is not None:
        service.connection.states = runtime.states
    listener = None if service is None else service.listener
    return Assembly(runtime, tuple(ingresses), tuple(egresses), invocations, listener)


def _invocations(
    functions: Sequence[StatefulFunctions],
    module: Module,
    port: int | None,
    around: Surroundings,
) -> InvocationIngress | None:
    """The ingress of invocations, if there is anything to invoke or it was asked for."""
    apps = _apps(functions)
    remote = [each.url_path_template for each in module.endpoints]
    urls = [f"{url}{SERVICES_PATH}" for url in remote if url.startswith("http") and "{" not in url]
    spec = _invocation_spec(module)
    if not apps and port is None and spec is None:
        return None
    if not apps and not urls:
        raise ConfigurationError(
            f"{'--ingress-port' if spec is None else INVOCATIONS} takes invocations of durable "
            "handlers in, and there are none: pass --functions MODULE:ATTR with what app([...]) "
            "returns",
            option="--ingress-port",
        )
    from statefun.durable.catalogue import Catalogue  # noqa: PLC0415 - see `_apps`
    from statefun.durable.discovery import Discovery  # noqa: PLC0415
    from statefun.durable.ingress import InvocationIngress  # noqa: PLC0415

    spec = spec or InvocationIngressSpec(port=DEFAULT_INVOCATION_PORT)
    local = Catalogue(entry for each in apps for entry in each.catalogue.services.values())
    return InvocationIngress(
        Discovery(local, urls, public=spec.services),
        spec.port if port is None else port,
        spec.host or around.host,
        now_ms=SystemClock().now_ms,
        first_messages=[message for each in apps for message in each.first_messages()],
        access=_invocation_access(spec, around),
    )


def _apps(functions: Sequence[StatefulFunctions]) -> list[App]:
    """The apps of durable handlers. Who has none does not wait for the import of their room."""
    endpoint = sys.modules.get("statefun.durable.endpoint")
    return (
        [] if endpoint is None else [each for each in functions if isinstance(each, endpoint.App)]
    )


def _service(listen: tuple[str, int], access: Access | None) -> WorkflowService:
    """The service of workflows; its room is large, and few processes listen for workers."""
    from statefun.cli.workflow_service import workflow_service  # noqa: PLC0415

    return workflow_service(*listen, access)


def _invocation_spec(module: Module) -> InvocationIngressSpec | None:
    """The spec of the ingress of invocations, if the files have one."""
    specs = [spec for _, spec in module.ingresses if isinstance(spec, InvocationIngressSpec)]
    if len(specs) > 1:
        raise ConfigurationError(
            f"there are {len(specs)} components of the kind {INVOCATIONS!r}, and one runtime has "
            "one ingress of invocations: keep one of them",
            option=INVOCATIONS,
        )
    return specs[0] if specs else None


def _invocation_access(spec: InvocationIngressSpec, around: Surroundings) -> Access | None:
    """The access to invocations: as the file says, or else as everywhere."""
    if spec.tls is None and spec.token_file is None:
        return around.access
    tls = spec.tls
    return AccessFiles(
        None if tls is None else tls.certificate,
        None if tls is None else tls.key,
        None if tls is None else tls.client_ca,
        spec.token_file,
    ).open()


def _with_topics(options: RuntimeOptions | None, module: Module) -> RuntimeOptions | None:
    """The options with what files say of topics; what the options say goes before that."""
    said: dict[str, FailurePolicy] = {}
    for _, spec in module.ingresses:
        if hasattr(spec, "topic_failures"):
            said |= spec.topic_failures()
    if not said:
        return options
    options = options or RuntimeOptions()
    return replace(options, topic_failure={**said, **options.topic_failure})


def _check_targets(module: Module, functions: Sequence[StatefulFunctions]) -> None:
    """Refuse a topic whose records go to a function that nobody serves."""
    names = [name for each in functions for name in each.typenames]
    names += [spec.functions for spec in module.endpoints]
    known = [TypenamePattern.parse(name) for name in names]
    for _, spec in module.ingresses:
        for topic in getattr(spec, "topics", ()):
            for target in getattr(topic, "targets", ()):
                if not any(each.overlaps(TypenamePattern.parse(target)) for each in known):
                    raise ConfigurationError(
                        f"topic {topic.topic!r} goes to {target!r}, and nothing serves that "
                        f"function: write one of {', '.join(names)}",
                        option="targets",
                        given=target,
                    )


def _endpoint(spec: EndpointSpec, dialect: Dialect, around: Surroundings) -> HttpEndpoint:
    """An endpoint of a module file, with the failure policy of the file or of its dialect."""
    url = spec.url_path_template
    scheme, mark, rest = url.partition("://")
    if mark and "+unix" not in scheme:
        host, slash, path = rest.partition("/")
        url = f"{scheme}://{around.address(host)}{slash}{path}"
    return HttpEndpoint(
        spec.functions,
        url,
        max_batch=spec.max_batch,
        options=spec.options(),
        failure=spec.failure(dialect),
    )


def _functions(target: str) -> StatefulFunctions:
    found: Any = load_functions(target)
    return found if isinstance(found, StatefulFunctions) else found.functions


def _check(
    module: Module,
    files: Sequence[str],
    functions: Sequence[StatefulFunctions],
    invocation_port: int | None,
) -> None:
    where = ", ".join(files)
    if not functions and not module.endpoints:
        raise ConfigurationError(
            f"{where or 'nothing'} names no functions: add a component of the kind "
            "'io.statefun.endpoints.v2/http', or pass --functions MODULE:ATTR",
            option="--functions",
        )
    if files and not functions and not module.ingresses and invocation_port is None:
        raise ConfigurationError(
            f"{where} brings no messages in: add a component of the kind "
            "'io.statefun.playground.v1/ingress', here or in another file",
            option="files",
            given=where,
        )
