"""`statefun module`: the module file that names an app, or functions, to an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import parse_target, print_line
from statefun.durable.endpoint import App
from statefun.durable.messages import ENVELOPE
from statefun.loading import load_functions
from statefun.sdk.functions import StatefulFunctions

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

__all__ = ["add", "endpoint_documents"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "print the module file that names functions, or an app, to an engine"
    parser = commands.add_parser("module", parents=parents, help=text, description=text)
    parser.add_argument("target", type=parse_target, metavar="MODULE:ATTR")
    parser.add_argument(
        "--url",
        default="http://localhost:8000/statefun",
        help="where 'statefun serve' answers the engine (default: %(default)s)",
    )
    parser.add_argument(
        "--kafka",
        metavar="HOST:PORT",
        help="take invocations from Kafka as well, and send outcomes there: the topic "
        "NAMESPACE.requests for all, and a topic for each service",
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Print it; `statefun check` finds nothing wrong in it."""
    found: Any = load_functions(arguments.target)
    functions = found if isinstance(found, StatefulFunctions) else found.functions
    documents = endpoint_documents(functions, arguments.url)
    if arguments.kafka and isinstance(functions, App):
        documents.append(_ingress(functions, arguments.kafka))
        documents.append(_egress(functions, arguments.kafka))
    print_line("\n---\n".join(documents))
    return 0


def endpoint_documents(functions: StatefulFunctions, url: str) -> list[str]:
    """A document of an endpoint for each namespace of some functions."""
    namespaces = {each.rpartition("/")[0] for each in functions.typenames}
    return [_endpoint(each, url) for each in sorted(namespaces)]


def _endpoint(namespace: str, url: str) -> str:
    """An endpoint. Its call may take long: it is how long the endpoint may be away."""
    return f"""\
kind: io.statefun.endpoints.v2/http
spec:
  functions: {namespace}/*
  urlPathTemplate: {url}
  maxNumBatchRequests: 500
  transport:
    type: io.statefun.transports.v1/async
    call: 30min
    connect: 10s"""


def _ingress(app: App, address: str) -> str:
    """An ingress whose records are envelopes; the key of a record is the id of its address."""
    return "\n".join(_ingress_lines(app, address))


def _ingress_lines(app: App, address: str) -> Iterator[str]:
    namespace = app.directory.namespace
    yield "kind: io.statefun.kafka.v1/ingress"
    yield "spec:"
    yield f"  id: {namespace}/requests"
    yield f"  address: {address}"
    yield f"  consumerGroupId: {namespace}"
    yield "  topics:"
    yield f"    - topic: {namespace}.requests"
    yield f"      valueType: {ENVELOPE}"
    yield f"      targets: [{app.directory.gateway_typename}]"
    for service in app.services:
        yield f"    - topic: {namespace}.{service.name}"
        yield f"      valueType: {ENVELOPE}"
        yield f"      targets: [{app.directory.typename(service.name)}]"


def _egress(app: App, address: str) -> str:
    """An egress for outcomes; who asks names the topic, as `Route.topic` of the envelope."""
    return f"""\
kind: io.statefun.kafka.v1/egress
spec:
  id: {app.directory.namespace}/replies
  address: {address}
  deliverySemantic:
    type: exactly-once
    transactionTimeout: 15min"""
