"""`statefun dev`: `statefun run` that starts again when a file changes, with a line per call."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from statefun.cli.arguments import (
    add_data,
    parse_module_file,
    parse_port,
    parse_target,
    print_line,
)
from statefun.errors import ConfigurationError
from statefun.serve.worker import STOP_SIGNALS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable

__all__ = ["add"]

_LOOK_MS = 500
"""How often it is looked whether the runtime ended by itself, or is to stop."""


def add(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    text = "run functions while you write them: starts again when a file of the folder changes"
    parser = commands.add_parser("dev", parents=parents, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("target", metavar="MODULE:ATTR", type=parse_target, help="the functions")
    parser.add_argument(
        "files",
        nargs="*",
        type=parse_module_file,
        metavar="FILE",
        help="module files; without any there is an ingress on port 8090",
    )
    add_data(parser)
    parser.add_argument(
        "--admin-port",
        type=parse_port,
        default=8091,
        metavar="N",
        help="answer GET /health and GET /metrics on this port (default: %(default)s)",
    )


def run(arguments: Namespace) -> int:
    """Run until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: If watchfiles is not installed.
    """
    try:
        import watchfiles  # noqa: PLC0415 - of the extra `dev`
    except ModuleNotFoundError:
        raise ConfigurationError("it needs watchfiles: pip install 'statefun[dev]'") from None
    stop = Event()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    files = watchfiles.PythonFilter(extra_extensions=(".yaml", ".yml", ".toml"))
    changes = watchfiles.watch(
        Path.cwd(),
        watch_filter=files,
        stop_event=stop,
        rust_timeout=_LOOK_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    command = [
        *(sys.executable, "-m", "statefun", "run", *arguments.files),
        *("--functions", arguments.target, "--data", arguments.data),
        *("--admin-port", str(arguments.admin_port), "--show-calls"),
    ]
    return _serve(lambda: subprocess.Popen(command), changes)  # noqa: S603 - ours


def _serve(
    start: Callable[[], subprocess.Popen[bytes]], changes: Iterable[set[tuple[Any, str]]]
) -> int:
    """Keep a process running, and start it again at each change."""
    process, has_told = start(), False
    try:
        for changed in changes:
            if changed:
                names = sorted({Path(path).name for _, path in changed})
                print_line(f"statefun dev: {', '.join(names)} changed, starting again")
                _end(process)
                process, has_told = start(), False
            elif process.poll() is not None and not has_told:
                print_line("statefun dev: it has ended; it starts again when a file changes")
                has_told = True
    finally:
        _end(process)
    return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop it in order; `statefun run` bounds how long that takes."""
    if process.poll() is None:
        process.terminate()
    process.wait()
