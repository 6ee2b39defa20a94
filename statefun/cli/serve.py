"""`statefun serve`: functions as a remote endpoint."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import parse_port, parse_target
from statefun.cli.serving import access_files, add_access, allow_connections
from statefun.serve.server import serve

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add", "run"]


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "serve functions as a remote endpoint; GET /health answers 200"
    parser = commands.add_parser("serve", parents=parents, help=text, description=text)
    parser.add_argument("target", type=parse_target, metavar="MODULE:ATTR")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=parse_port, default=8000, help="default: %(default)s")
    parser.add_argument(
        "--unix", default="", metavar="PATH", help="listen on a Unix domain socket instead"
    )
    parser.add_argument("--path", type=_path, default="/statefun", help="default: %(default)s")
    parser.add_argument(
        "--workers", type=_workers, default=1, metavar="N", help="processes; default: 1"
    )
    add_access(parser)
    parser.set_defaults(run=run)


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ArgumentTypeError(f"{text!r} does not begin with '/': write {'/' + text!r}")
    return text


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of processes: write 1 or more")
    return int(text)


def run(arguments: Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    allow_connections()
    serve(
        arguments.target,
        host=arguments.host,
        port=arguments.port,
        unix=arguments.unix,
        path=arguments.path,
        workers=arguments.workers,
        access=access_files(arguments),
    )
    return 0
