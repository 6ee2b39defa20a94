"""Bodies of messages: by their content type, a value that is checked before it is taken in."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from statefun.errors import InvalidTypenameError, RequestRefusedError, UnknownFunctionError
from statefun.http import Response
from statefun.sdk.address import parse_typename
from statefun.sdk.primitives import BUILT_IN, StringType
from statefun.sdk.wire import encode_typed_value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from statefun.http import Request
    from statefun.sdk.address import Address
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.types import Type
    from statefun.sdk.wire import StoredValue

__all__ = ["JSON", "TEXT", "VENDOR", "BodyReader", "answer_of"]

VENDOR: Final = "application/vnd."
TEXT: Final = "text/plain"
JSON: Final = "application/json"
_CHARSETS: Final = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_WANTED: Final = (
    "'Content-Type: text/plain' for a string, 'application/json' for a JSON type that the function "
    "accepts, or the typename of the body behind 'application/vnd.', for example "
    "'application/vnd.io.statefun.types/string'"
)


class _Kind(NamedTuple):
    """What a content type says.

    Attributes:
        media_type: `TEXT`, `JSON`, or `VENDOR`.
        typename: The typename behind `VENDOR`, else empty.
    """

    media_type: str
    typename: str = ""


class BodyReader:
    """Makes a message's value of the body of a request.

    Args:
        functions: The functions of this process; what they accept is known. A body for any other
            function is checked only if its type is built in.
    """

    def __init__(self, functions: Iterable[StatefulFunctions] = ()) -> None:
        self._functions = tuple(functions)

    def argument(self, target: Address, content_type: str | None, body: bytes) -> bytes:
        """Give a serialized `TypedValue`.

        Raises:
            RequestRefusedError: 415 if the content type names no type, 400 if the body is not of
                the type that it names.
        """
        kind = _parse_content_type(content_type)
        value_type: Type[Any] | None
        if kind.media_type == TEXT:
            return encode_typed_value(StringType.typename, _string(body))
        if kind.media_type == JSON:
            value_type = self._json_type(target)
            body = _from_json(value_type, body)
        else:
            value_type = BUILT_IN.get(kind.typename) or self._accepted(target, kind.typename)
        if value_type is not None:
            _check(value_type, body)
        typename = kind.typename if value_type is None else value_type.typename
        return encode_typed_value(typename, body)

    def _accepts(self, target: Address) -> tuple[Type[Any], ...]:
        """The types that the function is known to accept; none for a function elsewhere."""
        for each in self._functions:
            try:
                return each.for_typename(target.typename).accepts
            except UnknownFunctionError:
                continue
        return ()

    def _accepted(self, target: Address, typename: str) -> Type[Any] | None:
        return next((each for each in self._accepts(target) if each.typename == typename), None)

    def _json_type(self, target: Address) -> Type[Any]:
        """The one JSON type that a function accepts, or else the one built-in type."""
        accepted = self._accepts(target)
        found = [each for each in accepted if each.content_type == JSON]
        found = found or [each for each in accepted if each.typename in BUILT_IN]
        if len(found) == 1:
            return found[0]
        names = ", ".join(each.typename for each in found)
        why = f"accepts several JSON types ({names})" if found else "is not known to accept one"
        example = found[0].typename if found else "com.example/Order"
        raise RequestRefusedError(
            415,
            f"a body of {JSON!r} is of the JSON type that the function accepts, and "
            f"{target.typename} {why}: bind it with accepts=[make_json_type(...)], or name the "
            f"type, as in 'Content-Type: application/vnd.{example}'",
        )


def answer_of(reply: StoredValue, request: Request) -> Response:
    """The answer that carries a reply: in the form that the client asked for, if it has it.

    That is the header `Accept`, or else the kind of content that the client sent: text is answered
    by text, JSON by JSON.
    """
    accepted = (request.header("accept") or "").lower()
    sent = (request.header("content-type") or "").lower()
    asked = accepted if any(each in accepted for each in (TEXT, JSON, VENDOR)) else sent
    is_json = JSON in asked
    built_in = BUILT_IN.get(reply.typename)
    if built_in is not None and (is_json or TEXT in asked):
        value = built_in.serializer().deserialize(reply.data)
        is_number = not (isinstance(value, float) and not math.isfinite(value))
        if is_json and is_number:
            return Response(200, json.dumps(value, ensure_ascii=False).encode(), JSON)
        text = value if isinstance(value, str) else json.dumps(value)
        return Response(200, text.encode(), f"{TEXT}; charset=utf-8")
    if is_json and _is_json(reply.data):
        return Response(200, reply.data, JSON)
    return Response(200, reply.data, f"{VENDOR}{reply.typename}")


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _string(body: bytes) -> bytes:
    try:
        return StringType.serializer().serialize(body.decode())
    except UnicodeDecodeError as error:
        raise RequestRefusedError(400, f"the body is not UTF-8: {error}") from error


def _from_json(value_type: Type[Any], body: bytes) -> bytes:
    """The bytes of a value that is written as JSON; those of a JSON type are that already."""
    if value_type.typename not in BUILT_IN:
        return body
    try:
        return value_type.serializer().serialize(json.loads(body))
    except (ValueError, TypeError, RecursionError) as error:
        raise RequestRefusedError(
            400, f"the body is not JSON of a value of {value_type.typename!r}: {error}"
        ) from error


def _check(value_type: Type[Any], body: bytes) -> None:
    """Refuse a body that its type does not read; whatever its reader raises."""
    try:
        value_type.serializer().deserialize(body)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RequestRefusedError(
            400, f"the body is not a value of {value_type.typename!r}: {reason}"
        ) from error


@lru_cache(maxsize=256)
def _parse_content_type(content_type: str | None) -> _Kind:
    """What a content type says; parameters other than a charset are dropped."""
    media_type, *parameters = [each.strip() for each in (content_type or "").split(";")]
    plain = media_type.lower()
    if plain in (TEXT, JSON):
        _check_charset(parameters)
        return _Kind(plain)
    is_vendor = plain.startswith(VENDOR)
    typename = media_type[len(VENDOR) :] if is_vendor else ""
    try:
        parse_typename(typename)
        typename.encode()
    except (InvalidTypenameError, UnicodeError):
        raise RequestRefusedError(
            415, f"the content type {content_type or ''!r} names no type: write {_WANTED}"
        ) from None
    return _Kind(VENDOR, typename)


def _check_charset(parameters: list[str]) -> None:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in _CHARSETS:
            raise RequestRefusedError(415, f"the body is in {value.strip()!r}: send it in UTF-8")
