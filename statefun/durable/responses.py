"""What an ingress answers: results, failures and refusals, as Restate's ingress writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from statefun.http import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.durable.catalogue import HandlerEntry
    from statefun.durable.replies import Outcome
    from statefun.errors import RequestRefusedError

__all__ = ["id_header", "json_response", "outcome_response", "refused", "timestamp"]

_JSON: Final = "application/json"


def outcome_response(
    told: Outcome,
    invocation_id: str,
    handler: HandlerEntry | None,
    *,
    has_idempotency_key: bool = False,
) -> Response:
    """The answer that the outcome of an invocation is.

    Args:
        told: The outcome.
        invocation_id: The invocation.
        handler: Its handler, whose media type a result has; None takes JSON.
        has_idempotency_key: Whether it is asked for by an idempotency key, so that the answer says
            until when it is kept.
    """
    headers = [id_header(invocation_id)]
    if has_idempotency_key and told.expires_ms:
        headers.append(("idempotency-expires", timestamp(told.expires_ms)))
    if told.value is None:
        status = told.code if 400 <= told.code <= 599 else 500
        return _error(status, told.code, told.message, "invocation", headers, told.metadata)
    content_type = (handler.content_type if handler else _JSON) if told.value else None
    return Response(200, told.value, content_type or "", tuple(headers))


def refused(error: RequestRefusedError) -> Response:
    """The answer to a request that the ingress refuses."""
    headers = []
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(error.retry_after_s)))
    if error.http_status == 401:
        headers.append(("www-authenticate", "Bearer"))
    if error.http_status == 405:
        headers.append(("allow", "POST, GET"))
    return _error(error.http_status, error.http_status, error.reason, "ingress", headers)


def _error(
    status: int,
    code: int,
    message: str,
    source: str,
    headers: list[tuple[str, str]],
    metadata: Mapping[str, str] | None = None,
) -> Response:
    told: dict[str, Any] = {"code": code, "message": message, "source": source}
    if metadata:
        told["metadata"] = dict(metadata)
    return json_response(status, told, (*headers, ("x-restate-error-source", source)))


def json_response(
    status: int, told: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    """An answer whose body is JSON."""
    return Response(status, json.dumps(told).encode(), _JSON, headers)


def id_header(invocation_id: str) -> tuple[str, str]:
    """The header field that names an invocation."""
    return "x-restate-id", invocation_id


def timestamp(time_ms: int) -> str:
    """RFC 3339 with nanoseconds, in UTC."""
    when = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}000000Z"
