"""`statefun serve`: functions as a remote endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import parse_port, parse_target
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
    parser.add_argument("--path", default="/statefun", help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes; default: 1")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    serve(
        arguments.target,
        host=arguments.host,
        port=arguments.port,
        path=arguments.path,
        workers=arguments.workers,
    )
    return 0
