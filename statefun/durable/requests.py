"""What an HTTP request asks of the ingress. Pure: a request and the catalogue in, its meaning out.

Source:
    The paths, the statuses and the header names are those of the ingress of Restate 1.7, so that
    its clients go on working.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qs, unquote_to_bytes

from statefun.durable.delays import parse_delay_ms
from statefun.durable.routing import A_KIND
from statefun.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from statefun.durable.catalogue import Catalogue, HandlerEntry, ServiceEntry

__all__ = [
    "AskHealth",
    "AskResult",
    "Completion",
    "IngressRequest",
    "Invocation",
    "InvocationName",
    "parse_request",
]

Headers: TypeAlias = "Sequence[tuple[str, str]]"

_NOT_PASSED_ON = {"connection", "content-length", "transfer-encoding", "host", "authorization"}


@dataclass(frozen=True)
class Invocation:
    """Call or start a handler.

    Attributes:
        service: The service.
        handler: The handler.
        key: The key; None for a service.
        body: The argument; None if there is none, as opposed to an empty one.
        headers: The headers for the handler, names in lower case.
        idempotency_key: The idempotency key; None for none.
        is_send: Whether only the acceptance is waited for.
        delay_ms: How long it waits before it starts; None if it does not.
    """

    service: ServiceEntry
    handler: HandlerEntry
    key: str | None
    body: bytes
    headers: Mapping[str, str]
    idempotency_key: str | None = None
    is_send: bool = False
    delay_ms: int | None = None


@dataclass(frozen=True)
class InvocationName:
    """An invocation by what makes it the only one of its kind: a workflow, or an idempotency key.

    Attributes:
        service: The service.
        handler: The handler; that of a workflow is its main handler.
        key: The key; None for a service.
        idempotency_key: The idempotency key; None for a workflow.
    """

    service: ServiceEntry
    handler: HandlerEntry
    key: str | None
    idempotency_key: str | None


@dataclass(frozen=True)
class AskResult:
    """Ask for the result of an invocation.

    Attributes:
        invocation: Its id, or its name.
        waits: Whether the answer waits for the result.
    """

    invocation: str | InvocationName
    waits: bool


@dataclass(frozen=True)
class Completion:
    """Complete an awakeable.

    Attributes:
        awakeable_id: Which one.
        value: Its value; None to reject it.
        reason: The message of a rejection.
    """

    awakeable_id: str
    value: bytes | None
    reason: str = ""


@dataclass(frozen=True)
class AskHealth:
    """Ask whether the ingress is up, and what it serves."""


IngressRequest: TypeAlias = Invocation | AskResult | Completion | AskHealth


def parse_request(
    method: str, raw_path: str, query: str, headers: Headers, body: bytes, catalogue: Catalogue
) -> IngressRequest:
    """What a request asks for.

    Args:
        method: In capitals.
        raw_path: The path with its percent-escapes.
        query: What stands behind the question mark.
        headers: The header fields in their order, names in lower case.
        body: The body.
        catalogue: The services.

    Raises:
        RequestRefusedError: If it asks for nothing that there is, with the status of the answer.
    """
    segments = _segments(raw_path)
    if segments[:1] == ["restate"]:
        return _about_invocations(method, segments[1:], query, headers, body, catalogue)
    return _invocation(method, segments, query, headers, body, catalogue)


def _segments(raw_path: str) -> list[str]:
    path = raw_path.removeprefix("/").removesuffix("/")
    try:
        return [unquote_to_bytes(each).decode() for each in path.split("/")] if path else []
    except UnicodeError as error:
        raise RequestRefusedError(400, f"bad path {raw_path!r}: it is not UTF-8") from error


# --- invocations ----------------------------------------------------------------------------------


def _invocation(
    method: str,
    segments: list[str],
    query: str,
    headers: Headers,
    body: bytes,
    catalogue: Catalogue,
    *,
    is_send: bool = False,
) -> Invocation:
    service, rest = _service_of(segments, catalogue)
    shape = "/<service>/<key>/<handler>" if service.has_key else "/<service>/<handler>"
    expected = 2 if service.has_key else 1
    if len(rest) == expected + 1 and rest[-1] == "send" and not is_send:
        is_send, rest = True, rest[:-1]
    if len(rest) != expected or not all(rest):
        raise RequestRefusedError(
            400,
            f"bad path '/{'/'.join(segments)}': {service.name!r} is {A_KIND[service.kind]}, so "
            f"write {shape} or {shape}/send, no part of it empty, and '/' within a part as %2F",
        )
    _, handler = catalogue.find(service.name, rest[-1])
    _check_method(method, handler)
    if not handler.is_public:
        raise RequestRefusedError(
            400,
            f"the invoked service is not public: {handler.name!r} of {service.name!r} can be "
            "called by handlers only",
        )
    delay_ms = _delay_ms(query, is_send=is_send)
    _check_body(service, handler, headers, body)
    key = _idempotency_key(headers)
    if key is not None and handler.kind == "workflow":
        raise RequestRefusedError(
            400, "a workflow runs once per key: leave out the header idempotency-key"
        )
    passed_on = {name: value for name, value in headers if name not in _NOT_PASSED_ON}
    return Invocation(
        service,
        handler,
        rest[0] if service.has_key else None,
        body,
        passed_on,
        key,
        is_send,
        delay_ms,
    )


def _service_of(segments: list[str], catalogue: Catalogue) -> tuple[ServiceEntry, list[str]]:
    if not segments or not segments[0]:
        raise RequestRefusedError(
            404, "nothing is served here: write /<service>/<handler> or /<object>/<key>/<handler>"
        )
    return catalogue.service(segments[0]), segments[1:]


def _check_method(method: str, handler: HandlerEntry) -> None:
    """POST invokes; so does GET, of a handler that takes no argument."""
    if method == "POST" or (method == "GET" and handler.accept is None):
        return
    raise RequestRefusedError(405, f"method not allowed: use POST, not {method}")


def _check_body(
    service: ServiceEntry, handler: HandlerEntry, headers: Headers, body: bytes
) -> None:
    content_type = _one(headers, "content-type")
    name = f"{handler.name!r} of {service.name!r}"
    if handler.accept is None:
        if body or content_type is not None:
            raise RequestRefusedError(
                400,
                f"input validation error: {name} takes no argument: send neither a body nor a "
                "content-type",
            )
        return
    if not body or _is_any(handler.accept):
        return
    if content_type is None:
        raise RequestRefusedError(
            400, f"input validation error: name the content-type of the body, {handler.accept}"
        )
    if not _fits(_media_type(content_type), _media_type(handler.accept)):
        raise RequestRefusedError(
            400,
            f"input validation error: {name} takes {handler.accept}, and the content-type is "
            f"{content_type!r}",
        )


def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _is_any(accept: str) -> bool:
    return _media_type(accept) == "*/*"


def _fits(given: str, accepted: str) -> bool:
    if accepted.endswith("/*"):
        return given.startswith(accepted[:-1])
    return given == accepted


def _delay_ms(query: str, *, is_send: bool) -> int | None:
    delays = parse_qs(query, keep_blank_values=True).get("delay")
    if delays is None:
        return None
    if not is_send:
        raise RequestRefusedError(
            400, "a call cannot be delayed: add /send to the path, or leave out ?delay="
        )
    if len(delays) > 1:
        raise RequestRefusedError(400, "the delay is given more than once: give it once")
    return parse_delay_ms(delays[0])


def _idempotency_key(headers: Headers) -> str | None:
    key = _one(headers, "idempotency-key")
    if key is not None and not key:
        raise RequestRefusedError(
            400, "the header idempotency-key is empty: give it a value, or leave it out"
        )
    return key


def _one(headers: Headers, name: str) -> str | None:
    """A header that may come once."""
    values = [value for each, value in headers if each == name]
    if len(values) > 1:
        raise RequestRefusedError(400, f"the header {name} came {len(values)} times: send it once")
    return values[0].strip() if values else None


# --- what else there is below /restate ------------------------------------------------------------


def _about_invocations(
    method: str,
    segments: list[str],
    query: str,
    headers: Headers,
    body: bytes,
    catalogue: Catalogue,
) -> IngressRequest:
    match segments:
        case ["call", *path]:
            invocation = _invocation(method, path, query, headers, body, catalogue)
            if invocation.is_send:
                raise RequestRefusedError(400, "bad path: write /restate/send/… to send")
            return invocation
        case ["send", *path]:
            return _invocation(method, path, query, headers, body, catalogue, is_send=True)
        case ["awakeables", awakeable_id, "resolve" | "reject" as action]:
            _expect("POST", method)
            if action == "resolve":
                return Completion(awakeable_id, body)
            return Completion(awakeable_id, None, body.decode(errors="replace"))
    return _question(method, segments, catalogue)


def _question(method: str, segments: list[str], catalogue: Catalogue) -> AskResult | AskHealth:
    asked: AskResult | AskHealth
    match segments:
        case ["health"]:
            asked = AskHealth()
        case ["invocation", invocation_id, "output" | "attach" as action]:
            asked = AskResult(invocation_id, waits=action == "attach")
        case ["invocation", *name, "output" | "attach" as action]:
            asked = AskResult(_by_idempotency_key(name, catalogue), waits=action == "attach")
        case ["workflow", name, key, "output" | "attach" as action]:
            asked = AskResult(_workflow(name, key, catalogue), waits=action == "attach")
        case _:
            raise RequestRefusedError(
                404,
                f"nothing is served at '/restate/{'/'.join(segments)}': there are call, send, "
                "invocation, workflow, awakeables and health",
            )
    _expect("GET", method)
    return asked


def _expect(expected: str, method: str) -> None:
    if method != expected:
        raise RequestRefusedError(405, f"method not allowed: use {expected}, not {method}")


def _by_idempotency_key(name: list[str], catalogue: Catalogue) -> InvocationName:
    service, rest = _service_of(name, catalogue)
    if len(rest) != (3 if service.has_key else 2):
        key = "<key>/" if service.has_key else ""
        raise RequestRefusedError(
            400,
            f"bad path: {service.name!r} is {A_KIND[service.kind]}, so write "
            f"/restate/invocation/{service.name}/{key}<handler>/<idempotency key>/output",
        )
    _, handler = catalogue.find(service.name, rest[-2])
    return InvocationName(service, handler, rest[0] if service.has_key else None, rest[-1])


def _workflow(name: str, key: str, catalogue: Catalogue) -> InvocationName:
    service = catalogue.service(name)
    main = next((each for each in service.handlers.values() if each.kind == "workflow"), None)
    if service.kind != "workflow" or main is None:
        raise RequestRefusedError(
            400, f"{name!r} is not a workflow with a main handler: ask for /restate/invocation/…"
        )
    return InvocationName(service, main, key, None)
