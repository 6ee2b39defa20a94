"""AWS Lambda: functions behind an API Gateway, a function URL, or invoked directly."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, TypeAlias

from statefun.http.messages import text_response
from statefun.serve.endpoint import FunctionEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.http.messages import Response
    from statefun.loading import Functions

    LambdaHandler: TypeAlias = Callable[[Any, Any], Any]

__all__ = ["lambda_handler"]

_CODING = "content-encoding"
_NOT_BINARY = text_response(
    400, "the body did not come in base64: let the gateway treat application/octet-stream as binary"
)


def lambda_handler(functions: Functions, *, path: str | None = None) -> LambdaHandler:
    """A handler for AWS Lambda.

    It answers events of an API Gateway (payload formats 1.0 and 2.0), of a load balancer and of a
    function URL, with the body in base64. Invoked directly, the event is a string, the request in
    base64, and so is the answer; a failure is raised then. `GET /health` is answered with 200.

    One event loop is kept from one event to the next, so the connections that async functions keep
    open stay usable while the instance is warm.

    Args:
        functions: The functions to serve.
        path: The only path that is answered, the stage not included; None for any.

    Example:
        ```python
        handler = lambda_handler(functions)  # the handler setting: greeter.handler
        ```
    """
    endpoint = FunctionEndpoint(functions, path)

    def handle(event: Any, context: Any) -> Any:  # noqa: ARG001 - the signature is Lambda's
        if isinstance(event, str):
            request = base64.b64decode(event, validate=True)
            reply = endpoint.handler.handle_sync(request)
            return base64.b64encode(reply).decode()
        method, path = _method_and_path(event)
        body = _body(event)
        if body is None:
            return _response(_NOT_BINARY)
        answer = endpoint.answer_sync(method, path, body, _coding(event))
        return _response(answer._replace(body=b"") if method == "HEAD" else answer)

    return handle


def _method_and_path(event: Mapping[str, Any]) -> tuple[str, str]:
    if "httpMethod" in event:  # format 1.0 and load balancers
        return event["httpMethod"], event.get("path") or "/"
    http = event["requestContext"]["http"]  # format 2.0 and function URLs
    path: str = event.get("rawPath") or "/"
    stage = f"/{event['requestContext'].get('stage', '$default')}"
    if path == stage or path.startswith(f"{stage}/"):
        path = path.removeprefix(stage) or "/"
    return http["method"], path


def _coding(event: Mapping[str, Any]) -> str:
    """The header field `Content-Encoding`; gateways write names in lower case, or as they came."""
    headers: Mapping[str, str] = event.get("headers") or {}
    return next((value for name, value in headers.items() if name.lower() == _CODING), "")


def _body(event: Mapping[str, Any]) -> bytes | None:
    """The body as it was sent; None if it cannot be told, as when it was passed as text."""
    text: str = event.get("body") or ""
    if not text:
        return b""
    if not event.get("isBase64Encoded", False):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _response(answer: Response) -> dict[str, Any]:
    return {
        "statusCode": answer.status,
        "headers": dict(answer.fields),
        "body": base64.b64encode(answer.body).decode(),
        "isBase64Encoded": True,
    }
