"""`statefun send`: one message to a running runtime, through its HTTP ingress."""

from __future__ import annotations

from argparse import ArgumentTypeError
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from statefun.cli.arguments import CommandError, UsageError, parse_text, parse_type, print_line
from statefun.cli.values import encode_value, parse_type_name, read_value
from statefun.http.access import token_lines
from statefun.sdk.address import Address, parse_typename
from statefun.sdk.primitives import StringType

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add", "run"]

_TIMEOUT_S = 60
_OK = 200
_LONGEST_ID = 2000


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "send one message to a running runtime; returns once the message is durable"
    parser = commands.add_parser("send", parents=parents, help=text, description=text)
    parser.add_argument("typename", type=parse_type, metavar="NS/TYPE")
    parser.add_argument("id", type=parse_text, metavar="ID")
    parser.add_argument("value", type=parse_text, metavar="VALUE", help="- reads it from stdin")
    parser.add_argument(
        "--type",
        type=parse_type_name,
        default=StringType.typename,
        metavar="TYPENAME",
        help="the type of VALUE, which is parsed if the type is built in, and sent as UTF-8 if "
        "not (default: %(default)s)",
    )
    parser.add_argument(
        "--to",
        default="http://127.0.0.1:8090",
        metavar="URL",
        help="the ingress of the runtime (default: %(default)s)",
    )
    parser.add_argument(
        "--key",
        type=_parse_key,
        help="an idempotency key: a message that is sent again with its key is delivered once",
    )
    parser.add_argument(
        "--token-file", metavar="FILE", help="send the bearer token on the first line of this file"
    )
    parser.set_defaults(run=run)


def _parse_key(text: str) -> str:
    """Text that can stand in the header `Idempotency-Key`."""
    if not parse_text(text).strip() or not text.isprintable():
        raise ArgumentTypeError(f"{text!r} cannot be a key: write some text without line ends")
    return text


def run(arguments: Namespace) -> int:
    """Send the message and wait until it is durable."""
    target = Address(arguments.typename, arguments.id)
    if not target.id:
        raise UsageError("the ID is empty, and the HTTP ingress takes no empty ids: pass another")
    size = len(target.id.encode())
    if size > _LONGEST_ID:
        raise UsageError(
            f"the ID has {size} bytes, and it is part of a URL: pass one of {_LONGEST_ID} at most"
        )
    _check_type(arguments.type)
    headers = {"Content-Type": f"application/vnd.{arguments.type}".encode()}
    if arguments.key is not None:
        headers["Idempotency-Key"] = arguments.key.encode()
    if arguments.token_file is not None:
        headers["Authorization"] = f"Bearer {token_lines(arguments.token_file)[0]}".encode()
    body = encode_value(read_value(arguments.value), arguments.type)
    status, reason = _put(arguments.to, target, headers, body)
    if status != _OK:
        raise CommandError(f"{arguments.to} answered {status}: {reason}")
    print_line(f"sent to {target}")
    return 0


def _check_type(typename: str) -> None:
    if ";" in typename or not typename.isprintable() or typename != typename.strip():
        raise UsageError(
            f"--type {typename!r} cannot be part of a content type: take one without semicolons, "
            "line ends, and blanks at its end"
        )


def _put(root: str, target: Address, headers: dict[str, bytes], body: bytes) -> tuple[int, str]:
    segments = (*parse_typename(target.typename), target.id)
    path = "".join("/" + quote(segment, safe="").replace(".", "%2E") for segment in segments)
    connection = _connection(root)
    try:
        connection.request("PUT", urlsplit(root).path.rstrip("/") + path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        raise CommandError(
            f"no runtime answers at {root} ({error or type(error).__name__}): start one with "
            "'statefun run', or name its ingress with --to"
        ) from error
    finally:
        connection.close()


def _connection(root: str) -> HTTPConnection:
    try:
        parts = urlsplit(root)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    is_plain = root.isascii() and root.isprintable() and " " not in root
    if not (is_plain and host and parts.scheme in ("http", "https")):
        raise UsageError(f"--to {root!r} is not a URL: write for example 'http://127.0.0.1:8090'")
    if parts.scheme == "https":
        return HTTPSConnection(host, port, timeout=_TIMEOUT_S)
    return HTTPConnection(host, port, timeout=_TIMEOUT_S)
